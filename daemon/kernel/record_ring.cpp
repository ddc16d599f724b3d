// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/record_ring.hpp"

#include <bit>
#include <cassert>
#include <cstring>

namespace ikefrag {

namespace {

/// A record lies in one piece. Where the ring's end is too near for it, a header alone fills the
/// rest.
struct alignas(16) Header {
    std::uint32_t size = 0; ///< of the whole record, a multiple of the alignment
    std::uint32_t head_bytes = 0;
    std::uint32_t body_bytes = 0;
    std::uint32_t filler = 0;
};

constexpr std::size_t round_up(std::size_t size) noexcept {
    return (size + alignof(Header) - 1) / alignof(Header) * alignof(Header);
}

} // namespace

RecordRing::RecordRing(std::size_t capacity)
    : capacity_(capacity), ring_(new std::uint8_t[capacity]) {
    assert(std::has_single_bit(capacity) && capacity >= 4096);
}

bool RecordRing::push(Bytes first, Bytes body) noexcept {
    const std::size_t size = round_up(sizeof(Header) + first.size() + body.size());
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t used = head - tail_.load(std::memory_order_acquire);
    const std::size_t at = head & (capacity_ - 1);
    const std::size_t filler = capacity_ - at < size ? capacity_ - at : 0;
    if (used + filler + size > capacity_) return false;
    if (filler > 0) {
        const Header header{static_cast<std::uint32_t>(filler), 0, 0, 1};
        std::memcpy(ring_.get() + at, &header, sizeof header);
    }
    std::uint8_t* to = ring_.get() + ((head + filler) & (capacity_ - 1));
    const Header header{static_cast<std::uint32_t>(size),
                        static_cast<std::uint32_t>(first.size()),
                        static_cast<std::uint32_t>(body.size()),
                        0};
    std::memcpy(to, &header, sizeof header);
    to += sizeof header;
    if (!first.empty()) std::memcpy(to, first.data(), first.size());
    if (!body.empty()) std::memcpy(to + first.size(), body.data(), body.size());
    head_.store(head + filler + size, std::memory_order_release);
    return true;
}

std::optional<RecordRing::Record> RecordRing::pop() noexcept {
    tail_.store(read_until_, std::memory_order_release);
    if (head_.load(std::memory_order_acquire) == read_until_) return std::nullopt;
    Header header;
    const std::uint8_t* from = ring_.get() + (read_until_ & (capacity_ - 1));
    std::memcpy(&header, from, sizeof header);
    read_until_ += header.size;
    if (header.filler != 0) { // a record always follows it
        from = ring_.get();
        std::memcpy(&header, from, sizeof header);
        read_until_ += header.size;
    }
    from += sizeof header;
    return Record{Bytes(from, header.head_bytes),
                  Bytes(from + header.head_bytes, header.body_bytes)};
}

} // namespace ikefrag
