// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/handshake.hpp"

#include <array>
#include <cstdint>

namespace ikefrag {

/// The hash a NAT_DETECTION_SOURCE_IP or _DESTINATION_IP notify carries for an endpoint.
/// Source: RFC 7296 §2.23: SHA-1 of both SPIs, address and port.
[[nodiscard]] std::array<std::uint8_t, 20>
nat_detection_hash(const Spi& initiator, const Spi& responder, const Endpoint& endpoint) noexcept;

} // namespace ikefrag
