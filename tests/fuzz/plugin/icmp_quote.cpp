// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: whatever an ICMP error holds, what is read of it lies within it; a real IKE packet,
// quoted up to any place, is read as what it was or not at all; and a quote cut shorter tells the
// same ends and the front of the same message.
#include "plugin/wire/icmp_quote.hpp"

#include "tests/fuzz/choices.hpp"
#include "tests/support/plugin/packets.hpp"

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

Buffer error_packet(Family family, std::uint8_t type, std::uint8_t code, Bytes quote) {
    Buffer icmp{type, code, 0, 0, 0, 0, 5, 0};
    icmp.insert(icmp.end(), quote.begin(), quote.end());
    const auto flow = flow_of(family);
    const bool four = family == Family::ipv4;
    const Ends ends{.source = address(four ? "192.0.2.254" : "2001:db8:ff::1"),
                    .destination = flow.ends.source};
    return ip(ends, four ? 1 : 58, icmp);
}

/// Reads an exact copy, so that a byte too far is seen.
std::optional<IcmpSeen> read(const ExactCopy& copy) {
    const auto packet = parse_ip(copy.bytes());
    must(packet.has_value());
    const auto seen = parse_icmp_quote({}, *packet);
    if (seen) {
        must(lies_within(seen->quoted_message, copy.bytes()));
        must(seen->reporter == packet->source);
        must(seen->quoted_source.address.family == packet->family);
    }
    return seen;
}

void any_bytes(Choices& choices, Family family) {
    const auto type = choices.u8();
    const auto code = choices.u8();
    const auto rest = choices.rest();
    const ExactCopy whole(error_packet(family, type, code, rest));
    const auto seen = read(whole);
    for (std::size_t cut = 0; cut < rest.size(); cut += 1 + rest.size() / 16) {
        const ExactCopy part(error_packet(family, type, code, rest.first(cut)));
        const auto less = read(part);
        if (!less) continue;
        // A port alone may look like IKE until more is shown; then it may be ESP.
        if (!seen) continue;
        must(less->quoted_source == seen->quoted_source);
        must(less->quoted_destination == seen->quoted_destination);
        must(less->quoted_message.size() <= seen->quoted_message.size() || !less->quoted_marked);
    }
}

void true_quote(Choices& choices, Family family) {
    const auto how = choices.u8();
    const auto size = 32u + choices.u16() % 1400u;
    const bool behind_marker = (how & 1) != 0;
    auto flow = flow_of(family, behind_marker ? 4500 : 500);
    if ((how & 2) != 0) flow.source_port = static_cast<std::uint16_t>(1024 + choices.u16() % 60000);
    const auto message = ike_auth(size, choices.u8());
    const auto payload = udp(flow, behind_marker ? marked(message) : message);
    const bool of_fragment = (how & 4) != 0;
    const auto half = static_cast<std::uint32_t>(payload.size() / 16 * 8);
    const auto quoted =
        of_fragment ? fragment(flow.ends, payload, 0, half) : ip(flow.ends, 17, payload);
    const auto cut = choices.u16() % (quoted.size() + 1);
    const bool four = family == Family::ipv4;
    const bool too_big = (how & 8) != 0;
    const std::uint8_t type = four ? (too_big ? 3 : 11) : (too_big ? 2 : 3);
    const std::uint8_t code = four && too_big ? 4 : 0;
    const ExactCopy packet(error_packet(family, type, code, Bytes(quoted).first(cut)));
    const auto seen = read(packet);
    const auto headers = (four ? 20u : 40u) + (of_fragment && !four ? 8u : 0u) + 8u;
    must(seen.has_value() == (cut >= headers));
    if (!seen) return;
    must(seen->quoted_source == Endpoint{flow.ends.source, flow.source_port});
    must(seen->quoted_destination == Endpoint{flow.ends.destination, flow.destination_port});
    must(seen->quoted_bytes == quoted.size());
    must(seen->mtu == (too_big ? 1280u : 0u));
    const auto told = seen->quoted_message;
    // Before all of the marker is shown nobody can say where the message begins.
    if (behind_marker && !seen->quoted_marked) return;
    must(told.size() <= message.size() && std::equal(told.begin(), told.end(), message.begin()));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Choices choices(data, size);
    const auto kind = choices.u8();
    const auto family = (kind & 1) != 0 ? Family::ipv6 : Family::ipv4;
    if ((kind & 2) != 0)
        true_quote(choices, family);
    else
        any_bytes(choices, family);
    return 0;
}
