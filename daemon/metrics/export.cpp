// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/export_ike.hpp"
#include "daemon/metrics/families.hpp"
#include "daemon/metrics/snapshot.hpp"
#include "daemon/version.hpp"

#include <algorithm>
#include <string>

namespace ikefrag {

using namespace metrics;

namespace {

void export_process(Families& out, const MetricsSnapshot& snapshot) {
    out.set("ikefrag_build_info",
            {text(build_version()), text(build_revision()), text(build_compiler())},
            1.0);
    out.set("ikefrag_start_time_seconds", {}, snapshot.start_seconds);
    out.set("process_cpu_seconds_total", {}, snapshot.process.cpu_seconds);
    out.set("process_resident_memory_bytes", {}, snapshot.process.resident_bytes);
    out.set("process_virtual_memory_bytes", {}, snapshot.process.virtual_bytes);
    out.set("process_open_fds", {}, snapshot.process.open_files);
    out.set("process_max_fds", {}, snapshot.process.max_files);
    out.set("process_start_time_seconds", {}, snapshot.process.start_seconds);
    out.set(
        "ikefrag_config_last_reload_successful", {}, snapshot.last_reload_successful ? 1.0 : 0.0);
    out.set(
        "ikefrag_config_last_reload_success_timestamp_seconds", {}, snapshot.configured_seconds);
    out.set("ikefrag_config_hash_info", {snapshot.config_hash}, 1.0);
    out.set("ikefrag_reloads_total", {}, snapshot.reloads);
    for (const auto& mode : words<Mode>())
        out.set(
            "ikefrag_mode_info", {text(mode.text)}, snapshot.policy.mode == mode.value ? 1.0 : 0.0);
    out.set("ikefrag_events_lost_total", {}, snapshot.events_lost);
    out.set("ikefrag_peers_database_failures_total", {}, snapshot.database.failures);
    out.set("ikefrag_peers_database_waiting", {}, snapshot.database.waiting);
    out.set("ikefrag_peers_database_lost_total", {}, snapshot.database.lost);
    out.set("ikefrag_peers_database_unreadable_total", {}, snapshot.database.unreadable);
    out.set("ikefrag_clock_step_seconds", {}, snapshot.clock_step_seconds);
}

void export_capture(Families& out, const CaptureMetrics& capture) {
    out.set("ikefrag_capture_enabled", {}, capture.enabled ? 1.0 : 0.0);
    out.set("ikefrag_capture_ring_bytes", {}, capture.ring_bytes);
    out.set("ikefrag_capture_packets_lost_total", {}, capture.packets_lost);
    out.set("ikefrag_capture_files_total", {}, capture.files);
    out.set("ikefrag_capture_files_failed_total", {}, capture.files_failed);
    out.set("ikefrag_capture_files_suppressed_total", {}, capture.files_suppressed);
}

void export_table(Families& out, const MetricsSnapshot& snapshot) {
    out.set("ikefrag_table_present", {}, snapshot.table_present ? 1.0 : 0.0);
    out.set("ikefrag_table_repairs_total", {}, snapshot.table_repairs);
    out.set("ikefrag_kernel_emptied_total", {}, snapshot.kernel_emptied);
    for (const auto counter : table_counters())
        out.set("ikefrag_table_packets_total",
                {word(counter)},
                snapshot.table[static_cast<std::size_t>(counter)]);
    out.set("ikefrag_conntrack_active", {}, snapshot.conntrack_active ? 1.0 : 0.0);
}

void export_gates(Families& out, const MetricsSnapshot& snapshot) {
    const auto& gates = snapshot.gates;
    for (const auto& family : words<Family>()) {
        const auto f = index(family.value);
        for (const auto& packet_class : words<PacketClass>()) {
            const auto c = index(packet_class.value);
            // What never had a class (tails without a head) counts as other.
            const bool last = packet_class.value == PacketClass::other;
            for (const std::size_t fragment : {0u, 1u}) {
                auto count = gates.packets[f][c][fragment];
                if (last) count += gates.packets[f][count_of<PacketClass>][fragment];
                if (fragment == 0) count += snapshot.sent_packets[f][c];
                out.set("ikefrag_packets_total",
                        {text(family.text), text(packet_class.text), fragment == 0 ? "no" : "yes"},
                        count);
            }
        }
    }
    for (const auto& family : words<Family>())
        for (const auto& reason : words<Reason>())
            for (const std::size_t enforced : {0u, 1u})
                if (reason.value != Reason::none)
                    out.set("ikefrag_refusals_total",
                            {text(family.text), text(reason.text), enforced == 0 ? "no" : "yes"},
                            gates.refusals[index(family.value)][index(reason.value)][enforced]);
    for (const auto& family : words<Family>())
        for (const auto& outcome : words<DatagramOutcome>())
            out.set("ikefrag_ip_datagrams_total",
                    {text(family.text), text(outcome.text)},
                    gates.datagrams[index(family.value)][index(outcome.value)]);
    for (const auto& family : words<Family>())
        out.histogram("ikefrag_ip_datagram_hold_seconds",
                      {text(family.text)},
                      hold_time_bounds,
                      gates.hold_time[index(family.value)],
                      seconds(gates.hold_time_sum_ns[index(family.value)]));
}

void export_rules(Families& out, const MetricsSnapshot& snapshot) {
    for (const auto& rule : snapshot.policy.rules) {
        const auto row =
            std::find(snapshot.rule_rows.begin(), snapshot.rule_rows.end(), rule.name) -
            snapshot.rule_rows.begin();
        if (static_cast<std::size_t>(row) >= snapshot.rule_rows.size()) continue;
        const auto& counts = snapshot.gates.rule_matches[static_cast<std::size_t>(row)];
        for (const auto& action : words<Action>())
            // A rule may act otherwise than written: reassemble falls back to pass for IPv6.
            if (action.value == rule.action || counts[index(action.value)] != 0)
                out.set("ikefrag_rule_matches_total",
                        {rule.name, text(action.text)},
                        counts[index(action.value)]);
    }
}

void export_queues(Families& out, const MetricsSnapshot& snapshot) {
    const auto share =
        snapshot.policy.limits.table_bytes / std::max<std::size_t>(1, snapshot.queues.size());
    for (const auto& queue : snapshot.queues) {
        const auto number = std::to_string(queue.totals.number);
        for (const auto& verdict : words<Verdict>())
            out.set("ikefrag_verdicts_total",
                    {number, text(verdict.text)},
                    queue.totals.verdicts[index(verdict.value)]);
        out.set("ikefrag_queue_packets_total", {number}, queue.packets);
        out.set("ikefrag_queue_waiting_packets", {number}, queue.waiting);
        out.set("ikefrag_queue_unseen_total", {number}, queue.unseen);
        out.set("ikefrag_queue_vanished_total", {number}, queue.totals.vanished);
        out.set("ikefrag_queue_enobufs_total", {number}, queue.totals.enobufs);
        out.histogram("ikefrag_verdict_latency_seconds",
                      {number},
                      verdict_latency_bounds,
                      queue.totals.latency,
                      seconds(queue.totals.latency_sum_ns));
        out.set("ikefrag_held_packets", {number}, queue.totals.held_packets);
        out.set("ikefrag_held_bytes", {number}, queue.totals.held_bytes);
        out.set("ikefrag_held_bytes_max", {number}, std::uint64_t{share});
        out.set("ikefrag_observations_lost_total", {number}, queue.totals.observations_lost);
    }
    out.set("ikefrag_copies_total", {}, snapshot.copies);
    out.set("ikefrag_copies_lost_total", {}, snapshot.tracker.copies_lost);
}

void export_state_tables(Families& out, const MetricsSnapshot& snapshot) {
    const auto table =
        [&](const char* name, std::size_t entries, std::size_t limit, std::uint64_t evictions) {
            out.set("ikefrag_state_table_entries", {name}, std::uint64_t{entries});
            out.set("ikefrag_state_table_limit", {name}, std::uint64_t{limit});
            out.set("ikefrag_state_table_evictions_total", {name}, evictions);
        };
    table("flows",
          snapshot.handshakes,
          snapshot.limits.handshakes,
          snapshot.tracker.evicted_handshakes);
    table("datagrams",
          snapshot.held_datagrams,
          snapshot.policy.limits.table_datagrams,
          snapshot.gates.evictions);
    table("peers", snapshot.peers, snapshot.limits.peers, snapshot.tracker.evicted_peers);
}

} // namespace

std::vector<prometheus::MetricFamily> export_metrics(const MetricsSnapshot& snapshot) {
    Families out;
    export_process(out, snapshot);
    export_table(out, snapshot);
    export_gates(out, snapshot);
    export_rules(out, snapshot);
    export_queues(out, snapshot);
    export_totals(out, snapshot);
    for (std::size_t i = 0; i < snapshot.servers.size(); ++i) export_server(out, snapshot, i);
    export_capture(out, snapshot.capture);
    export_state_tables(out, snapshot);
    return out.take();
}

} // namespace ikefrag
