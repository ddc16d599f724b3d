// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/first_fragment.hpp"

#include "plugin/ike/header.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

/// Which end is the responder, with no configured server to say so: by IKE's own flags, else the
/// end on an IKE port, else the destination.
Direction guess_direction(const Policy& policy, const UdpHeader& udp, Bytes message) noexcept {
    const auto header = parse_ike_header(message);
    if (header && header->major == 2)
        return header->is_from_initiator() ? Direction::to_server : Direction::to_peer;
    if (header && is_zero(header->responder_spi)) return Direction::to_server;
    const auto is_ike_port = [&](std::uint16_t port) {
        return policy.is_plain_port(port) || policy.is_marked_port(port);
    };
    return !is_ike_port(udp.destination_port) && is_ike_port(udp.source_port)
               ? Direction::to_peer
               : Direction::to_server;
}

PacketClass class_of(std::uint8_t upper) noexcept {
    return upper == protocol::esp || upper == protocol::ah ? PacketClass::esp : PacketClass::other;
}

} // namespace

FirstFacts
read_first_fragment(const Policy& policy, const ServerEnds& ends, const IpPacket& ip) noexcept {
    FirstFacts facts;
    UpperLayer upper{.protocol = ip.protocol};
    if (ip.family == Family::ipv6) upper = find_upper_layer(ip.protocol, ip.payload);
    facts.protocol = upper.protocol;
    facts.udp_offset = upper.offset;
    facts.reason = upper.reason;
    if (ends.any()) facts.direction = ends.destination ? Direction::to_server : Direction::to_peer;
    if (facts.reason != Reason::none) return facts;
    if (upper.protocol != protocol::udp) {
        facts.packet_class = class_of(upper.protocol);
        return facts;
    }
    const auto bytes = ip.payload.subspan(upper.offset);
    facts.udp = parse_udp(bytes);
    if (!facts.udp) {
        facts.reason = ip.family == Family::ipv6 ? Reason::header_chain : Reason::tiny_first;
        return facts;
    }
    const auto body = bytes.subspan(UdpHeader::size_bytes);
    std::optional<std::uint16_t> server_port;
    if (ends.any())
        server_port = ends.destination ? facts.udp->destination_port : facts.udp->source_port;
    // A Length below what is here is a lie, and makes no keepalive of a datagram in fragments.
    const auto body_bytes =
        std::max(facts.udp->body_bytes(), static_cast<std::uint32_t>(body.size()));
    facts.kind = classify_udp(policy.ports, *facts.udp, body, body_bytes, server_port);
    // What shows no marker may have one, whatever Length says: IPv6 takes 0 for all there is.
    if (body.empty() && facts.kind.packet_class == PacketClass::esp_in_udp)
        facts.kind = {.packet_class = PacketClass::ike, .marked = true, .shown = false};
    facts.packet_class = facts.kind.packet_class;
    if (!ends.any()) {
        const auto skipped =
            facts.kind.marked ? std::min<std::size_t>(marker_bytes, body.size()) : 0;
        facts.direction = guess_direction(policy, *facts.udp, body.subspan(skipped));
    }
    return facts;
}

std::optional<PacketClass> class_by_protocol(const IpPacket& ip) noexcept {
    if (ip.family == Family::ipv6 || ip.protocol == protocol::udp) return std::nullopt;
    return class_of(ip.protocol);
}

} // namespace ikefrag
