// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/event_flag.hpp"
#include "daemon/kernel/record_ring.hpp"
#include "plugin/counter.hpp"
#include "plugin/observation.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ikefrag {

/// Carries observations, their bytes included, from one queue worker to the observation thread.
///
/// One writer, one reader, no lock. When it is full an observation is lost and counted; the writer
/// never waits.
class ObservationQueue {
public:
    /// In: capacity in bytes, a power of two; at least twice the largest record
    explicit ObservationQueue(std::size_t capacity = std::size_t{1} << 20);

    /// Writer: takes a copy. Out: false if it was full
    bool push(const Observation& observation) noexcept;
    /// Writer: wakes the reader if it sleeps; once a batch.
    void wake() noexcept;
    [[nodiscard]] bool is_filling() const noexcept { return ring_.is_filling(); }

    /// Reader: readable when wake() was called since the last drained pop().
    [[nodiscard]] int descriptor() const noexcept { return woken_.descriptor(); }
    /// Reader: the oldest observation; its views are valid until the next call. Empty: drained, and
    /// the next push will wake.
    std::optional<Observation> pop() noexcept;

    /// Raised by the writer.
    [[nodiscard]] const Counter& lost() const noexcept { return lost_; }
    [[nodiscard]] const Counter& pushed() const noexcept { return pushed_; }

private:
    RecordRing ring_;
    EventFlag woken_;
    Counter lost_;
    Counter pushed_;
    alignas(64) std::atomic<bool> reader_sleeps_{true};
};

} // namespace ikefrag
