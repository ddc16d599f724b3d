// SPDX-License-Identifier: GPL-2.0-or-later
// What is told of packets that are never held: whole ones, and copies of first fragments on their
// way out.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

Buffer tcp(std::uint16_t source_port, std::uint16_t destination_port, std::uint8_t flags) {
    Buffer bytes(20);
    bytes[0] = static_cast<std::uint8_t>(source_port >> 8);
    bytes[1] = static_cast<std::uint8_t>(source_port);
    bytes[2] = static_cast<std::uint8_t>(destination_port >> 8);
    bytes[3] = static_cast<std::uint8_t>(destination_port);
    bytes[12] = 0x50;
    bytes[13] = flags;
    return bytes;
}

/// A copy as the log group gives it.
struct Look {
    GateOutput out;
    WholeSeen seen;

    Look(const Policy& policy, const Buffer& bytes, Leg leg = Leg::prerouting, bool cut = false)
        : copy(bytes) {
        Packet packet;
        packet.bytes = copy.bytes();
        packet.leg = leg;
        packet.truncated = cut;
        seen = observe_whole(policy, packet, start_of_script, out);
    }
    template <class What>
    [[nodiscard]] const What* only() const {
        if (out.observations.size() != 1) return nullptr;
        return std::get_if<What>(&out.observations[0].what);
    }

private:
    ExactCopy copy;
};

Buffer cut(const Buffer& packet, std::size_t size) {
    return {packet.begin(), packet.begin() + static_cast<std::ptrdiff_t>(size)};
}

} // namespace

TEST_CASE("whole: a TCP connection begun to a server's 4500 is told, nothing else of TCP",
          "[gate]") {
    struct Row {
        const char* name;
        std::uint16_t port;
        std::uint8_t flags;
        bool server;
        std::size_t bytes;
        bool told;
    };
    constexpr std::uint8_t syn = 0x02;
    const Row rows[] = {
        {"SYN to 4500",                 4500, syn,        true,  20, true },
        {"its answer's flags",          4500, syn | 0x10, true,  20, false},
        {"data",                        4500, 0x18,       true,  20, false},
        {"SYN to 443",                  443,  syn,        true,  20, false},
        {"SYN to somebody else's 4500", 4500, syn,        false, 20, false},
        {"cut in front of its flags",   4500, syn,        true,  13, false},
    };
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    for (const auto& row : rows) {
        INFO(row.name);
        auto flow = flow_of(family);
        if (!row.server) flow.ends.destination.bytes[3] ^= 1;
        const Look look(shipped_policy(),
                        ip(flow.ends, 6, cut(tcp(50'000, row.port, row.flags), row.bytes)));
        CHECK(look.seen.packet_class == PacketClass::other);
        const auto* const told = look.only<TcpFallbackSeen>();
        CHECK((told != nullptr) == row.told);
        if (told == nullptr) continue;
        CHECK(told->source.port == 50'000);
        CHECK(told->destination.address == flow.ends.destination);
    }
    // With no server configured every responder is one.
    auto policy = shipped_policy();
    policy.servers.clear();
    CHECK(
        Look(policy, ip(flow_of(family).ends, 6, tcp(50'000, 4500, syn))).only<TcpFallbackSeen>());
}

TEST_CASE("whole: the outer source of 6to4 and Teredo, against the one inside", "[gate]") {
    // Source: PROTOCOL §4's examples; 198.51.100.83 and 192.0.2.45 are inside.
    const auto* const six_to_four = "2002:c633:6453::1";
    const auto* const teredo = "2001:0:4136:e378:8000:63bf:3fff:fdd2";
    const Buffer authentication{0, 1, 2, 3, 9, 9, 8, 8, 8, 1, 2, 3, 4, 5, 6, 7, 8, 0};
    const Buffer origin{0, 0, 0x63, 0xbf, 0x3f, 0xff, 0xfd, 0xd2};
    struct Row {
        const char* name;
        const char* outer;
        const char* inner;
        std::uint16_t port; ///< 0: protocol 41
        Buffer before;
        std::optional<bool> matches; ///< empty: nothing is told
    };
    const Row rows[] = {
        {"6to4 from its own address",      "198.51.100.83", six_to_four,   0,    {},             true        },
        {"6to4 from another",              "203.0.113.9",   six_to_four,   0,    {},             false       },
        {"protocol 41, a native source",   "203.0.113.9",   "2001:db8::1", 0,    {},             std::nullopt},
        {"protocol 41, a Teredo source",   "203.0.113.9",   teredo,        0,    {},             std::nullopt},
        {"Teredo from its mapped address", "192.0.2.45",    teredo,        3544, {},             true        },
        {"Teredo from another",            "203.0.113.9",   teredo,        3544, {},             false       },
        {"with authentication in front",   "203.0.113.9",   teredo,        3544, authentication, false       },
        {"forwarded by a server",          "203.0.113.9",   teredo,        3544, origin,         std::nullopt},
        {"still behind its NAT",           "192.168.1.2",   teredo,        3544, {},             std::nullopt},
        {"a 6to4 source inside UDP",       "203.0.113.9",   six_to_four,   3544, {},             std::nullopt},
        {"another port",                   "203.0.113.9",   teredo,        3545, {},             std::nullopt},
    };
    for (const auto& row : rows) {
        INFO(row.name);
        const auto inner = ip({address(row.inner), address("2001:db8::5")}, 59, {});
        auto flow = flow4(40'000, row.port);
        flow.ends.source = address(row.outer);
        const auto packet = row.port == 0 ? ip(flow.ends, 41, inner)
                                          : ip(flow.ends, 17, udp(flow, row.before + inner));
        const Look look(shipped_policy(), packet);
        CHECK(look.seen.packet_class == PacketClass::other);
        const auto* const told = look.only<OuterSeen>();
        REQUIRE((told != nullptr) == row.matches.has_value());
        if (told == nullptr) continue;
        CHECK(told->matches == *row.matches);
        CHECK(told->transition == (row.port == 0 ? Transition::six_to_four : Transition::teredo));
        // Going out it is the same packet again; cut in front of its source it tells nothing.
        CHECK(Look(shipped_policy(), packet, Leg::postrouting).out.observations.empty());
        const auto short_of_source = packet.size() - 17;
        CHECK(Look(shipped_policy(), cut(packet, short_of_source), Leg::prerouting, true)
                  .out.observations.empty());
    }
}

TEST_CASE("whole: what is wrong is told, and the packet goes on", "[gate]") {
    const auto four = flow4();
    const auto six = flow6();
    const auto message = udp_packet(four, ike_auth(200));
    auto wrong_header = message;
    wrong_header[8] ^= 1;
    auto long_udp = message;
    long_udp[25] = static_cast<std::uint8_t>(long_udp[25] + 8);
    auto tiny_length = message;
    tiny_length[24] = 0;
    tiny_length[25] = 7;
    auto malformed = ike_auth(200);
    malformed[27] ^= 1;
    struct Row {
        const char* name;
        Buffer packet;
        std::optional<PacketClass> packet_class;
        Reason reason;
        std::size_t told;
    };
    const Row rows[] = {
        {"IKE",                                      message,          PacketClass::ike,   Reason::none, 1                                  },
        {                                              "IP header checksum",                              wrong_header, PacketClass::ike,   Reason::checksum,            1                                   },
        {            "UDP length longer than the packet",                          long_udp,                        PacketClass::ike,                  Reason::udp_length,             1},
        {                                                                                                                                                                        "UDP length shorter than its header",
         tiny_length,                                                            PacketClass::ike,
         Reason::udp_length,
         1                                                                              },
        { "IKE length",                     udp_packet(four,                                    malformed),                                                      PacketClass::ike,                                         Reason::ike_malformed,                                                                                                                        1},
        {                                                                                                                         "no room for a UDP header",
         ip(four.ends,                                           17,                                                                                Buffer(7)),
         PacketClass::other,
         Reason::udp_length,
         0},
        {                                                                                                                                                                        "header chain",
         ip(six.ends,                                                 43,                                                             hex("11 02 00 01 00000000") + Buffer(16)),
         std::nullopt,
         Reason::header_chain,
         0},
        {                                                                                                                                                                        "no IP",                                     Buffer(20,                                         0x11), std::nullopt,            Reason::unreadable,                                    0},
    };
    for (const auto& row : rows) {
        INFO(row.name);
        const Look look(shipped_policy(), row.packet);
        CHECK(look.seen.packet_class == row.packet_class);
        CHECK(look.seen.reason == row.reason);
        CHECK(look.out.observations.size() == row.told);
        CHECK(look.out.decisions.empty());
    }
}

TEST_CASE("whole: a copy cut short is unreadable coming in, and all that is wanted going out",
          "[gate]") {
    const auto packet = udp_packet(flow4(), ike_auth(1'000));
    const Look in(shipped_policy(), cut(packet, 128), Leg::prerouting, true);
    CHECK(in.seen.reason == Reason::unreadable);
    const Look out(shipped_policy(), cut(packet, 128), Leg::postrouting, true);
    CHECK(out.seen.reason == Reason::none);
    for (const auto* const look : {&in, &out}) {
        CHECK(look->seen.packet_class == PacketClass::ike);
        const auto* const seen = look->only<MessageSeen>();
        REQUIRE(seen);
        CHECK(seen->message_bytes == 1'000);
        CHECK(seen->message.size() == 100);
        CHECK_FALSE(seen->first_fragment_only);
    }
    // Cut within the IKE header nobody can say that it is malformed.
    CHECK(Look(shipped_policy(), cut(packet, 40), Leg::postrouting, true).seen.reason ==
          Reason::none);
}

TEST_CASE("whole: an ICMP error in the other family's protocol is none", "[gate]") {
    const auto four = udp_packet(flow4(), ike_auth(200));
    const auto six = udp_packet(flow6(), ike_auth(200));
    const auto error = [](std::uint8_t type, std::uint8_t code, const Buffer& quoted) {
        return Buffer{type, code, 0, 0, 0, 0, 5, 0} + quoted;
    };
    struct Row {
        const char* name;
        Buffer packet;
        bool told;
    };
    const Row rows[] = {
        {"ICMP",           ip(reversed(flow4()).ends, 1,  error(3, 4, four)), true },
        {"ICMPv6",         ip(reversed(flow6()).ends, 58, error(2, 0, six)),  true },
        {"ICMPv6 in IPv4", ip(reversed(flow4()).ends, 58, error(2, 0, six)),  false},
        {"ICMP in IPv6",   ip(reversed(flow6()).ends, 1,  error(3, 4, four)), false},
    };
    for (const auto& row : rows) {
        INFO(row.name);
        const Look look(shipped_policy(), row.packet);
        CHECK(look.seen.packet_class == PacketClass::other);
        CHECK((look.only<IcmpSeen>() != nullptr) == row.told);
        if (row.told) CHECK(look.only<IcmpSeen>()->mtu == 1'280);
    }
}

TEST_CASE("whole: ESP is shown once a second and way, and again behind each IKE message",
          "[gate]") {
    const auto port = GENERATE(std::uint16_t{0}, std::uint16_t{4500}); // plain, and in UDP
    const auto flow = port == 0 ? flow4() : flow4(port, port);
    const auto packet = [&](const Flow& way) {
        return port == 0 ? ip(way.ends, 50, esp(100)) : udp_packet(way, esp(100));
    };
    GateScript script;
    const auto shown = [&] { return script.all_of<EspSeen>().size(); };
    for (int i = 0; i < 10; ++i) script.feed(packet(flow));
    CHECK(shown() == 1);
    CHECK(script.all_of<EspSeen>()[0].source.port == port);
    for (int i = 0; i < 10; ++i) script.feed(packet(reversed(flow)));
    CHECK(shown() == 2);
    script.at(1s);
    for (int i = 0; i < 10; ++i) script.feed(packet(flow));
    CHECK(shown() == 3);
    script.feed(udp_packet(flow, port == 0 ? ike_auth(100) : marked(ike_auth(100))));
    script.feed(packet(flow)).feed(packet(reversed(flow)));
    CHECK(shown() == 5);
    // Less than SPI, sequence number and a block behind them is no traffic.
    if (port != 0) {
        script.at(3s).feed(udp_packet(flow, esp(15)));
        CHECK(shown() == 5);
    }
}

TEST_CASE("whole: a first fragment going out shows where its message went", "[gate]") {
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    const auto flow = flow_of(family, 4500);
    const auto payload = udp(flow, marked(ike_auth(3'000)));
    const auto look = [&](const Buffer& packet) {
        return Look(shipped_policy(), packet, Leg::postrouting, true);
    };
    SECTION("IKE") {
        const auto told = look(cut(fragment(flow.ends, payload, 0, 1'400), 128));
        CHECK(told.seen.packet_class == PacketClass::ike);
        const auto* const seen = told.only<MessageSeen>();
        REQUIRE(seen);
        CHECK(seen->first_fragment_only);
        CHECK(seen->marked);
        CHECK(seen->message_bytes == 3'000);
        CHECK(seen->destination.port == 4500);
        CHECK(seen->first_fragment_bytes == 1'400 + (family == Family::ipv4 ? 20 : 48));
    }
    SECTION("behind an extension header") {
        const auto chained = hex("11 00 01 04 00000000") + payload;
        const auto told = look(fragment(flow.ends, chained, 0, 1'400, 7, 60));
        CHECK((told.only<MessageSeen>() != nullptr) == (family == Family::ipv6));
    }
    SECTION("a chain that does not end in it") {
        CHECK(look(fragment(flow.ends, hex("3c 00 01 04 00000000"), 0, 8, 7, 60))
                  .out.observations.empty());
    }
    SECTION("ESP in UDP") {
        const auto told = look(fragment(flow.ends, udp(flow, esp(3'000)), 0, 1'400));
        CHECK(told.seen.packet_class == PacketClass::esp_in_udp);
        CHECK(told.out.observations.empty());
    }
    SECTION("no UDP, and no whole UDP header") {
        CHECK_FALSE(look(fragment(flow.ends, payload, 0, 1'400, 7, 50)).seen.packet_class);
        CHECK_FALSE(
            look(cut(fragment(flow.ends, payload, 0, 1'400), family == Family::ipv4 ? 26 : 54))
                .seen.packet_class);
    }
    SECTION("a tail") {
        const auto told = look(fragment(flow.ends, payload, 1'400, 2'800));
        CHECK_FALSE(told.seen.packet_class);
        CHECK(told.out.observations.empty());
    }
}
