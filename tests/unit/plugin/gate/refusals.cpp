// SPDX-License-Identifier: GPL-2.0-or-later
// Every reason a fragmented datagram is refused for, and what goes free beside it.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

Buffer piece_of(const Flow& flow, const Buffer& payload, std::uint32_t begin, std::uint32_t end) {
    return fragment(flow.ends, payload, begin, end);
}

/// A fragment with anything in it.
Buffer raw(const Flow& flow, std::uint32_t offset, bool more, const Buffer& bytes) {
    IpOptions options;
    options.offset = offset;
    options.more = more;
    return ip(flow.ends, 17, bytes, options);
}

Buffer with_port(Buffer payload, std::uint16_t port) {
    for (const std::size_t at : {0u, 2u}) {
        payload[at] = static_cast<std::uint8_t>(port >> 8);
        payload[at + 1] = static_cast<std::uint8_t>(port);
    }
    return payload;
}

} // namespace

TEST_CASE("gate: what is wrong drops the whole datagram and poisons its key", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(1992)); // 2000 octets
    struct Case {
        std::string name;
        std::vector<Buffer> packets;
        Reason expected;
    };
    const auto at = [&](std::uint32_t begin, std::uint32_t end) {
        return piece_of(flow, payload, begin, end);
    };
    auto altered = payload;
    altered[900] ^= 1;
    auto lying_udp = payload;
    lying_udp[5] ^= 8;
    auto zero_spi = ike_auth(1992);
    for (int i = 0; i < 8; ++i) zero_spi[static_cast<std::size_t>(i)] = 0;
    auto wrong_length = ike_auth(1992);
    wrong_length[27] ^= 4;
    auto wrong_version = ike_auth(1992);
    wrong_version[17] = 0x30;
    auto wrong_payload = ike_auth(1992);
    wrong_payload[31] ^= 1;
    const auto two = [&](const Buffer& whole) {
        return std::vector<Buffer>{piece_of(flow, whole, 0, 1000),
                                   piece_of(flow, whole, 1000, 2000)};
    };
    std::vector<Case> cases;
    const auto add = [&](std::string name, std::vector<Buffer> packets, Reason expected) {
        cases.push_back({std::move(name), std::move(packets), expected});
    };
    add("overlap by 8", {at(0, 1000), at(992, 2000)}, Reason::overlap);
    add("one inside another", {at(0, 1000), at(96, 200)}, Reason::overlap);
    add("same place, other bytes",
        {at(0, 800), at(800, 1600), piece_of(flow, altered, 800, 1600)},
        Reason::overlap);
    add("two lasts",
        {at(0, 800), at(1000, 2000), raw(flow, 1000, false, Buffer(992))},
        Reason::inconsistent_last);
    add("more behind the last",
        {at(1000, 2000), raw(flow, 2000, true, Buffer(8))},
        Reason::inconsistent_last);
    add("last before more",
        {raw(flow, 2000, true, Buffer(8)), at(1000, 2000)},
        Reason::inconsistent_last);
    add("the same tail once last, once not",
        {raw(flow, 1000, true, Buffer(1000)), at(1000, 2000)},
        Reason::inconsistent_last);
    add("odd length", {at(0, 1000), raw(flow, 1000, true, Buffer(13))}, Reason::bad_length);
    add("past 65535", {at(0, 1000), raw(flow, 65'528, false, Buffer(8))}, Reason::bad_length);
    add("offset 1", {at(0, 1000), raw(flow, 8, true, Buffer(8))}, Reason::tiny_first);
    add("first of 32 octets", {at(0, 32)}, Reason::tiny_first);
    add("too big by its end", {at(0, 1000), raw(flow, 16'384, false, Buffer(1))}, Reason::too_big);
    add("UDP length longer", two(lying_udp), Reason::udp_length);
    add("UDP checksum", two(altered), Reason::checksum);
    add("SPI zero", two(udp(flow, zero_spi)), Reason::ike_malformed);
    add("IKE length", two(udp(flow, wrong_length)), Reason::ike_malformed);
    add("IKE version 3", two(udp(flow, wrong_version)), Reason::ike_malformed);
    add("payload chain", two(udp(flow, wrong_payload)), Reason::ike_malformed);
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            GateScript script;
            script.feed(c.packets);
            const auto count = static_cast<std::uint32_t>(c.packets.size());
            script.expect(1, count, Verdict::drop, c.expected);
            CHECK(script.outcomes(DatagramOutcome::refused) == 1);
            CHECK(script.held_packets() == 0);
            CHECK(script.gate().counters().held_bytes.get() == 0);
            // The rest, and the whole once more, for a minute; then a clean one comes through.
            script.at(59s).feed(two(payload));
            script.expect(count + 1, count + 2, Verdict::drop, Reason::poisoned);
            script.at(61s).feed(two(payload));
            script.expect(count + 3, count + 4, Verdict::accept, Reason::none);
            CHECK(script.outcomes(DatagramOutcome::complete) == 1);
        }
}

TEST_CASE("gate: IPv4 header faults of an IKE fragment", "[gate]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(1992));
    GateScript script;
    script.feed(piece_of(flow, payload, 0, 1000));
    SECTION("header checksum") {
        auto broken = piece_of(flow, payload, 1000, 2000);
        broken[8] ^= 1;
        script.feed(broken);
        script.expect(1, 2, Verdict::drop, Reason::checksum);
    }
    SECTION("source routing") {
        IpOptions options;
        options.offset = 1000;
        options.ipv4_options = hex("83070400000000 00");
        script.feed(ip(flow.ends, 17, Buffer(1000), options));
        script.expect(1, 2, Verdict::drop, Reason::ip_options);
    }
    SECTION("too many") {
        for (std::uint32_t i = 0; i < 32; ++i)
            script.feed(raw(flow, 2000 + 8 * i, true, Buffer(8)));
        script.expect(1, 33, Verdict::drop, Reason::too_many);
    }
}

TEST_CASE("gate: IPv6 header chains", "[gate]") {
    const auto flow = flow6();
    const auto payload = udp(flow, ike_auth(1992));
    const auto first = piece_of(flow, payload, 0, 1000);
    GateScript script;
    SECTION("two Fragment headers (CVE-2023-4809)") {
        IpOptions options;
        options.more = true;
        script.feed(ip(flow.ends, 44, hex("11 00 0001 00001234") + Buffer(96), options));
        script.expect(1, Verdict::drop, Reason::header_chain);
    }
    SECTION("a tail that says a Fragment header follows") {
        IpOptions options;
        options.offset = 1000;
        script.feed(first).feed(ip(flow.ends, 44, Buffer(1000), options));
        script.expect(1, 2, Verdict::drop, Reason::header_chain);
    }
    SECTION("next header differs between fragments") {
        IpOptions options;
        options.offset = 1000;
        script.feed(first).feed(ip(flow.ends, 60, Buffer(1000), options));
        script.expect(1, 2, Verdict::drop, Reason::header_chain);
    }
    SECTION("the chain is taken from the first fragment only (CVE-2019-5597)") {
        // The tail's unfragmentable part has headers of its own; offsets stay what they are.
        auto options = IpOptions();
        options.offset = 1000;
        options.ipv6_before = hex("00 00 01 04 00000000");
        const Buffer rest(payload.begin() + 1000, payload.end());
        script.feed(first).feed(ip(flow.ends, 17, rest, options));
        script.expect(1, 2, Verdict::accept, Reason::none);
    }
    SECTION("the first fragment ends before UDP (RFC 7112)") {
        IpOptions options;
        options.more = true;
        script.feed(ip(flow.ends, 60, hex("11 00 01 04 00000000"), options));
        script.expect(1, Verdict::drop, Reason::header_chain);
    }
    SECTION("the same behind its tail: both go") {
        IpOptions options;
        options.offset = 1000;
        script.feed(ip(flow.ends, 60, Buffer(1000), options));
        CHECK(script.is_held(1));
        options.offset = 0;
        options.more = true;
        script.feed(ip(flow.ends, 60, hex("11 00 01 04 00000000"), options));
        script.expect(1, 2, Verdict::drop, Reason::header_chain);
    }
    SECTION("an extension header before UDP, whole chain there") {
        const auto chained = hex("11 00 01 04 00000000") + payload;
        script.feed(fragments(flow.ends, chained, 1000, 0x1234, 60));
        script.expect(1, 3, Verdict::accept, Reason::none);
        CHECK(script.messages().size() == 1);
    }
    SECTION("routing type 0 in front") {
        IpOptions options;
        options.more = true;
        options.ipv6_before = hex("00 00 00 00 00000000");
        options.ipv6_before_type = 43;
        script.feed(ip(flow.ends, 17, Buffer(payload.begin(), payload.begin() + 1000), options));
        script.expect(1, Verdict::drop, Reason::header_chain);
    }
    SECTION("an atomic fragment is whole, and meets no other of its id (RFC 6946)") {
        IpOptions atomic;
        atomic.ipv6_fragment_header = true;
        script.feed(first).feed(ip(flow.ends, 17, udp(flow, ike_auth(100)), atomic));
        script.expect(2, Verdict::accept);
        CHECK_FALSE(script.of(2)->fragment);
        script.feed(piece_of(flow, payload, 1000, 2000));
        script.expect(1, 1, Verdict::accept, Reason::none);
        script.expect(3, 3, Verdict::accept, Reason::none);
    }
    SECTION("UDP checksum 0 is refused on IPv6") {
        auto unsummed = payload;
        unsummed[6] = unsummed[7] = 0;
        script.feed(fragments(flow.ends, unsummed, 1000));
        script.expect(1, 2, Verdict::drop, Reason::checksum);
    }
}

TEST_CASE("gate: copies drop only themselves, also when all is done", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1992)), 1000);
    GateScript script;
    script.feed({pieces[0], pieces[0], pieces[1], pieces[1], pieces[0]});
    script.expect(1, Verdict::accept);
    script.expect(2, Verdict::drop, Reason::duplicate);
    script.expect(3, Verdict::accept);
    script.expect(4, 5, Verdict::drop, Reason::duplicate);
    SECTION("another datagram with the same id comes through (CVE-2024-37151)") {
        const auto others = fragments(flow.ends, udp(flow, ike_auth(1992, 9)), 1000);
        script.feed(others[0]).feed(pieces[1]).feed(others[1]);
        script.expect(7, Verdict::drop, Reason::duplicate);
        script.expect(6, 6, Verdict::accept, Reason::none);
        script.expect(8, 8, Verdict::accept, Reason::none);
        CHECK(script.outcomes(DatagramOutcome::complete) == 2);
    }
    SECTION("a copy of what another id had is none") {
        const auto others = udp(flow, ike_auth(1992, 9));
        script.feed(fragments(flow.ends, others, 1000, 77));
        script.feed(fragments(flow.ends, others, 1000));
        script.expect(6, 9, Verdict::accept, Reason::none);
    }
    SECTION("after 20 s they begin a datagram") {
        script.at(20s).feed(pieces[0]);
        CHECK(script.is_held(6));
    }
}

TEST_CASE("gate: without any rule IKE is checked, and what is bad is dropped", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    auto policy = shipped_policy();
    policy.rules.clear();
    auto payload = udp(flow, ike_auth(1992));
    payload.back() ^= 1;
    GateScript script(policy);
    script.feed(fragments(flow.ends, payload, 1000));
    script.expect(1, 2, Verdict::drop, Reason::checksum);
}

TEST_CASE("gate: in observe a copy goes on, also behind another datagram of its id", "[gate]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1992)), 1000);
    GateScript script(shipped_policy(Mode::observe));
    script.feed(pieces).feed(fragment(flow.ends, udp(flow, ike_auth(1992, 9)), 0, 1000));
    script.at(6s).expire().feed(pieces[0]);
    script.expect(3, Verdict::accept, Reason::timeout);
    script.expect(4, Verdict::accept, Reason::duplicate);
    CHECK(script.of(4)->intended == Verdict::drop);
}

TEST_CASE("gate: other classes are left in guard, held or dropped in exclusive", "[gate]") {
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    const auto flow = flow_of(family);
    const auto dns = fragments(flow.ends, with_port(udp(flow, Buffer(1992, 5)), 53), 1000);
    const auto in_udp = fragments(flow.ends, udp(flow_of(family, 4500), esp(1992)), 1000);
    const auto tcp = fragments(flow.ends, Buffer(2000, 6), 1000, 0x1234, 6);
    const auto plain_esp = fragments(flow.ends, esp(2000), 1000, 0x1234, 50);
    SECTION("guard") {
        for (const auto& pieces : {dns, in_udp, tcp, plain_esp}) {
            GateScript script;
            script.feed(pieces);
            script.expect(1, 2, Verdict::accept, Reason::none);
            CHECK(script.outcomes(DatagramOutcome::left) == 1);
        }
    }
    SECTION("exclusive") {
        for (const auto& pieces : {dns, tcp}) {
            GateScript script(shipped_policy(Mode::exclusive));
            script.feed(pieces);
            script.expect(1, 2, Verdict::drop, Reason::policy);
            CHECK(script.outcomes(DatagramOutcome::refused) == 1);
        }
        for (const auto& pieces : {in_udp, plain_esp}) {
            GateScript script(shipped_policy(Mode::exclusive));
            script.feed(pieces);
            script.expect(1, 2, Verdict::accept, Reason::none);
            CHECK(script.of(2)->rule == script.of(1)->rule);
            CHECK(script.of(1)->rule >= 1);
            CHECK(script.outcomes(DatagramOutcome::left) == 1);
            CHECK(script.all_of<EspSeen>().size() == 1);
        }
    }
    SECTION("tails first: held, then let go at once with their first fragment") {
        GateScript script;
        script.feed(dns[1]);
        CHECK(script.is_held(1));
        script.feed(dns[0]);
        script.expect(1, 2, Verdict::accept, Reason::none);
        CHECK(script.decisions()[0].packet.value == 2);
    }
    SECTION("tails first in exclusive: dropped with it") {
        GateScript script(shipped_policy(Mode::exclusive));
        script.feed({dns[1], dns[0]});
        script.expect(1, 2, Verdict::drop, Reason::policy);
        CHECK(script.outcomes(DatagramOutcome::refused) == 1);
    }
}

TEST_CASE("gate: a first fragment that never comes", "[gate]") {
    const auto flow = flow4();
    const auto tail = fragments(flow.ends, udp(flow, ike_auth(1992)), 1000)[1];
    struct Case {
        std::string name;
        Mode mode;
        bool configured;
        Verdict verdict;
        Reason reason;
    };
    const Case cases[] = {
        {"guard, a configured server's",     Mode::guard,     true,  Verdict::drop,   Reason::timeout},
        {"guard, none configured",           Mode::guard,     false, Verdict::accept, Reason::timeout},
        {"exclusive, a configured server's", Mode::exclusive, true,  Verdict::drop,   Reason::timeout},
        {"exclusive, none configured",       Mode::exclusive, false, Verdict::drop,   Reason::policy },
        {"observe, a configured server's",   Mode::observe,   true,  Verdict::accept, Reason::timeout},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            auto policy = shipped_policy(c.mode);
            if (!c.configured) policy.servers.clear();
            GateScript script(policy);
            script.feed(tail).at(5s).expire();
            script.expect(1, c.verdict, c.reason);
            CHECK(script.outcomes(DatagramOutcome::incomplete) == 1);
            CHECK_FALSE(script.of(1)->packet_class);
            CHECK(script.of(1)->rule == -1);
        }
    SECTION("strangers' tails are not held") {
        Flow stranger = flow;
        stranger.ends.destination = address("192.0.2.9");
        GateScript script;
        script.feed(fragments(stranger.ends, udp(stranger, ike_auth(1992)), 1000)[1]);
        script.expect(1, Verdict::accept);
        CHECK(script.outcomes(DatagramOutcome::left) == 1);
    }
}

TEST_CASE("gate: observe says what guard does, and lets all through", "[gate]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(1992));
    std::vector<Buffer> packets = fragments(flow.ends, payload, 1000, 1);
    for (const auto& more : {fragment(flow.ends, payload, 0, 1000, 2),
                             fragment(flow.ends, payload, 992, 2000, 2),
                             fragment(flow.ends, payload, 1000, 2000, 2),
                             fragment(flow.ends, payload, 1000, 2000, 1),
                             fragment(flow.ends, payload, 0, 1000, 3)})
        packets.push_back(more);
    GateScript guard(shipped_policy(Mode::guard));
    GateScript observe(shipped_policy(Mode::observe));
    for (auto* const script : {&guard, &observe}) script->feed(packets).at(10s).expire();
    for (std::uint32_t i = 1; i <= packets.size(); ++i) {
        INFO("packet " << i);
        CHECK(observe.of(i)->verdict == Verdict::accept);
        CHECK(observe.of(i)->intended == guard.of(i)->verdict);
        CHECK(observe.of(i)->reason == guard.of(i)->reason);
    }
    SECTION("so does a dry-run rule") {
        auto policy = shipped_policy(Mode::guard);
        policy.rules[0].dry_run = true;
        GateScript dry(policy);
        dry.feed(packets).at(10s).expire();
        for (std::uint32_t i = 1; i <= packets.size(); ++i) {
            CHECK(dry.of(i)->verdict == Verdict::accept);
            CHECK(dry.of(i)->intended == guard.of(i)->verdict);
        }
    }
}

TEST_CASE("gate: rules decide by the first match", "[gate]") {
    const auto flow = flow4();
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1992)), 1000);
    auto policy = shipped_policy();
    Rule special = rule("special", PacketClass::ike, Action::drop);
    const auto decided_by_special = [&] {
        policy.rules.insert(policy.rules.begin(), special);
        GateScript script(policy);
        script.feed(pieces);
        CHECK(script.held_packets() == 0);
        return script.of(1)->rule == 0 && script.of(1)->reason == Reason::policy &&
               script.of(2)->verdict == Verdict::drop;
    };
    auto& match = special.match;
    SECTION("class alone") { CHECK(decided_by_special()); }
    SECTION("server") {
        match.server = {"vpn1"};
        CHECK(decided_by_special());
    }
    SECTION("another server") {
        match.server = {"vpn2"};
        CHECK_FALSE(decided_by_special());
    }
    SECTION("peer") {
        match.peer = {prefix("198.51.100.0/24")};
        CHECK(decided_by_special());
    }
    SECTION("another peer") {
        match.peer = {prefix("203.0.113.0/24")};
        CHECK_FALSE(decided_by_special());
    }
    SECTION("direction") {
        match.direction = Direction::to_server;
        CHECK(decided_by_special());
    }
    SECTION("other direction") {
        match.direction = Direction::to_peer;
        CHECK_FALSE(decided_by_special());
    }
    SECTION("family") {
        match.family = Family::ipv6;
        CHECK_FALSE(decided_by_special());
    }
    SECTION("protocol") {
        match.protocol = std::uint8_t{17};
        CHECK(decided_by_special());
    }
    SECTION("transition") {
        match.transition = {Transition::teredo};
        CHECK_FALSE(decided_by_special());
    }
    SECTION("interface") {
        match.interface = {"wan0"};
        policy.rules.insert(policy.rules.begin(), special);
        GateScript script(policy);
        script.gate().set_interface_names({
            {.index = 7, .name = "wan0"}
        });
        Packet packet;
        packet.id.value = 1;
        packet.bytes = pieces[0];
        packet.interface = 7;
        script.feed(packet);
        script.expect(1, Verdict::drop, Reason::policy);
    }
}

TEST_CASE("gate: a rule's own limits", "[gate]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(1992));
    auto policy = shipped_policy();
    auto& limits = policy.rules[0].limits;
    SECTION("max_fragments") {
        limits.max_fragments = 2;
        GateScript script(policy);
        script.feed(fragments(flow.ends, payload, 800));
        script.expect(1, 3, Verdict::drop, Reason::too_many);
    }
    SECTION("max_datagram_bytes, told by UDP's length at once") {
        limits.max_datagram_bytes = 1999;
        GateScript script(policy);
        script.feed(fragment(flow.ends, payload, 0, 1000));
        script.expect(1, Verdict::drop, Reason::too_big);
    }
    SECTION("min_first_bytes") {
        limits.min_first_bytes = 1008;
        GateScript script(policy);
        script.feed(fragment(flow.ends, payload, 0, 1000));
        script.expect(1, Verdict::drop, Reason::tiny_first);
    }
    SECTION("min_nonlast_bytes, of tails that came before their first, too") {
        limits.min_nonlast_bytes = 256;
        GateScript script(policy);
        script.feed(fragment(flow.ends, payload, 1000, 1200));
        CHECK(script.is_held(1));
        script.feed(fragment(flow.ends, payload, 0, 1000));
        script.expect(1, 2, Verdict::drop, Reason::tiny_nonlast);
    }
    SECTION("hold_seconds, of tails that came before their first, too") {
        limits.hold_seconds = 2;
        GateScript script(policy);
        script.feed(fragment(flow.ends, payload, 1000, 2000));
        script.at(1s).feed(fragment(flow.ends, payload, 0, 800));
        script.at(1999ms).expire();
        CHECK(script.held_packets() == 2);
        script.at(2s).expire();
        script.expect(1, 2, Verdict::drop, Reason::timeout);
    }
}

TEST_CASE("gate: VLANs never mix", "[gate]") {
    const auto flow = flow4();
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1992)), 1000);
    GateScript script;
    script.feed(pieces[0], 10).feed(pieces[1], 20);
    CHECK(script.held_packets() == 2);
    script.feed(pieces[1], 10);
    script.expect(1, 1, Verdict::accept, Reason::none);
    script.expect(3, 3, Verdict::accept, Reason::none);
    CHECK(script.is_held(2));
}

TEST_CASE("gate: whole packets are never held, whatever is wrong with them", "[gate]") {
    const auto mode = GENERATE(Mode::observe, Mode::guard, Mode::exclusive);
    GateScript script(shipped_policy(mode));
    const auto flow = flow4();
    auto malformed = ike_auth(100);
    malformed[27] = 99;
    auto lying = udp_packet(flow, ike_auth(100));
    lying[25] ^= 1;
    script.feed({
        udp_packet(flow, ike_auth(100)),
        udp_packet(flow, malformed),
        lying,
        Buffer{0x45, 0},
        udp_packet(flow4(4500, 4500), Buffer{0xff   }
        ),
        ip(flow.ends, 50, esp(100))
    });
    script.expect(1, Verdict::accept);
    script.expect(2, Verdict::accept, Reason::ike_malformed);
    script.expect(3, Verdict::accept, Reason::udp_length);
    script.expect(4, Verdict::accept, Reason::unreadable);
    script.expect(5, Verdict::accept);
    CHECK(script.of(5)->packet_class == PacketClass::keepalive);
    CHECK(script.of(6)->packet_class == PacketClass::esp);
    CHECK(script.messages().size() == 3);
    CHECK_FALSE(script.gate().next_deadline());
}

TEST_CASE("gate: a new policy leaves what is held under the old one", "[gate]") {
    const auto flow = flow4();
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1992)), 1000);
    GateScript script;
    script.feed(pieces[0]);
    auto policy = shipped_policy(Mode::observe);
    policy.limits.hold_seconds = 1;
    policy.limits.table_datagrams = 2048;
    script.set_policy(policy).at(4s).expire();
    CHECK(script.is_held(1));
    SECTION("it completes") {
        script.feed(pieces[1]);
        script.expect(1, 2, Verdict::accept, Reason::none);
    }
    SECTION("it times out by the old timer, and is dropped as guard does") {
        script.at(5s).expire();
        script.expect(1, Verdict::drop, Reason::timeout);
    }
    SECTION("release_all lets it go") {
        script.release_all();
        script.expect(1, Verdict::accept);
        CHECK(script.held_packets() == 0);
    }
}

TEST_CASE("gate: a fragment longer than the queue can show is not let through unseen", "[gate]") {
    // The kernel's queue shows 65 531 octets at most, so what such a fragment ends with is unknown.
    struct Row {
        const char* name;
        Mode mode;
        std::uint16_t port;
        std::size_t shown;
        Verdict verdict;
        Reason reason;
    };
    const Row rows[] = {
        {"IKE, guard",       Mode::guard,     500, 65'531, Verdict::drop,   Reason::too_big   },
        {"IKE, exclusive",   Mode::exclusive, 500, 65'531, Verdict::drop,   Reason::too_big   },
        {"IKE, observe",     Mode::observe,   500, 65'531, Verdict::accept, Reason::too_big   },
        {"other, guard",     Mode::guard,     53,  65'531, Verdict::accept, Reason::none      },
        {"other, exclusive", Mode::exclusive, 53,  65'531, Verdict::drop,   Reason::policy    },
        {"cut in a capture", Mode::exclusive, 500, 96,     Verdict::accept, Reason::unreadable},
    };
    const bool wide = GENERATE(false, true); // also where the limits would let its length through
    for (const auto& row : rows) {
        INFO(row.name << (wide ? ", widest limits" : ""));
        auto policy = shipped_policy(row.mode);
        if (wide) policy.limits.max_datagram_bytes = 65'535;
        policy.limits.source_bytes = 1u << 20;
        const auto flow = flow4(row.port, row.port);
        const auto payload = udp(flow, ike_auth(65'480));
        auto bytes =
            ip(flow.ends, 17, Buffer(payload.begin(), payload.begin() + 65'480), {.more = true});
        bytes.resize(65'532, 0);
        bytes[2] = 0xff;
        bytes[3] = 0xfc;
        bytes[10] = bytes[11] = 0;
        bytes.resize(row.shown);
        GateScript script(policy);
        Packet packet;
        packet.id.value = 1;
        packet.bytes = bytes;
        packet.truncated = true;
        script.feed(packet);
        REQUIRE(script.of(1));
        script.expect(1, row.verdict, row.reason);
        CHECK(script.of(1)->fragment);
        CHECK(script.held_packets() == 0);
    }
}

TEST_CASE(
    "gate: tails of nobody we know that meet a limit are let go in guard, dropped in exclusive",
    "[gate]") {
    // No server is configured, so every UDP tail may be IKE's; what cannot be held is not ours to
    // drop.
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(1'992));
    auto policy = shipped_policy(mode);
    policy.servers.clear();
    GateScript script(policy);
    const auto share = policy.limits.source_datagrams;
    for (std::uint32_t id = 1; id <= share + 3; ++id)
        script.feed(fragment(flow.ends, payload, 1'000, 2'000, id));
    const bool drops = mode == Mode::exclusive;
    CHECK(script.held_packets() == share);
    script.expect(1, 3, drops ? Verdict::drop : Verdict::accept, Reason::source_limit);
    CHECK(script.outcomes(drops ? DatagramOutcome::refused : DatagramOutcome::left) == 3);
    // IKE of which a part has gone on unchecked goes no further; what was dropped begins anew.
    const auto next = script.fed() + 1;
    script.feed(fragment(flow.ends, payload, 0, 1'000, 1));
    script.feed(fragment(flow.ends, payload, 1'000, 2'000, 1));
    if (drops)
        script.expect(next, next + 1, Verdict::accept, Reason::none);
    else
        script.expect(next, next + 1, Verdict::drop, Reason::source_limit);
}

TEST_CASE("gate: what is remembered of ended datagrams outlives a reload, as far as it has room",
          "[gate]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(1'992));
    GateScript script;
    constexpr std::uint32_t count = 600;
    for (std::uint32_t id = 1; id <= count; ++id) {
        script.feed(fragment(flow.ends, payload, 0, 1'000, id));
        script.feed(fragment(flow.ends, payload, 992, 2'000, id)); // they overlap: poisoned
    }
    const auto larger = GENERATE(true, false);
    auto policy = shipped_policy();
    policy.limits.table_datagrams = larger ? 1'024 : 16; // the least room is for 256 keys
    script.set_policy(policy);
    const auto before = script.fed();
    for (std::uint32_t id = 1; id <= count; ++id)
        script.feed(fragment(flow.ends, payload, 1'000, 2'000, id));
    const auto first_known = larger ? 1 : count - 255;
    script.expect(before + first_known, before + count, Verdict::drop, Reason::poisoned);
    for (std::uint32_t id = 1; id < first_known; ++id)
        CHECK((script.is_held(before + id) ||
               script.of(before + id)->reason == Reason::source_limit));
}
