// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <cstdint>

namespace ikefrag {

/// A fast 64-bit digest that tells messages apart, for retransmits and copies of the same message.
/// Not a defence: who can forge one can as well repeat the message itself.
[[nodiscard]] std::uint64_t digest_of(Bytes bytes) noexcept;

} // namespace ikefrag
