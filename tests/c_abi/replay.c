/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host written in C: feeds a pcap file of Ethernet frames through libikefrag.so and checks what
 * comes out. Usage: c_abi_test CAPTURE */
#include "plugin/ikefrag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                        \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

static uint32_t u32(const uint8_t* bytes) {
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static size_t count_accepted(ikefrag_engine* engine, uint8_t* answered, size_t packets) {
    ikefrag_verdict verdicts[4];
    size_t accepted = 0;
    size_t got;
    while ((got = ikefrag_take_verdicts(engine, verdicts, 4)) > 0) {
        for (size_t i = 0; i < got; ++i) {
            REQUIRE(verdicts[i].id < packets);
            REQUIRE(answered[verdicts[i].id]++ == 0);
            accepted += strcmp(verdicts[i].verdict, "accept") == 0;
            if (verdicts[i].fragment) REQUIRE(strcmp(verdicts[i].rule, "mine") == 0);
        }
    }
    return accepted;
}

int main(int argc, char** argv) {
    REQUIRE(argc == 2);
    REQUIRE(ikefrag_abi_version() == IKEFRAG_ABI_VERSION);
    ikefrag_options options;
    memset(&options, 0, sizeof options);
    options.size = sizeof options;
    options.mode = "strict";
    REQUIRE(ikefrag_create(&options) == NULL);
    options.mode = "exclusive";
    options.hold_seconds = 31;
    REQUIRE(ikefrag_create(&options) == NULL);
    options.hold_seconds = 5;
    ikefrag_engine* engine = ikefrag_create(&options);
    REQUIRE(engine != NULL);

    ikefrag_rule rule;
    memset(&rule, 0, sizeof rule);
    rule.size = sizeof rule;
    rule.name = "mine";
    rule.action = "let go";
    rule.packet_class = "ike";
    rule.protocol = -1;
    REQUIRE(ikefrag_set_rules(engine, &rule, 1) == IKEFRAG_BAD_ARGUMENT);
    REQUIRE(strstr(ikefrag_last_error(engine), "'let go'") != NULL);
    rule.action = "pass";
    REQUIRE(ikefrag_set_rules(engine, &rule, 1) == IKEFRAG_OK);
    ikefrag_server server = {sizeof server, "vpn1", "198.51.100.2, 2001:db8::/64", NULL};
    REQUIRE(ikefrag_set_servers(engine, &server, 1) == IKEFRAG_OK);
    REQUIRE(ikefrag_next_deadline(engine) == INT64_MAX);

    FILE* file = fopen(argv[1], "rb");
    REQUIRE(file != NULL);
    uint8_t header[24];
    REQUIRE(fread(header, 1, sizeof header, file) == sizeof header);
    uint8_t record[16];
    static uint8_t frame[65536];
    static uint8_t answered[65536];
    uint32_t packets = 0;
    size_t accepted = 0;
    int64_t now = 0;
    while (fread(record, 1, sizeof record, file) == sizeof record) {
        const size_t length = u32(record + 8);
        REQUIRE(length >= 14 && length <= sizeof frame);
        REQUIRE(fread(frame, 1, length, file) == length);
        now = (int64_t)u32(record) * 1000000000 + (int64_t)u32(record + 4) * 1000;
        const ikefrag_packet packet = {sizeof packet, packets++, frame + 14, length - 14, 0, 0};
        REQUIRE(ikefrag_feed(engine, &packet, now) == IKEFRAG_OK);
        accepted += count_accepted(engine, answered, packets);
    }
    fclose(file);
    REQUIRE(ikefrag_expire(engine, now + 120 * (int64_t)1000000000) == IKEFRAG_OK);
    accepted += count_accepted(engine, answered, packets);
    REQUIRE(packets == 8);
    REQUIRE(accepted == 8);
    for (uint32_t i = 0; i < packets; ++i) REQUIRE(answered[i] == 1);

    ikefrag_event event;
    int ended = 0;
    while (ikefrag_take_events(engine, &event, 1) == 1) {
        if (strcmp(event.kind, "handshake_ended") != 0) continue;
        ++ended;
        REQUIRE(strcmp(event.outcome, "established") == 0);
        REQUIRE(strcmp(event.server, "198.51.100.2") == 0);
        REQUIRE(strlen(event.initiator_spi) == 16);
    }
    REQUIRE(ended == 1);
    ikefrag_destroy(engine);
    puts("ok");
    return 0;
}
