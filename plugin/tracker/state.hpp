// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis/diagnostician.hpp"
#include "plugin/ike/message.hpp"
#include "plugin/tracker.hpp"
#include "plugin/tracker/fragment_sets.hpp"
#include "plugin/tracker/handshake_table.hpp"
#include "plugin/tracker/outcome.hpp"
#include "plugin/tracker/peer_table.hpp"
#include "plugin/tracker/tally.hpp"
#include "plugin/tracker/window.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

namespace ikefrag {

/// One message of a known handshake, worked out so far.
struct Sighting {
    const MessageItem& item;
    const MessageFacts& facts;
    const OpeningFacts* opening = nullptr;
    TimePoint time;
    Leg leg = Leg::prerouting;
    bool from_client = true;
    bool from_initiator = true;
    Role role = Role::request;
    Transport transport = Transport::whole;
    const MessageRecord* answered = nullptr; ///< what a response answers
    bool repeat = false;                     ///< these bytes were seen before
    bool whole = true;    ///< makes its message complete: not a piece, or the last one
    bool unasked = false; ///< an answer, or a stranger's opening, that does not count

    [[nodiscard]] Direction direction() const noexcept {
        return from_client ? Direction::to_server : Direction::to_peer;
    }
    [[nodiscard]] Exchange exchange() const noexcept {
        return {facts.header.major, facts.header.exchange_type, facts.header.message_id};
    }
};

/// All a Tracker knows. Its parts: state.cpp (time, deadlines, events), follow.cpp (messages),
/// exchange.cpp (what a message means for its handshake), losses.cpp (everything that is no
/// message), learn.cpp (peers, capability, path MTU).
class Tracker::State {
public:
    State(PolicyPointer policy, const TrackerLimits& limits, std::vector<VendorId> vendor_ids);

    // state.cpp
    void feed(const Observation& observation);
    void expire(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;
    [[nodiscard]] std::vector<Event> take_events();
    void set_policy(PolicyPointer policy);
    [[nodiscard]] const Handshake* find_handshake(std::uint64_t number) const;
    [[nodiscard]] const TrackerTotals& totals() const;
    [[nodiscard]] const std::vector<ExchangeTotals>& server_totals() const;
    [[nodiscard]] TimePoint now() const noexcept { return now_; }

    // learn.cpp
    void restore_peer(const Peer& peer);
    bool forget_peer(const IpAddress& address);
    void forget_peers_before(TimePoint time);
    [[nodiscard]] std::shared_ptr<const std::vector<IpAddress>> proven_sources() const;

    PolicyPointer policy;
    TrackerLimits limits;
    Keys keys;
    HandshakeTable handshakes;
    PeerTable peers;
    Diagnostician diagnostician;
    std::size_t in_progress = 0;
    std::optional<TimePoint> live_since;

private:
    // state.cpp
    Item read(const Observation& observation);
    Item read_message(const Observation& observation, const MessageSeen& seen);
    Item read_lost(const Observation& observation, const DatagramLost& lost);
    void drain(TimePoint until);
    void run_deadlines(TimePoint until);
    void follow(const Item& item);
    [[nodiscard]] std::optional<TimePoint> next_end() const;
    [[nodiscard]] std::optional<TimePoint> next_review() const;
    void review(std::uint32_t index, TimePoint time);
    void request_review(std::uint32_t index, TimePoint time);
    void take_steps();
    void emit(TimePoint time, decltype(Event::what) what);
    void evict();
    void settle(std::uint32_t index, Conclusion conclusion, TimePoint time);
    void reopen(std::uint32_t index);
    void set_running(std::uint32_t index, bool is_running);
    void establish(std::uint32_t index, Basis basis, TimePoint time);
    void count_stage(const Entry& entry, bool add);
    void set_stage(Entry& entry, Stage stage);
    void mute_where_unsure(Entry& entry);
    void doubt_view(Entry& entry, const Asked& before, TimePoint time);
    void note_answer(const Handshake& handshake);
    [[nodiscard]] std::uint64_t server_key(const Handshake& handshake) const;
    [[nodiscard]] TimePoint server_muted_until(const Handshake& handshake) const;

    // follow.cpp
    void follow_message(const MessageItem& item, TimePoint time, Leg leg);
    void join_leaving(const MessageItem& item, TimePoint time);
    void join_waiting(Handshake& handshake);
    std::uint32_t add_handshake(const MessageFacts& facts,
                                const Endpoint& source,
                                const Endpoint& destination,
                                TimePoint time);
    [[nodiscard]] bool is_from_client(const Handshake& handshake,
                                      const IkeHeader& header,
                                      const IpAddress& source,
                                      const IpAddress& destination) const;
    [[nodiscard]] std::size_t tally_index(const Handshake& handshake) const noexcept;
    [[nodiscard]] ServerTally& tally_of(const Handshake& handshake);
    [[nodiscard]] ServerTally& tally_of(const IpAddress& source, const IpAddress& destination);
    void count_message(const MessageItem& item, const OpeningFacts* opening, ServerTally& tally);
    void count_retransmit(Entry& entry, const Sighting& sighting);
    void follow_fragment(Entry& entry, Sighting& sighting, bool same_bytes_seen);
    void append(Entry& entry, MessageRecord record);
    void follow_addresses(std::uint32_t index, const Sighting& sighting);

    // exchange.cpp
    void apply(std::uint32_t index, Sighting& sighting);
    void apply_request(std::uint32_t index, const Sighting& sighting);
    void apply_response(std::uint32_t index, Sighting& sighting);
    void apply_v1(std::uint32_t index, Sighting& sighting);
    void apply_v1_informational(std::uint32_t index, const Sighting& sighting);
    void choose_answer(Entry& entry, const IkeHeader& header);
    [[nodiscard]] std::uint32_t short_hash(const Spi& spi) const;
    [[nodiscard]] static bool
    is_stranger_opening(const Entry& entry, const IkeHeader& header, const IpAddress& source);
    void take_late_answer(std::uint32_t index, Sighting& sighting);
    void take_init_answer(std::uint32_t index, Sighting& sighting);
    void settle_ends(std::uint32_t index, Sighting& sighting);
    static void take_auth_answer(Entry& entry, const Sighting& sighting);
    void look_for_evidence(std::uint32_t index, const Sighting& sighting);
    [[nodiscard]] const MessageRecord* find_answered(const Entry& entry,
                                                     const Sighting& sighting) const;
    void learn_side(Entry& entry, const Sighting& sighting);
    [[nodiscard]] VendorList vendor_list(const OpeningFacts& opening);
    [[nodiscard]] SharedList<Transform> transform_list(const OpeningFacts& opening);

    // losses.cpp
    void follow_lost(const LostItem& item, TimePoint time, Leg leg);
    void follow_tail(const LostItem& item, TimePoint time, Leg leg);
    void apply_lost(
        std::uint32_t index, const LostItem& item, bool from_client, TimePoint time, Leg leg);
    void apply_lost_request(std::uint32_t index,
                            const IkeHeader& header,
                            const MessageRecord& record,
                            TimePoint time);
    void follow_icmp(const IcmpItem& item, TimePoint time);
    void follow_esp(const EspSeen& seen, TimePoint time);
    [[nodiscard]] std::uint32_t find_quoted(const IcmpItem& item, TimePoint time) const;

    // learn.cpp
    void prove(std::uint32_t index,
               const IpAddress& source,
               const IpAddress& destination,
               TimePoint time);
    [[nodiscard]] static bool
    shows_itself(const Handshake& handshake, const IpAddress& source, const IpAddress& destination);
    void store_peer(const Entry& entry, PeerRole role, TimePoint time);
    [[nodiscard]] std::string server_name(std::optional<std::size_t> index) const;
    [[nodiscard]] std::optional<std::size_t> server_of(const Peer& peer) const;
    void note_evicted(const PeerEntry& entry, TimePoint time);
    void count_peer(const PeerEntry& entry, bool add);
    bool note_end(Entry& entry, TimePoint time);
    void note_path_mtu(Entry& entry, Direction direction, std::uint32_t bytes, TimePoint time);
    void note_peer_mtu(const Entry& entry, TimePoint time);

    /// A copy going out whose message has not been seen coming in yet.
    struct Leaving {
        TimePoint time;
        Spi initiator_spi;
        Exchange exchange;
        std::uint32_t head_digest;
        std::uint32_t message_bytes;
        std::uint32_t interface;
        Endpoint source;
        Endpoint destination;
    };
    bool join(Handshake& handshake, const Leaving& leaving);

    /// A client network one of whose handshakes went on without an answer that we saw.
    struct HalfViewSign {
        std::uint64_t network = 0; ///< hash
        TimePoint time;
    };

    VendorTable vendors_;
    ReorderWindow window_;
    Slab<OpeningFacts> openings_;
    std::uint32_t spare_opening_ = no_index;
    std::unordered_map<std::uint64_t, VendorList> vendor_lists_;
    std::unordered_map<std::uint64_t, SharedList<Transform>> transform_lists_;
    std::vector<Event> events_;              ///< once full a ring, which begins at the oldest
    std::size_t oldest_event_ = 0;           ///< 0 until then
    std::vector<Diagnostician::Step> steps_; ///< being turned into events
    /// Room of timelines that went, for those to come: no allocation in steady state.
    std::vector<std::vector<MessageRecord>> spare_timelines_;
    std::deque<Leaving> leaving_;      ///< few, and none older than 100 ms
    std::vector<ServerTally> tallies_; ///< one for each configured server, then unlisted
    std::unordered_map<std::uint64_t, std::array<HalfViewSign, 3>> half_views_; ///< by server
    mutable TrackerTotals totals_;
    mutable std::vector<ExchangeTotals> server_totals_;
    mutable std::shared_ptr<const std::vector<IpAddress>> proven_;
    mutable bool proven_changed_ = true;
    TimePoint now_;    ///< followed so far
    TimePoint latest_; ///< newest observation
    std::optional<TimePoint> copies_lost_at_;
    std::uint64_t next_number_ = 1;
    std::size_t message_count_ = 0;
};

} // namespace ikefrag
