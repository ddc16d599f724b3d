// SPDX-License-Identifier: GPL-2.0-or-later
// What was learned of IKE: in all, and of each server.
#include "daemon/metrics/export_ike.hpp"

#include "daemon/escape.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/vendor_id.hpp"

#include <algorithm>
#include <array>

namespace ikefrag::metrics {
namespace {

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
        // Remembered ones come from peers.db, and a label must be UTF-8.
        const auto label = vendor.empty() ? std::string("unknown") : escape_terminal(vendor);
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

} // namespace

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
    for (const auto transition : {Transition::six_to_four, Transition::teredo})
        out.set("ikefrag_transition_mismatches_total",
                {word(transition)},
                totals.outer_seen[index(transition)].mismatched);
}

void export_server(Families& out, const MetricsSnapshot& snapshot, std::size_t index) {
    const auto& listed = snapshot.policy.servers;
    const auto server = index < listed.size() ? listed[index].name : std::string("unlisted");
    const auto& totals = snapshot.servers[index];
    export_exchanges(out, server, totals);
    export_outcomes(out, snapshot, server, totals);
    export_notifies(out, server, totals);
    export_peers(out, server, totals);
}

} // namespace ikefrag::metrics
