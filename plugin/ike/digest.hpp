// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ikefrag {

/// The part of a message that tells it from all others: all that is in the clear, and of what is
/// encrypted the first 64 octets. There stands the initialization vector, which no two messages
/// under one key share, and the cipher text that follows from it (RFC 7296 §3.14); only a repeat
/// has them again. What is behind need neither be digested nor copied for the tracker.
///
/// In:      encrypted_at: PayloadWalk's; empty: nothing is encrypted
[[nodiscard]] inline Bytes telling_part(Bytes message,
                                        std::optional<std::size_t> encrypted_at) noexcept {
    constexpr std::size_t encrypted_bytes = 64;
    if (!encrypted_at) return message;
    return message.first(std::min(message.size(), *encrypted_at + encrypted_bytes));
}

/// A fast 64-bit digest that tells messages apart, for retransmits and copies of the same message.
/// Not a defence: who can forge one can as well repeat the message itself.
[[nodiscard]] std::uint64_t digest_of(Bytes bytes) noexcept;

} // namespace ikefrag
