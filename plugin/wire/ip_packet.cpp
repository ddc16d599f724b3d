// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/ip_packet.hpp"

#include "plugin/wire/byte_reader.hpp"
#include "plugin/wire/checksum.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

constexpr std::uint16_t more_fragments_bit = 0x2000;
constexpr std::uint16_t offset_mask = 0x1fff;

/// Errors:  ip_options: an option runs past the header, or loose or strict source routing
/// Source:  RFC 791 §3.1; source routing: RFC 7126 §4.3, §4.4
Reason check_options(Bytes options) noexcept {
    constexpr std::uint8_t end_of_list = 0;
    constexpr std::uint8_t no_operation = 1;
    constexpr std::uint8_t loose_source_route = 131;
    constexpr std::uint8_t strict_source_route = 137;
    ByteReader reader(options);
    while (!reader.rest().empty()) {
        const auto type = reader.u8();
        if (type == end_of_list) return Reason::none;
        if (type == no_operation) continue;
        if (type == loose_source_route || type == strict_source_route) return Reason::ip_options;
        const auto length = reader.u8();
        if (length < 2) return Reason::ip_options;
        reader.skip(length - 2u);
        if (reader.failed()) return Reason::ip_options;
    }
    return Reason::none;
}

std::optional<IpPacket> parse_ipv4(Bytes bytes, Copy copy) noexcept {
    constexpr std::size_t least_header = 20;
    if (bytes.size() < least_header) return std::nullopt;
    IpPacket packet;
    packet.family = Family::ipv4;
    packet.header_bytes = (bytes[0] & 0x0fu) * 4u;
    ByteReader reader(bytes);
    reader.skip(2);
    packet.total_bytes = reader.u16();
    packet.id = reader.u16();
    const auto flags_and_offset = reader.u16();
    reader.skip(1);
    packet.protocol = reader.u8();
    const auto checksum = reader.u16();
    packet.source = IpAddress::v4(reader.take(4));
    packet.destination = IpAddress::v4(reader.take(4));
    if (packet.header_bytes < least_header || packet.header_bytes > packet.total_bytes ||
        packet.header_bytes > bytes.size())
        return std::nullopt;
    if (packet.total_bytes > bytes.size() && copy == Copy::whole) return std::nullopt;

    packet.more_fragments = (flags_and_offset & more_fragments_bit) != 0;
    packet.offset = (flags_and_offset & offset_mask) * 8u;
    packet.fragment = packet.more_fragments || packet.offset != 0;
    const auto end = std::min<std::size_t>(packet.total_bytes, bytes.size());
    packet.header = bytes.first(packet.header_bytes);
    packet.payload = bytes.first(end).subspan(packet.header_bytes);
    // Captures on a host that leaves checksums to its network card show zero.
    if (checksum != 0) {
        InternetSum sum;
        sum.add(bytes.first(packet.header_bytes));
        if (sum.folded() != 0xffff) packet.reason = Reason::checksum;
    }
    if (packet.reason == Reason::none && packet.header_bytes > least_header)
        packet.reason = check_options(bytes.first(packet.header_bytes).subspan(least_header));
    return packet;
}

/// Steps over one extension header; leaves the reader failed if it is not all there.
/// Out: the header after it
std::uint8_t skip_extension_header(ByteReader& reader, bool& type_0_routing) noexcept {
    const auto here = reader.rest();
    const auto next = reader.u8();
    const auto length = reader.u8();
    reader.skip(6u + length * 8u);
    type_0_routing = here.size() > 2 && here[2] == 0;
    return next;
}

} // namespace

bool is_extension_header(std::uint8_t number) noexcept {
    switch (number) {
    case protocol::hop_by_hop:
    case protocol::routing:
    case protocol::fragment:
    case protocol::destination_options:
    case protocol::mobility:
    case protocol::hip:
    case protocol::shim6: return true;
    default: return false;
    }
}

UpperLayer find_upper_layer(std::uint8_t first, Bytes bytes) noexcept {
    UpperLayer upper{.protocol = first, .offset = 0, .reason = Reason::none};
    ByteReader reader(bytes);
    while (is_extension_header(upper.protocol)) {
        const auto number = upper.protocol;
        bool type_0_routing = false;
        if (number == protocol::fragment || number == protocol::hop_by_hop) {
            upper.reason = Reason::header_chain;
            return upper;
        }
        upper.protocol = skip_extension_header(reader, type_0_routing);
        if (reader.failed() || (number == protocol::routing && type_0_routing)) {
            upper.protocol = number;
            upper.reason = Reason::header_chain;
            return upper;
        }
        upper.offset = static_cast<std::uint32_t>(bytes.size() - reader.rest().size());
    }
    return upper;
}

namespace {

/// The headers of an IPv6 packet that come before its payload, Fragment header included.
class Ipv6Chain {
public:
    Ipv6Chain(IpPacket& packet, Bytes behind_header) noexcept
        : packet_(packet), reader_(behind_header), size_(behind_header.size()) {}

    /// Goes on behind what is wrong, so that nothing in front of a Fragment header can hide it.
    void follow() noexcept {
        bool first = true;
        while (is_extension_header(packet_.protocol) && !packet_.fragment) {
            const auto number = packet_.protocol;
            if (number == protocol::hop_by_hop && !first) refuse();
            first = false;
            const bool there =
                number == protocol::fragment ? take_fragment_header() : skip_header(number);
            if (!there) return refuse();
            header_bytes_ = size_ - reader_.rest().size();
        }
    }

    [[nodiscard]] std::size_t header_bytes() const noexcept { return header_bytes_; }

private:
    void refuse() noexcept { packet_.reason = Reason::header_chain; }

    /// Errors: false: cut short
    bool take_fragment_header() noexcept {
        const auto next = reader_.u8();
        reader_.skip(1);
        const auto offset_and_flag = reader_.u16();
        const auto id = reader_.u32();
        if (reader_.failed()) return false;
        if (seen_fragment_header_) refuse();
        seen_fragment_header_ = true;
        packet_.more_fragments = (offset_and_flag & 1u) != 0;
        packet_.offset = offset_and_flag & 0xfff8u;
        packet_.fragment = packet_.more_fragments || packet_.offset != 0;
        packet_.id = id;
        packet_.protocol = next;
        return true;
    }

    /// Errors: false: cut short
    bool skip_header(std::uint8_t number) noexcept {
        bool type_0_routing = false;
        const auto next = skip_extension_header(reader_, type_0_routing);
        if (reader_.failed()) return false;
        if (number == protocol::routing && type_0_routing) refuse();
        packet_.protocol = next;
        return true;
    }

    IpPacket& packet_;
    ByteReader reader_;
    std::size_t size_;
    std::size_t header_bytes_ = 0;
    bool seen_fragment_header_ = false;
};

std::optional<IpPacket> parse_ipv6(Bytes bytes, Copy copy) noexcept {
    constexpr std::size_t fixed_header = 40;
    if (bytes.size() < fixed_header) return std::nullopt;
    IpPacket packet;
    packet.family = Family::ipv6;
    ByteReader reader(bytes);
    reader.skip(4);
    const auto payload_length = reader.u16();
    packet.protocol = reader.u8();
    reader.skip(1);
    packet.source = IpAddress::v6(reader.take(16));
    packet.destination = IpAddress::v6(reader.take(16));
    packet.total_bytes = static_cast<std::uint32_t>(fixed_header + payload_length);
    if (packet.total_bytes > bytes.size() && copy == Copy::whole) return std::nullopt;
    // Length 0 before a hop-by-hop header: a jumbogram (RFC 2675), or made to look like one. Linux
    // takes it at its real length; so it is read that far, lest a fragment hides in it.
    const bool jumbo = payload_length == 0 && packet.protocol == protocol::hop_by_hop;
    if (jumbo) packet.total_bytes = static_cast<std::uint32_t>(bytes.size());
    const auto end = std::min<std::size_t>(packet.total_bytes, bytes.size());
    const auto behind = bytes.first(end).subspan(fixed_header);
    Ipv6Chain chain(packet, behind);
    chain.follow();
    if (jumbo && !packet.fragment) return std::nullopt; // no link of a VPN peer carries one
    if (jumbo) packet.reason = Reason::header_chain;
    packet.header_bytes = static_cast<std::uint32_t>(fixed_header + chain.header_bytes());
    packet.header = bytes.first(packet.header_bytes);
    packet.payload = behind.subspan(chain.header_bytes());
    return packet;
}

} // namespace

std::optional<IpPacket> parse_ip(Bytes bytes, Copy copy) noexcept {
    if (bytes.empty()) return std::nullopt;
    switch (bytes[0] >> 4) {
    case 4: return parse_ipv4(bytes, copy);
    case 6: return parse_ipv6(bytes, copy);
    default: return std::nullopt;
    }
}

} // namespace ikefrag
