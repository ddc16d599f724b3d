// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/udp.hpp"

#include "plugin/ike/header.hpp"
#include "plugin/wire/byte_reader.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

bool contains(const std::vector<std::uint16_t>& ports, std::uint16_t port) noexcept {
    return std::find(ports.begin(), ports.end(), port) != ports.end();
}

bool contains(const std::vector<std::uint16_t>& ports, const UdpHeader& udp) noexcept {
    return contains(ports, udp.source_port) || contains(ports, udp.destination_port);
}

/// Whether IKE's Length field, if IKE begins at `message`, is the size of the message.
bool length_fits(Bytes message, std::uint32_t message_bytes) noexcept {
    constexpr std::size_t length_offset = 24;
    ByteReader reader(message);
    reader.skip(length_offset);
    const auto length = reader.u32();
    return !reader.failed() && length == message_bytes && length >= IkeHeader::size_bytes;
}

} // namespace

std::optional<UdpHeader> parse_udp(Bytes bytes) noexcept {
    ByteReader reader(bytes);
    UdpHeader udp;
    udp.source_port = reader.u16();
    udp.destination_port = reader.u16();
    udp.length = reader.u16();
    udp.checksum = reader.u16();
    if (reader.failed()) return std::nullopt;
    return udp;
}

UdpKind classify_udp(const Ports& ports,
                     const UdpHeader& udp,
                     Bytes body,
                     std::uint32_t body_bytes,
                     std::optional<std::uint16_t> server_port) noexcept {
    constexpr std::uint8_t keepalive_byte = 0xff; // RFC 3948 §2.3
    const bool plain = contains(ports.plain, udp);
    const bool marked = contains(ports.marked, udp);
    if (!plain && !marked) return {};
    if (body_bytes == 1 && !body.empty() && body[0] == keepalive_byte)
        return {.packet_class = PacketClass::keepalive};

    ByteReader reader(body);
    const auto first_word = reader.u32();
    const bool word_shown = !reader.failed();
    const bool has_marker = word_shown && first_word == 0;
    const bool plain_server = server_port && contains(ports.plain, *server_port);
    if (marked && !plain_server) {
        if (has_marker) return {.packet_class = PacketClass::ike, .marked = true};
        if (!word_shown && body_bytes > body.size() && body_bytes >= marker_bytes)
            return {.packet_class = PacketClass::ike, .marked = true, .shown = false};
        // One port of each list: a NAT may give a client any source port.
        if (plain && length_fits(body, body_bytes)) return {.packet_class = PacketClass::ike};
        return {.packet_class = PacketClass::esp_in_udp};
    }
    const bool behind_marker =
        has_marker && length_fits(body.subspan(marker_bytes), body_bytes - marker_bytes);
    return {.packet_class = PacketClass::ike, .marked = behind_marker};
}

bool is_of_both_kinds(const Ports& ports, const UdpHeader& udp) noexcept {
    return contains(ports.plain, udp) && contains(ports.marked, udp);
}

} // namespace ikefrag
