// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/packets.hpp"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <stdexcept>

namespace ikefrag::test {
namespace {

void put16(Buffer& out, std::size_t value) {
    out.push_back(static_cast<std::uint8_t>(value >> 8));
    out.push_back(static_cast<std::uint8_t>(value));
}

void put32(Buffer& out, std::size_t value) {
    put16(out, value >> 16 & 0xffff);
    put16(out, value & 0xffff);
}

void append(Buffer& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

void set16(Buffer& out, std::size_t at, std::size_t value) {
    out[at] = static_cast<std::uint8_t>(value >> 8);
    out[at + 1] = static_cast<std::uint8_t>(value);
}

Buffer
ipv4(const Ends& ends, std::uint8_t protocol, const Buffer& payload, const IpOptions& options) {
    auto padded = options.ipv4_options;
    while (padded.size() % 4 != 0) padded.push_back(0);
    const auto header_bytes = 20 + padded.size();
    Buffer out;
    out.push_back(static_cast<std::uint8_t>(0x40 | header_bytes / 4));
    out.push_back(0);
    put16(out, header_bytes + payload.size() + options.length_lie);
    put16(out, options.id);
    put16(out,
          (options.dont_fragment ? 0x4000u : 0u) | (options.more ? 0x2000u : 0u) |
              options.offset / 8);
    out.push_back(64);
    out.push_back(protocol);
    put16(out, 0);
    append(out, ends.source.view());
    append(out, ends.destination.view());
    append(out, padded);
    set16(out, 10, static_cast<std::uint16_t>(~checksum(out)));
    append(out, payload);
    return out;
}

Buffer
ipv6(const Ends& ends, std::uint8_t protocol, const Buffer& payload, const IpOptions& options) {
    const bool fragment = options.ipv6_fragment_header || options.more || options.offset != 0;
    auto before = options.ipv6_before;
    const std::uint8_t behind_before = fragment ? 44 : protocol;
    const bool has_before = !before.empty();
    if (has_before) {
        // The chain given ends with its last header, whose next header is filled in here: headers
        // in tests are 8 bytes each unless they say so themselves.
        std::size_t at = 0;
        while (at + (before[at + 1] + 1u) * 8u < before.size()) at += (before[at + 1] + 1u) * 8u;
        before[at] = behind_before;
    }
    Buffer out{0x60, 0, 0, 0};
    put16(out, before.size() + (fragment ? 8 : 0) + payload.size() + options.length_lie);
    out.push_back(has_before ? options.ipv6_before_type : behind_before);
    out.push_back(64);
    append(out, ends.source.view());
    append(out, ends.destination.view());
    append(out, before);
    if (fragment) {
        out.push_back(protocol);
        out.push_back(0);
        put16(out, options.offset | (options.more ? 1u : 0u));
        put32(out, options.id);
    }
    append(out, payload);
    return out;
}

} // namespace

Prefix prefix(std::string_view text) {
    const auto parsed = parse_prefix(text);
    if (!parsed) throw std::invalid_argument("no prefix");
    return *parsed;
}

Buffer operator+(Buffer a, const Buffer& b) {
    append(a, b);
    return a;
}

ExactCopy::ExactCopy(Bytes bytes)
    : copy_(std::make_unique<std::uint8_t[]>(bytes.size())), size_(bytes.size()) {
    std::copy(bytes.begin(), bytes.end(), copy_.get());
}

Flow flow4(std::uint16_t source_port, std::uint16_t destination_port) {
    return {
        .ends = {.source = address("198.51.100.7"), .destination = address("203.0.113.5")},
        .source_port = source_port,
        .destination_port = destination_port
    };
}

Flow flow6(std::uint16_t source_port, std::uint16_t destination_port) {
    return {
        .ends = {.source = address("2001:db8:7::7"), .destination = address("2001:db8::5")},
        .source_port = source_port,
        .destination_port = destination_port
    };
}

Flow flow_of(Family family, std::uint16_t port) {
    return family == Family::ipv4 ? flow4(port, port) : flow6(port, port);
}

Flow reversed(const Flow& flow) {
    return {
        .ends = {.source = flow.ends.destination, .destination = flow.ends.source},
        .source_port = flow.destination_port,
        .destination_port = flow.source_port
    };
}

Buffer ike_auth(std::size_t size, std::uint8_t seed) {
    assert(size >= 32);
    Buffer out = hex("0011223344556677 8899aabbccddeeff 2e 20 23 08 00000001");
    out[7] = seed;
    put32(out, size);
    out.push_back(0);
    out.push_back(0);
    put16(out, size - 28);
    for (std::size_t i = out.size(); i < size; ++i)
        out.push_back(static_cast<std::uint8_t>(i * 7 + seed + (i >> 8) * 13));
    return out;
}

Buffer marked(Buffer message) { return Buffer{0, 0, 0, 0} + message; }

Buffer esp(std::size_t size) {
    Buffer out = hex("c0ffee01 00000001");
    for (std::size_t i = out.size(); i < size; ++i)
        out.push_back(static_cast<std::uint8_t>(i * 11 + 3));
    out.resize(size);
    return out;
}

std::uint16_t checksum(Bytes bytes, std::uint32_t start) {
    std::uint32_t sum = start;
    for (std::size_t i = 0; i < bytes.size(); i += 2) {
        sum += static_cast<std::uint32_t>(bytes[i]) << 8;
        if (i + 1 < bytes.size()) sum += bytes[i + 1];
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(sum);
}

Buffer udp(const Flow& flow, const Buffer& payload) {
    Buffer out;
    put16(out, flow.source_port);
    put16(out, flow.destination_port);
    put16(out, 8 + payload.size());
    put16(out, 0);
    append(out, payload);
    Buffer pseudo;
    append(pseudo, flow.ends.source.view());
    append(pseudo, flow.ends.destination.view());
    put32(pseudo, out.size());
    put32(pseudo, 17);
    auto sum = static_cast<std::uint16_t>(~checksum(out, checksum(pseudo)));
    if (sum == 0) sum = 0xffff;
    set16(out, 6, sum);
    return out;
}

Buffer
ip(const Ends& ends, std::uint8_t protocol, const Buffer& payload, const IpOptions& options) {
    return ends.source.family == Family::ipv4 ? ipv4(ends, protocol, payload, options)
                                              : ipv6(ends, protocol, payload, options);
}

Buffer udp_packet(const Flow& flow, const Buffer& payload) {
    return ip(flow.ends, 17, udp(flow, payload));
}

Buffer fragment(const Ends& ends,
                const Buffer& payload,
                std::uint32_t begin,
                std::uint32_t end,
                std::uint32_t id,
                std::uint8_t protocol) {
    const Buffer piece(payload.begin() + begin, payload.begin() + end);
    IpOptions options;
    options.id = id;
    options.offset = begin;
    options.more = end < payload.size();
    return ip(ends, protocol, piece, options);
}

std::vector<Buffer> fragments(const Ends& ends,
                              const Buffer& payload,
                              std::uint32_t piece,
                              std::uint32_t id,
                              std::uint8_t protocol) {
    std::vector<Buffer> out;
    const auto size = static_cast<std::uint32_t>(payload.size());
    for (std::uint32_t begin = 0; begin < size; begin += piece)
        out.push_back(fragment(ends, payload, begin, std::min(begin + piece, size), id, protocol));
    return out;
}

} // namespace ikefrag::test
