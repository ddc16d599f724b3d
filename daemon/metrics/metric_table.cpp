// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/metric_table.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

using Labels = std::vector<std::string_view>;

MetricRow counter(std::string_view name, Labels labels, std::string_view help) {
    return {name, MetricKind::counter, std::move(labels), help};
}
MetricRow gauge(std::string_view name, Labels labels, std::string_view help) {
    return {name, MetricKind::gauge, std::move(labels), help};
}
MetricRow histogram(std::string_view name, Labels labels, std::string_view help) {
    return {name, MetricKind::histogram, std::move(labels), help};
}

const std::vector<MetricRow>& rows() {
    static const std::vector<MetricRow> table{
        gauge("ikefrag_build_info",
              {"version", "revision", "compiler"},
              "always 1; the labels tell what was built"),
        gauge("ikefrag_start_time_seconds", {}, "when the daemon started"),
        counter("process_cpu_seconds_total", {}, "CPU time used"),
        gauge("process_resident_memory_bytes", {}, "resident memory"),
        gauge("process_virtual_memory_bytes", {}, "virtual memory"),
        gauge("process_open_fds", {}, "open file descriptors"),
        gauge("process_max_fds", {}, "how many there may be"),
        gauge("process_start_time_seconds", {}, "when the process started"),
        gauge("ikefrag_config_last_reload_successful",
              {},
              "1: the configuration was right when last read; 0: the old one is in use"),
        gauge("ikefrag_config_last_reload_success_timestamp_seconds",
              {},
              "when the configuration in use was read"),
        gauge("ikefrag_config_hash_info", {"hash"}, "1, for the configuration in use"),
        counter("ikefrag_reloads_total", {}, "reloads tried"),
        gauge("ikefrag_mode_info", {"mode"}, "1 for the mode in use"),
        gauge("ikefrag_table_present", {}, "1: the kernel table is loaded"),
        counter("ikefrag_table_repairs_total",
                {},
                "times the kernel table was loaded again because another tool changed it"),
        counter("ikefrag_kernel_emptied_total",
                {},
                "times another tool deleted a base chain: the kernel dropped all it held"),
        counter("ikefrag_table_packets_total",
                {"counter"},
                "packets by the kernel table's own counters, one for each way out of it"),
        gauge("ikefrag_conntrack_active",
              {},
              "1: the kernel puts fragments together after us (NAT, connection tracking)"),
        counter("ikefrag_packets_total",
                {"family", "class", "fragment"},
                "packets seen: copies of whole IKE, and fragments"),
        counter("ikefrag_verdicts_total",
                {"queue", "verdict"},
                "accept, drop, replace (the rebuilt datagram), merge (gone into it)"),
        counter("ikefrag_refusals_total",
                {"family", "reason", "enforced"},
                "packets with a reason against them; enforced=\"no\": accepted all the same "
                "(observe, dry_run, whole packets)"),
        counter("ikefrag_ip_datagrams_total",
                {"family", "outcome"},
                "fragmented datagrams: complete, incomplete, refused, left"),
        histogram("ikefrag_ip_datagram_hold_seconds",
                  {"family"},
                  "from the first fragment seen to completion"),
        counter("ikefrag_ip_reordered_datagrams_total",
                {"server"},
                "came out of order, released in order"),
        counter(
            "ikefrag_rule_matches_total", {"rule", "action"}, "datagrams by the rule that decided"),
        counter("ikefrag_ike_messages_total", {"server", "exchange", "role"}, "IKE messages"),
        histogram("ikefrag_ike_message_bytes", {"exchange", "role"}, "their sizes"),
        counter("ikefrag_fragmented_messages_total",
                {"server", "exchange", "role", "method"},
                "messages in pieces: ip, skf (RFC 7383), v1, cisco"),
        counter("ikefrag_skf_messages_total",
                {"server", "exchange", "role"},
                "messages in IKE fragments (RFC 7383)"),
        counter("ikefrag_skf_incomplete_total",
                {"server", "exchange", "role"},
                "of which some fragment never came"),
        histogram(
            "ikefrag_skf_fragments_per_message", {"role"}, "how many IKE fragments a message had"),
        counter("ikefrag_handshakes_started_total", {"server", "version"}, "handshakes begun"),
        counter("ikefrag_handshakes_completed_total",
                {"server", "version"},
                "seen to succeed, taken for failed before or not"),
        counter("ikefrag_handshakes_failed_total",
                {"server", "version", "diagnosis"},
                "failed, under the finding that explains it"),
        gauge("ikefrag_handshakes_in_progress", {"server", "state"}, "under way now"),
        histogram("ikefrag_handshake_duration_seconds", {"server"}, "first message to last answer"),
        counter("ikefrag_retransmits_total", {"server", "exchange", "role"}, "messages sent again"),
        counter("ikefrag_diagnoses_total",
                {"server", "diagnosis", "actor"},
                "findings; actor: who must act"),
        counter("ikefrag_notify_total",
                {"server", "notify"},
                "notifies in the clear (cookie, invalid_ke, no_proposal …)"),
        counter("ikefrag_icmp_total",
                {"family", "kind"},
                "ICMP errors that quote IKE: frag_needed, reassembly_timeout, unreachable"),
        gauge("ikefrag_server_fragmentation_supported",
              {"server"},
              "1: its latest IKE_SA_INIT answer offered RFC 7383; 0: not, or none was seen"),
        gauge("ikefrag_peers_by_fragmentation",
              {"server", "fragmentation"},
              "known peers by what they can do"),
        gauge("ikefrag_peers_by_transition",
              {"server", "transition"},
              "by transition technology of their address"),
        counter("ikefrag_transition_mismatches_total",
                {"transition"},
                "6to4 and Teredo packets from another IPv4 source than the one inside their IPv6 "
                "source; of those the kernel shows"),
        gauge("ikefrag_peers_by_vendor", {"server", "vendor"}, "by vendor ID"),
        gauge("ikefrag_path_mtu_bytes",
              {"server", "direction"},
              "smallest path MTU of the last hour; 0: none known"),
        counter("ikefrag_queue_packets_total",
                {"queue"},
                "fragments the kernel sent to the queue, by the rule's own counter"),
        gauge("ikefrag_queue_waiting_packets", {"queue"}, "in the queue now, held ones included"),
        counter("ikefrag_queue_unseen_total",
                {"queue"},
                "fragments a full queue or socket kept from us: passed (fail-open) or dropped; one "
                "kernel counter for all queues, shared out equally"),
        counter("ikefrag_queue_vanished_total",
                {"queue"},
                "held packets the kernel threw away (a base chain deleted, link down)"),
        counter("ikefrag_queue_enobufs_total", {"queue"}, "socket overflows"),
        histogram("ikefrag_verdict_latency_seconds",
                  {"queue"},
                  "from reading a fragment to its verdict, holding not counted"),
        gauge("ikefrag_held_packets", {"queue"}, "fragments waiting for their siblings"),
        gauge("ikefrag_held_bytes", {"queue"}, "memory they take, payload and bookkeeping"),
        gauge("ikefrag_held_bytes_max",
              {"queue"},
              "limit of that: the queue's share of limits.table_bytes"),
        counter("ikefrag_copies_total", {}, "copies of packets read from the log group"),
        counter("ikefrag_copies_lost_total",
                {},
                "copies of whole IKE that did not reach us; traffic is not touched"),
        counter("ikefrag_observations_lost_total",
                {"queue"},
                "findings the tracker had no room for; verdicts are not touched"),
        counter("ikefrag_events_lost_total", {}, "event lines that could not be written"),
        counter("ikefrag_peers_database_failures_total",
                {},
                "batches that could not be written to peers.db; tried again"),
        gauge("ikefrag_peers_database_waiting",
              {},
              "peers whose latest state is not in peers.db yet; near zero while it can be written"),
        counter("ikefrag_peers_database_lost_total",
                {},
                "changes of peers given up because too many waited for peers.db"),
        counter("ikefrag_peers_database_unreadable_total",
                {},
                "rows of peers.db that were left out at the start, being no peers of ours"),
        gauge("ikefrag_clock_step_seconds",
              {},
              "by how much somebody has set the clock since the start; nothing here waits by it"),
        gauge("ikefrag_capture_enabled",
              {},
              "1: the latest packets are kept, and those of failed handshakes written to files"),
        gauge("ikefrag_capture_ring_bytes", {}, "memory the latest packets take"),
        counter(
            "ikefrag_capture_packets_lost_total",
            {},
            "packets that captures lack: a ring was full, or one pair of addresses had its share"),
        counter("ikefrag_capture_files_total", {}, "captures of failed handshakes written"),
        counter("ikefrag_capture_files_failed_total", {}, "captures that could not be written"),
        counter("ikefrag_capture_files_suppressed_total",
                {},
                "failed handshakes without a capture: too many of one network, or at once"),
        gauge("ikefrag_state_table_entries", {"table"}, "entries in use: flows, datagrams, peers"),
        gauge("ikefrag_state_table_limit", {"table"}, "how many there may be"),
        counter("ikefrag_state_table_evictions_total", {"table"}, "given up to make room"),
    };
    return table;
}

} // namespace

std::string_view to_string(MetricKind kind) noexcept {
    switch (kind) {
    case MetricKind::counter: return "counter";
    case MetricKind::gauge: return "gauge";
    case MetricKind::histogram: return "histogram";
    }
    return "untyped";
}

std::span<const MetricRow> metric_table() { return rows(); }

const MetricRow* find_metric(std::string_view name) {
    const auto& table = rows();
    const auto found = std::find_if(
        table.begin(), table.end(), [&](const MetricRow& row) { return row.name == name; });
    return found == table.end() ? nullptr : &*found;
}

} // namespace ikefrag
