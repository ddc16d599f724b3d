// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/counter.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/handshake.hpp"
#include "plugin/observation.hpp"
#include "plugin/peer.hpp"
#include "plugin/policy.hpp"
#include "plugin/time.hpp"
#include "plugin/vendor_id.hpp"

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

namespace ikefrag {

/// Bounds of what the tracker remembers; beyond them the oldest or least useful goes, counted.
struct TrackerLimits {
    std::size_t handshakes = 50'000;
    std::size_t messages_per_handshake = 64;
    std::size_t peers = 100'000;
    std::size_t findings = 10'000;
    std::size_t proven_sources = 4'096;
    std::size_t events = 65'536; ///< not taken yet
    /// Timeline entries of all handshakes together; the least useful handshakes go.
    std::size_t messages = 400'000;
    Duration reorder_window = std::chrono::milliseconds(50);
    /// Key of its hash tables: random, new at each start; a capture needs none.
    std::array<std::uint8_t, 16> seed{};
};

struct HandshakeStarted {
    std::uint64_t handshake = 0;
};
struct HandshakeEnded {
    std::uint64_t handshake = 0;
    /// It is in the totals: not a probe's, not one without its beginning, not another failure of
    /// one that went on after it was taken for failed.
    bool counted = false;
};
struct CapabilityChanged {
    IpAddress address;
    PeerRole role = PeerRole::client;
    Capability before;
    Capability after;
};
struct FindingOpened {
    Finding finding;
};
struct FindingUpdated {
    Finding finding;
};
struct FindingClosed {
    Finding finding;
};
struct PeerChanged {
    IpAddress address;
};
struct PeerForgotten {
    IpAddress address;
};

struct Event {
    TimePoint time;
    std::variant<HandshakeStarted,
                 HandshakeEnded,
                 CapabilityChanged,
                 FindingOpened,
                 FindingUpdated,
                 FindingClosed,
                 PeerChanged,
                 PeerForgotten>
        what;
};

/// Totals by server for metrics; the last server is "unlisted".
struct ExchangeTotals {
    /// [version 1|2][exchange type][role]
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role>, std::uint64_t> messages;
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role, Transport>, std::uint64_t> fragmented;
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role>, std::uint64_t> retransmits;
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role>, std::uint64_t> skf_sets;
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role>, std::uint64_t> skf_incomplete;
    std::map<std::uint16_t, std::uint64_t> notifies; ///< by type; 0: any that has no name
    std::array<std::uint64_t, 3> started{};          ///< [version]
    std::array<std::uint64_t, 3> completed{};        ///< [version]
    std::map<std::string, std::uint64_t> failed; ///< by slug of the failure diagnosis, or "unnamed"
    std::map<std::pair<std::string, Actor>, std::uint64_t> diagnoses; ///< by slug
    std::vector<std::uint64_t> duration; ///< buckets of duration_bounds, last: above
    double duration_sum_seconds = 0;
    std::uint64_t reordered = 0;
    /// smallest of the last hour, [direction]; 0 unknown
    std::array<std::uint32_t, 2> path_mtu_bytes{};
    std::optional<bool> fragmentation_supported;
    /// Handshakes in progress, by stage: init, intermediate, auth, eap.
    std::array<std::uint64_t, 4> in_progress{};
    /// Peers that spoke with this server.
    std::array<std::uint64_t, count_of<Fragmentation>> peers_by_fragmentation{};
    std::array<std::uint64_t, count_of<Transition>> peers_by_transition{};
    std::map<std::string, std::uint64_t> peers_by_vendor; ///< "": no hint
};

/// Words of ExchangeTotals::in_progress, in its order.
inline constexpr std::array<std::string_view, 4> stage_words{"init", "intermediate", "auth", "eap"};

inline constexpr std::array<double, 9> duration_bounds{0.1, 0.25, 0.5, 1, 2, 5, 10, 30, 60};

/// Totals of a whole run, for replay's summary and the global metrics.
struct TrackerTotals {
    std::uint64_t messages = 0;
    std::uint64_t malformed = 0;
    std::map<std::pair<std::string, Role>, std::uint64_t> by_exchange; ///< names of DESIGN §6
    std::array<std::uint64_t, count_of<Transport>> by_transport{};
    std::uint64_t skf_fragments = 0;
    std::uint64_t skf_sets = 0;
    std::uint64_t skf_complete = 0;
    std::array<std::uint64_t, 2> notify_16430{}; ///< [role]
    std::array<std::array<std::uint64_t, 3>, 2>
        icmp{}; ///< [family][frag_needed, reassembly_timeout, unreachable]
    std::uint64_t evicted_handshakes = 0;
    std::uint64_t evicted_peers = 0;
    std::uint64_t evicted_findings = 0;
    std::uint64_t tcp_fallbacks = 0;
    /// Tunnel packets by what their outer source says of the address inside.
    struct Outer {
        std::uint64_t matched = 0;
        std::uint64_t mismatched = 0;
    };
    std::array<Outer, count_of<Transition>> outer_seen{}; ///< [transition]
    std::uint64_t copies_lost = 0;
    std::uint64_t events_lost = 0; ///< nobody took them (Tracker::take_events)
    /// IKE message bytes: buckets 576,1280,1500,2000,3000,4000,8000,16384,65535, above;
    /// [version,type,role]
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role>, std::array<std::uint64_t, 10>>
        message_bytes;
    std::map<std::tuple<std::uint8_t, std::uint8_t, Role>, double> message_bytes_sum;
    /// SKF fragments a message: 2,3,4,6,8,12,16,32,64, above; [role]
    std::array<std::array<std::uint64_t, 10>, 2> skf_per_message{};
    std::array<double, 2> skf_per_message_sum{};
};

/// Follows handshakes, learns what peers can do, names failures. Cannot delay or change a verdict.
/// Not thread-safe: lives on the observation thread alone.
class Tracker {
public:
    Tracker(PolicyPointer policy, TrackerLimits limits, std::vector<VendorId> vendor_ids);
    ~Tracker();
    Tracker(Tracker&&) noexcept;
    Tracker& operator=(Tracker&&) noexcept;

    /// Takes an observation; its bytes are read now and not kept. Observations are followed in time
    /// order out of a window of TrackerLimits::reorder_window.
    /// Bounds:  65 536 wait for expire(); beyond, the oldest is followed at once
    void feed(const Observation& observation);

    /// Follows what has left the window, ends what timed out. In: `now` never goes back; all that
    /// was seen before it, less the window, was fed.
    void expire(TimePoint now);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    /// Takes what happened since the last call.
    [[nodiscard]] std::vector<Event> take_events();

    void set_policy(PolicyPointer policy);

    [[nodiscard]] const Handshake* find_handshake(std::uint64_t number) const;
    /// All handshakes in time of their first message.
    void for_each_handshake(const std::function<void(const Handshake&)>& visit) const;
    /// Each lives for the length of the call.
    void for_each_peer(const std::function<void(const Peer&)>& visit) const;
    void for_each_finding(const std::function<void(const Finding&)>& visit) const;
    [[nodiscard]] const Peer* find_peer(const IpAddress& address) const;
    /// Takes a peer from the database at start. Bounds: ignored beyond TrackerLimits::peers; beyond
    /// PeerTable::max_of_source the oldest of its /64 goes.
    void restore_peer(const Peer& peer);
    /// Forgets an address: peer record and capability.
    bool forget_peer(const IpAddress& address);
    /// Forgets peers last seen before this.
    void forget_peers_before(TimePoint time);

    [[nodiscard]] const TrackerTotals& totals() const noexcept;
    /// One for each Policy::servers, then "unlisted".
    [[nodiscard]] const std::vector<ExchangeTotals>& server_totals() const noexcept;
    [[nodiscard]] std::size_t handshakes_in_progress() const noexcept;
    [[nodiscard]] std::size_t handshake_count() const noexcept;
    [[nodiscard]] std::size_t peer_count() const noexcept;

    /// Sources whose handshake got an answer and went on, newest last, an IPv6 /64 by one address;
    /// changes when it is made anew.
    [[nodiscard]] std::shared_ptr<const std::vector<IpAddress>> proven_sources() const;

    /// Time the tracker began to see: findings of silence are muted for the first 60 s of a live
    /// run. Not called for a capture.
    void set_live_since(TimePoint time);

    /// What the daemon found in the host's ruleset, and no copy of a packet shows: first fragments
    /// do go out, and nothing but the kernel sees the others. Empty for a capture.
    void set_fragment_drops(const FragmentDrops& drops);

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace ikefrag
