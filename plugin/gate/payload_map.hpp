// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/gate/pool.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>

namespace ikefrag {

/// 2 KiB of a datagram, with a bit for each of its 8-octet blocks: there or not, and whether a
/// fragment begins at it. IP cuts at multiples of 8, so the bits know every fragment's bounds.
struct PayloadWindow {
    static constexpr std::uint32_t size_bytes = 2048;
    static constexpr std::uint32_t block_count = size_bytes / 8;

    std::array<std::uint64_t, block_count / 64> present{};
    std::array<std::uint64_t, block_count / 64> begins{};
    std::array<std::uint8_t, size_bytes> bytes; // NOLINT: written before read

    PayloadWindow() noexcept {} // NOLINT: leaves `bytes` as they are
};

using PayloadWindows = Pool<PayloadWindow>;

/// How a piece lies to what is there already.
enum class Fit : std::uint8_t { free, copy, overlap };

/// The payload of one datagram as far as it came, each fragment at its offset.
///
/// Bounds: work for a fragment grows with its own length alone, however many came before.
class PayloadMap {
public:
    static constexpr std::uint32_t max_bytes = 65536;

    /// `copy`: exactly one fragment's place, with the same bytes. In: a piece within max_bytes
    [[nodiscard]] Fit fit(std::uint32_t offset, Bytes piece) const noexcept;
    /// Windows that putting a piece here would add.
    [[nodiscard]] std::uint32_t windows_missing(std::uint32_t offset,
                                                std::uint32_t length) const noexcept;
    /// In: fit() said `free`
    void put(std::uint32_t offset, Bytes piece, PayloadWindows& windows);
    /// Whether every block before `end` is there.
    [[nodiscard]] bool is_whole(std::uint32_t end) const noexcept;
    /// Copies [0, out.size()). In: those bytes are there
    void copy_to(std::span<std::uint8_t> out) const noexcept;
    /// As much of [0, end) as lies in one piece. In: those bytes are there; out: valid until put()
    [[nodiscard]] Bytes front(std::uint32_t end) const noexcept {
        return Bytes(windows_[0]->bytes).first(std::min(end, PayloadWindow::size_bytes));
    }
    /// Gives all windows back.
    void release(PayloadWindows& windows) noexcept;

    [[nodiscard]] std::uint32_t window_count() const noexcept { return window_count_; }
    void prefetch(std::uint32_t offset) const noexcept;

private:
    [[nodiscard]] bool bytes_equal(std::uint32_t offset, Bytes piece) const noexcept;
    [[nodiscard]] bool block(std::uint32_t number,
                             std::array<std::uint64_t, PayloadWindow::block_count / 64>
                                 PayloadWindow::*bits) const noexcept;

    std::array<PayloadWindow*, max_bytes / PayloadWindow::size_bytes> windows_{};
    std::uint32_t window_count_ = 0;
};

} // namespace ikefrag
