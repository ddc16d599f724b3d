// SPDX-License-Identifier: GPL-2.0-or-later
// Fragments of a datagram that is held.
#include "plugin/gate/state.hpp"

#include <algorithm>

namespace ikefrag {

Datagram& Gate::State::open(const Fragment& fragment,
                            const Predecessor& predecessor,
                            const ServerEnds& ends,
                            const DatagramLimits& limits) {
    const auto& ip = fragment.ip;
    auto& datagram = *datagrams_.create();
    datagram.key = fragment.key;
    datagram.hash = fragment.hash;
    datagram.first_time = now_;
    datagram.deadline = now_ + limits.hold;
    datagram.configured_server = ends.any();
    datagram.policy = policy_;
    datagram.limits = &limits;
    datagram.ip_id = ip.id;
    datagram.interface = fragment.packet.interface;
    datagram.source_address = ip.source;
    datagram.destination_address = ip.destination;
    datagram.predecessor = predecessor.digests;
    datagram.predecessor_until = predecessor.until;
    ++policy_->datagrams_held;
    index_.insert(&datagram);
    deadlines_.insert(&datagram);
    Shares::enter(shares_.source_of(ip, ends.source.has_value(), ends.destination.has_value()),
                  datagram);
    return datagram;
}

void Gate::State::add(Datagram& datagram, const Fragment& fragment, const FirstFacts* facts) {
    const auto& ip = fragment.ip;
    const auto sum = sum_of_words(ip.payload);
    const auto digest = digest_(ip.offset, ip.more_fragments, ip.payload, sum);
    if (datagram.predecessor.count > 0 && now_ < datagram.predecessor_until &&
        memory_.has_digest(datagram.predecessor, digest))
        return drop_copy(datagram, fragment);
    // What it is comes before what is wrong with it: other classes are not ours to judge.
    if (facts != nullptr)
        datagram.take_first(ip, *facts);
    else if (ip.is_first() && !datagram.first_seen && !first_came(datagram, fragment))
        return;
    const auto result = datagram.measure(ip);
    if (result.step == Step::refused) return refuse(datagram, result.reason, &fragment);
    if (result.step == Step::copy) return drop_copy(datagram, fragment);
    // Not even the queue shows all of it: what cannot be checked is not let through.
    if (fragment.packet.truncated) return refuse(datagram, Reason::too_big, &fragment);
    if (const auto reason = datagram.check_limits(); reason != Reason::none)
        return refuse(datagram, reason, &fragment);

    const auto length = ip.payload_bytes();
    Usage more{.datagrams = datagram.held == 0 ? 1u : 0u, .packets = 1, .bytes = 0};
    if (datagram.held == 0) more.bytes += sizeof(Datagram) + sizeof(Source);
    if (datagram.needs_block()) more.bytes += sizeof(HeldBlock);
    more.bytes += datagram.payload.windows_missing(ip.offset, length) * sizeof(PayloadWindow);
    if (const auto reason = make_room(datagram, more); reason != Reason::none)
        return refuse(datagram, reason, &fragment);
    put(datagram, fragment, more, sum, digest);
    if (datagram.is_whole()) complete(datagram);
}

/// The first fragment comes behind tails that are held: now a rule can be asked.
/// Out: false: the datagram has ended
bool Gate::State::first_came(Datagram& datagram, const Fragment& fragment) {
    const auto ends = policy_->ends_of(fragment.ip);
    const auto facts = read_first_fragment(policy_->policy(), ends, fragment.ip);
    if (!facts.packet_class) {
        refuse_unknown(datagram, fragment, facts.reason);
        return false;
    }
    const auto choice = choose(fragment, facts, ends);
    // From here on the datagram is under the policy that knew its class.
    --datagram.policy->datagrams_held;
    datagram.policy = policy_;
    ++policy_->datagrams_held;
    datagram.limits = choice.limits;
    datagram.packet_class = facts.packet_class;
    datagram.rule = choice.rule;
    datagram.action = choice.action;
    datagram.dry_run = choice.dry_run;
    datagram.take_first(fragment.ip, facts);
    if (choice.action == Action::leave || choice.action == Action::drop) {
        show_esp(fragment.ip, facts);
        if (choice.action == Action::drop)
            refuse(datagram, Reason::policy, &fragment);
        else
            end(datagram, ending_of(choice), &fragment);
        return false;
    }
    const auto deadline = datagram.first_time + choice.limits->hold;
    if (deadline != datagram.deadline) {
        deadlines_.erase(&datagram);
        datagram.deadline = deadline;
        deadlines_.insert(&datagram);
    }
    if (deadline > now_) return true;
    time_out(datagram, &fragment);
    return false;
}

/// A first fragment that does not show what it is.
void Gate::State::refuse_unknown(Datagram& datagram, const Fragment& fragment, Reason reason) {
    const auto result = datagram.measure(fragment.ip);
    refuse(datagram, result.step == Step::refused ? result.reason : reason, &fragment);
}

Reason Gate::State::make_room(Datagram& datagram, const Usage& more) {
    for (;;) {
        switch (shares_.room_for(*datagram.source, more, &datagram)) {
        case Room::there: return Reason::none;
        case Room::source_limit: return Reason::source_limit;
        case Room::none: return Reason::table_full;
        case Room::evict_own: refuse(*shares_.victim(), Reason::source_limit, nullptr); break;
        case Room::evict:
            counters_.evictions.add();
            refuse(*shares_.victim(), Reason::evicted, nullptr);
            break;
        }
    }
}

void Gate::State::put(Datagram& datagram,
                      const Fragment& fragment,
                      const Usage& more,
                      std::uint64_t sum,
                      std::uint64_t digest) {
    const auto& ip = fragment.ip;
    datagram.usage += more;
    shares_.add(*datagram.source, more);
    datagram.payload.put(ip.offset, ip.payload, windows_);
    datagram.first_is_held = datagram.first_is_held || ip.is_first();
    // What stands in front of UDP is not its.
    if (ip.is_first() && datagram.udp_offset != 0)
        datagram.sum.add(ip.payload.subspan(datagram.udp_offset));
    else
        datagram.sum.add_words(sum);
    HeldPacket held(answers_, fragment.packet.id, ip.family, ip.offset);
    held.digest = digest;
    datagram.hold(std::move(held), blocks_);
}

void Gate::State::drop_copy(const Datagram& datagram, const Fragment& fragment) {
    Decision decision;
    decision.packet = fragment.packet.id;
    decision.intended = Verdict::drop;
    decision.verdict = datagram.is_enforced() ? Verdict::drop : Verdict::accept;
    decision.reason = Reason::duplicate;
    decision.packet_class = datagram.packet_class;
    decision.fragment = true;
    decision.rule = datagram.rule;
    answers_.give(decision, fragment.ip.family);
}

} // namespace ikefrag
