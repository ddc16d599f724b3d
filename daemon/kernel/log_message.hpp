// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <optional>
#include <vector>

struct nlmsghdr;

/// The messages of nfnetlink_log as bytes: no socket in here.
namespace ikefrag {

/// One packet the kernel copied.
struct LoggedPacket {
    Bytes bytes; ///< from the IP header on; a view into the message
    Leg leg = Leg::prerouting;
    std::optional<Duration> stamp; ///< wall clock; the kernel gives none in output and postrouting
    std::uint32_t interface = 0;   ///< where it came in; output and postrouting: where it goes out
    std::uint16_t vlan = 0;
    std::optional<std::uint32_t> sequence;
};

/// Parses one message of a log socket's datagram.
///
/// Errors:  empty: no packet of a hook we use, or not whole
[[nodiscard]] std::optional<LoggedPacket> parse_logged_packet(const nlmsghdr& message) noexcept;

/// Bytes a packet has by its own IP header; empty if that cannot be read.
[[nodiscard]] std::optional<std::uint32_t> packet_length(Bytes packet) noexcept;

/// Configuration requests, each one message that asks for an acknowledgement.
[[nodiscard]] std::vector<std::uint8_t> encode_log_bind(std::uint16_t group);
/// Whole packets, 64 to a datagram or every 10 ms, numbered.
[[nodiscard]] std::vector<std::uint8_t> encode_log_settings(std::uint16_t group);

} // namespace ikefrag
