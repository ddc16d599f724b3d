// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/observation_queue.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <bit>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <system_error>
#include <type_traits>
#include <utility>

namespace ikefrag {

namespace {

static_assert(std::is_trivially_copyable_v<Observation>, "observations are moved as bytes");

/// A record lies in one piece: header, observation, the bytes of its view. Where the ring's end is
/// too near for it, a header alone fills the rest.
struct alignas(16) Header {
    std::uint32_t size = 0; ///< of the whole record, a multiple of the alignment
    std::uint32_t view_bytes = 0;
    std::uint32_t filler = 0;
};
constexpr std::size_t fixed_bytes = sizeof(Header) + sizeof(Observation);

constexpr std::size_t round_up(std::size_t size) noexcept {
    return (size + alignof(Header) - 1) / alignof(Header) * alignof(Header);
}

/// The one view an observation may have.
Bytes* view_of(Observation& observation) noexcept {
    if (auto* message = std::get_if<MessageSeen>(&observation.what)) return &message->message;
    if (auto* lost = std::get_if<DatagramLost>(&observation.what)) return &lost->message;
    if (auto* icmp = std::get_if<IcmpSeen>(&observation.what)) return &icmp->quoted_message;
    return nullptr;
}

} // namespace

ObservationQueue::ObservationQueue(std::size_t capacity)
    : capacity_(capacity), ring_(new std::uint8_t[capacity]),
      event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
    assert(std::has_single_bit(capacity) && capacity >= 4096);
    if (event_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
}

ObservationQueue::~ObservationQueue() { ::close(event_); }

bool ObservationQueue::push(const Observation& observation) noexcept {
    Observation copy = observation;
    const Bytes* view = view_of(copy);
    const Bytes bytes = view != nullptr ? *view : Bytes{};
    const std::size_t size = round_up(fixed_bytes + bytes.size());
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    const std::uint64_t used = head - tail_.load(std::memory_order_acquire);
    const std::size_t at = head & (capacity_ - 1);
    const std::size_t filler = capacity_ - at < size ? capacity_ - at : 0;
    if (used + filler + size > capacity_) {
        lost_.add();
        return false;
    }
    if (filler > 0) {
        const Header header{static_cast<std::uint32_t>(filler), 0, 1};
        std::memcpy(ring_.get() + at, &header, sizeof header);
    }
    std::uint8_t* to = ring_.get() + ((head + filler) & (capacity_ - 1));
    const Header header{
        static_cast<std::uint32_t>(size), static_cast<std::uint32_t>(bytes.size()), 0};
    std::memcpy(to, &header, sizeof header);
    std::memcpy(to + sizeof header, &copy, sizeof copy);
    if (!bytes.empty()) std::memcpy(to + fixed_bytes, bytes.data(), bytes.size());
    head_.store(head + filler + size, std::memory_order_release);
    pushed_.add();
    return true;
}

void ObservationQueue::wake() noexcept {
    // Pairs with the fence in pop(): either we see that the reader sleeps, or it sees our record.
    std::atomic_thread_fence(std::memory_order_seq_cst);
    if (reader_sleeps_.load(std::memory_order_relaxed) &&
        reader_sleeps_.exchange(false, std::memory_order_relaxed))
        ::eventfd_write(event_, 1);
}

std::optional<Observation> ObservationQueue::pop() noexcept {
    tail_.store(read_until_, std::memory_order_release);
    if (head_.load(std::memory_order_acquire) == read_until_) {
        eventfd_t ignored = 0;
        ::eventfd_read(event_, &ignored);
        reader_sleeps_.store(true, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (head_.load(std::memory_order_acquire) == read_until_) return std::nullopt;
        reader_sleeps_.store(false, std::memory_order_relaxed);
    }
    Header header;
    const std::uint8_t* from = ring_.get() + (read_until_ & (capacity_ - 1));
    std::memcpy(&header, from, sizeof header);
    read_until_ += header.size;
    if (header.filler != 0) { // a record always follows it
        from = ring_.get();
        std::memcpy(&header, from, sizeof header);
        read_until_ += header.size;
    }
    std::optional<Observation> observation(std::in_place);
    std::memcpy(&*observation, from + sizeof header, sizeof(Observation));
    if (Bytes* view = view_of(*observation); view != nullptr)
        *view = Bytes(from + fixed_bytes, header.view_bytes);
    return observation;
}

} // namespace ikefrag
