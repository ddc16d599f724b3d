// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <cstdint>

namespace ikefrag {

/// SHA-256 (FIPS 180-4), for IKEv1's NAT-D hashes (RFC 3947 §3.2) and the report's
/// Content-Security-Policy. Not for secrets.
[[nodiscard]] std::array<std::uint8_t, 32> sha256(Bytes bytes) noexcept;

} // namespace ikefrag
