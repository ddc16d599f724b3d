// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/ike/payload.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag {

/// Notify message types that matter here; the names of all known ones: notify_name(). Source:
/// RFC 7296 §3.10.1 and the RFCs named in PROTOCOL §2.4.
namespace notify {
inline constexpr std::uint16_t invalid_ike_spi = 4;
inline constexpr std::uint16_t invalid_major_version = 5;
inline constexpr std::uint16_t no_proposal_chosen = 14;
inline constexpr std::uint16_t invalid_ke_payload = 17;
inline constexpr std::uint16_t ms_notify_status = 12345; ///< MS-IKEE §2.2.7
inline constexpr std::uint16_t first_status = 16384;
inline constexpr std::uint16_t nat_detection_source_ip = 16388;
inline constexpr std::uint16_t nat_detection_destination_ip = 16389;
inline constexpr std::uint16_t cookie = 16390;
inline constexpr std::uint16_t redirect_supported = 16406;
inline constexpr std::uint16_t redirect = 16407;
inline constexpr std::uint16_t redirected_from = 16408;
inline constexpr std::uint16_t ticket_nack = 16412;
inline constexpr std::uint16_t childless = 16418;
inline constexpr std::uint16_t fragmentation_supported = 16430;
inline constexpr std::uint16_t puzzle = 16434;
inline constexpr std::uint16_t intermediate_supported = 16438;
} // namespace notify

struct Notify {
    std::uint8_t protocol = 0;
    std::uint16_t type = 0;
    Bytes spi;
    Bytes data;
};

/// Reads an N payload of either version.
///
/// Errors:  empty: shorter than its fixed part and SPI, or cut inside them
[[nodiscard]] std::optional<Notify> parse_notify(const Payload& payload,
                                                 std::uint8_t major) noexcept;

} // namespace ikefrag
