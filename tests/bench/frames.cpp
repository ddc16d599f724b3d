// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/frames.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <cstdio>
#include <random>
#include <stdexcept>

namespace ikefrag::bench {

namespace {

constexpr std::size_t mtu = 1500;

void put16(Frame& frame, std::size_t at, std::size_t value) {
    frame[at] = static_cast<std::uint8_t>(value >> 8);
    frame[at + 1] = static_cast<std::uint8_t>(value);
}

void put32(Frame& frame, std::size_t at, std::size_t value) {
    put16(frame, at, value >> 16);
    put16(frame, at + 2, value & 0xffff);
}

std::uint32_t sum_of(const std::uint8_t* bytes, std::size_t size) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i + 1 < size; i += 2)
        sum += static_cast<std::uint32_t>(bytes[i] << 8 | bytes[i + 1]);
    if (size % 2 != 0) sum += static_cast<std::uint32_t>(bytes[size - 1] << 8);
    return sum;
}

std::uint16_t folded(std::uint32_t sum) {
    while (sum >> 16 != 0) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

std::vector<std::uint8_t> address(const char* text) {
    std::vector<std::uint8_t> bytes(16);
    if (inet_pton(AF_INET6, text, bytes.data()) == 1) return bytes;
    inet_pton(AF_INET, text, bytes.data());
    bytes.resize(4);
    return bytes;
}

struct Ends {
    std::vector<std::uint8_t> source;
    std::vector<std::uint8_t> destination;
    std::uint16_t source_port;
    std::uint16_t destination_port;
};

Ends ends_of(const Traffic& traffic, std::size_t number) {
    const std::size_t host = 10 + number % traffic.sources;
    Ends ends{};
    std::array<char, 64> text{};
    if (traffic.ipv6)
        std::snprintf(text.data(), text.size(), "fd99:1::1:%zx", host);
    else
        std::snprintf(text.data(), text.size(), "10.99.1.%zu", host);
    ends.source = address(text.data());
    ends.destination = address(traffic.ipv6 ? "fd99:2::2" : "10.99.2.2");
    switch (traffic.kind) {
    case Traffic::Kind::ike:
    case Traffic::Kind::auth: ends.source_port = ends.destination_port = 500; break;
    case Traffic::Kind::esp:
    case Traffic::Kind::esp_fragments: ends.source_port = ends.destination_port = 4500; break;
    case Traffic::Kind::other: ends.source_port = ends.destination_port = 4433; break;
    }
    return ends;
}

/// The payload of a UDP datagram: an IKE message of the whole size, or octets that are no marker.
Frame payload_of(const Traffic& traffic, std::mt19937_64& random) {
    Frame payload(traffic.size);
    for (auto& byte : payload) byte = static_cast<std::uint8_t>(random());
    payload[0] |= 0x10; // ESP: an SPI that is not zero
    const bool auth = traffic.kind == Traffic::Kind::auth;
    if (traffic.kind != Traffic::Kind::ike && !auth) return payload;
    if (!auth) std::fill(payload.begin() + 8, payload.begin() + 16, std::uint8_t{0});
    payload[16] = auth ? 46 : 40; // SK, or a Nonce
    payload[17] = 0x20;
    payload[18] = auth ? 35 : 34;
    payload[19] = 0x08;
    put32(payload, 20, auth ? 1 : 0);
    put32(payload, 24, payload.size());
    payload[28] = payload[29] = 0; // last payload, not critical
    put16(payload, 30, payload.size() - 28);
    return payload;
}

Frame datagram_of(const Ends& ends, const Frame& payload) {
    Frame datagram(8);
    put16(datagram, 0, ends.source_port);
    put16(datagram, 2, ends.destination_port);
    put16(datagram, 4, 8 + payload.size());
    datagram.insert(datagram.end(), payload.begin(), payload.end());
    const auto sum = sum_of(ends.source.data(), ends.source.size()) +
                     sum_of(ends.destination.data(), ends.destination.size()) + 17 +
                     static_cast<std::uint32_t>(datagram.size()) +
                     sum_of(datagram.data(), datagram.size());
    const auto value = folded(sum);
    put16(datagram, 6, value == 0 ? 0xffff : value);
    return datagram;
}

Frame ethernet(const Traffic& traffic) {
    Frame frame(traffic.to.begin(), traffic.to.end());
    frame.insert(frame.end(), traffic.from.begin(), traffic.from.end());
    frame.push_back(traffic.ipv6 ? 0x86 : 0x08);
    frame.push_back(traffic.ipv6 ? 0xdd : 0x00);
    return frame;
}

struct Piece {
    const std::uint8_t* data;
    std::size_t size;
    std::size_t offset;
    bool more;
};

Frame ipv4_frame(const Traffic& traffic, const Ends& ends, std::size_t id, const Piece& piece) {
    Frame header(20);
    header[0] = 0x45;
    put16(header, 2, 20 + piece.size);
    put16(header, 4, id & 0xffff);
    put16(header, 6, piece.offset / 8 | (piece.more ? 0x2000u : 0u));
    header[8] = 64;
    header[9] = 17;
    std::ranges::copy(ends.source, header.begin() + 12);
    std::ranges::copy(ends.destination, header.begin() + 16);
    put16(header, 10, folded(sum_of(header.data(), header.size())));
    Frame frame = ethernet(traffic);
    frame.insert(frame.end(), header.begin(), header.end());
    frame.insert(frame.end(), piece.data, piece.data + piece.size);
    return frame;
}

Frame ipv6_frame(const Traffic& traffic, const Ends& ends, std::size_t id, const Piece& piece) {
    const bool fragment = piece.offset != 0 || piece.more;
    Frame header(fragment ? 48 : 40);
    header[0] = 0x60;
    put16(header, 4, piece.size + (fragment ? 8 : 0));
    header[6] = fragment ? 44 : 17;
    header[7] = 64;
    std::ranges::copy(ends.source, header.begin() + 8);
    std::ranges::copy(ends.destination, header.begin() + 24);
    if (fragment) {
        header[40] = 17;
        put16(header, 42, piece.offset | (piece.more ? 1u : 0u));
        put32(header, 44, id);
    }
    Frame frame = ethernet(traffic);
    frame.insert(frame.end(), header.begin(), header.end());
    frame.insert(frame.end(), piece.data, piece.data + piece.size);
    return frame;
}

std::size_t step_of(const Traffic& traffic) { return (mtu - (traffic.ipv6 ? 48 : 20)) / 8 * 8; }

} // namespace

std::size_t fragments_of(const Traffic& traffic) {
    const std::size_t whole = mtu - (traffic.ipv6 ? 40 : 20);
    const std::size_t size = traffic.size + 8;
    return size <= whole ? 1 : (size + step_of(traffic) - 1) / step_of(traffic);
}

std::vector<Frame> make_frames(const Traffic& traffic) {
    std::mt19937_64 random(20261123);
    std::vector<Frame> frames;
    for (std::size_t number = 0; number < traffic.count; ++number) {
        const Ends ends = ends_of(traffic, number);
        const Frame datagram = datagram_of(ends, payload_of(traffic, random));
        const bool whole = fragments_of(traffic) == 1;
        const std::size_t step = whole ? datagram.size() : step_of(traffic);
        for (std::size_t at = 0; at < datagram.size(); at += step) {
            const std::size_t size = std::min(step, datagram.size() - at);
            const Piece piece{datagram.data() + at, size, at, at + size < datagram.size()};
            // ids count up for each source, as real senders do it
            const std::size_t id = 1 + number / traffic.sources;
            frames.push_back(traffic.ipv6 ? ipv6_frame(traffic, ends, id, piece)
                                          : ipv4_frame(traffic, ends, id, piece));
        }
    }
    return frames;
}

bool parse_kind(const std::string& name, Traffic::Kind& kind) {
    using Kind = Traffic::Kind;
    if (name == "ike")
        kind = Kind::ike;
    else if (name == "auth")
        kind = Kind::auth;
    else if (name == "esp")
        kind = Kind::esp;
    else if (name == "esp-fragments")
        kind = Kind::esp_fragments;
    else if (name == "other")
        kind = Kind::other;
    else
        return false;
    return true;
}

std::array<std::uint8_t, 6> parse_mac(const std::string& text) {
    std::array<unsigned, 6> parts{};
    if (std::sscanf(text.c_str(),
                    "%2x:%2x:%2x:%2x:%2x:%2x",
                    &parts[0],
                    &parts[1],
                    &parts[2],
                    &parts[3],
                    &parts[4],
                    &parts[5]) != 6)
        throw std::invalid_argument("not a MAC address: " + text);
    std::array<std::uint8_t, 6> mac{};
    std::ranges::transform(
        parts, mac.begin(), [](unsigned part) { return static_cast<std::uint8_t>(part); });
    return mac;
}

} // namespace ikefrag::bench
