/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef IKEFRAG_H
#define IKEFRAG_H

/* The engine of ikefrag for other firewalls and languages: packets and time in, verdicts and events
 * out. No socket, clock, thread or file is used. The library is libikefrag.so.
 *
 *   - An engine belongs to one thread at a time.
 *   - Every packet fed gets exactly one verdict, at once or later. Call ikefrag_take_verdicts after
 *     every call that gives some, ikefrag_expire when ikefrag_next_deadline has come.
 *   - Words (actions, classes, reasons, outcomes) are those of the rule files, as NUL-terminated
 *     text that lives as long as the library.
 *   - Functions that can fail return a negative ikefrag_status and change nothing.
 *   - Structures begin with their size: set it to sizeof, so that a newer library knows an older
 *     caller. Fields may be added at the end; nothing is ever renamed or removed within a version.
 */

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define IKEFRAG_ABI_VERSION 1

/* The version this library speaks; compare with IKEFRAG_ABI_VERSION at start. */
uint32_t ikefrag_abi_version(void);

typedef enum ikefrag_status {
    IKEFRAG_OK = 0,
    IKEFRAG_NO_MEMORY = -1,
    IKEFRAG_BAD_ARGUMENT = -2 /* ikefrag_last_error tells which and why */
} ikefrag_status;

typedef struct ikefrag_engine ikefrag_engine;

typedef struct ikefrag_options {
    size_t size;
    const char* mode; /* "observe", "guard", "exclusive" */
    uint8_t seed[16]; /* random, new at each start: keys the hold table */
    /* Limits; 0: the default. Meaning and range: ikefragd.toml(5), [limits]. */
    uint32_t hold_seconds;
    uint32_t max_datagram_bytes;
    uint32_t max_fragments;
    uint32_t min_first_bytes;
    uint32_t min_nonlast_bytes;
    uint32_t source_datagrams;
    uint32_t source_packets;
    uint32_t source_bytes;
    uint32_t table_datagrams;
    uint32_t table_packets;
    uint32_t table_bytes;
} ikefrag_options;

/* Without any rule, IKE passes and ESP, ESP in UDP and keepalives are left alone.
 * Out: NULL where there is no memory or an option is wrong. */
ikefrag_engine* ikefrag_create(const ikefrag_options* options);
void ikefrag_destroy(ikefrag_engine* engine);

/* What was wrong with the last call that returned IKEFRAG_BAD_ARGUMENT; never NULL. */
const char* ikefrag_last_error(const ikefrag_engine* engine);

typedef struct ikefrag_server {
    size_t size;
    const char* name;
    const char* addresses; /* addresses or prefixes, separated by commas */
    const char* inside;    /* behind destination NAT; may be NULL */
} ikefrag_server;

/* Replaces all servers; none: every IKE responder is one. What is held stays held. */
int ikefrag_set_servers(ikefrag_engine* engine, const ikefrag_server* servers, size_t count);

typedef struct ikefrag_rule {
    size_t size;
    const char* name;   /* unique */
    const char* action; /* "pass", "reassemble", "leave", "drop" */
    int dry_run;        /* not 0: say what would be done, accept */
    /* What is NULL is not tested. Lists are separated by commas. */
    const char* packet_class; /* "ike", "esp_in_udp", "keepalive", "esp", "other" */
    const char* server;       /* names */
    const char* peer;         /* prefixes */
    const char* direction;    /* "to_server", "to_peer" */
    const char* family;       /* "ipv4", "ipv6" */
    const char* transition;   /* "native", "6to4", "teredo" … */
    int protocol;             /* IP protocol; negative: not tested */
} ikefrag_rule;

/* Replaces all rules; the first that matches wins. What is held stays held. */
int ikefrag_set_rules(ikefrag_engine* engine, const ikefrag_rule* rules, size_t count);

/* "observe", "guard" or "exclusive". */
int ikefrag_set_mode(ikefrag_engine* engine, const char* mode);

typedef struct ikefrag_packet {
    size_t size;
    uint32_t id;          /* yours; comes back in the verdict */
    const uint8_t* bytes; /* from the IP header on; not kept beyond the call */
    size_t length;
    int truncated;   /* not 0: the packet is longer than what is shown */
    uint32_t domain; /* VLAN or VRF: fragments of different domains never meet */
} ikefrag_packet;

/* Times are nanoseconds since 1970-01-01 UTC and never go back; an older one counts as equal. */
int ikefrag_feed(ikefrag_engine* engine, const ikefrag_packet* packet, int64_t now);
int ikefrag_expire(ikefrag_engine* engine, int64_t now);
/* Answers everything held with accept: before you stop. */
int ikefrag_release_all(ikefrag_engine* engine, int64_t now);

/* When ikefrag_expire next has something to do; INT64_MAX: never. */
int64_t ikefrag_next_deadline(const ikefrag_engine* engine);

typedef struct ikefrag_verdict {
    uint32_t id;
    const char* verdict;      /* "accept", "drop", "replace", "merge" */
    const char* intended;     /* differs only in observe and under a dry-run rule */
    const char* reason;       /* NULL, or a reason word */
    const char* packet_class; /* NULL: never known */
    const char* rule;         /* NULL: none was asked; until rules are set anew */
    const uint8_t*
        replacement; /* verdict replace: the packet to send instead; until the next call */
    size_t replacement_length; /* that is not ikefrag_take_verdicts */
    int fragment;              /* not 0: it has a fragment's header */
} ikefrag_verdict;

/* Takes up to `room` verdicts in the order they were made. Out: how many. */
size_t ikefrag_take_verdicts(ikefrag_engine* engine, ikefrag_verdict* verdicts, size_t room);

typedef struct ikefrag_event {
    int64_t time;
    const char* kind;       /* "handshake_started", "handshake_ended", "capability_changed",
                               "finding_opened", "finding_updated", "finding_closed" */
    char initiator_spi[17]; /* hex; empty: none */
    char client[46];        /* or the peer whose capability changed; empty: none */
    char server[46];
    const char* outcome; /* handshake_ended; else NULL */
    const char* basis;
    const char* fragmentation; /* capability_changed: what it can do now */
    const char* diagnosis;     /* finding_*: "auth_partial_ipfrag" … */
    const char* actor;         /* who must act */
    const char* sentence;      /* what happened; until the next ikefrag_take_events */
    const char* remedy;        /* who must change what; as long */
} ikefrag_event;

/* Takes up to `room` events in the order they happened. Out: how many. */
size_t ikefrag_take_events(ikefrag_engine* engine, ikefrag_event* events, size_t room);

#ifdef __cplusplus
}
#endif

#endif
