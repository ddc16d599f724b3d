// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate/entry_index.hpp"
#include "plugin/gate/pool.hpp"
#include "plugin/gate/siphash.hpp"
#include "plugin/policy.hpp"
#include "plugin/wire/ip_packet.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace ikefrag {

struct Datagram;

/// An amount of what is held.
struct Usage {
    std::uint64_t datagrams = 0;
    std::uint64_t packets = 0;
    std::uint64_t bytes = 0;

    Usage& operator+=(const Usage& other) noexcept;
    Usage& operator-=(const Usage& other) noexcept;
    [[nodiscard]] bool fits(const Usage& more, const Usage& limit) const noexcept;
};

/// Whose a share is: an IPv4 address, an IPv6 /64; of what a server sends, its peer's, apart from
/// what that peer sends itself (a server is one source for all its clients).
struct SourceKey {
    std::array<std::uint64_t, 3> words{};
    auto operator<=>(const SourceKey&) const = default;
};

[[nodiscard]] SourceKey source_key_of(const IpAddress& address, bool from_server) noexcept;

/// One source and what is held of it.
struct Source {
    SourceKey key;
    std::uint64_t hash = 0;
    Usage usage;
    Datagram* oldest = nullptr;
    Datagram* newest = nullptr;
    Source* before = nullptr; ///< neighbours among sources of the same weight, by time they got it
    Source* behind = nullptr;
    std::uint8_t weight = 0;
    bool reserved = false; ///< draws on the half that is kept for servers and proven sources
    bool exempt = false;   ///< a server: has no share of its own to keep to
};

/// What a new fragment may do.
enum class Room : std::uint8_t {
    there,
    source_limit, ///< one datagram alone is more than its source's share
    evict_own,    ///< its source has its share: first victim() must go, its oldest
    evict,        ///< first victim() must go
    none,         ///< nobody must make way
};

/// Who holds how much of the table, and who must make way when it is full.
///
/// Half of every table limit is kept for servers and proven sources; they may use the other half
/// as far as it is free. Who must make way: the heaviest source of its half, the oldest datagram
/// first. The weight is the largest of a source's three shares, in eighths of its limit (one
/// datagram alone: one), so that one that holds little never makes way for one that holds much. Who
/// may not grow makes way for itself, its oldest datagram first: a few pieces forged in a client's
/// name must not keep its next message out.
///
/// Bounds: every call takes a few steps, whatever is held.
class Shares {
public:
    explicit Shares(SipHash hash) noexcept : hash_(hash) {}

    /// In: limits.bytes without what is allocated at start
    void set_limits(const Usage& table, const Usage& source);
    void set_proven(const std::vector<IpAddress>& sources);

    /// The source's account, made when it has none.
    [[nodiscard]] Source& source_of(const IpPacket& ip, bool from_server, bool to_server);

    /// Whether `more` may be held for the source. In: keep: a datagram that must not be a victim
    [[nodiscard]] Room
    room_for(const Source& source, const Usage& more, const Datagram* keep) noexcept;
    /// Of the last room_for that said `evict` or `evict_own`.
    [[nodiscard]] Datagram* victim() const noexcept { return victim_; }

    void add(Source& source, const Usage& more) noexcept;
    static void enter(Source& source, Datagram& datagram) noexcept;
    /// Takes a datagram and all it used from its source; a source with nothing left ends.
    void leave(Source& source, Datagram& datagram, const Usage& usage) noexcept;
    /// Ends a source that was made but got nothing.
    void drop_if_unused(Source& source) noexcept;

    [[nodiscard]] const Usage& total() const noexcept { return total_; }
    [[nodiscard]] std::size_t allocated_bytes() const noexcept {
        return index_.allocated_bytes() + proven_.capacity() * sizeof(SourceKey);
    }
    [[nodiscard]] std::size_t source_count() const noexcept { return pool_.in_use(); }
    [[nodiscard]] std::size_t pool_bytes() const noexcept { return pool_.allocated_bytes(); }

private:
    static constexpr std::uint8_t weights = 32;
    struct Half {
        Usage usage;
        std::uint32_t present = 0; ///< bit w: some source of weight w
        std::array<Source*, weights> first{};
        std::array<Source*, weights> last{};
    };

    [[nodiscard]] std::uint8_t weight_of(const Usage& usage) const noexcept;
    void weigh(Source& source) noexcept;
    void link(Source& source) noexcept;
    void unlink(Source& source) noexcept;
    [[nodiscard]] static Datagram* oldest_but(const Source& source, const Datagram* keep) noexcept;
    [[nodiscard]] static Datagram* pick_victim(const Half& half, const Datagram* keep) noexcept;
    [[nodiscard]] bool is_proven(const SourceKey& key) const noexcept;

    SipHash hash_;
    EntryIndex<Source> index_;
    Pool<Source> pool_;
    std::array<Half, 2> halves_; ///< ordinary, reserved
    Usage total_;
    Usage table_limit_;
    Usage source_limit_;
    std::vector<SourceKey> proven_; ///< sorted
    Datagram* victim_ = nullptr;
};

} // namespace ikefrag
