// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/totals.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

template <class T>
void add_each(T& to, const T& from) noexcept {
    if constexpr (requires { to.begin(); })
        for (std::size_t i = 0; i < to.size(); ++i) add_each(to[i], from[i]);
    else
        to += from;
}

template <class T, class C>
void read_each(T& to, const C& from) noexcept {
    if constexpr (requires { to.begin(); })
        for (std::size_t i = 0; i < to.size(); ++i) read_each(to[i], from[i]);
    else
        to = from.get();
}

/// Takes `count` off one kind of verdict, and what is more than there were off the other.
template <class Verdicts>
void take_back(Verdicts& verdicts, Verdict usual, Verdict other, std::uint64_t count) noexcept {
    for (const auto kind : {usual, other}) {
        auto& given = verdicts[index(kind)];
        const auto taken = std::min<std::uint64_t>(given, count);
        given -= taken;
        count -= taken;
    }
}

} // namespace

void QueueTotals::add(const QueueTotals& other) noexcept {
    given += other.given;
    received += other.received;
    missed += other.missed;
    vanished += other.vanished;
    enobufs += other.enobufs;
    observations_lost += other.observations_lost;
    add_each(verdicts, other.verdicts);
    add_each(latency, other.latency);
    latency_sum_ns += other.latency_sum_ns;
    held_packets += other.held_packets;
    held_datagrams += other.held_datagrams;
    held_bytes += other.held_bytes;
}

QueueTotals read_totals(const QueueWorker& worker) {
    const auto& counters = worker.counters();
    const auto& gate = worker.gate_counters();
    QueueTotals out;
    out.number = worker.number();
    // Before the verdicts: a packet let go in between is then counted twice, not missing.
    out.held_packets = gate.held_packets.get();
    out.held_datagrams = gate.held_datagrams.get();
    out.held_bytes = gate.held_bytes.get();
    out.given = counters.last_id.get();
    out.received = counters.received.get();
    out.missed = counters.socket_missed.get();
    out.vanished = counters.vanished.get();
    out.enobufs = counters.enobufs.get();
    out.observations_lost = const_cast<QueueWorker&>(worker).observations().lost().get();
    read_each(out.verdicts, gate.verdicts);
    // A verdict the kernel had no packet for any more was none: each packet is counted once.
    const auto accepts = std::min(counters.vanished_accepts.get(), out.vanished);
    take_back(out.verdicts, Verdict::accept, Verdict::replace, accepts);
    take_back(out.verdicts, Verdict::drop, Verdict::merge, out.vanished - accepts);
    read_each(out.latency, counters.latency);
    out.latency_sum_ns = counters.latency_sum_ns.get();
    return out;
}

void GateTotals::add(const GateTotals& other) noexcept {
    add_each(packets, other.packets);
    add_each(refusals, other.refusals);
    add_each(datagrams, other.datagrams);
    add_each(hold_time, other.hold_time);
    add_each(hold_time_sum_ns, other.hold_time_sum_ns);
    add_each(rule_matches, other.rule_matches);
    reordered += other.reordered;
    evictions += other.evictions;
}

GateTotals read_totals(const GateCounters& counters) {
    GateTotals out;
    read_each(out.packets, counters.packets);
    read_each(out.refusals, counters.refusals);
    read_each(out.datagrams, counters.datagrams);
    read_each(out.hold_time, counters.hold_time);
    read_each(out.hold_time_sum_ns, counters.hold_time_sum_ns);
    read_each(out.rule_matches, counters.rule_matches);
    out.reordered = counters.reordered.get();
    out.evictions = counters.evictions.get();
    return out;
}

} // namespace ikefrag
