// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <atomic>
#include <cstdint>

namespace ikefrag {

/// A count that one thread raises and any thread may read. Costs what a plain integer costs. Counts
/// are read in the order they were raised: who sees one sees all that was raised before it.
class Counter {
public:
    void add(std::uint64_t n = 1) noexcept {
        value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_release);
    }
    void set(std::uint64_t value) noexcept { value_.store(value, std::memory_order_release); }
    [[nodiscard]] std::uint64_t get() const noexcept {
        return value_.load(std::memory_order_acquire);
    }

private:
    std::atomic<std::uint64_t> value_{0};
};

} // namespace ikefrag
