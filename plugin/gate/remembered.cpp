// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/remembered.hpp"

#include <algorithm>
#include <cassert>

namespace ikefrag {
namespace {

/// Order of the rings.
constexpr std::array kinds{EntryKind::finished, EntryKind::poisoned, EntryKind::decided};

/// An IKE_AUTH has about five fragments.
constexpr std::size_t digests_per_datagram = 8;

/// The kernel's own reassembly would still wait after these (30 and 60 s), a sender's id come round
/// within seconds: PROTOCOL §3.3 settles on 20, 60 and 5 s.
constexpr Duration lifetime_of(EntryKind kind) noexcept {
    switch (kind) {
    case EntryKind::finished: return std::chrono::seconds(20);
    case EntryKind::poisoned: return std::chrono::seconds(60);
    default: return std::chrono::seconds(5);
    }
}

} // namespace

KeyMemory::Ring& KeyMemory::ring_of(EntryKind kind) noexcept {
    const auto* const at = std::find(kinds.begin(), kinds.end(), kind);
    assert(at != kinds.end());
    return rings_[static_cast<std::size_t>(at - kinds.begin())];
}

void KeyMemory::resize(std::size_t table_datagrams) {
    const auto finished = std::clamp<std::size_t>(2 * table_datagrams, 256, 65'536);
    resize(ring_of(EntryKind::finished), finished);
    resize(ring_of(EntryKind::poisoned), std::clamp<std::size_t>(2 * table_datagrams, 256, 8'192));
    // Left datagrams are the many: the tunnel's own fragments are among them.
    resize(ring_of(EntryKind::decided), std::clamp<std::size_t>(8 * table_datagrams, 256, 16'384));
    if (digests_.size() < finished * digests_per_datagram) {
        // Positions are by the old size: what is remembered as finished forgets its copies.
        for (auto& remembered : ring_of(EntryKind::finished).places) remembered.digests = {};
        digests_.assign(finished * digests_per_datagram, 0);
        digests_.shrink_to_fit();
        digests_end_ = 0;
    }
}

void KeyMemory::resize(Ring& ring, std::size_t count) {
    if (count == ring.places.size()) return;
    while (ring.end - ring.begin > count) forget_oldest(ring);
    Ring larger;
    larger.places.resize(count);
    for (; ring.begin != ring.end; ++ring.begin) {
        auto& before = ring.at(ring.begin);
        auto& after = larger.at(larger.end++);
        after = before;
        if (before.in_index) index_.replace(&before, &after);
    }
    ring = std::move(larger);
}

void KeyMemory::forget_oldest(Ring& ring) noexcept {
    auto& oldest = ring.at(ring.begin++);
    if (oldest.in_index) detach(oldest);
}

void KeyMemory::detach(Remembered& remembered) noexcept {
    index_.erase(&remembered);
    remembered.in_index = false;
}

Remembered&
KeyMemory::remember(EntryKind kind, const DatagramKey& key, std::uint64_t hash, TimePoint now) {
    auto& ring = ring_of(kind);
    if (ring.end - ring.begin == ring.places.size()) forget_oldest(ring);
    auto& remembered = ring.at(ring.end++);
    remembered = {};
    remembered.key = key;
    remembered.hash = hash;
    remembered.kind = kind;
    remembered.until = now + lifetime_of(kind);
    remembered.in_index = true;
    remembered.digests.begin = digests_end_;
    index_.insert(&remembered);
    return remembered;
}

void KeyMemory::add_digest(Remembered& finished, std::uint64_t digest) noexcept {
    if (finished.digests.count == digests_.size()) return;
    digests_[digests_end_++ % digests_.size()] = digest;
    ++finished.digests.count;
}

bool KeyMemory::has_digest(const DigestRange& range, std::uint64_t digest) const noexcept {
    if (digests_end_ - range.begin > digests_.size()) return false; // written over
    for (std::uint32_t i = 0; i < range.count; ++i)
        if (digests_[(range.begin + i) % digests_.size()] == digest) return true;
    return false;
}

void KeyMemory::expire(TimePoint now) noexcept {
    // Two a call and ring: rings fill by at most one a call.
    for (auto& ring : rings_)
        for (int i = 0; i < 2 && ring.begin != ring.end && ring.at(ring.begin).until <= now; ++i)
            forget_oldest(ring);
}

std::size_t KeyMemory::capacity() const noexcept {
    std::size_t count = 0;
    for (const auto& ring : rings_) count += ring.places.size();
    return count;
}

std::size_t KeyMemory::allocated_bytes() const noexcept {
    std::size_t bytes = digests_.capacity() * sizeof(digests_[0]);
    for (const auto& ring : rings_) bytes += ring.places.capacity() * sizeof(Remembered);
    return bytes;
}

} // namespace ikefrag
