// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/whole.hpp"

#include "plugin/gate/outer.hpp"
#include "plugin/ike/header.hpp"
#include "plugin/wire/byte_reader.hpp"
#include "plugin/wire/icmp_quote.hpp"
#include "plugin/wire/udp.hpp"

#include <algorithm>
#include <cstring>

namespace ikefrag {
namespace {

/// SPI, sequence number and the least an ESP packet holds behind them: less is no traffic.
constexpr std::uint32_t least_esp_bytes = 16;

/// The port of the end that is a configured server, where only that tells IKE from ESP.
std::optional<std::uint16_t>
server_port_of(const Policy& policy, const IpPacket& ip, const UdpHeader& udp) {
    if (!is_of_both_kinds(policy.ports, udp)) return std::nullopt;
    if (policy.server_of(ip.destination)) return udp.destination_port;
    if (policy.server_of(ip.source)) return udp.source_port;
    return std::nullopt;
}

/// One whole packet on its way through the parsers.
class WholePacket {
public:
    WholePacket(const Policy& policy,
                const IpPacket& ip,
                const Packet& packet,
                TimePoint time,
                GateOutput& out,
                EspFilter* filter) noexcept
        : policy_(policy), ip_(ip), packet_(packet), time_(time), out_(out), filter_(filter) {}

    WholeSeen look() {
        if (ip_.reason == Reason::header_chain)
            return {.packet_class = std::nullopt, .reason = ip_.reason};
        WholeSeen seen = look_by_protocol();
        // What goes out is copied short on purpose.
        if (packet_.truncated && packet_.leg != Leg::postrouting)
            seen.reason = Reason::unreadable;
        else if (ip_.reason != Reason::none)
            seen.reason = ip_.reason;
        return seen;
    }

private:
    WholeSeen look_by_protocol() {
        switch (ip_.protocol) {
        case protocol::udp: return look_at_udp();
        case protocol::esp:
        case protocol::ah:
            show_esp({.address = ip_.source}, {.address = ip_.destination});
            return {.packet_class = PacketClass::esp};
        case protocol::tcp: look_at_tcp(); break;
        case protocol::ipv6:
            if (ip_.family == Family::ipv4) show_outer(look_at_six_to_four(policy_, ip_));
            break;
        case protocol::icmp:
            if (ip_.family == Family::ipv4) look_at_icmp();
            break;
        case protocol::icmpv6:
            if (ip_.family == Family::ipv6) look_at_icmp();
            break;
        default: break;
        }
        return {.packet_class = PacketClass::other};
    }

    WholeSeen look_at_udp() {
        const auto udp = parse_udp(ip_.payload);
        if (!udp) return {.packet_class = PacketClass::other, .reason = Reason::udp_length};
        const auto room = ip_.payload_bytes() - UdpHeader::size_bytes;
        const bool lies = udp->length != ip_.payload_bytes();
        const auto body_bytes = lies ? honest_body(*udp, room) : room;
        const auto there = ip_.payload.subspan(UdpHeader::size_bytes);
        const auto body = there.first(std::min<std::size_t>(there.size(), body_bytes));
        const auto kind =
            classify_udp(policy_.ports, *udp, body, body_bytes, server_port_of(policy_, ip_, *udp));
        const Endpoint source{.address = ip_.source, .port = udp->source_port};
        const Endpoint destination{.address = ip_.destination, .port = udp->destination_port};
        if (udp->destination_port == teredo_port && ip_.family == Family::ipv4)
            show_outer(look_at_teredo(policy_, ip_.source, body));
        auto reason = lies ? Reason::udp_length : Reason::none;
        if (kind.packet_class == PacketClass::esp_in_udp && body_bytes >= least_esp_bytes)
            show_esp(source, destination);
        if (kind.packet_class == PacketClass::ike)
            reason = show_message(source, destination, kind.marked, body, body_bytes, reason);
        return {.packet_class = kind.packet_class, .reason = reason};
    }

    /// The UDP payload's size where the length field and IP's do not agree: the smaller one.
    static std::uint32_t honest_body(const UdpHeader& udp, std::uint32_t room) noexcept {
        return udp.length < UdpHeader::size_bytes ? room : std::min(room, udp.body_bytes());
    }

    Reason show_message(const Endpoint& source,
                        const Endpoint& destination,
                        bool marked,
                        Bytes body,
                        std::uint32_t body_bytes,
                        Reason reason) {
        const auto skipped = marked ? std::min(marker_bytes, body_bytes) : 0;
        MessageSeen seen;
        seen.source = source;
        seen.destination = destination;
        seen.message = body.subspan(std::min<std::size_t>(skipped, body.size()));
        seen.message_bytes = body_bytes - skipped;
        seen.marked = marked;
        seen.first_fragment_bytes = ip_.total_bytes;
        seen.datagram_bytes = ip_.total_bytes;
        seen.interface = packet_.interface;
        if (reason == Reason::none && is_malformed(seen)) reason = Reason::ike_malformed;
        seen.reason = reason;
        out_.observations.push_back({.time = time_, .leg = packet_.leg, .what = seen});
        if (filter_ != nullptr) filter_->reopen(source, destination);
        return reason;
    }

    static bool is_malformed(const MessageSeen& seen) noexcept {
        const bool header_cut =
            seen.message.size() < IkeHeader::size_bytes && seen.message_bytes > seen.message.size();
        return !header_cut && !check_ike_message(seen.message, seen.message_bytes);
    }

    void show_esp(const Endpoint& source, const Endpoint& destination) {
        if (filter_ != nullptr && !filter_->lets_through(source, destination, time_)) return;
        out_.observations.push_back({
            .time = time_,
            .leg = packet_.leg,
            .what = EspSeen{.source = source, .destination = destination}
        });
    }

    void show_outer(const std::optional<OuterSeen>& seen) {
        // What goes out was seen coming in.
        if (!seen || packet_.leg == Leg::postrouting) return;
        out_.observations.push_back({.time = time_, .leg = packet_.leg, .what = *seen});
    }

    void look_at_icmp() {
        const auto icmp = parse_icmp_quote(policy_.ports, ip_);
        if (icmp) out_.observations.push_back({.time = time_, .leg = packet_.leg, .what = *icmp});
    }

    void look_at_tcp() {
        ByteReader reader(ip_.payload);
        const auto source_port = reader.u16();
        const auto destination_port = reader.u16();
        reader.skip(8);
        const auto flags = reader.u16();
        constexpr std::uint16_t syn_and_ack = 0x0012;
        constexpr std::uint16_t syn = 0x0002;
        if (reader.failed() || (flags & syn_and_ack) != syn) return;
        if (!policy_.is_marked_port(destination_port)) return;
        if (!policy_.servers.empty() && !policy_.server_of(ip_.destination)) return;
        out_.observations.push_back({
            .time = time_,
            .leg = packet_.leg,
            .what = TcpFallbackSeen{
                                    .source = {.address = ip_.source, .port = source_port},
                                    .destination = {.address = ip_.destination, .port = destination_port}}
        });
    }

    const Policy& policy_;
    const IpPacket& ip_;
    const Packet& packet_;
    TimePoint time_;
    GateOutput& out_;
    EspFilter* filter_;
};

/// A first fragment alone, as the postrouting chain copies it: shows where the message went.
WholeSeen look_at_first_fragment(const Policy& policy,
                                 const IpPacket& ip,
                                 const Packet& packet,
                                 TimePoint time,
                                 GateOutput& out) {
    const auto upper = ip.family == Family::ipv6 ? find_upper_layer(ip.protocol, ip.payload)
                                                 : UpperLayer{.protocol = ip.protocol};
    if (upper.reason != Reason::none || upper.protocol != protocol::udp) return {};
    const auto bytes = ip.payload.subspan(upper.offset);
    const auto udp = parse_udp(bytes);
    if (!udp) return {};
    const auto body = bytes.subspan(UdpHeader::size_bytes);
    const auto kind =
        classify_udp(policy.ports, *udp, body, udp->body_bytes(), server_port_of(policy, ip, *udp));
    if (kind.packet_class != PacketClass::ike) return {.packet_class = kind.packet_class};
    const auto skipped = kind.marked ? std::min<std::size_t>(marker_bytes, body.size()) : 0;
    MessageSeen seen;
    seen.source = {.address = ip.source, .port = udp->source_port};
    seen.destination = {.address = ip.destination, .port = udp->destination_port};
    seen.message = body.subspan(skipped);
    seen.message_bytes =
        udp->body_bytes() > skipped ? udp->body_bytes() - static_cast<std::uint32_t>(skipped) : 0;
    seen.marked = kind.marked;
    seen.first_fragment_bytes = ip.total_bytes;
    seen.interface = packet.interface;
    seen.first_fragment_only = true;
    out.observations.push_back({.time = time, .leg = packet.leg, .what = seen});
    return {.packet_class = kind.packet_class};
}

} // namespace

EspFilter::Way EspFilter::way_of(const Endpoint& source,
                                 const Endpoint& destination) const noexcept {
    const auto word = [](const Endpoint& end, std::size_t at) {
        std::uint64_t bytes = 0;
        std::memcpy(&bytes, end.address.bytes.data() + at, sizeof bytes);
        return bytes;
    };
    const auto key = [&](const Endpoint& end) {
        return std::array{word(end, 0), word(end, 8), std::uint64_t{end.port}};
    };
    const auto a = key(source);
    const auto b = key(destination);
    const bool back = b < a;
    const auto& [first0, first1, first_port] = back ? b : a;
    const auto& [second0, second1, second_port] = back ? a : b;
    const std::array<std::uint64_t, 5> words{first0,
                                             first1,
                                             second0,
                                             second1,
                                             first_port << 32 | second_port << 8 |
                                                 index(source.address.family)};
    return {.flow = hash_(words), .back = back};
}

bool EspFilter::lets_through(const Endpoint& source,
                             const Endpoint& destination,
                             TimePoint now) noexcept {
    const auto way = way_of(source, destination);
    auto& place = places_[way.flow % place_count];
    if (place.flow != way.flow) place = {.flow = way.flow, .shown = {}};
    auto& shown = place.shown[way.back ? 1 : 0];
    if (shown != TimePoint{} && now - shown < interval) return false;
    shown = now;
    return true;
}

void EspFilter::forget(const Endpoint& source, const Endpoint& destination) noexcept {
    const auto flow = way_of(source, destination).flow;
    auto& place = places_[flow % place_count];
    if (place.flow == flow) place = {};
}

void EspFilter::reopen(const Endpoint& source, const Endpoint& destination) noexcept {
    forget(source, destination);
    // IKE on port 500 speaks for plain ESP.
    forget({.address = source.address}, {.address = destination.address});
}

WholeSeen look_at_whole(const Policy& policy,
                        const IpPacket& ip,
                        const Packet& packet,
                        TimePoint time,
                        GateOutput& out,
                        EspFilter* filter) {
    return WholePacket(policy, ip, packet, time, out, filter).look();
}

WholeSeen
observe_whole(const Policy& policy, const Packet& packet, TimePoint time, GateOutput& out) {
    const auto ip = parse_ip(packet.bytes, packet.truncated ? Copy::cut : Copy::whole);
    if (!ip) return {.packet_class = std::nullopt, .reason = Reason::unreadable};
    if (!ip->fragment) return look_at_whole(policy, *ip, packet, time, out, nullptr);
    if (!ip->is_first()) return {};
    return look_at_first_fragment(policy, *ip, packet, time, out);
}

} // namespace ikefrag
