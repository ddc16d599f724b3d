// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/payload_map.hpp"

#include <algorithm>
#include <cstring>

namespace ikefrag {
namespace {

constexpr std::uint32_t block_bytes = 8;
constexpr std::uint32_t blocks = PayloadWindow::block_count;
using Bits = std::array<std::uint64_t, blocks / 64>;

/// Blocks [first, last) of one window.
struct BlockRange {
    std::uint32_t first = 0;
    std::uint32_t last = 0;
};

/// The bits of a range within the word that holds them.
std::uint64_t mask_in_word(BlockRange range, std::uint32_t word) noexcept {
    const auto from = std::max(range.first, word * 64);
    const auto to = std::min(range.last, (word + 1) * 64);
    if (from >= to) return 0;
    const auto count = to - from;
    const auto ones = count == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
    return ones << (from % 64);
}

void set_bits(Bits& bits, BlockRange range) noexcept {
    for (std::uint32_t word = range.first / 64; word * 64 < range.last; ++word)
        bits[word] |= mask_in_word(range, word);
}

/// How many of the range's bits: none, some or all.
struct Seen {
    bool any = false;
    bool all = true;
};

void look(const Bits& bits, BlockRange range, Seen& seen) noexcept {
    for (std::uint32_t word = range.first / 64; word * 64 < range.last; ++word) {
        const auto mask = mask_in_word(range, word);
        const auto set = bits[word] & mask;
        seen.any = seen.any || set != 0;
        seen.all = seen.all && set == mask;
    }
}

/// Calls visit(window number, range of blocks in it) for every window a piece touches.
template <class Visit>
void for_each_window(std::uint32_t offset, std::uint32_t length, Visit visit) {
    const auto first = offset / block_bytes;
    const auto last = (offset + length + block_bytes - 1) / block_bytes;
    for (auto number = first / blocks; number * blocks < last; ++number) {
        const auto base = number * blocks;
        visit(number,
              BlockRange{.first = std::max(first, base) - base,
                         .last = std::min(last, base + blocks) - base});
    }
}

} // namespace

Fit PayloadMap::fit(std::uint32_t offset, Bytes piece) const noexcept {
    const auto length = static_cast<std::uint32_t>(piece.size());
    Seen present;
    for_each_window(offset, length, [&](std::uint32_t number, BlockRange range) {
        if (windows_[number] == nullptr)
            present.all = false;
        else
            look(windows_[number]->present, range, present);
    });
    if (!present.any) return Fit::free;
    if (!present.all) return Fit::overlap;
    Seen begins_inside;
    for_each_window(offset, length, [&](std::uint32_t number, BlockRange range) {
        if (number == offset / PayloadWindow::size_bytes) ++range.first; // its own beginning
        if (range.first < range.last) look(windows_[number]->begins, range, begins_inside);
    });
    if (begins_inside.any) return Fit::overlap;
    const auto first = offset / block_bytes;
    const auto end = (offset + length + block_bytes - 1) / block_bytes;
    if (!block(first, &PayloadWindow::begins)) return Fit::overlap;
    if (block(end, &PayloadWindow::present) && !block(end, &PayloadWindow::begins))
        return Fit::overlap;
    return bytes_equal(offset, piece) ? Fit::copy : Fit::overlap;
}

bool PayloadMap::block(std::uint32_t number, Bits PayloadWindow::*bits) const noexcept {
    const auto window_number = number / blocks;
    if (window_number >= windows_.size() || windows_[window_number] == nullptr) return false;
    const auto at = number % blocks;
    return ((windows_[window_number]->*bits)[at / 64] >> (at % 64) & 1) != 0;
}

std::uint32_t PayloadMap::windows_missing(std::uint32_t offset,
                                          std::uint32_t length) const noexcept {
    std::uint32_t missing = 0;
    for_each_window(offset, length, [&](std::uint32_t number, BlockRange) {
        if (windows_[number] == nullptr) ++missing;
    });
    return missing;
}

void PayloadMap::put(std::uint32_t offset, Bytes piece, PayloadWindows& windows) {
    for_each_window(offset,
                    static_cast<std::uint32_t>(piece.size()),
                    [&](std::uint32_t number, BlockRange range) {
                        auto*& window = windows_[number];
                        if (window == nullptr) {
                            window = windows.create();
                            ++window_count_;
                        }
                        set_bits(window->present, range);
                        const auto at = range.first * block_bytes;
                        const auto length =
                            std::min<std::size_t>(piece.size(), PayloadWindow::size_bytes - at);
                        std::memcpy(window->bytes.data() + at, piece.data(), length);
                        piece = piece.subspan(length);
                    });
    auto& first = *windows_[offset / PayloadWindow::size_bytes];
    const auto at = offset % PayloadWindow::size_bytes / block_bytes;
    first.begins[at / 64] |= std::uint64_t{1} << (at % 64);
}

bool PayloadMap::is_whole(std::uint32_t end) const noexcept {
    Seen present;
    for_each_window(0, end, [&](std::uint32_t number, BlockRange range) {
        if (windows_[number] == nullptr)
            present.all = false;
        else
            look(windows_[number]->present, range, present);
    });
    return present.all;
}

bool PayloadMap::bytes_equal(std::uint32_t offset, Bytes piece) const noexcept {
    while (!piece.empty()) {
        const auto at = offset % PayloadWindow::size_bytes;
        const auto length = std::min<std::size_t>(piece.size(), PayloadWindow::size_bytes - at);
        const auto* const window = windows_[offset / PayloadWindow::size_bytes];
        if (std::memcmp(window->bytes.data() + at, piece.data(), length) != 0) return false;
        piece = piece.subspan(length);
        offset += static_cast<std::uint32_t>(length);
    }
    return true;
}

void PayloadMap::copy_to(std::span<std::uint8_t> out) const noexcept {
    for (std::size_t number = 0; !out.empty(); ++number) {
        const auto length = std::min<std::size_t>(out.size(), PayloadWindow::size_bytes);
        std::memcpy(out.data(), windows_[number]->bytes.data(), length);
        out = out.subspan(length);
    }
}

void PayloadMap::release(PayloadWindows& windows) noexcept {
    for (auto*& window : windows_) {
        if (window_count_ == 0) return;
        if (window == nullptr) continue;
        windows.destroy(window);
        window = nullptr;
        --window_count_;
    }
}

void PayloadMap::prefetch(std::uint32_t offset) const noexcept {
    const auto* const window = windows_[offset / PayloadWindow::size_bytes];
    if (window != nullptr) __builtin_prefetch(window);
}

} // namespace ikefrag
