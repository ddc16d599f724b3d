// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate/datagram_key.hpp"
#include "plugin/gate/entry_index.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace ikefrag {

/// What is known of a datagram key.
enum class EntryKind : std::uint8_t {
    open,     ///< fragments are held
    finished, ///< all let through; a copy of one of its fragments drops only itself
    poisoned, ///< refused for what it is; everything with its key is dropped
    decided,  ///< not held: left, dropped by policy, or over a limit; the rest goes the same way
};

struct KeyEntry {
    DatagramKey key;
    std::uint64_t hash = 0;
    EntryKind kind = EntryKind::open;
};

/// The digests of a finished datagram's fragments, in the ring they are kept in.
struct DigestRange {
    std::uint64_t begin = 0;
    std::uint32_t count = 0;
};

/// What happened to a datagram, for those of its fragments that come late.
struct Remembered : KeyEntry {
    TimePoint until;
    Verdict verdict = Verdict::accept;
    bool enforced = true;
    bool first_seen = false;
    bool in_index = false; ///< false: something newer has its key
    Reason reason = Reason::none;
    std::optional<PacketClass> packet_class;
    std::int32_t rule = -1;
    std::uint64_t first_digest = 0; ///< of a decided one's first fragment
    DigestRange digests;            ///< of a finished one's fragments
};

/// Remembers ended datagrams for a while: 20 s the finished, 60 s the poisoned, 5 s the decided.
///
/// One ring a kind, the oldest going first, so that a flood of one kind takes nothing from the
/// others and nothing allocates. Source: the times are PROTOCOL §3.3's.
class KeyMemory {
public:
    explicit KeyMemory(EntryIndex<KeyEntry>& index) noexcept : index_(index) {}

    /// Sizes the rings for a table of so many datagrams; what is remembered stays.
    void resize(std::size_t table_datagrams);

    /// A place for a new memory of `kind`, in the index under its key; the oldest of its kind goes
    /// if there is no room. In: no entry of this key is in the index.
    Remembered& remember(EntryKind kind, const DatagramKey& key, std::uint64_t hash, TimePoint now);
    /// Keeps the digests of a finished datagram's fragments; more than fit are not kept.
    void add_digest(Remembered& finished, std::uint64_t digest) noexcept;
    [[nodiscard]] bool has_digest(const DigestRange& range, std::uint64_t digest) const noexcept;

    /// Takes it out of the index; it stays in its ring.
    void detach(Remembered& remembered) noexcept;
    /// Forgets what is too old. Bounds: a few steps a call.
    void expire(TimePoint now) noexcept;

    [[nodiscard]] std::size_t capacity() const noexcept;
    [[nodiscard]] std::size_t allocated_bytes() const noexcept;

private:
    struct Ring {
        std::vector<Remembered> places;
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        [[nodiscard]] Remembered& at(std::uint64_t number) noexcept {
            return places[number % places.size()];
        }
    };

    [[nodiscard]] Ring& ring_of(EntryKind kind) noexcept;
    void forget_oldest(Ring& ring) noexcept;
    void resize(Ring& ring, std::size_t count);

    EntryIndex<KeyEntry>& index_;
    std::array<Ring, 3> rings_;
    std::vector<std::uint64_t> digests_;
    std::uint64_t digests_end_ = 0;
};

} // namespace ikefrag
