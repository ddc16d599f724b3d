// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate.hpp"
#include "plugin/gate/compiled_policy.hpp"
#include "plugin/gate/datagram.hpp"
#include "plugin/gate/deadline_heap.hpp"
#include "plugin/gate/digest.hpp"
#include "plugin/gate/first_fragment.hpp"
#include "plugin/gate/held_packet.hpp"
#include "plugin/gate/remembered.hpp"
#include "plugin/gate/shares.hpp"
#include "plugin/gate/whole.hpp"

#include <memory>
#include <vector>

namespace ikefrag {

/// The gate's inside: one table of datagrams by key, and all that bounds it.
///
/// What a fragment costs, whatever is held: reading its headers; one keyed hash (20 or 48 bytes)
/// and a search of under two places; one pass over its bytes for checksum and digest, one for the
/// copy; a look at the bits of its own 8-octet blocks; its source's account. What a datagram costs
/// besides: a place in the heap of deadlines (the latest deadline is the common case: one
/// comparison), and when it is whole one step down the payload chain per payload, a copy of what
/// tells the message from others (about 100 octets of an encrypted one, all of one in the clear),
/// and n log n to put n fragments in order if they did not come so.
class Gate::State {
public:
    State(PolicyPointer policy, const std::array<std::uint8_t, 16>& seed);
    ~State();
    State(const State&) = delete;
    State& operator=(const State&) = delete;
    State(State&&) = delete;
    State& operator=(State&&) = delete;

    void feed(const Packet& packet, TimePoint now, GateOutput& out);
    void expire(TimePoint now, GateOutput& out);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    void release_all(TimePoint now, GateOutput& out);
    void set_policy(PolicyPointer policy);
    void accept_headless_until(TimePoint time) { headless_until_ = time; }
    void count_vanished() { counters_.vanished.add(); }
    void set_proven_sources(const std::vector<IpAddress>& sources) { shares_.set_proven(sources); }
    void set_interface_names(std::vector<InterfaceName> names) { interfaces_ = std::move(names); }
    [[nodiscard]] GateMemory memory() const noexcept;
    [[nodiscard]] const Policy& policy() const noexcept { return policy_->policy(); }
    [[nodiscard]] const GateCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] double mean_probes() const noexcept;

private:
    /// A fragment on its way through feed().
    struct Fragment {
        const Packet& packet;
        const IpPacket& ip;
        DatagramKey key;
        std::uint64_t hash = 0;
    };

    /// A finished datagram that had the same key.
    struct Predecessor {
        DigestRange digests;
        TimePoint until;
    };

    /// How a datagram ends, or what becomes of one that is not held.
    struct Ending {
        Verdict verdict = Verdict::accept;
        Reason reason = Reason::none;
        DatagramOutcome outcome = DatagramOutcome::left;
        std::optional<EntryKind> remember = EntryKind::decided;
        bool enforced = true;
    };

    // state.cpp: calls from outside, whole packets.
    void begin_call(TimePoint now, GateOutput* out);
    void end_call();
    void take_whole(const Packet& packet, const IpPacket& ip);
    void take_unreadable(const Packet& packet, bool fragment);
    void expire_due();
    void apply_limits();
    [[nodiscard]] std::size_t fixed_bytes() const noexcept;
    [[nodiscard]] std::size_t policy_bytes() const noexcept;
    [[nodiscard]] std::size_t held_bytes() const noexcept;

    // route.cpp: which way a fragment goes.
    void take_fragment(const Packet& packet, const IpPacket& ip);
    void begin(const Fragment& fragment, const Predecessor& predecessor);
    void
    begin_first(const Fragment& fragment, const Predecessor& predecessor, const ServerEnds& ends);
    void
    begin_tail(const Fragment& fragment, const Predecessor& predecessor, const ServerEnds& ends);
    void meet_finished(const Fragment& fragment, Remembered& finished);
    void meet_decided(const Fragment& fragment, Remembered& decided);
    void redecide(const Fragment& fragment, Remembered& decided);
    void decide(const Fragment& fragment,
                std::optional<PacketClass> packet_class,
                std::int32_t rule,
                const Ending& ending);
    void leave_unknown(const Fragment& fragment);
    void answer_as(const Fragment& fragment, const Remembered& remembered);
    [[nodiscard]] Choice
    choose(const Fragment& fragment, const FirstFacts& facts, const ServerEnds& ends);
    [[nodiscard]] Ending ending_of(const Choice& choice) const noexcept;
    void show_esp(const IpPacket& ip, const FirstFacts& facts);
    [[nodiscard]] std::uint64_t
    first_digest_of(const IpPacket& ip, std::optional<PacketClass> packet_class) const noexcept;

    // hold.cpp: fragments of a datagram that is held.
    [[nodiscard]] Datagram& open(const Fragment& fragment,
                                 const Predecessor& predecessor,
                                 const ServerEnds& ends,
                                 const DatagramLimits& limits);
    void add(Datagram& datagram, const Fragment& fragment, const FirstFacts* facts);
    [[nodiscard]] bool first_came(Datagram& datagram, const Fragment& fragment);
    void refuse_unknown(Datagram& datagram, const Fragment& fragment, Reason reason);
    [[nodiscard]] Reason make_room(Datagram& datagram, const Usage& more);
    void put(Datagram& datagram,
             const Fragment& fragment,
             const Usage& more,
             std::uint64_t sum,
             std::uint64_t digest);
    void drop_copy(const Datagram& datagram, const Fragment& fragment);

    // endings.cpp: how a datagram ends.
    [[nodiscard]] static bool is_over_a_limit(Reason reason) noexcept;
    void complete(Datagram& datagram);
    [[nodiscard]] Bytes message_of(const Datagram& datagram);
    void release(Datagram& datagram);
    void refuse(Datagram& datagram, Reason reason, const Fragment* current);
    void time_out(Datagram& datagram, const Fragment* current);
    void end(Datagram& datagram, const Ending& ending, const Fragment* current);
    void answer_all(Datagram& datagram, const Ending& ending, const Fragment* current);
    void close(Datagram& datagram, const Ending& ending, const Fragment* current);
    void sort_held(Datagram& datagram);
    void show_message(const Datagram& datagram,
                      Bytes message,
                      std::uint32_t message_bytes,
                      Reason reason);
    void show_lost(const Datagram& datagram, const Ending& ending);
    void count_hold_time(const Datagram& datagram);

    GateCounters counters_;
    Answers answers_{counters_};
    SipHash hash_;
    FragmentDigest digest_;
    EntryIndex<KeyEntry> index_;
    KeyMemory memory_{index_};
    Shares shares_;
    PayloadWindows windows_;
    HeldBlocks blocks_;
    Pool<Datagram> datagrams_;
    DeadlineHeap<Datagram> deadlines_;
    EspFilter esp_filter_;
    std::vector<std::unique_ptr<CompiledPolicy>> policies_; ///< in force or with datagrams held
    CompiledPolicy* policy_ = nullptr;
    std::vector<InterfaceName> interfaces_;
    std::vector<HeldPacket*> in_order_; ///< scratch of sort_held()
    TimePoint now_;
    TimePoint headless_until_{}; ///< before, tails without a first fragment are let go
};

} // namespace ikefrag
