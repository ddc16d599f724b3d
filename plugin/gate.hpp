// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/counter.hpp"
#include "plugin/observation.hpp"
#include "plugin/policy.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ikefrag {

/// The caller's name of a packet: the kernel's packet id, or a record's number in a capture.
struct PacketId {
    std::uint32_t value = 0;
    auto operator<=>(const PacketId&) const = default;
};

/// A packet as it was shown to us: from the IP header on.
struct Packet {
    PacketId id;
    Bytes bytes;
    Leg leg = Leg::prerouting;
    std::uint32_t interface = 0; ///< index; 0 unknown
    std::uint32_t domain = 0;    ///< VLAN or VRF: fragments of different domains never meet
    bool truncated = false;      ///< shorter than the packet: `unreadable`, of a queue `too_big`
};

/// The one answer a packet gets.
struct Decision {
    PacketId packet;
    Verdict verdict = Verdict::accept;  ///< to be carried out
    Verdict intended = Verdict::accept; ///< differs only in observe and under a dry-run rule
    Reason reason = Reason::none;
    std::optional<PacketClass> packet_class;
    bool fragment = false;
    /// Index into the rules of the policy in force when the first fragment came; -1: none decided.
    std::int32_t rule = -1;
    Bytes replacement; ///< verdict replace: the rebuilt packet
};

/// What one or more calls of the gate gave. The caller keeps one and clears it between batches; in
/// steady state nothing in it allocates. Views point into `store`, valid until clear().
class GateOutput {
public:
    std::vector<Decision> decisions;
    std::vector<Observation> observations;

    void clear();
    /// Copies bytes to where the views of this output may point.
    Bytes keep(Bytes bytes);
    /// Uninitialised bytes where the views of this output may point. In: size <= 131072
    std::span<std::uint8_t> room_for(std::size_t size);

private:
    std::vector<std::unique_ptr<std::uint8_t[]>> chunks_;
    std::size_t chunk_used_ = 0;
    std::size_t chunk_ = 0;
};

/// Counts of one gate: raised by its thread, read by any.
struct GateCounters {
    /// [family][class, last = never known][fragment]
    std::array<std::array<std::array<Counter, 2>, count_of<PacketClass> + 1>, 2> packets;
    std::array<Counter, count_of<Verdict>> verdicts;
    /// [family][reason][enforced]
    std::array<std::array<std::array<Counter, 2>, count_of<Reason>>, 2> refusals;
    std::array<std::array<Counter, count_of<DatagramOutcome>>, 2> datagrams;
    Counter reordered;
    Counter evictions;
    Counter vanished;
    Counter held_packets;   ///< gauge
    Counter held_datagrams; ///< gauge
    Counter held_bytes;     ///< gauge: payload and bookkeeping of what is held
    Counter held_bytes_max; ///< gauge: highest ever
    /// Bounds in seconds: hold_time_bounds; the last bucket is everything above.
    std::array<std::array<Counter, 9>, 2> hold_time;
    std::array<Counter, 2> hold_time_sum_ns;
    /// Datagrams by [Rule::counter_row][action taken].
    std::array<std::array<Counter, count_of<Action>>, RuleRows::capacity> rule_matches;
};

inline constexpr std::array<double, 8> hold_time_bounds{0.001, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5};

struct InterfaceName {
    std::uint32_t index = 0;
    std::string name;
};

/// What one gate has allocated, to the byte.
struct GateMemory {
    std::size_t fixed_bytes = 0;    ///< tables sized by the limits, allocated at start
    std::size_t reserved_bytes = 0; ///< blocks for what is held: never more than was held at once
    std::size_t held_bytes = 0;     ///< of these in use now: GateCounters::held_bytes
};

/// Classifies packets, holds and checks the fragments of IKE, decides by rule.
///
/// Every packet fed gets exactly one Decision, at once or later; whole packets always at once and
/// always `accept`. Knows nothing of handshakes. Not thread-safe: one per queue.
class Gate {
public:
    /// In:      seed: 16 random bytes, the hold table's hash key, new at each start
    Gate(PolicyPointer policy, std::array<std::uint8_t, 16> seed);
    ~Gate();
    Gate(Gate&&) noexcept;
    Gate& operator=(Gate&&) noexcept;

    /// Takes a packet. In: `now` never less than at the call before (an older one counts as equal);
    /// the bytes stay the caller's and are not kept beyond the call.
    void feed(const Packet& packet, TimePoint now, GateOutput& out);

    /// Ends what has waited too long. Bounds: work only for what ends.
    void expire(TimePoint now, GateOutput& out);

    /// When expire() next has something to do; empty when nothing is held.
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    /// Answers everything held with `accept` (stop, or a change to observe).
    void release_all(TimePoint now, GateOutput& out);

    /// Takes a new policy; what is held stays held under the limits it began with.
    void set_policy(PolicyPointer policy);

    /// Until then a fragment whose first one has not come is let go at once: after a start in the
    /// midst of traffic, and a change out of observe, the first one may have gone on before.
    void accept_headless_until(TimePoint time);

    /// Counts a packet whose verdict the kernel answered with ENOENT: it had gone before. Nothing
    /// of it is held any more, the verdict ended that.
    void vanished(PacketId packet);

    /// Sources that half of every limit is kept for. In: sorted is not needed; bounded by the
    /// caller.
    void set_proven_sources(const std::shared_ptr<const std::vector<IpAddress>>& sources);

    /// Names of the interfaces that Packet::interface numbers, for rules that test them.
    void set_interface_names(std::vector<InterfaceName> names);

    [[nodiscard]] GateMemory memory() const noexcept;
    /// Places looked at per search of the hold table, since the start.
    [[nodiscard]] double mean_probes() const noexcept;
    [[nodiscard]] const GateCounters& counters() const noexcept;
    [[nodiscard]] const Policy& policy() const noexcept;

private:
    class State;
    std::unique_ptr<State> state_;
};

/// Reads one whole packet or copy that needs no verdict (the log group's): gives its observations
/// and its class, nothing else. The same code the gate runs on whole packets.
struct WholeSeen {
    std::optional<PacketClass> packet_class;
    Reason reason = Reason::none;
};
WholeSeen
observe_whole(const Policy& policy, const Packet& packet, TimePoint time, GateOutput& out);

} // namespace ikefrag
