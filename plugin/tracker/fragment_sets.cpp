// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/fragment_sets.hpp"

#include <algorithm>

namespace ikefrag {

namespace {

FragmentSet* find_latest(SeldomList<FragmentSet>& sets, const FragmentOf& of) noexcept {
    for (auto* set = sets.end(); set != sets.begin();) {
        --set;
        if (set->exchange == of.exchange && set->direction == of.direction &&
            set->role == of.role && set->transport == of.transport && set->id == of.id)
            return set;
    }
    return nullptr;
}

FragmentSet fresh(const FragmentOf& of) noexcept {
    FragmentSet set;
    set.exchange = of.exchange;
    set.direction = of.direction;
    set.role = of.role;
    set.transport = of.transport;
    set.id = of.id;
    set.first_time = of.time;
    return set;
}

FragmentSet& append(SeldomList<FragmentSet>& sets, const FragmentOf& of) {
    if (sets.size() == max_sets) sets.pop_front();
    sets.push_back(fresh(of));
    return sets.back();
}

/// Whether this piece belongs to the message after the one of `set`.
bool begins_next(const FragmentSet& set, const FragmentOf& of, const FragmentHeader& fragment) {
    if (of.transport == Transport::skf) return false;
    return set.present.has(fragment.number) && !of.same_bytes_seen;
}

/// Whether a set that is begun anew is one to be counted as incomplete.
bool is_lost(const FragmentSet& set) noexcept {
    return !set.complete && !set.given_up && !set.is_too_large();
}

} // namespace

SetChange
add_fragment(SeldomList<FragmentSet>& sets, const FragmentOf& of, const FragmentHeader& fragment) {
    SetChange change;
    if (fragment.number == 0) return change;
    auto* set = find_latest(sets, of);
    if (set == nullptr || begins_next(*set, of, fragment)) {
        change.abandoned = set != nullptr && is_lost(*set);
        set = &append(sets, of);
        change.started = true;
    } else if (of.transport == Transport::skf && fragment.total != set->total) {
        if (fragment.total < set->total) return change;
        change.abandoned = is_lost(*set);
        change.started = true;
        auto next = fresh(of);
        next.previous_total = set->total;
        next.previous_largest_bytes = set->largest_bytes;
        *set = next;
    }
    change.set = set;
    if (fragment.total != 0) set->total = fragment.total;
    set->last_time = of.time;
    if (fragment.number == 1) ++set->attempts;
    if (fragment.number > NumberSet::max_number) {
        change.ended = fragment.last && !of.same_bytes_seen;
        return change;
    }
    if (set->present.has(fragment.number)) {
        change.repeated = true;
        return change;
    }
    set->present.add(fragment.number);
    ++set->seen;
    set->bytes += of.message_bytes;
    set->largest_bytes = std::max(set->largest_bytes, of.datagram_bytes);
    set->ip_fragmented = set->ip_fragmented || of.ip_fragmented;
    if (!set->complete && set->total != 0 && set->seen == set->total)
        set->complete = change.completed = true;
    return change;
}

} // namespace ikefrag
