// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/ike/payload.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag {

/// Which piece of a message an SKF or a payload 132 is.
struct FragmentHeader {
    std::uint16_t id = 0;     ///< payload 132 only
    std::uint16_t number = 0; ///< from 1
    std::uint16_t total = 0;  ///< SKF; payload 132: known only with the last, else 0
    bool last = false;        ///< payload 132's flag; SKF: number equals total
    Bytes data;               ///< payload 132: a slice of the whole message
};

/// Reads the fixed part of an SKF payload.
///
/// Errors:  empty: too short (or cut), number or total zero, number above total, a first payload
///          type given in another than fragment 1
/// Source:  RFC 7383 §2.5
[[nodiscard]] std::optional<FragmentHeader> parse_skf(const Payload& payload) noexcept;

/// Reads a payload 132: IKEv1's vendor fragmentation, or Cisco's in IKEv2.
///
/// Errors:  empty: too short (or cut), number zero
/// Source:  MS-IKEE 2.2.3.5, PROTOCOL §2.6
[[nodiscard]] std::optional<FragmentHeader> parse_vendor_fragment(const Payload& payload) noexcept;

} // namespace ikefrag
