// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <cstdint>

namespace ikefrag {

/// SHA-1, for NAT_DETECTION hashes only (RFC 7296 §2.23 prescribes it): nothing here relies on
/// it being hard to forge.
[[nodiscard]] std::array<std::uint8_t, 20> sha1(Bytes bytes) noexcept;

} // namespace ikefrag
