// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/recorder/packet_ring.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/handshake.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

/// What becomes of a failed attempt: one pcapng file with all its packets and the diagnosis as
/// comment. Pure.
namespace ikefrag {

/// Every pair of addresses an attempt was seen between: before and behind NAT, after a move.
[[nodiscard]] std::vector<AddressPair> pairs_of(const Handshake& attempt);

/// The attempt's file, raw IP. Three interfaces say where a packet was seen: "arriving", "own"
/// (sent by this host), "leaving" (its first octets only).
///
/// In:      cause: null if nothing explains it; mask: clients' addresses become their /24 or /56,
/// in
///          IP headers, ICMP quotes and comments, checksums adjusted; packets of other clients
///          never come in. IKE itself stays as it was
/// Out:     at most `max_bytes`, the oldest packets first; what did not fit is told in the comment
[[nodiscard]] std::string attempt_file(const Handshake& attempt,
                                       const Finding* cause,
                                       std::string_view server_name,
                                       std::span<const RecordedPacket> packets,
                                       std::size_t max_bytes,
                                       bool mask);

/// What a mask leaves of a client's address: its /24 or /56.
[[nodiscard]] IpAddress masked_address(const IpAddress& client);

/// "20261123T080000.000000Z_198.51.100.7_0011223344556677_auth_partial_ipfrag.pcapng": sorts by
/// time; an IPv6 address has '-' for ':'.
[[nodiscard]] std::string
attempt_file_name(const Handshake& attempt, const Finding* cause, bool mask);

/// Puts `to` in the place of `from` in a packet's IP header and in the header an ICMP error quotes,
/// and adjusts the checksums over them (RFC 1624), so that wrong ones stay wrong.
void replace_address(std::span<std::uint8_t> packet, const IpAddress& from, const IpAddress& to);

} // namespace ikefrag
