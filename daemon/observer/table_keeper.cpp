// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/table_keeper.hpp"

#include "daemon/log.hpp"
#include "daemon/observer/worker_pool.hpp"

#include <algorithm>
#include <cstring>

namespace ikefrag {
namespace {

constexpr Duration repair_every = std::chrono::seconds(1);
/// Looking at all rulesets takes milliseconds: rules that change all the time do not make it more.
constexpr Duration probe_every = std::chrono::seconds(5);

std::uint32_t random_number() {
    const auto bytes = random_seed();
    std::uint32_t number = 0;
    std::memcpy(&number, bytes.data(), sizeof number);
    return number;
}

/// Whether fragments of ESP in UDP are let through by the rules: the first that asks for the class
/// alone decides; one that asks for more leaves it open.
bool allows_esp_in_udp(const Policy& policy) {
    if (policy.rules.empty()) return true;
    for (const auto& rule : policy.rules) {
        const auto& match = rule.match;
        if (match.packet_class && *match.packet_class != PacketClass::esp_in_udp) continue;
        if (match.protocol && *match.protocol != 17) continue;
        if (rule.action != Action::drop || rule.dry_run) return true;
        if (match.server.empty() && match.peer.empty() && !match.direction && !match.family &&
            match.interface.empty() && match.transition.empty())
            return false;
    }
    return false;
}

std::string describe(const TableApplied& applied) {
    std::string text =
        "kernel table inet ikefragd is in, fragments by " + std::string(to_string(applied.via));
    if (applied.replaced)
        text += " (one that was left could not be used and was replaced)";
    else if (applied.reshaped)
        text += " (one of another version was taken over)";
    else if (applied.adopted)
        text += " (one that was left was taken over, counters kept)";
    return text;
}

} // namespace

TableSettings table_settings(const Policy& policy, const Settings& settings) {
    TableSettings table;
    table.mode = policy.mode;
    for (const auto& server : policy.servers) {
        table.servers.insert(table.servers.end(), server.addresses.begin(), server.addresses.end());
        table.servers.insert(table.servers.end(), server.inside.begin(), server.inside.end());
    }
    table.plain_ports = policy.ports.plain;
    table.marked_ports = policy.ports.marked;
    table.queue_first = settings.queue.first;
    table.queue_count = settings.queue.count;
    table.bypass = settings.queue.fail_open;
    table.log_group = settings.copy_group;
    table.allowed_protocols = policy.allowed_protocols;
    table.allow_esp_in_udp = allows_esp_in_udp(policy);
    table.hold_seconds = policy.limits.hold_seconds;
    for (const auto& rule : policy.rules)
        table.hold_seconds = std::max(table.hold_seconds, rule.limits.hold_seconds.value_or(0));
    return table;
}

IkeTraffic ike_traffic(const Policy& policy, const Settings& settings) {
    IkeTraffic traffic{.servers = table_settings(policy, settings).servers,
                       .ports = policy.ports.plain};
    traffic.ports.insert(
        traffic.ports.end(), policy.ports.marked.begin(), policy.ports.marked.end());
    if (settings.mark && policy.mode != Mode::observe)
        traffic.mark = PacketMark{settings.mark->value, settings.mark->mask};
    return traffic;
}

std::string what_pass_does(const ConntrackFacts& facts) {
    if (facts.conntrack_active)
        return "connection tracking is active: behind us the kernel puts the fragments together, "
               "filters and translates the whole datagram, and cuts it again on the way out";
    for (const auto& rule : fragment_drops_behind_us(facts))
        if (!rule.empty())
            return "connection tracking is off and " + rule.substr(0, rule.find(':')) +
                   " drops fragments behind us: what is passed will not get through; set mark and "
                   "exempt it there, or use reassemble";
    return "connection tracking is off: fragments go on as they came, first to last";
}

TableKeeper::TableKeeper(const Policy& policy, const Settings& settings)
    : table_(
          [&] {
              auto wanted = table_settings(policy, settings);
              wanted.seed = random_number();
              return wanted;
          }(),
          settings.queue.manage_nft ? TableOwnership::managed : TableOwnership::only_checked),
      traffic_(ike_traffic(policy, settings)), managed_(settings.queue.manage_nft) {}

std::optional<std::string> TableKeeper::load() {
    const auto applied = table_.apply();
    if (!applied) {
        present_ = false;
        fault_ = applied.error().text;
        return fault_;
    }
    present_ = true;
    fault_.clear();
    doubted_ = !managed_; // the admin's own may be for another mode
    if (managed_) log_info(describe(*applied));
    return std::nullopt;
}

std::optional<std::string> TableKeeper::change(const Policy& policy, const Settings& settings) {
    auto wanted = table_settings(policy, settings);
    wanted.seed = table_.settings().seed;
    const auto applied = table_.reload(std::move(wanted));
    if (!applied) return applied.error().text;
    present_ = true;
    fault_.clear();
    traffic_ = ike_traffic(policy, settings);
    rulesets_changed_ = true;
    doubted_ = !managed_; // what the admin has loaded may be for what was before
    return std::nullopt;
}

std::optional<std::string> TableKeeper::stop_queueing() {
    leaving_ = true;
    if (const auto error = table_.stop_queueing()) return error->text;
    return std::nullopt;
}

std::optional<std::string> TableKeeper::remove() {
    leaving_ = true;
    if (const auto error = table_.remove()) return error->text;
    present_ = false;
    return std::nullopt;
}

void TableKeeper::look() {
    const auto events = watch_.read();
    if (events.rules_changed || events.lost) rulesets_changed_ = true;
    if (!events.any()) return;
    if (events.last_counts) table_.keep_counts(*events.last_counts);
    doubted_ = true;
    if (events.ours_deleted) present_ = false;
    if (events.base_chain_deleted && !leaving_) {
        ++emptied_;
        log_warning("a base chain was deleted" +
                    (events.process.empty() ? std::string() : " by " + events.process) +
                    ": the kernel has dropped every packet it held; clients will send them again");
    }
}

void TableKeeper::check() {
    const auto state = table_.check();
    present_ = state.present;
    fault_ = state.fault;
    doubted_ = !state.intact;
}

std::optional<TimePoint> TableKeeper::keep(TimePoint now) {
    if (leaving_) return std::nullopt;
    if (doubted_) check();
    if (doubted_ && now - repaired_ >= repair_every) {
        repaired_ = now;
        if (managed_) {
            log_warning("the kernel table is not as we left it (" + fault_ + "): loading it again");
            ++repairs_;
            if (const auto error = load())
                log_error("the kernel table cannot be loaded: " + *error);
        } else if (!fault_.empty()) {
            log_warning("the kernel table is not as expected: " + fault_);
            doubted_ = false;
        }
    }
    // iptables' own rules change without a word to us; their effect shows.
    const bool tracks = tracked_connections() > 0;
    if (conntrack_.conntrack_users.empty() && tracks != conntrack_.conntrack_active)
        rulesets_changed_ = true;
    if (rulesets_changed_ && now - probed_ >= probe_every) {
        probed_ = now;
        conntrack_ = probe_conntrack(traffic_);
        rulesets_changed_ = std::ranges::any_of(
            conntrack_.unread, [](const auto& text) { return text.starts_with("nftables: "); });
    }
    if (!doubted_) return std::nullopt;
    return repaired_ + repair_every;
}

const TableCounts& TableKeeper::counts() {
    if (const auto counts = table_.read_counts()) counts_ = *counts;
    return counts_;
}

} // namespace ikefrag
