// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/diagnosis/groups.hpp"
#include "plugin/observation.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// What one attempt adds to its server's sums.
struct AttemptMark {
    std::uint64_t number = 0; ///< Handshake::number
    TimePoint time;
    IpAddress client;
    std::uint16_t port = 0;
    bool real = false;             ///< shows a VPN client
    bool offer_unanswered = false; ///< D01's signal
    bool never_arrived = false;    ///< D06's
    bool unanswered = false;       ///< D07's, on the marked port
    bool partial = false;          ///< D04's: one try or more came in part
    bool established = false;
    bool failed = false;
    bool over = false; ///< its outcome is final
};

/// When a server-wide diagnosis was told last, and with which attempt.
struct Told {
    TimePoint time;
    std::uint64_t handshake = 0;
};
/// Whether it may be told with this attempt: it is the one it was told with, or `pause` has gone by
/// since.
[[nodiscard]] bool may_tell(const std::optional<Told>& told,
                            std::uint64_t handshake,
                            TimePoint now,
                            Duration pause) noexcept;
/// The same, and notes it if so.
[[nodiscard]] bool
tell(std::optional<Told>& told, std::uint64_t handshake, TimePoint now, Duration pause);

/// Outcomes of one group of clients, for D35.
struct GroupCount {
    std::uint32_t total = 0;
    std::uint32_t failed = 0;
};

/// Sums over the clients of one server. Bounds: max_attempts marks of at most 15 minutes,
/// max_groups groups.
class ServerSums {
public:
    static constexpr std::size_t max_attempts = 1024;
    static constexpr std::size_t max_groups = 64;

    /// The mark of an attempt, made where it is new. Bounds: a search in what is kept.
    AttemptMark& mark(std::uint64_t number, TimePoint now);
    [[nodiscard]] const std::deque<AttemptMark>& marks() const noexcept { return marks_; }

    /// Counts an outcome into its group; old counts fade.
    void count_outcome(const ClientGroup& group, bool failed);
    [[nodiscard]] const std::map<ClientGroup, GroupCount>& groups() const noexcept {
        return groups_;
    }

    TimePoint touched;
    std::optional<Told> offer_told;               ///< D01 by number of clients
    std::optional<Told> dead_told;                ///< D08
    std::optional<Told> order_told;               ///< D34
    std::optional<Told> group_told;               ///< D35
    std::array<std::optional<TimePoint>, 2> left; ///< [direction] last time one was seen leaving

private:
    std::deque<AttemptMark> marks_;
    std::map<ClientGroup, GroupCount> groups_;
};

/// Trailing IP fragments without a first one, between two addresses.
struct Tails {
    TimePoint first_time; ///< when they came, not when their hold ended
    TimePoint last_time;
    std::uint32_t datagrams = 0;
    std::uint32_t bytes = 0;
    std::vector<TimePoint> times; ///< the first eight
};

/// All sums; the least recently touched server or pair goes when there are too many.
class Sums {
public:
    static constexpr std::size_t max_servers = 64;
    static constexpr std::size_t max_pairs = 1024;

    ServerSums& server(std::optional<std::size_t> index, const IpAddress& address, TimePoint now);
    void tails_seen(const DatagramLost& lost, TimePoint now);
    /// Null where none came within two minutes.
    [[nodiscard]] const Tails*
    tails(const IpAddress& source, const IpAddress& destination, TimePoint now) const;

    /// Rules of this host that drop trailing fragments behind us, by Family; empty: none known.
    FragmentDrops fragment_drops;

private:
    struct ServerKey {
        std::optional<std::size_t> index;
        IpAddress address;
        auto operator<=>(const ServerKey&) const = default;
    };
    std::map<ServerKey, ServerSums> servers_;
    std::map<std::pair<IpAddress, IpAddress>, Tails> tails_;
};

/// /24 or /56: the client network that counts as one place (DIAGNOSES 1.6).
[[nodiscard]] Prefix client_network_of(const IpAddress& address) noexcept;

} // namespace ikefrag
