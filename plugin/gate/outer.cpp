// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/outer.hpp"

#include "plugin/peer.hpp"
#include "plugin/wire/byte_reader.hpp"

namespace ikefrag {
namespace {

/// Behind a NAT an address says nothing of the one the client has outside. Source: RFC 1918,
/// RFC 6598.
bool is_inside_nat(const IpAddress& address) noexcept {
    const auto a = address.bytes[0];
    const auto b = address.bytes[1];
    return a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
           (a == 100 && b >= 64 && b < 128);
}

std::optional<OuterSeen> compare(const Policy& policy,
                                 Transition transition,
                                 const IpAddress& outer_source,
                                 ByteReader& inner) noexcept {
    const auto first = inner.u8();
    inner.skip(7);
    const auto address = inner.take(16);
    if (inner.failed() || first >> 4 != 6) return std::nullopt;
    const auto facts = transition_of(IpAddress::v6(address), policy);
    if (facts.transition != transition || !facts.embedded) return std::nullopt;
    return OuterSeen{.transition = transition, .matches = *facts.embedded == outer_source};
}

} // namespace

std::optional<OuterSeen> look_at_six_to_four(const Policy& policy, const IpPacket& ip) noexcept {
    ByteReader reader(ip.payload);
    return compare(policy, Transition::six_to_four, ip.source, reader);
}

std::optional<OuterSeen>
look_at_teredo(const Policy& policy, const IpAddress& outer_source, Bytes body) noexcept {
    if (is_inside_nat(outer_source)) return std::nullopt;
    ByteReader reader(body);
    if (body.size() >= 2 && body[0] == 0) {
        // Authentication: client identifier, value, nonce, confirmation (RFC 4380 §5.1.1). An
        // origin indication, the other kind, is a server's.
        constexpr std::uint16_t authentication = 1;
        if (reader.u16() != authentication) return std::nullopt;
        const auto identifier_bytes = reader.u8();
        const auto value_bytes = reader.u8();
        reader.skip(identifier_bytes);
        reader.skip(value_bytes);
        reader.skip(9);
    }
    return compare(policy, Transition::teredo, outer_source, reader);
}

} // namespace ikefrag
