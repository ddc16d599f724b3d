// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/compiled_policy.hpp"

#include "plugin/tracker.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

DatagramLimits limits_of(const Limits& global, const RuleLimits& own) noexcept {
    return {.hold = std::chrono::seconds(own.hold_seconds.value_or(global.hold_seconds)),
            .max_datagram_bytes = own.max_datagram_bytes.value_or(global.max_datagram_bytes),
            .max_fragments = own.max_fragments.value_or(global.max_fragments),
            .min_first_bytes = own.min_first_bytes.value_or(global.min_first_bytes),
            .min_nonlast_bytes = own.min_nonlast_bytes.value_or(global.min_nonlast_bytes)};
}

/// Whether the list is empty (tests nothing) or holds the value.
template <class List, class Value>
bool allows(const List& list, const Value& value) {
    return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

template <class Value>
bool allows(const std::optional<Value>& wanted, const Value& value) {
    return !wanted || *wanted == value;
}

} // namespace

CompiledPolicy::CompiledPolicy(PolicyPointer policy) : policy_(std::move(policy)) {
    limits_ = limits_of(policy_->limits, {});
    for (std::size_t i = 0; i < policy_->servers.size(); ++i) {
        const auto& server = policy_->servers[i];
        for (const auto* const list : {&server.addresses, &server.inside})
            for (const auto& prefix : *list) {
                const auto whole = prefix.address.family == Family::ipv4 ? 32 : 128;
                if (prefix.length == whole)
                    server_addresses_.emplace_back(prefix.address, i);
                else
                    server_prefixes_.emplace_back(prefix, i);
            }
    }
    std::sort(server_addresses_.begin(), server_addresses_.end());
    for (const auto& rule : policy_->rules) {
        CompiledRule compiled{.limits = limits_of(policy_->limits, rule.limits), .servers = {}};
        for (std::size_t i = 0; i < policy_->servers.size(); ++i)
            if (!rule.match.server.empty() && allows(rule.match.server, policy_->servers[i].name))
                compiled.servers.push_back(i);
        rules_.push_back(std::move(compiled));
    }
}

std::optional<std::size_t> CompiledPolicy::server_of(const IpAddress& address) const noexcept {
    std::optional<std::size_t> found;
    const auto at = std::lower_bound(
        server_addresses_.begin(),
        server_addresses_.end(),
        address,
        [](const auto& entry, const IpAddress& wanted) { return entry.first < wanted; });
    if (at != server_addresses_.end() && at->first == address) found = at->second;
    for (const auto& [prefix, server] : server_prefixes_)
        if ((!found || server < *found) && prefix.contains(address)) found = server;
    return found;
}

ServerEnds CompiledPolicy::ends_of(const IpPacket& ip) const noexcept {
    if (policy_->servers.empty()) return {};
    return {.source = server_of(ip.source), .destination = server_of(ip.destination)};
}

bool CompiledPolicy::matches(std::size_t rule,
                             const RuleFacts& facts,
                             const std::vector<InterfaceName>& interfaces) const {
    const auto& match = policy_->rules[rule].match;
    const bool to_server = facts.direction == Direction::to_server;
    const auto& server = to_server ? facts.ends.destination : facts.ends.source;
    const auto& peer = to_server ? facts.ip->source : facts.ip->destination;
    if (!allows(match.packet_class, facts.packet_class)) return false;
    if (!allows(match.family, facts.ip->family)) return false;
    if (!allows(match.protocol, facts.protocol)) return false;
    if (!allows(match.direction, facts.direction)) return false;
    if (!match.server.empty() &&
        !(server && !rules_[rule].servers.empty() && allows(rules_[rule].servers, *server)))
        return false;
    if (!match.peer.empty() &&
        std::none_of(match.peer.begin(), match.peer.end(), [&](const Prefix& prefix) {
            return prefix.contains(peer);
        }))
        return false;
    if (!match.transition.empty() &&
        !allows(match.transition, transition_of(peer, *policy_).transition))
        return false;
    return match.interface.empty() ||
           std::any_of(interfaces.begin(), interfaces.end(), [&](const InterfaceName& interface) {
               return interface.index == facts.interface && allows(match.interface, interface.name);
           });
}

Choice CompiledPolicy::default_choice(const RuleFacts& facts) const noexcept {
    if (facts.packet_class == PacketClass::ike)
        return {.action = Action::pass, .rule = -1, .dry_run = false, .limits = &limits_};
    const auto& allowed = policy_->allowed_protocols;
    const bool left = policy_->mode != Mode::exclusive ||
                      std::find(allowed.begin(), allowed.end(), facts.protocol) != allowed.end();
    return {.action = left ? Action::leave : Action::drop,
            .rule = -1,
            .dry_run = false,
            .limits = &limits_};
}

Choice CompiledPolicy::choose(const RuleFacts& facts,
                              const std::vector<InterfaceName>& interfaces) const {
    for (std::size_t i = 0; i < rules_.size(); ++i) {
        if (!matches(i, facts, interfaces)) continue;
        const auto& rule = policy_->rules[i];
        auto action = rule.action;
        // Outside the class `ike`, all modes but `exclusive` leave everything to the firewall.
        if (facts.packet_class != PacketClass::ike && policy_->mode != Mode::exclusive)
            action = Action::leave;
        // A rebuilt IPv6 datagram would be answered "packet too big" (KERNEL §4).
        if (action == Action::reassemble && facts.ip->family == Family::ipv6) action = Action::pass;
        return {.action = action,
                .rule = static_cast<std::int32_t>(i),
                .dry_run = rule.dry_run,
                .limits = &rules_[i].limits};
    }
    return default_choice(facts);
}

std::size_t CompiledPolicy::allocated_bytes() const noexcept {
    auto bytes = rules_.capacity() * sizeof(rules_[0]) +
                 server_addresses_.capacity() * sizeof(server_addresses_[0]) +
                 server_prefixes_.capacity() * sizeof(server_prefixes_[0]);
    for (const auto& rule : rules_) bytes += rule.servers.capacity() * sizeof(rule.servers[0]);
    return bytes;
}

} // namespace ikefrag
