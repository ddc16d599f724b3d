// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/icmp_quote.hpp"

#include "tests/support/plugin/packets.hpp"
#include "tests/support/plugin/print.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

/// An ICMP error from a router, quoting.
Buffer error(Family family, std::uint8_t type, std::uint8_t code, std::uint32_t rest, Bytes quote) {
    Buffer icmp{type,
                code,
                0,
                0,
                static_cast<std::uint8_t>(rest >> 24),
                static_cast<std::uint8_t>(rest >> 16),
                static_cast<std::uint8_t>(rest >> 8),
                static_cast<std::uint8_t>(rest)};
    icmp = icmp + Buffer(quote.begin(), quote.end());
    const bool four = family == Family::ipv4;
    const Ends ends{.source = address(four ? "192.0.2.254" : "2001:db8:ff::1"),
                    .destination = (four ? flow4() : flow6()).ends.source};
    return ip(ends, four ? 1 : 58, icmp);
}

std::optional<IcmpSeen> read(const Buffer& packet) {
    const ExactCopy copy(packet);
    const auto parsed = parse_ip(copy.bytes());
    REQUIRE(parsed);
    auto seen = parse_icmp_quote({}, *parsed);
    if (seen) seen->quoted_message = seen->quoted_message.first(0); // its bytes end here
    return seen;
}

} // namespace

TEST_CASE("ICMP: 'fragmentation needed' tells MTU, ends and message", "[wire]") {
    const auto quoted = udp_packet(flow4(4500, 4500), marked(ike_auth(1400)));
    const auto packet = error(Family::ipv4, 3, 4, 1280, Bytes(quoted).first(128));
    const auto parsed = parse_ip(packet);
    const auto seen = parse_icmp_quote({}, *parsed);
    REQUIRE(seen);
    CHECK(seen->mtu == 1280);
    CHECK(seen->reporter == address("192.0.2.254"));
    CHECK(seen->quoted_source.address == flow4().ends.source);
    CHECK(seen->quoted_source.port == 4500);
    CHECK(seen->quoted_marked);
    CHECK(seen->quoted_bytes == 20 + 8 + 4 + 1400);
    CHECK(seen->quoted_udp_bytes == 8 + 4 + 1400);
    CHECK(Buffer(seen->quoted_message.begin(), seen->quoted_message.begin() + 8) ==
          Buffer(quoted.begin() + 32, quoted.begin() + 40));
}

TEST_CASE("ICMP: what is told of IKE and what is not", "[wire]") {
    const auto ike4 = udp_packet(flow4(), ike_auth(200));
    const auto ike6 = udp_packet(flow6(), ike_auth(200));
    const auto esp4 = udp_packet(flow4(4500, 4500), esp(200));
    const auto first4 = fragments(flow4().ends, udp(flow4(), ike_auth(3000)), 1480);
    const auto first6 = fragments(flow6().ends, udp(flow6(), ike_auth(3000)), 1448);
    const auto behind_options = fragments(
        flow6().ends, hex("11 00 01 04 00000000") + udp(flow6(), ike_auth(3000)), 1448, 7, 60);
    const auto dns = udp_packet(flow4(53, 53), Buffer(40));
    const auto tcp = ip(flow4().ends, 6, Buffer(40, 1));
    auto broken = ike4;
    broken[0] = 0x4f;
    struct Case {
        std::string name;
        Buffer packet;
        bool told;
    };
    const auto v4 = Family::ipv4;
    const auto v6 = Family::ipv6;
    const Case cases[] = {
        {"port unreachable",                error(v4, 3,   3, 0,    ike4),                  true },
        {"time exceeded, reassembly",       error(v4, 11,  1, 0,    first4[0]),             true },
        {"parameter problem",               error(v4, 12,  0, 0,    ike4),                  true },
        {"8 bytes behind the IP header",    error(v4, 3,   3, 0,    Bytes(ike4).first(28)), true },
        {"7 bytes behind the IP header",    error(v4, 3,   3, 0,    Bytes(ike4).first(27)), false},
        {"ESP, shown",                      error(v4, 3,   3, 0,    Bytes(esp4).first(32)), false},
        {"4500, marker not shown",          error(v4, 3,   3, 0,    Bytes(esp4).first(28)), true },
        {"a tail",                          error(v4, 11,  1, 0,    first4[1]),             false},
        {"DNS",                             error(v4, 3,   3, 0,    dns),                   false},
        {"TCP",                             error(v4, 3,   3, 0,    tcp),                   false},
        {"echo request",                    error(v4, 8,   0, 0,    ike4),                  false},
        {"quote of the other family",       error(v4, 3,   3, 0,    ike6),                  false},
        {"quote with an impossible header", error(v4, 3,   3, 0,    broken),                false},
        {"no quote",                        error(v4, 3,   3, 0,    {}),                    false},
        {"packet too big",                  error(v6, 2,   0, 1280, ike6),                  true },
        {"packet too big, first fragment",  error(v6, 2,   0, 1280, first6[0]),             true },
        {"the same, behind options",        error(v6, 2,   0, 1280, behind_options[0]),     true },
        {"time exceeded, reassembly, v6",   error(v6, 3,   1, 0,    first6[0]),             true },
        {"a tail, v6",                      error(v6, 3,   1, 0,    first6[1]),             false},
        {"echo reply, v6",                  error(v6, 129, 0, 0,    ike6),                  false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(read(c.packet).has_value() == c.told);
        }
    CHECK(read(error(v6, 2, 0, 1280, ike6))->mtu == 1280);
    CHECK(read(error(v4, 3, 3, 1280, ike4))->mtu == 0);
}

TEST_CASE("classics: ICMP quotes that lie", "[wire][classics]") {
    const auto v4 = Family::ipv4;
    const auto v6 = Family::ipv6;
    const auto message4 = udp(flow4(), ike_auth(200));
    const auto message6 = udp(flow6(), ike_auth(200));
    const auto ike4 = udp_packet(flow4(), ike_auth(200));
    const auto ike6 = udp_packet(flow6(), ike_auth(200));
    IpOptions behind;
    behind.offset = 1'480;
    behind.more = true;
    const auto tail4 = ip(flow4().ends, 17, message4, behind);
    const auto tail6 = ip(flow6().ends, 17, message6, behind);
    IpOptions first;
    first.more = true;
    const auto two_headers = ip(flow6().ends, 44, hex("11 00 0001 00001234") + message6, first);
    auto long_header = ike4;
    long_header[0] = 0x4f;
    const Buffer cut_in_header(long_header.begin(), long_header.begin() + 40);
    auto no_room = ike4;
    no_room[2] = 0;
    no_room[3] = 19;
    const auto as_tcp = ip(flow4().ends, 6, message4);
    const auto quote_in_quote = error(v4, 3, 4, 1280, ike4);
    struct Case {
        std::string name;
        Buffer packet;
        bool told;
    };
    const Case cases[] = {
        {"the truth",                           error(v4, 3,   4, 1280, ike4),           true },
        {"a tail that looks like port 500",     error(v4, 11,  1, 0,    tail4),          false},
        {"a tail that looks like port 500, v6", error(v6, 3,   1, 0,    tail6),          false},
        {"two Fragment headers",                error(v6, 2,   0, 1280, two_headers),    false},
        {"a header longer than what is quoted", error(v4, 3,   4, 1280, cut_in_header),  false},
        {"a packet shorter than its header",    error(v4, 3,   4, 1280, no_room),        false},
        {"TCP between ports 500",               error(v4, 3,   4, 1280, as_tcp),         false},
        {"an error about an error",             error(v4, 3,   4, 1280, quote_in_quote), false},
        {"a redirect",                          error(v4, 5,   1, 0,    ike4),           false},
        {"source quench",                       error(v4, 4,   0, 0,    ike4),           false},
        {"redirect, v6",                        error(v6, 137, 0, 0,    ike6),           false},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(read(c.packet).has_value() == c.told);
        }
}

TEST_CASE("ICMP: no error cut anywhere is read past its end", "[wire]") {
    for (const auto& packet : {error(Family::ipv4, 3, 4, 1280, udp_packet(flow4(), ike_auth(60))),
                               error(Family::ipv6, 2, 0, 1280, udp_packet(flow6(), ike_auth(60)))})
        for_each_truncation(packet, [](Bytes cut) {
            const auto parsed = parse_ip(cut, Copy::cut);
            if (!parsed) return;
            const auto seen = parse_icmp_quote({}, *parsed);
            if (seen) CHECK(seen->quoted_message.size() <= cut.size());
        });
}
