// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/peer.hpp"
#include "plugin/policy.hpp"
#include "plugin/tracker.hpp"

#include <algorithm>
#include <array>
#include <cstddef>

namespace ikefrag {

namespace {

using Sixteen = std::array<std::uint8_t, 16>;

bool starts_with(const Sixteen& bytes, std::initializer_list<std::uint8_t> start) noexcept {
    return std::equal(start.begin(), start.end(), bytes.begin());
}

IpAddress v4_at(const Sixteen& bytes, std::size_t offset, std::uint8_t flip = 0) noexcept {
    std::array<std::uint8_t, 4> four{};
    for (std::size_t i = 0; i < four.size(); ++i) four[i] = bytes[offset + i] ^ flip;
    return IpAddress::v4(four);
}

/// Not an address that a host on the Internet can have, so none that 6to4 or Teredo can embed.
/// Source: RFC 3964 §5.3.2, RFC 4380 §5.2.4.
bool is_unreachable(const IpAddress& address) noexcept {
    const auto a = address.bytes[0];
    const auto b = address.bytes[1];
    if (a == 0 || a == 10 || a == 127 || a >= 224) return true;
    if (a == 172 && b >= 16 && b < 32) return true;
    if (a == 192 && b == 168) return true;
    if (a == 169 && b == 254) return true;
    return a == 100 && b >= 64 && b < 128;
}

/// Where a NAT64 prefix of this length keeps the IPv4 address: byte 8 is skipped.
/// Source: RFC 6052 §2.2.
IpAddress nat64_embedded(const Sixteen& bytes, std::uint8_t length) noexcept {
    std::array<std::uint8_t, 4> four{};
    std::size_t from = length / 8u;
    for (auto& byte : four) {
        if (from == 8) ++from;
        byte = bytes[from++];
    }
    return IpAddress::v4(four);
}

bool is_nat64_length(std::uint8_t length) noexcept {
    return length == 32 || length == 40 || length == 48 || length == 56 || length == 64 ||
           length == 96;
}

TransitionFacts facts_of(Transition transition,
                         const std::optional<IpAddress>& embedded = std::nullopt) noexcept {
    TransitionFacts facts;
    facts.transition = transition;
    facts.embedded = embedded;
    return facts;
}

TransitionFacts six_to_four(const Sixteen& bytes) noexcept {
    auto facts = facts_of(Transition::six_to_four, v4_at(bytes, 2));
    facts.bogus = is_unreachable(*facts.embedded);
    return facts;
}

TransitionFacts teredo(const Sixteen& bytes) noexcept {
    auto facts = facts_of(Transition::teredo, v4_at(bytes, 12, 0xff));
    facts.relay = v4_at(bytes, 4);
    facts.mapped_port = static_cast<std::uint16_t>(~(bytes[10] << 8 | bytes[11]));
    facts.bogus = is_unreachable(*facts.embedded) || is_unreachable(*facts.relay);
    return facts;
}

} // namespace

TransitionFacts transition_of(const IpAddress& address, const Policy& policy) noexcept {
    if (address.family == Family::ipv4) return {};
    const auto& bytes = address.bytes;
    for (const auto& prefix : policy.iphttps)
        if (prefix.contains(address)) return facts_of(Transition::iphttps);
    for (const auto& prefix : policy.nat64)
        if (is_nat64_length(prefix.length) && prefix.contains(address))
            return facts_of(Transition::nat64, nat64_embedded(bytes, prefix.length));
    if (starts_with(bytes, {0x20, 0x02})) return six_to_four(bytes);
    if (starts_with(bytes, {0x20, 0x01, 0, 0})) return teredo(bytes);
    if (starts_with(bytes, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0}))
        return facts_of(Transition::nat64, v4_at(bytes, 12));
    if (starts_with(bytes, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}))
        return facts_of(Transition::v4mapped, v4_at(bytes, 12));
    const bool isatap =
        (bytes[8] & 0xfd) == 0 && bytes[9] == 0 && bytes[10] == 0x5e && bytes[11] == 0xfe;
    if (isatap) return facts_of(Transition::isatap, v4_at(bytes, 12));
    if ((bytes[0] & 0xfe) == 0xfc) return facts_of(Transition::ula);
    if (bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80) return facts_of(Transition::linklocal);
    return {};
}

} // namespace ikefrag
