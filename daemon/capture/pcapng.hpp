// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>

/// Numbers of the pcapng format. Source: draft-ietf-opsawg-pcapng §4.
namespace ikefrag::pcapng {

inline constexpr std::uint32_t section_block = 0x0a0d0d0a; ///< the same in both byte orders
inline constexpr std::uint32_t interface_block = 1;
inline constexpr std::uint32_t packet_block = 2; ///< obsolete
inline constexpr std::uint32_t simple_packet_block = 3;
inline constexpr std::uint32_t enhanced_packet_block = 6;
inline constexpr std::uint32_t byte_order_magic = 0x1a2b3c4d;
inline constexpr std::uint16_t option_end = 0;
inline constexpr std::uint16_t option_comment = 1;
inline constexpr std::uint16_t option_interface_name = 2;
inline constexpr std::uint16_t option_user_application = 4; ///< of a section header
inline constexpr std::uint16_t option_time_resolution = 9;
inline constexpr std::uint16_t option_time_offset = 14;

} // namespace ikefrag::pcapng
