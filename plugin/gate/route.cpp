// SPDX-License-Identifier: GPL-2.0-or-later
// Which way a fragment goes: into the table, or answered at once.
#include "plugin/gate/state.hpp"

#include <algorithm>

namespace ikefrag {

void Gate::State::take_fragment(const Packet& packet, const IpPacket& ip) {
    Fragment fragment{.packet = packet, .ip = ip, .key = key_of(ip, packet.domain)};
    fragment.hash = hash_of(hash_, fragment.key);
    auto* const entry = index_.find(fragment.hash, fragment.key);
    if (entry == nullptr) return begin(fragment, {});
    if (entry->kind == EntryKind::open)
        return add(static_cast<Datagram&>(*entry), fragment, nullptr);
    auto& remembered = static_cast<Remembered&>(*entry);
    if (remembered.until <= now_) {
        memory_.detach(remembered);
        return begin(fragment, {});
    }
    switch (remembered.kind) {
    case EntryKind::finished: return meet_finished(fragment, remembered);
    case EntryKind::decided: return meet_decided(fragment, remembered);
    default: return answer_as(fragment, remembered);
    }
}

void Gate::State::meet_finished(const Fragment& fragment, Remembered& finished) {
    const auto& ip = fragment.ip;
    const auto digest = digest_(ip.offset, ip.more_fragments, ip.payload, sum_of_words(ip.payload));
    if (memory_.has_digest(finished.digests, digest)) return answer_as(fragment, finished);
    const Predecessor predecessor{.digests = finished.digests, .until = finished.until};
    memory_.detach(finished);
    begin(fragment, predecessor);
}

void Gate::State::meet_decided(const Fragment& fragment, Remembered& decided) {
    if (!fragment.ip.is_first()) return answer_as(fragment, decided);
    if (!decided.first_seen) return redecide(fragment, decided);
    const auto facts =
        read_first_fragment(policy_->policy(), policy_->ends_of(fragment.ip), fragment.ip);
    if (decided.first_digest == first_digest_of(fragment.ip, facts.packet_class))
        return answer_as(fragment, decided);
    // The id has come round.
    memory_.detach(decided);
    begin(fragment, {});
}

/// The first fragment came behind others of which nobody knew what they are. They cannot be called
/// back: what was dropped for want of room begins anew; IKE of which a part has gone on unchecked
/// for that reason goes no further; else IKE goes the way they went. Other classes now get their
/// own rule's answer.
void Gate::State::redecide(const Fragment& fragment, Remembered& decided) {
    const bool crowded_out = is_over_a_limit(decided.reason);
    if (crowded_out && decided.verdict == Verdict::drop) {
        memory_.detach(decided);
        return begin(fragment, {});
    }
    const auto ends = policy_->ends_of(fragment.ip);
    const auto facts = read_first_fragment(policy_->policy(), ends, fragment.ip);
    decided.first_seen = true;
    decided.first_digest = first_digest_of(fragment.ip, facts.packet_class);
    if (crowded_out && facts.packet_class == PacketClass::ike) {
        decided.packet_class = facts.packet_class;
        decided.verdict = Verdict::drop;
    }
    const bool undecided = !decided.packet_class &&
                           (decided.reason == Reason::none || decided.reason == Reason::policy);
    if (facts.packet_class && undecided) {
        decided.packet_class = facts.packet_class;
        if (*facts.packet_class != PacketClass::ike) {
            const auto choice = choose(fragment, facts, ends);
            const auto ending = ending_of(choice);
            decided.rule = choice.rule;
            decided.verdict = ending.verdict;
            decided.reason = ending.reason;
            decided.enforced = ending.enforced;
            show_esp(fragment.ip, facts);
        }
    }
    answer_as(fragment, decided);
}

void Gate::State::begin(const Fragment& fragment, const Predecessor& predecessor) {
    const auto ends = policy_->ends_of(fragment.ip);
    if (fragment.ip.is_first())
        begin_first(fragment, predecessor, ends);
    else
        begin_tail(fragment, predecessor, ends);
}

void Gate::State::begin_first(const Fragment& fragment,
                              const Predecessor& predecessor,
                              const ServerEnds& ends) {
    const auto facts = read_first_fragment(policy_->policy(), ends, fragment.ip);
    if (!facts.packet_class) {
        const bool exclusive = policy_->policy().mode == Mode::exclusive;
        if (!policy_->concerns(ends) && !exclusive) return leave_unknown(fragment);
        return refuse_unknown(
            open(fragment, predecessor, ends, policy_->limits()), fragment, facts.reason);
    }
    const auto choice = choose(fragment, facts, ends);
    const bool holds = choice.action == Action::pass || choice.action == Action::reassemble;
    if (!holds && *facts.packet_class != PacketClass::ike) {
        show_esp(fragment.ip, facts);
        return decide(fragment, facts.packet_class, choice.rule, ending_of(choice));
    }
    if (choice.action == Action::leave)
        return decide(fragment, facts.packet_class, choice.rule, ending_of(choice));
    auto& datagram = open(fragment, predecessor, ends, *choice.limits);
    datagram.packet_class = facts.packet_class;
    datagram.rule = choice.rule;
    datagram.action = choice.action;
    datagram.dry_run = choice.dry_run;
    if (choice.action == Action::drop) {
        datagram.take_first(fragment.ip, facts);
        return refuse(datagram, Reason::policy, &fragment);
    }
    add(datagram, fragment, &facts);
}

void Gate::State::begin_tail(const Fragment& fragment,
                             const Predecessor& predecessor,
                             const ServerEnds& ends) {
    const auto packet_class = class_by_protocol(fragment.ip);
    if (!packet_class) {
        if (!policy_->concerns(ends)) return leave_unknown(fragment);
        if (now_ < headless_until_) return decide(fragment, std::nullopt, -1, Ending{});
        auto& datagram = open(fragment, predecessor, ends, policy_->limits());
        return add(datagram, fragment, nullptr);
    }
    FirstFacts facts;
    facts.protocol = fragment.ip.protocol;
    facts.packet_class = packet_class;
    facts.direction = ends.source && !ends.destination ? Direction::to_peer : Direction::to_server;
    const auto choice = choose(fragment, facts, ends);
    if (choice.action == Action::leave || choice.action == Action::drop)
        return decide(fragment, packet_class, choice.rule, ending_of(choice));
    auto& datagram = open(fragment, predecessor, ends, *choice.limits);
    datagram.packet_class = packet_class;
    datagram.rule = choice.rule;
    datagram.action = choice.action;
    datagram.dry_run = choice.dry_run;
    add(datagram, fragment, nullptr);
}

Choice
Gate::State::choose(const Fragment& fragment, const FirstFacts& facts, const ServerEnds& ends) {
    const auto choice = policy_->choose({.ip = &fragment.ip,
                                         .packet_class = *facts.packet_class,
                                         .protocol = facts.protocol,
                                         .ends = ends,
                                         .direction = facts.direction,
                                         .interface = fragment.packet.interface},
                                        interfaces_);
    if (choice.rule < 0) return choice;
    const auto position = static_cast<std::size_t>(choice.rule);
    const auto& rule = policy_->policy().rules[position];
    const auto row = std::min(rule.counter_row ? *rule.counter_row : position,
                              counters_.rule_matches.size() - 1);
    counters_.rule_matches[row][index(choice.action)].add();
    return choice;
}

Gate::State::Ending Gate::State::ending_of(const Choice& choice) const noexcept {
    Ending ending;
    if (choice.action == Action::drop) {
        ending.verdict = Verdict::drop;
        ending.reason = Reason::policy;
        ending.outcome = DatagramOutcome::refused;
    }
    ending.enforced = policy_->policy().mode != Mode::observe && !choice.dry_run;
    return ending;
}

void Gate::State::leave_unknown(const Fragment& fragment) {
    Choice choice;
    if (policy_->policy().mode == Mode::exclusive) choice.action = Action::drop;
    decide(fragment, std::nullopt, -1, ending_of(choice));
}

void Gate::State::decide(const Fragment& fragment,
                         std::optional<PacketClass> packet_class,
                         std::int32_t rule,
                         const Ending& ending) {
    auto& decided = memory_.remember(EntryKind::decided, fragment.key, fragment.hash, now_);
    decided.verdict = ending.verdict;
    decided.reason = ending.reason;
    decided.enforced = ending.enforced;
    decided.packet_class = packet_class;
    decided.rule = rule;
    decided.first_seen = fragment.ip.is_first();
    if (decided.first_seen) decided.first_digest = first_digest_of(fragment.ip, packet_class);
    counters_.datagrams[index(fragment.ip.family)][index(ending.outcome)].add();
    answer_as(fragment, decided);
}

void Gate::State::answer_as(const Fragment& fragment, const Remembered& remembered) {
    Decision decision;
    decision.packet = fragment.packet.id;
    decision.intended = remembered.verdict;
    decision.verdict = remembered.enforced ? remembered.verdict : Verdict::accept;
    decision.reason = remembered.reason;
    decision.packet_class = remembered.packet_class;
    decision.fragment = true;
    decision.rule = remembered.rule;
    answers_.give(decision, fragment.ip.family);
}

void Gate::State::show_esp(const IpPacket& ip, const FirstFacts& facts) {
    const bool in_udp = facts.packet_class == PacketClass::esp_in_udp && facts.udp;
    if (!in_udp && facts.packet_class != PacketClass::esp) return;
    EspSeen esp{.source = {.address = ip.source}, .destination = {.address = ip.destination}};
    if (in_udp) {
        esp.source.port = facts.udp->source_port;
        esp.destination.port = facts.udp->destination_port;
    }
    if (!esp_filter_.lets_through(esp.source, esp.destination, now_)) return;
    answers_.output().observations.push_back({.time = now_, .what = esp});
}

/// Of the first bytes and what they call themselves: enough to tell one datagram from the next with
/// the same id. The class is in it because IPv6 extension headers can fill those bytes: IKE behind
/// the options of something else is not a copy of that.
std::uint64_t Gate::State::first_digest_of(const IpPacket& ip,
                                           std::optional<PacketClass> packet_class) const noexcept {
    constexpr std::size_t looked_at = 64;
    const auto bytes = ip.payload.first(std::min(looked_at, ip.payload.size()));
    const std::uint64_t class_number = packet_class ? 1 + index(*packet_class) : 0;
    return digest_(ip.payload_bytes() << 8 | ip.protocol, ip.more_fragments, bytes, class_number);
}

} // namespace ikefrag
