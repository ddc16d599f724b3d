// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/ip_packet.hpp"

#include "tests/support/plugin/packets.hpp"
#include "tests/support/plugin/print.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Ends ends4 = flow4().ends;
const Ends ends6 = flow6().ends;

/// An extension header of 8 bytes; `next` is filled in by the packet maker if it is the last.
Buffer extension(std::uint8_t next = 0) { return {next, 0, 1, 4, 0, 0, 0, 0}; }

/// A routing header of this type.
Buffer routing(std::uint8_t type) { return {0, 0, type, 0, 0, 0, 0, 0}; }

} // namespace

TEST_CASE("IPv4: fields of a fragment", "[wire]") {
    IpOptions options{.id = 0xabcd, .offset = 1480, .more = true, .dont_fragment = true};
    const auto packet = ip(ends4, 17, Buffer(64, 7), options) + Buffer(6, 0); // with padding
    const auto read = parse_ip(packet);
    REQUIRE(read);
    CHECK(read->family == Family::ipv4);
    CHECK(read->source == ends4.source);
    CHECK(read->destination == ends4.destination);
    CHECK(read->protocol == 17);
    CHECK(read->fragment);
    CHECK(read->more_fragments);
    CHECK(read->offset == 1480);
    CHECK(read->id == 0xabcd);
    CHECK(read->header_bytes == 20);
    CHECK(read->total_bytes == 84);
    CHECK(read->payload.size() == 64);
    CHECK(read->reason == Reason::none);
}

TEST_CASE("IPv4: what is wrong with a header, and what cannot be read", "[wire]") {
    struct Case {
        std::string name;
        Buffer packet;
        std::optional<Reason> expected; ///< empty: unreadable
    };
    auto bad_sum = ip(ends4, 17, Buffer(8));
    bad_sum[8] ^= 1;
    auto no_sum = ip(ends4, 17, Buffer(8));
    no_sum[8] ^= 1;
    no_sum[10] = no_sum[11] = 0;
    auto version = ip(ends4, 17, Buffer(8));
    version[0] = 0x55;
    auto short_header = ip(ends4, 17, Buffer(8));
    short_header[0] = 0x44;
    auto long_header = ip(ends4, 17, Buffer(8));
    long_header[0] = 0x4f;
    auto total_below_header = ip(ends4, 17, {}, {.ipv4_options = Buffer(8, 1)});
    total_below_header[3] = 27;
    const auto with = [](const char* options) {
        return ip(ends4, 17, Buffer(8), {.ipv4_options = hex(options)});
    };
    const auto sound = ip(ends4, 17, Buffer(8));
    const auto total_past_packet = ip(ends4, 17, Buffer(8), {.length_lie = 1});
    const auto fine = Reason::none;
    const auto bad = Reason::ip_options;
    const Case cases[] = {
        {"sound",                      sound,                     fine            },
        {"wrong checksum",             bad_sum,                   Reason::checksum},
        {"checksum left to the card",  no_sum,                    fine            },
        {"router alert",               with("94040000"),          fine            },
        {"no-ops and end",             with("01010100"),          fine            },
        {"an option without a body",   with("94020101"),          fine            },
        {"rubbish behind the end",     with("00ffffff"),          fine            },
        {"loose source routing",       with("83070400000000 00"), bad             },
        {"strict source routing",      with("89070400000000 00"), bad             },
        {"source routing behind NOPs", with("01010183 03040000"), bad             },
        {"option without length",      with("01010194"),          bad             },
        {"option of length 1",         with("94010000"),          bad             },
        {"option of length 0",         with("94000000"),          bad             },
        {"option past the header",     with("94050000"),          bad             },
        {"version 5",                  version,                   std::nullopt    },
        {"header of 16 bytes",         short_header,              std::nullopt    },
        {"header past the packet",     long_header,               std::nullopt    },
        {"total below header",         total_below_header,        std::nullopt    },
        {"total past the packet",      total_past_packet,         std::nullopt    },
        {"nothing",                    Buffer(),                  std::nullopt    },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const ExactCopy copy(c.packet);
            const auto read = parse_ip(copy.bytes());
            REQUIRE(read.has_value() == c.expected.has_value());
            if (read) CHECK(read->reason == *c.expected);
        }
}

TEST_CASE("IP: a cut copy is read as far as it goes", "[wire]") {
    const auto packet = udp_packet(GENERATE(flow4(), flow6()), ike_auth(200));
    const Bytes cut = Bytes(packet).first(80);
    CHECK_FALSE(parse_ip(cut));
    const auto read = parse_ip(cut, Copy::cut);
    REQUIRE(read);
    CHECK(read->total_bytes == packet.size());
    CHECK(read->payload.size() == 80 - read->header_bytes);
    CHECK(read->payload_bytes() == 208);
}

TEST_CASE("IP: no packet cut anywhere is read past its end", "[wire]") {
    const IpOptions source_routing{.ipv4_options = hex("83070400 00000000")};
    const IpOptions chain{.more = true, .ipv6_before = extension(43) + routing(2) + extension()};
    std::vector<Buffer> packets;
    packets.push_back(ip(ends4, 17, Buffer(40), source_routing));
    packets.push_back(ip(ends6, 17, Buffer(40), chain));
    packets.push_back(udp_packet(flow6(), ike_auth(60)));
    for (const auto& packet : packets)
        for_each_truncation(packet, [](Bytes cut) {
            CHECK_FALSE(parse_ip(cut));
            const auto read = parse_ip(cut, Copy::cut);
            if (!read) return;
            CHECK(read->payload.size() + read->header_bytes <= cut.size());
        });
}

TEST_CASE("IPv6: chains to the upper layer, and what breaks them", "[wire]") {
    struct Case {
        std::string name;
        Buffer packet;
        std::uint8_t protocol;
        bool fragment;
        Reason reason;
    };
    const auto whole = [](Buffer before, std::uint8_t first) {
        IpOptions options;
        options.ipv6_before = std::move(before);
        options.ipv6_before_type = first;
        return ip(ends6, 17, Buffer(8), options);
    };
    const auto atomic_then = [](const char* second) {
        IpOptions options;
        options.ipv6_fragment_header = true;
        return ip(ends6, 44, hex(second) + Buffer(8), options);
    };
    const auto fragment_behind = [](Buffer before, std::uint8_t first) {
        IpOptions options;
        options.more = true;
        options.ipv6_before = std::move(before);
        options.ipv6_before_type = first;
        return ip(ends6, 17, Buffer(8), options);
    };
    Buffer many;
    for (int i = 0; i < 40; ++i) many = many + extension(60);
    const auto options_first = whole(extension(60) + extension(), 0);
    const auto mobile = whole(extension(139) + extension(140) + extension(), 135);
    const auto late_hop_by_hop = whole(extension(0) + extension(), 60);
    const auto past_packet = ip(ends6, 60, hex("11 01 00 00 00 00 00 00"));
    const auto real_behind_atomic = atomic_then("11 00 05d1 00001234");
    const auto atomic_twice = atomic_then("11 00 0000 00001234");
    const auto none = Reason::none;
    const auto chain = Reason::header_chain;
    const auto sound = ip(ends6, 17, Buffer(8));
    const auto nothing_behind = ip(ends6, 59, Buffer());
    const auto with_esp = ip(ends6, 50, Buffer(8));
    const auto with_ah = ip(ends6, 51, Buffer(16));
    const auto four_bytes = ip(ends6, 60, Buffer(4));
    const auto cut_fragment_header = ip(ends6, 44, Buffer(4));
    const auto type_2 = whole(routing(2), 43);
    const auto type_0 = whole(routing(0), 43);
    const auto real = fragment_behind(Buffer(), 0);
    const auto real_behind_many = fragment_behind(many, 60);
    const auto real_behind_type_0 = fragment_behind(routing(0), 43);
    const Case cases[] = {
        {"UDP at once",                     sound,               17, false, none },
        {"hop-by-hop, destination options", options_first,       17, false, none },
        {"mobility, HIP, shim6",            mobile,              17, false, none },
        {"routing type 2",                  type_2,              17, false, none },
        {"routing type 0",                  type_0,              17, false, chain},
        {"hop-by-hop behind another",       late_hop_by_hop,     17, false, chain},
        {"no next header",                  nothing_behind,      59, false, none },
        {"ESP is an upper layer",           with_esp,            50, false, none },
        {"AH is an upper layer",            with_ah,             51, false, none },
        {"extension past the packet",       past_packet,         60, false, chain},
        {"extension of 4 bytes",            four_bytes,          60, false, chain},
        {"Fragment header cut short",       cut_fragment_header, 44, false, chain},
        {"real fragment",                   real,                17, true,  none },
        {"real one behind an atomic one",   real_behind_atomic,  17, true,  chain},
        {"two atomic ones",                 atomic_twice,        17, false, chain},
        {"a fragment behind 40 headers",    real_behind_many,    17, true,  none },
        {"a fragment behind type 0",        real_behind_type_0,  17, true,  chain},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const ExactCopy copy(c.packet);
            const auto read = parse_ip(copy.bytes());
            REQUIRE(read);
            CHECK(int{read->protocol} == int{c.protocol});
            CHECK(read->fragment == c.fragment);
            CHECK(read->reason == c.reason);
        }
}

TEST_CASE("IPv6: an atomic fragment is a whole packet", "[wire]") {
    IpOptions options;
    options.ipv6_fragment_header = true;
    const auto packet = ip(ends6, 17, Buffer(8, 3), options);
    const auto read = parse_ip(packet);
    REQUIRE(read);
    CHECK_FALSE(read->fragment);
    CHECK(int{read->protocol} == 17);
    CHECK(read->payload.size() == 8);
    CHECK(read->reason == Reason::none);
}

TEST_CASE("IPv6: lengths that lie", "[wire]") {
    auto jumbo = ip(
        ends6, 17, Buffer(8), {.ipv6_before = hex("11 00 c2 04 00010000"), .ipv6_before_type = 0});
    jumbo[4] = jumbo[5] = 0;
    CHECK_FALSE(parse_ip(jumbo));
    CHECK_FALSE(parse_ip(ip(ends6, 17, Buffer(8), {.length_lie = 1})));
    const auto padded = parse_ip(ip(ends6, 17, Buffer(8)) + Buffer(10));
    REQUIRE(padded);
    CHECK(padded->payload.size() == 8);
}

TEST_CASE("IPv6: the upper layer of a first fragment", "[wire]") {
    CHECK(find_upper_layer(17, Buffer(8)).offset == 0);
    const auto behind_two = extension(43) + routing(4);
    auto chain = behind_two;
    chain[8] = 17;
    const auto upper = find_upper_layer(60, chain + Buffer(8));
    CHECK(int{upper.protocol} == 17);
    CHECK(upper.offset == 16);
    CHECK(upper.reason == Reason::none);
    CHECK(find_upper_layer(44, Buffer(16)).reason == Reason::header_chain);
    CHECK(find_upper_layer(0, Buffer(16)).reason == Reason::header_chain);
    for_each_truncation(
        chain, [](Bytes cut) { CHECK(find_upper_layer(60, cut).reason == Reason::header_chain); });
}
