// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/icmp_quote.hpp"

#include "plugin/wire/byte_reader.hpp"
#include "plugin/wire/udp.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

bool is_error(Family family, std::uint8_t type) noexcept {
    if (family == Family::ipv4) return type == 3 || type == 11 || type == 12;
    return type >= 1 && type <= 4;
}

/// Next-hop MTU of "fragmentation needed" (16 bits, behind 2 unused bytes) and of "packet too big".
std::uint32_t told_mtu(Family family, const IcmpSeen& icmp, std::uint32_t rest_of_header) noexcept {
    if (family == Family::ipv4)
        return icmp.type == 3 && icmp.code == 4 ? rest_of_header & 0xffffu : 0u;
    return icmp.type == 2 ? rest_of_header : 0u;
}

} // namespace

std::optional<IcmpSeen> parse_icmp_quote(const Ports& ports, const IpPacket& packet) noexcept {
    ByteReader reader(packet.payload);
    IcmpSeen icmp;
    icmp.reporter = packet.source;
    icmp.type = reader.u8();
    icmp.code = reader.u8();
    reader.skip(2);
    const auto rest_of_header = reader.u32();
    if (reader.failed() || !is_error(packet.family, icmp.type)) return std::nullopt;
    icmp.mtu = told_mtu(packet.family, icmp, rest_of_header);

    auto quoted = parse_ip(reader.rest(), Copy::cut);
    if (!quoted || quoted->family != packet.family || !quoted->is_first()) return std::nullopt;
    if (quoted->family == Family::ipv6 && quoted->fragment) {
        const auto upper = find_upper_layer(quoted->protocol, quoted->payload);
        if (upper.reason != Reason::none) return std::nullopt;
        quoted->protocol = upper.protocol;
        quoted->payload = quoted->payload.subspan(upper.offset);
    }
    if (quoted->protocol != protocol::udp) return std::nullopt;
    const auto udp = parse_udp(quoted->payload);
    if (!udp) return std::nullopt;
    const auto body = quoted->payload.subspan(UdpHeader::size_bytes);
    const auto kind = classify_udp(ports, *udp, body, udp->body_bytes());
    if (kind.packet_class != PacketClass::ike) return std::nullopt;

    icmp.quoted_source = {.address = quoted->source, .port = udp->source_port};
    icmp.quoted_destination = {.address = quoted->destination, .port = udp->destination_port};
    icmp.quoted_marked = kind.marked && kind.shown;
    icmp.quoted_message =
        body.subspan(icmp.quoted_marked ? std::min<std::size_t>(marker_bytes, body.size()) : 0);
    icmp.quoted_bytes = quoted->total_bytes;
    icmp.quoted_udp_bytes = udp->length;
    return icmp;
}

} // namespace ikefrag
