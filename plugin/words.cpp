// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/words.hpp"

#include <array>

namespace ikefrag {
namespace {

template <class E, std::size_t N>
using Table = std::array<Word<E>, N>;

/// Enumerators must stand in order and be all there: to_string indexes by value.
template <class E, std::size_t N>
constexpr bool is_in_order(const Table<E, N>& table) {
    for (std::size_t i = 0; i < N; ++i)
        if (index(table[i].value) != i) return false;
    return N == count_of<E>;
}

constexpr Table<Family, 2> families{
    {{Family::ipv4, "ipv4"}, {Family::ipv6, "ipv6"}}
};
constexpr Table<Mode, 3> modes{
    {{Mode::observe, "observe"}, {Mode::guard, "guard"}, {Mode::exclusive, "exclusive"}}
};
constexpr Table<Action, 4> actions{
    {{Action::pass, "pass"},
     {Action::reassemble, "reassemble"},
     {Action::leave, "leave"},
     {Action::drop, "drop"}}
};
constexpr Table<Verdict, 4> verdicts{
    {{Verdict::accept, "accept"},
     {Verdict::drop, "drop"},
     {Verdict::replace, "replace"},
     {Verdict::merge, "merge"}}
};
constexpr Table<Reason, 21> reasons{
    {{Reason::none, "none"},
     {Reason::overlap, "overlap"},
     {Reason::inconsistent_last, "inconsistent_last"},
     {Reason::bad_length, "bad_length"},
     {Reason::tiny_first, "tiny_first"},
     {Reason::tiny_nonlast, "tiny_nonlast"},
     {Reason::too_many, "too_many"},
     {Reason::too_big, "too_big"},
     {Reason::timeout, "timeout"},
     {Reason::source_limit, "source_limit"},
     {Reason::table_full, "table_full"},
     {Reason::evicted, "evicted"},
     {Reason::duplicate, "duplicate"},
     {Reason::checksum, "checksum"},
     {Reason::udp_length, "udp_length"},
     {Reason::header_chain, "header_chain"},
     {Reason::ip_options, "ip_options"},
     {Reason::ike_malformed, "ike_malformed"},
     {Reason::unreadable, "unreadable"},
     {Reason::poisoned, "poisoned"},
     {Reason::policy, "policy"}}
};
constexpr Table<PacketClass, 5> packet_classes{
    {{PacketClass::ike, "ike"},
     {PacketClass::esp_in_udp, "esp_in_udp"},
     {PacketClass::keepalive, "keepalive"},
     {PacketClass::esp, "esp"},
     {PacketClass::other, "other"}}
};
constexpr Table<DatagramOutcome, 4> datagram_outcomes{
    {{DatagramOutcome::complete, "complete"},
     {DatagramOutcome::incomplete, "incomplete"},
     {DatagramOutcome::refused, "refused"},
     {DatagramOutcome::left, "left"}}
};
constexpr Table<Direction, 2> directions{
    {{Direction::to_server, "to_server"}, {Direction::to_peer, "to_peer"}}
};
constexpr Table<Role, 2> roles{
    {{Role::request, "request"}, {Role::response, "response"}}
};
constexpr Table<Leg, 3> legs{
    {{Leg::prerouting, "prerouting"}, {Leg::output, "output"}, {Leg::postrouting, "postrouting"}}
};
constexpr Table<Transport, 5> transports{
    {{Transport::whole, "whole"},
     {Transport::ip, "ip"},
     {Transport::skf, "skf"},
     {Transport::v1, "v1"},
     {Transport::cisco, "cisco"}}
};
constexpr Table<Fragmentation, 5> fragmentations{
    {{Fragmentation::ike, "ike"},
     {Fragmentation::v1, "v1"},
     {Fragmentation::cisco, "cisco"},
     {Fragmentation::none, "none"},
     {Fragmentation::unknown, "unknown"}}
};
constexpr Table<Transition, 9> transitions{
    {{Transition::native, "native"},
     {Transition::six_to_four, "6to4"},
     {Transition::teredo, "teredo"},
     {Transition::isatap, "isatap"},
     {Transition::nat64, "nat64"},
     {Transition::v4mapped, "v4mapped"},
     {Transition::ula, "ula"},
     {Transition::linklocal, "linklocal"},
     {Transition::iphttps, "iphttps"}}
};
constexpr Table<Outcome, 4> outcomes{
    {{Outcome::in_progress, "in_progress"},
     {Outcome::established, "established"},
     {Outcome::failed, "failed"},
     {Outcome::unknown, "unknown"}}
};
constexpr Table<Basis, 9> bases{
    {{Basis::none, "none"},
     {Basis::esp, "esp"},
     {Basis::later_exchange, "later_exchange"},
     {Basis::unanswered, "unanswered"},
     {Basis::refused, "refused"},
     {Basis::answered, "answered"},
     {Basis::half_view, "half_view"},
     {Basis::mid_stream, "mid_stream"},
     {Basis::redirected, "redirected"}}
};
constexpr Table<Severity, 3> severities{
    {{Severity::info, "info"}, {Severity::warning, "warning"}, {Severity::critical, "critical"}}
};
constexpr Table<Confidence, 3> confidences{
    {{Confidence::low, "low"}, {Confidence::medium, "medium"}, {Confidence::high, "high"}}
};
constexpr Table<FindingKind, 3> finding_kinds{
    {{FindingKind::failure, "failure"},
     {FindingKind::advice, "advice"},
     {FindingKind::fact, "fact"}}
};
constexpr Table<Actor, 6> actors{
    {{Actor::client, "client"},
     {Actor::client_network, "client_network"},
     {Actor::server, "server"},
     {Actor::server_network, "server_network"},
     {Actor::this_firewall, "this_firewall"},
     {Actor::unknown, "unknown"}}
};

static_assert(is_in_order(families) && is_in_order(modes) && is_in_order(actions));
static_assert(is_in_order(verdicts) && is_in_order(reasons) && is_in_order(packet_classes));
static_assert(is_in_order(datagram_outcomes) && is_in_order(directions) && is_in_order(roles));
static_assert(is_in_order(legs) && is_in_order(transports) && is_in_order(fragmentations));
static_assert(is_in_order(transitions) && is_in_order(outcomes) && is_in_order(bases));
static_assert(is_in_order(severities) && is_in_order(confidences) && is_in_order(finding_kinds));
static_assert(is_in_order(actors));

} // namespace

template <>
std::span<const Word<Family>> words<Family>() noexcept {
    return families;
}
template <>
std::span<const Word<Mode>> words<Mode>() noexcept {
    return modes;
}
template <>
std::span<const Word<Action>> words<Action>() noexcept {
    return actions;
}
template <>
std::span<const Word<Verdict>> words<Verdict>() noexcept {
    return verdicts;
}
template <>
std::span<const Word<Reason>> words<Reason>() noexcept {
    return reasons;
}
template <>
std::span<const Word<PacketClass>> words<PacketClass>() noexcept {
    return packet_classes;
}
template <>
std::span<const Word<DatagramOutcome>> words<DatagramOutcome>() noexcept {
    return datagram_outcomes;
}
template <>
std::span<const Word<Direction>> words<Direction>() noexcept {
    return directions;
}
template <>
std::span<const Word<Role>> words<Role>() noexcept {
    return roles;
}
template <>
std::span<const Word<Leg>> words<Leg>() noexcept {
    return legs;
}
template <>
std::span<const Word<Transport>> words<Transport>() noexcept {
    return transports;
}
template <>
std::span<const Word<Fragmentation>> words<Fragmentation>() noexcept {
    return fragmentations;
}
template <>
std::span<const Word<Transition>> words<Transition>() noexcept {
    return transitions;
}
template <>
std::span<const Word<Outcome>> words<Outcome>() noexcept {
    return outcomes;
}
template <>
std::span<const Word<Basis>> words<Basis>() noexcept {
    return bases;
}
template <>
std::span<const Word<Severity>> words<Severity>() noexcept {
    return severities;
}
template <>
std::span<const Word<Confidence>> words<Confidence>() noexcept {
    return confidences;
}
template <>
std::span<const Word<FindingKind>> words<FindingKind>() noexcept {
    return finding_kinds;
}
template <>
std::span<const Word<Actor>> words<Actor>() noexcept {
    return actors;
}

} // namespace ikefrag
