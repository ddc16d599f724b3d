// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/metric_table.hpp"
#include "daemon/metrics/snapshot.hpp"
#include "daemon/version.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/vendor_id.hpp"

#include <prometheus/metric_family.h>

#include <algorithm>
#include <array>
#include <cassert>
#include <limits>
#include <set>

namespace ikefrag {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;

constexpr std::array<double, 9> message_bounds{
    576, 1280, 1500, 2000, 3000, 4000, 8000, 16384, 65535};
constexpr std::array<double, 9> skf_bounds{2, 3, 4, 6, 8, 12, 16, 32, 64};
constexpr std::size_t max_vendors = 32;
constexpr std::string_view other = "other";

/// An exchange type that has a label of its own.
struct KnownExchange {
    std::uint8_t version;
    std::uint8_t type;
    bool encrypted; ///< may travel in RFC 7383 fragments (v1: in payload 132)
};
constexpr KnownExchange exchanges[] = {
    {2, 34, false},
    {2, 35, true },
    {2, 36, true },
    {2, 37, true },
    {2, 38, false},
    {2, 39, true },
    {2, 40, true },
    {2, 41, true },
    {2, 43, true },
    {2, 44, true },
    {1, 1,  true },
    {1, 2,  true },
    {1, 3,  true },
    {1, 4,  true },
    {1, 5,  true },
    {1, 6,  true },
    {1, 32, true },
    {1, 33, true },
};

struct NotifyLabel {
    std::uint16_t type;
    std::string_view label;
};
/// Notifies seen in the clear that tell something.
constexpr NotifyLabel notifies[] = {
    {4,     "invalid_ike_spi"        },
    {5,     "invalid_major_version"  },
    {7,     "invalid_syntax"         },
    {14,    "no_proposal"            },
    {17,    "invalid_ke"             },
    {24,    "authentication_failed"  },
    {16390, "cookie"                 },
    {16407, "redirect"               },
    {16430, "fragmentation_supported"},
    {16438, "intermediate_supported" },
};

using ExchangeKey = std::tuple<std::uint8_t, std::uint8_t, Role>;

bool is_known(std::uint8_t version, std::uint8_t type) {
    return std::any_of(std::begin(exchanges), std::end(exchanges), [&](const KnownExchange& known) {
        return known.version == version && known.type == type;
    });
}

/// The families in the table's order, filled by name.
class Families {
public:
    Families() {
        for (const auto& row : metric_table()) {
            MetricFamily family;
            family.name = row.name;
            family.help = row.help;
            family.type = row.kind == MetricKind::counter ? prometheus::MetricType::Counter
                          : row.kind == MetricKind::gauge ? prometheus::MetricType::Gauge
                                                          : prometheus::MetricType::Histogram;
            families_.push_back(std::move(family));
        }
    }

    using Values = std::vector<std::string>; ///< of the row's labels, in its order

    void set(std::string_view name, Values values, double number) {
        auto& metric = add(name, std::move(values));
        metric.counter.value = number;
        metric.gauge.value = number;
    }
    void set(std::string_view name, Values values, std::uint64_t number) {
        set(name, std::move(values), static_cast<double>(number));
    }

    template <class Bounds, class Counts>
    void histogram(std::string_view name,
                   Values values,
                   const Bounds& bounds,
                   const Counts& counts,
                   double sum) {
        auto& histogram = add(name, std::move(values)).histogram;
        std::uint64_t cumulative = 0;
        for (std::size_t i = 0; i <= bounds.size(); ++i) {
            cumulative += i < counts.size() ? counts[i] : 0;
            const auto bound =
                i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity();
            histogram.bucket.push_back({cumulative, bound});
        }
        histogram.sample_count = cumulative;
        histogram.sample_sum = sum;
    }

    std::vector<MetricFamily> take() { return std::move(families_); }

private:
    ClientMetric& add(std::string_view name, Values values) {
        const auto rows = metric_table();
        // Filled in the table's order: the row wanted is the last one or comes soon after.
        while (rows[at_].name != name) at_ = (at_ + 1) % rows.size();
        const auto& labels = rows[at_].labels;
        assert(labels.size() == values.size());
        auto& metric = families_[at_].metric.emplace_back();
        metric.label.reserve(labels.size());
        for (std::size_t i = 0; i < labels.size(); ++i)
            metric.label.push_back({std::string(labels[i]), std::move(values[i])});
        return metric;
    }

    std::vector<MetricFamily> families_;
    std::size_t at_ = 0;
};

std::string text(std::string_view view) { return std::string(view); }
template <class E>
std::string word(E value) {
    return std::string(to_string(value));
}

double seconds(std::uint64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

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

/// Calls `set(exchange, role, count)` for all known exchanges and once for the others; a response
/// of IKEv1 only where one was counted, since its messages are neither.
template <class Counts, class Wanted, class Set>
void each_exchange(const Counts& counts, Wanted wanted, Set set) {
    const auto count_at = [&](const ExchangeKey& key) {
        const auto found = counts.find(key);
        return found == counts.end() ? 0 : found->second;
    };
    for (const auto& known : exchanges) {
        if (!wanted(known)) continue;
        for (const auto role : {Role::request, Role::response}) {
            const auto count = count_at({known.version, known.type, role});
            if (known.version == 1 && role == Role::response && count == 0) continue;
            set(exchange_name(known.version, known.type), role, count);
        }
    }
    std::array<std::uint64_t, 2> unknown{};
    for (const auto& [key, count] : counts)
        if (!is_known(std::get<0>(key), std::get<1>(key)))
            unknown[index(std::get<2>(key))] += count;
    for (const auto role : {Role::request, Role::response})
        set(text(other), role, unknown[index(role)]);
}

bool any_exchange(const KnownExchange&) { return true; }
bool may_be_skf(const KnownExchange& known) { return known.version == 2 && known.encrypted; }

bool can_travel(const KnownExchange& known, Transport transport) {
    switch (transport) {
    case Transport::ip: return true;
    case Transport::skf: return may_be_skf(known);
    case Transport::v1: return known.version == 1;
    case Transport::cisco: return known.version == 2 && known.type >= 35 && known.type <= 37;
    case Transport::whole: break;
    }
    return false;
}

void export_fragmented(Families& out, const std::string& server, const ExchangeTotals& totals) {
    for (const auto transport : {Transport::ip, Transport::skf, Transport::v1, Transport::cisco}) {
        std::map<ExchangeKey, std::uint64_t> counts;
        for (const auto& [key, count] : totals.fragmented)
            if (std::get<3>(key) == transport)
                counts[{std::get<0>(key), std::get<1>(key), std::get<2>(key)}] += count;
        each_exchange(
            counts,
            [&](const KnownExchange& known) { return can_travel(known, transport); },
            [&](const std::string& exchange, Role role, std::uint64_t count) {
                // Only IP takes any exchange to pieces; the rest is served where it was seen.
                if (exchange == other && count == 0 && transport != Transport::ip) return;
                out.set("ikefrag_fragmented_messages_total",
                        {server, exchange, word(role), word(transport)},
                        count);
            });
    }
}

void export_exchanges(Families& out, const std::string& server, const ExchangeTotals& totals) {
    const auto set = [&](std::string_view name) {
        return [&out, &server, name](const std::string& exchange, Role role, std::uint64_t count) {
            out.set(name, {server, exchange, word(role)}, count);
        };
    };
    out.set("ikefrag_ip_reordered_datagrams_total", {server}, totals.reordered);
    each_exchange(totals.messages, any_exchange, set("ikefrag_ike_messages_total"));
    export_fragmented(out, server, totals);
    each_exchange(totals.skf_sets, may_be_skf, set("ikefrag_skf_messages_total"));
    each_exchange(totals.skf_incomplete, may_be_skf, set("ikefrag_skf_incomplete_total"));
    each_exchange(totals.retransmits, any_exchange, set("ikefrag_retransmits_total"));
}

void export_outcomes(Families& out,
                     const MetricsSnapshot& snapshot,
                     const std::string& server,
                     const ExchangeTotals& totals) {
    for (const auto version : {std::uint8_t{1}, std::uint8_t{2}}) {
        const auto label = std::to_string(version);
        out.set("ikefrag_handshakes_started_total", {server, label}, totals.started[version]);
        out.set("ikefrag_handshakes_completed_total", {server, label}, totals.completed[version]);
        const auto failed = [&](const std::string& slug) {
            const auto found = snapshot.failed.find({server, version, slug});
            out.set("ikefrag_handshakes_failed_total",
                    {server, label, slug},
                    found == snapshot.failed.end() ? 0 : found->second);
        };
        for (const auto& diagnosis : catalogue())
            if (diagnosis.kind == FindingKind::failure) failed(text(diagnosis.slug));
        failed("none");
    }
    for (std::size_t stage = 0; stage < stage_words.size(); ++stage)
        out.set("ikefrag_handshakes_in_progress",
                {server, text(stage_words[stage])},
                totals.in_progress[stage]);
    out.histogram("ikefrag_handshake_duration_seconds",
                  {server},
                  duration_bounds,
                  totals.duration,
                  totals.duration_sum_seconds);
    for (const auto& diagnosis : catalogue())
        for (const auto actor : diagnosis.actors) {
            const auto found = totals.diagnoses.find({text(diagnosis.slug), actor});
            out.set("ikefrag_diagnoses_total",
                    {server, text(diagnosis.slug), word(actor)},
                    found == totals.diagnoses.end() ? 0 : found->second);
        }
}

void export_notifies(Families& out, const std::string& server, const ExchangeTotals& totals) {
    std::uint64_t rest = 0;
    for (const auto& [type, count] : totals.notifies) rest += count;
    for (const auto& notify : notifies) {
        const auto found = totals.notifies.find(notify.type);
        const auto count = found == totals.notifies.end() ? 0 : found->second;
        rest -= count;
        out.set("ikefrag_notify_total", {server, text(notify.label)}, count);
    }
    out.set("ikefrag_notify_total", {server, text(other)}, rest);
}

/// One for each vendor word that is known without a file, from the start.
const std::map<std::string, std::uint64_t>& vendor_labels() {
    static const auto labels = [] {
        std::map<std::string, std::uint64_t> words{
            {"unknown",   0},
            {text(other), 0}
        };
        for (const auto& known : default_vendor_ids())
            if (!known.vendor.empty()) words.emplace(known.vendor, 0);
        return words;
    }();
    return labels;
}

void export_peers(Families& out, const std::string& server, const ExchangeTotals& totals) {
    out.set("ikefrag_server_fragmentation_supported",
            {server},
            totals.fragmentation_supported.value_or(false) ? 1.0 : 0.0);
    for (const auto& row : words<Fragmentation>())
        out.set("ikefrag_peers_by_fragmentation",
                {server, text(row.text)},
                totals.peers_by_fragmentation[index(row.value)]);
    for (const auto& row : words<Transition>())
        out.set("ikefrag_peers_by_transition",
                {server, text(row.text)},
                totals.peers_by_transition[index(row.value)]);
    auto vendors = vendor_labels();
    for (const auto& [vendor, count] : totals.peers_by_vendor) {
        const auto label = vendor.empty() ? std::string("unknown") : vendor;
        const bool room = vendors.contains(label) || vendors.size() < max_vendors;
        vendors[room ? label : text(other)] += count;
    }
    for (const auto& [vendor, count] : vendors)
        out.set("ikefrag_peers_by_vendor", {server, vendor}, count);
    for (const auto& direction : words<Direction>())
        out.set("ikefrag_path_mtu_bytes",
                {server, text(direction.text)},
                std::uint64_t{totals.path_mtu_bytes[index(direction.value)]});
}

void export_totals(Families& out, const MetricsSnapshot& snapshot) {
    const auto& totals = snapshot.tracker;
    static constexpr std::array<std::uint64_t, 10> zeros{};
    for (const auto& known : exchanges)
        for (const auto role : {Role::request, Role::response}) {
            const ExchangeKey key{known.version, known.type, role};
            const auto found = totals.message_bytes.find(key);
            const bool seen = found != totals.message_bytes.end();
            if (known.version == 1 && role == Role::response && !seen) continue;
            const auto sum = totals.message_bytes_sum.find(key);
            out.histogram("ikefrag_ike_message_bytes",
                          {exchange_name(known.version, known.type), word(role)},
                          message_bounds,
                          seen ? found->second : zeros,
                          sum == totals.message_bytes_sum.end() ? 0 : sum->second);
        }
    for (const auto role : {Role::request, Role::response})
        out.histogram("ikefrag_skf_fragments_per_message",
                      {word(role)},
                      skf_bounds,
                      totals.skf_per_message[index(role)],
                      totals.skf_per_message_sum[index(role)]);
    static constexpr std::string_view kinds[] = {
        "frag_needed", "reassembly_timeout", "unreachable"};
    for (const auto& family : words<Family>())
        for (std::size_t kind = 0; kind < std::size(kinds); ++kind)
            out.set("ikefrag_icmp_total",
                    {text(family.text), text(kinds[kind])},
                    totals.icmp[index(family.value)][kind]);
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

std::vector<MetricFamily> export_metrics(const MetricsSnapshot& snapshot) {
    Families out;
    export_process(out, snapshot);
    export_table(out, snapshot);
    export_gates(out, snapshot);
    export_rules(out, snapshot);
    export_queues(out, snapshot);
    export_totals(out, snapshot);
    for (std::size_t i = 0; i < snapshot.servers.size(); ++i) {
        const auto server =
            i < snapshot.policy.servers.size() ? snapshot.policy.servers[i].name : "unlisted";
        const auto& totals = snapshot.servers[i];
        export_exchanges(out, server, totals);
        export_outcomes(out, snapshot, server, totals);
        export_notifies(out, server, totals);
        export_peers(out, server, totals);
    }
    export_capture(out, snapshot.capture);
    export_state_tables(out, snapshot);
    return out.take();
}

} // namespace ikefrag
