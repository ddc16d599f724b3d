// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/link.hpp"

#include "daemon/capture/field_reader.hpp"

#include <bit>

namespace ikefrag {

namespace {

namespace ether_type {
constexpr std::uint16_t ipv4 = 0x0800;
constexpr std::uint16_t ipv6 = 0x86dd;
constexpr std::uint16_t vlan = 0x8100;
constexpr std::uint16_t service_vlan = 0x88a8;
constexpr std::uint16_t old_service_vlan = 0x9100;
constexpr std::uint16_t pppoe_session = 0x8864;
/// Smaller values are an IEEE 802.3 length.
constexpr std::uint16_t smallest = 0x0600;
} // namespace ether_type

namespace ppp_protocol {
constexpr std::uint16_t ipv4 = 0x0021;
constexpr std::uint16_t ipv6 = 0x0057;
} // namespace ppp_protocol

constexpr int max_tags = 4;

Unwrapped unreadable() noexcept { return {LinkContent::unreadable, {}, 0}; }
Unwrapped ip(FieldReader& reader, std::uint32_t domain) noexcept {
    return {LinkContent::ip, reader.rest(), domain};
}
Unwrapped other(std::uint32_t domain) noexcept { return {LinkContent::other, {}, domain}; }

bool is_vlan(std::uint16_t type) noexcept {
    return type == ether_type::vlan || type == ether_type::service_vlan ||
           type == ether_type::old_service_vlan;
}

/// The protocol field is one octet where its lowest bit is set (RFC 1661 §6.5).
Unwrapped unwrap_ppp(FieldReader& reader, std::uint32_t domain) noexcept {
    std::uint16_t protocol = reader.u8();
    if ((protocol & 1) == 0) protocol = static_cast<std::uint16_t>(protocol << 8 | reader.u8());
    if (reader.failed()) return unreadable();
    if (protocol == ppp_protocol::ipv4 || protocol == ppp_protocol::ipv6) return ip(reader, domain);
    return other(domain);
}

/// In: the reader stands behind the type field.
Unwrapped unwrap_ether_type(FieldReader& reader, std::uint16_t type) noexcept {
    std::uint32_t domain = 0;
    for (int tags = 0; is_vlan(type); ++tags) {
        if (tags == max_tags) return other(domain);
        domain = domain << 12 | (reader.u16() & 0x0fffu);
        type = reader.u16();
    }
    if (type < ether_type::smallest) {
        // 802.3: only SNAP with an Ethernet type inside can carry IP.
        const std::uint64_t snap = std::uint64_t{reader.u16()} << 32 | reader.u32();
        if (reader.failed()) return unreadable();
        if (snap != 0xaaaa03000000) return other(domain);
        type = reader.u16();
    }
    if (reader.failed()) return unreadable();
    if (type == ether_type::ipv4 || type == ether_type::ipv6) return ip(reader, domain);
    if (type == ether_type::pppoe_session) {
        (void)reader.take(6); // version, code, session, length
        return unwrap_ppp(reader, domain);
    }
    return other(domain);
}

Unwrapped unwrap_raw(FieldReader& reader) noexcept {
    if (reader.rest().empty()) return unreadable();
    const unsigned version = reader.rest()[0] >> 4;
    return version == 4 || version == 6 ? ip(reader, 0) : unreadable();
}

/// The address family is in the byte order of the host that captured, which nobody noted.
Unwrapped unwrap_family(FieldReader& reader) noexcept {
    const std::uint32_t little = reader.u32();
    if (reader.failed()) return unreadable();
    const std::uint32_t family = (little & 0xffff) != 0 ? little : __builtin_bswap32(little);
    // AF_INET; AF_INET6 of NetBSD, FreeBSD, macOS and Linux
    for (const std::uint32_t known : {2u, 24u, 28u, 30u, 10u})
        if (family == known) return ip(reader, 0);
    return other(0);
}

} // namespace

Unwrapped unwrap_link(std::uint32_t type, Bytes frame) noexcept {
    FieldReader reader(frame, std::endian::big);
    switch (type) {
    case link_type::ethernet: {
        (void)reader.take(12);
        const std::uint16_t inner = reader.u16();
        return reader.failed() ? unreadable() : unwrap_ether_type(reader, inner);
    }
    case link_type::raw:
    case link_type::raw_bsd:
    case link_type::raw_openbsd:
    case link_type::ipv4:
    case link_type::ipv6: return unwrap_raw(reader);
    case link_type::linux_sll: {
        (void)reader.take(14);
        const std::uint16_t inner = reader.u16();
        return reader.failed() ? unreadable() : unwrap_ether_type(reader, inner);
    }
    case link_type::linux_sll2: {
        const std::uint16_t inner = reader.u16();
        (void)reader.take(18);
        return reader.failed() ? unreadable() : unwrap_ether_type(reader, inner);
    }
    case link_type::null:
    case link_type::loop: {
        FieldReader little(frame, std::endian::little);
        return unwrap_family(little);
    }
    case link_type::ppp:
    case link_type::ppp_hdlc:
        if (frame.size() >= 2 && frame[0] == 0xff && frame[1] == 0x03) (void)reader.take(2);
        return unwrap_ppp(reader, 0);
    default: return unreadable();
    }
}

} // namespace ikefrag
