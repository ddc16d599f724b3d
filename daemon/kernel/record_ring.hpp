// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

namespace ikefrag {

/// Carries records of two pieces from one writing thread to one reading thread, in the order they
/// were pushed. No lock, no waiting: what does not fit is refused.
class RecordRing {
public:
    /// In: capacity in bytes, a power of two; at least twice the largest record
    explicit RecordRing(std::size_t capacity);

    /// Writer: copies both pieces. Out: false if there was no room
    bool push(Bytes head, Bytes body) noexcept;
    /// Writer: a quarter or more waits to be read.
    [[nodiscard]] bool is_filling() const noexcept {
        return head_.load(std::memory_order_relaxed) - tail_.load(std::memory_order_relaxed) >=
               capacity_ / 4;
    }

    struct Record {
        Bytes head; ///< 16-aligned
        Bytes body;
    };
    /// Reader: the oldest record; its views are valid until the next call. Empty: drained.
    std::optional<Record> pop() noexcept;

private:
    std::size_t capacity_;
    std::unique_ptr<std::uint8_t[]> ring_;
    alignas(64) std::atomic<std::uint64_t> head_{0}; ///< written up to here
    alignas(64) std::atomic<std::uint64_t> tail_{0}; ///< free up to here
    std::uint64_t read_until_ = 0;                   ///< end of the record the reader looks at
};

} // namespace ikefrag
