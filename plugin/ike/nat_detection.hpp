// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"
#include "plugin/handshake.hpp"

#include <array>
#include <cstdint>
#include <optional>

namespace ikefrag {

/// The hash a NAT_DETECTION_SOURCE_IP or _DESTINATION_IP notify carries for an endpoint.
/// Source: RFC 7296 §2.23: SHA-1 of both SPIs, address and port.
[[nodiscard]] std::array<std::uint8_t, 20>
nat_detection_hash(const Spi& initiator, const Spi& responder, const Endpoint& endpoint) noexcept;

/// The same for IKEv1's NAT-D, whose hash is the negotiated one: its length tells which (16 MD5,
/// 20 SHA-1, 32 SHA-256). Gives nothing for others (SHA-384 and SHA-512, rare with IKEv1).
/// Source: RFC 3947 §3.2.
[[nodiscard]] std::optional<bool> is_v1_nat_detection_hash(Bytes hash,
                                                           const Spi& initiator,
                                                           const Spi& responder,
                                                           const Endpoint& endpoint) noexcept;

} // namespace ikefrag
