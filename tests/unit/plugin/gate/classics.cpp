// SPDX-License-Identifier: GPL-2.0-or-later
// Attacks with a name, each with its lesson. Teardrop, ping of death, completion with holes and
// FragmentSmack are in overlap.cpp; id reuse, Fragment headers, chains, atomic fragments and VLANs
// in refusals.cpp.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <random>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

/// A fragment with anything in it.
Buffer
raw(const Flow& flow, std::uint32_t offset, bool more, const Buffer& bytes, std::uint32_t id = 7) {
    IpOptions options;
    options.offset = offset;
    options.more = more;
    options.id = id;
    return ip(flow.ends, 17, bytes, options);
}

/// Limits that refuse nothing of a real datagram's size.
Policy wide_policy(Mode mode = Mode::guard) {
    auto policy = shipped_policy(mode);
    policy.limits.max_datagram_bytes = 65'535;
    policy.limits.max_fragments = 8'192;
    policy.limits.source_packets = 8'192;
    policy.limits.source_bytes = 1u << 20;
    policy.limits.table_packets = 16'384;
    return policy;
}

} // namespace

TEST_CASE("classics: bonk, a last fragment that ends before the first does", "[gate][classics]") {
    // The original: 36 octets at 0 with more to come, then 3 octets at 32, the last. And with a
    // first fragment whose length alone is no fault.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    SECTION("as it was sent") {
        script.feed(raw(flow, 0, true, Buffer(payload.begin(), payload.begin() + 36)));
        script.feed(raw(flow, 32, false, Buffer(3, 'b')));
        script.expect(1, 1, Verdict::drop, Reason::bad_length);
        script.expect(2, 2, Verdict::drop, Reason::poisoned);
    }
    SECTION("with a sound first fragment") {
        script.feed(raw(flow, 0, true, Buffer(payload.begin(), payload.begin() + 400)));
        script.feed(raw(flow, 32, false, Buffer(3, 'b')));
        script.expect(1, 2, Verdict::drop, Reason::inconsistent_last);
    }
    SECTION("the last one first") {
        script.feed(raw(flow, 32, false, Buffer(3, 'b')));
        script.feed(raw(flow, 0, true, Buffer(payload.begin(), payload.begin() + 400)));
        script.expect(1, 2, Verdict::drop, Reason::inconsistent_last);
    }
    CHECK(script.outcomes(DatagramOutcome::complete) == 0);
    CHECK(script.gate().counters().held_bytes.get() == 0);
}

TEST_CASE("classics: tiny first fragment, the ports hidden (RFC 1858, 3128)", "[gate][classics]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    SECTION("eight octets show ports, but not what the datagram is") {
        script.feed(fragment(flow.ends, payload, 0, 8));
        script.expect(1, Verdict::drop, Reason::tiny_first);
    }
    SECTION("fewer than a UDP header") {
        // Not a multiple of 8 and too short: whichever is told, it is not let through.
        script.feed(raw(flow, 0, true, Buffer(payload.begin(), payload.begin() + 4)));
        CHECK(script.of(1)->verdict == Verdict::drop);
    }
    SECTION("offset 1 rewrites what stood behind the ports, and drops what came before") {
        script.feed(fragment(flow.ends, payload, 0, 400));
        script.feed(raw(flow, 8, true, Buffer(8), 0x1234));
        script.expect(1, 2, Verdict::drop, Reason::tiny_first);
    }
    SECTION("offset 1 before any first fragment") {
        script.feed(raw(flow, 8, true, Buffer(392)));
        script.expect(1, Verdict::drop, Reason::tiny_first);
    }
}

TEST_CASE("classics: Rose, a first and a far last fragment repeated", "[gate][classics]") {
    // What it costs is what is held: two packets and two windows a datagram, a source's share in
    // all, nothing after five seconds, and no search that grows.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(60'000));
    SECTION("with the shipped limits it is too big at once") {
        GateScript script;
        script.feed(raw(flow, 64'800, false, Buffer(100)));
        script.expect(1, Verdict::drop, Reason::too_big);
    }
    SECTION("with the widest limits") {
        auto policy = wide_policy();
        policy.limits.source_datagrams = 8;
        GateScript script(policy);
        for (std::uint32_t id = 1; id <= 100; ++id) {
            script.feed(raw(flow, 0, true, Buffer(payload.begin(), payload.begin() + 48), id));
            for (int again = 0; again < 10; ++again)
                script.feed(raw(flow, 59'992, false, Buffer(16), id));
        }
        CHECK(script.held_packets() == 16);
        CHECK(script.gate().counters().held_bytes.get() < 64 * 1024);
        CHECK(script.gate().mean_probes() <= 2.0);
        script.at(5s).expire();
        CHECK(script.held_packets() == 0);
        CHECK(script.gate().counters().held_bytes.get() == 0);
        CHECK(script.outcomes(DatagramOutcome::complete) == 0);
    }
}

TEST_CASE("classics: FragmentSmack, eight-octet pieces shuffled", "[gate][classics]") {
    // The order that made lists long makes no difference here, and all of it completes.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(20'000));
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    std::vector<Buffer> pieces{fragment(flow.ends, payload, 0, 48)};
    const auto size = static_cast<std::uint32_t>(payload.size());
    for (std::uint32_t at = 48; at < size; at += 8)
        pieces.push_back(fragment(flow.ends, payload, at, std::min(at + 8, size)));
    SECTION("shuffled") { std::shuffle(pieces.begin(), pieces.end(), random); }
    SECTION("backwards") { std::reverse(pieces.begin(), pieces.end()); }
    SECTION("every other one, then the rest") {
        std::stable_partition(
            pieces.begin(), pieces.end(), [odd = false](auto&) mutable { return odd = !odd; });
    }
    auto policy = wide_policy();
    GateScript script(policy);
    script.feed(pieces);
    script.expect(1, static_cast<std::uint32_t>(pieces.size()), Verdict::accept, Reason::none);
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
    CHECK(script.gate().counters().held_bytes.get() == 0);
}

TEST_CASE("classics: Sturges and Novak's 17 fragments, in any order", "[gate][classics]") {
    // Every way two fragments can overlap, each with bytes of its own: what one system would make
    // of them tells it apart from another. Here none makes anything of them.
    struct Piece {
        std::uint32_t offset;
        std::uint32_t length;
    };
    // A to I, then J to Q; the last one is the datagram's last.
    const Piece novak[] = {
        {0,   24},
        {32,  16},
        {48,  24},
        {80,  8 },
        {104, 16},
        {120, 24},
        {144, 16},
        {160, 16},
        {176, 8 },
        {8,   32},
        {48,  24},
        {72,  24},
        {96,  24},
        {128, 8 },
        {152, 8 },
        {160, 8 },
        {176, 16},
    };
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    // Behind a first fragment large enough to be one: their own first would be tiny.
    const bool behind_a_first = GENERATE(false, true);
    const std::uint32_t base = behind_a_first ? 40 : 0;
    const auto payload = udp(flow, ike_auth(184 + base));
    std::vector<Buffer> pieces;
    std::uint8_t letter = 'A';
    for (const auto& piece : novak) {
        auto bytes = Buffer(piece.length, letter++);
        const auto offset = piece.offset + base;
        if (offset == 0) bytes.assign(payload.begin(), payload.begin() + piece.length);
        pieces.push_back(raw(flow, offset, &piece != std::end(novak) - 1, bytes));
    }
    if (behind_a_first)
        pieces.push_back(raw(flow, 0, true, Buffer(payload.begin(), payload.begin() + 40)));
    const auto seed = std::random_device{}();
    INFO("seed " << seed);
    std::mt19937 random(seed);
    for (int round = 0; round < 300; ++round) {
        auto policy = wide_policy();
        policy.limits.min_first_bytes = 8;
        GateScript script(policy);
        script.feed(pieces).at(5s).expire();
        CHECK(script.outcomes(DatagramOutcome::complete) == 0);
        CHECK(script.outcomes(DatagramOutcome::refused) >= 1);
        CHECK(script.gate().counters().held_bytes.get() == 0);
        for (std::uint32_t i = 1; i <= pieces.size(); ++i)
            CHECK(script.of(i)->verdict == Verdict::drop);
        std::shuffle(pieces.begin(), pieces.end(), random);
    }
}

TEST_CASE("classics: New Dawn, eight-octet tails of ever new datagrams", "[gate][classics]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    GateScript script;
    for (std::uint32_t id = 1; id <= 5'000; ++id)
        script.feed(raw(flow, 1'000 + id % 100 * 8, true, Buffer(8), id));
    const auto& limits = script.gate().policy().limits;
    CHECK(script.held_packets() == limits.source_datagrams);
    CHECK(script.gate().counters().held_bytes.get() <= limits.source_bytes);
    // Whoever else comes is served.
    auto other = flow;
    other.ends.source.bytes[3] ^= 1;
    if (flow.ends.source.family == Family::ipv6) other.ends.source.bytes[6] ^= 1;
    const auto before = script.fed();
    script.feed(fragments(other.ends, udp(other, ike_auth(1'992)), 1'000));
    script.expect(before + 1, before + 2, Verdict::accept, Reason::none);
}

TEST_CASE("classics: length 0 and jumbo tricks", "[gate][classics]") {
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    GateScript script(shipped_policy(mode));
    const auto four = flow4();
    const auto six = flow6();
    SECTION("a fragment of nothing, first, middle and last") {
        const auto flow = GENERATE(flow4(), flow6());
        const auto payload = udp(flow, ike_auth(700));
        script.feed(fragment(flow.ends, payload, 0, 400));
        SECTION("middle") { script.feed(raw(flow, 400, true, {}, 0x1234)); }
        SECTION("last") { script.feed(raw(flow, 400, false, {}, 0x1234)); }
        script.expect(1, 2, Verdict::drop, Reason::bad_length);
    }
    SECTION("a first fragment of nothing") {
        const auto flow = GENERATE(flow4(), flow6());
        script.feed(raw(flow, 0, true, {}));
        CHECK(script.of(1)->verdict == Verdict::drop);
        CHECK(script.held_packets() == 0);
    }
    SECTION("IPv4 total length 0, and one below its header: the kernel drops both before us") {
        auto packet = fragment(four.ends, udp(four, ike_auth(700)), 0, 400);
        for (const int length : {0, 19}) {
            packet[2] = 0;
            packet[3] = static_cast<std::uint8_t>(length);
            script.feed(packet);
        }
        script.expect(1, 2, Verdict::accept, Reason::unreadable);
        CHECK(script.held_packets() == 0);
    }
    SECTION("IPv6 payload length 0 behind a hop-by-hop header: a fragment all the same") {
        // Linux takes such a packet at its real length, so it must not slip by as unreadable.
        IpOptions options;
        options.more = true;
        options.ipv6_before = hex("00 00 01 04 00000000");
        options.ipv6_before_type = 0;
        const auto payload = udp(six, ike_auth(700));
        auto packet = ip(six.ends, 17, Buffer(payload.begin(), payload.begin() + 400), options);
        packet[4] = packet[5] = 0;
        script.feed(packet);
        script.expect(1, Verdict::drop, Reason::header_chain);
        CHECK(script.of(1)->fragment);
    }
    SECTION("a jumbo payload option with a Fragment header (RFC 2675 §3)") {
        IpOptions options;
        options.more = true;
        options.ipv6_before = hex("00 00 c2 04 00010000");
        options.ipv6_before_type = 0;
        const auto payload = udp(six, ike_auth(700));
        auto packet = ip(six.ends, 17, Buffer(payload.begin(), payload.begin() + 400), options);
        packet[4] = packet[5] = 0;
        script.feed(packet);
        script.expect(1, Verdict::drop, Reason::header_chain);
    }
    SECTION("a jumbogram without one is not ours to read") {
        IpOptions options;
        options.ipv6_before = hex("11 00 c2 04 00010000");
        options.ipv6_before_type = 0;
        auto packet = ip(six.ends, 17, udp(six, ike_auth(700)), options);
        packet[4] = packet[5] = 0;
        script.feed(packet);
        script.expect(1, Verdict::accept, Reason::unreadable);
    }
}

TEST_CASE("classics: nested Fragment headers (CVE-2023-4809)", "[gate][classics]") {
    const auto flow = flow6();
    const auto payload = udp(flow, ike_auth(700));
    const Buffer front(payload.begin(), payload.begin() + 400);
    GateScript script;
    IpOptions options;
    options.more = true;
    SECTION("an atomic one in front of a real one") {
        options.ipv6_before = hex("2c 00 0000 00000001");
        options.ipv6_before_type = 44;
        script.feed(ip(flow.ends, 17, front, options));
    }
    SECTION("a real one in front of an atomic one") {
        script.feed(ip(flow.ends, 44, hex("11 00 0000 00000001") + front, options));
    }
    SECTION("the inner one behind destination options") {
        const auto inner = hex("2c 00 01 04 00000000") + hex("11 00 0001 00000001") + front;
        script.feed(ip(flow.ends, 60, inner, options));
    }
    SECTION("the outer one in a tail only") {
        script.feed(ip(flow.ends, 17, front, options));
        IpOptions tail;
        tail.offset = 400;
        script.feed(ip(flow.ends, 44, hex("11 00 0190 00001234") + Buffer(300, 1), tail));
        script.expect(2, Verdict::drop, Reason::header_chain);
    }
    script.expect(1, Verdict::drop, Reason::header_chain);
    CHECK(script.held_packets() == 0);
}

TEST_CASE("classics: IKE length, UDP length and IP length disagree", "[gate][classics]") {
    // Each of the three right, short by 8 or long by 8; all nine, and only one is let through.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    constexpr std::uint32_t size = 1'000;
    for (const int ike : {-8, 0, 8})
        for (const int udp_length : {-8, 0, 8}) {
            auto message = ike_auth(size);
            message[26] = static_cast<std::uint8_t>((size + static_cast<unsigned>(ike)) >> 8);
            message[27] = static_cast<std::uint8_t>(size + static_cast<unsigned>(ike));
            // The checksum is right for what the UDP header says, so that only lengths are wrong.
            auto payload = udp(flow, message);
            const auto told = size + 8 + static_cast<unsigned>(udp_length);
            payload[4] = static_cast<std::uint8_t>(told >> 8);
            payload[5] = static_cast<std::uint8_t>(told);
            GateScript script;
            script.feed(fragments(flow.ends, payload, 504));
            INFO("IKE " << ike << ", UDP " << udp_length);
            const bool sound = ike == 0 && udp_length == 0;
            const auto expected = sound             ? Reason::none
                                  : udp_length != 0 ? Reason::udp_length
                                                    : Reason::ike_malformed;
            script.expect(1, 2, sound ? Verdict::accept : Verdict::drop, expected);
        }
}

TEST_CASE("classics: header chain from the wrong fragment (CVE-2019-5597)", "[gate][classics]") {
    // A tail that says its own chain is longer moves nothing: bytes stand where offsets say.
    const auto flow = flow6();
    // In the clear, so that all of it is shown.
    const auto message = sa_init_request(spi("0011223344556677"), {.key_bytes = 500});
    const auto chained = hex("11 00 01 04 00000000") + udp(flow, message);
    IpOptions options;
    options.offset = 408;
    options.ipv6_before = hex("3c 00 01 04 00000000") + hex("00 00 01 04 00000000");
    const Buffer rest(chained.begin() + 408, chained.end());
    GateScript script;
    SECTION("tail first") {
        script.feed(ip(flow.ends, 60, rest, options));
        script.feed(fragment(flow.ends, chained, 0, 408, 0x1234, 60));
    }
    SECTION("tail last") {
        script.feed(fragment(flow.ends, chained, 0, 408, 0x1234, 60));
        script.feed(ip(flow.ends, 60, rest, options));
    }
    script.expect(1, 2, Verdict::accept, Reason::none);
    REQUIRE(script.messages().size() == 1);
    const auto seen = script.messages()[0].message;
    CHECK(Buffer(seen.begin(), seen.end()) == message);
}

TEST_CASE("classics: an attack, then the same client's clean handshake", "[gate][classics]") {
    // What was refused is the datagram, not the client: its next message has an id of its own.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(1'992));
    GateScript script;
    for (std::uint32_t id = 1; id <= 200; ++id) {
        script.feed(fragment(flow.ends, payload, 0, 1'000, id));
        script.feed(fragment(flow.ends, payload, 992, 2'000, id));
    }
    CHECK(script.outcomes(DatagramOutcome::refused) == 200);
    script.feed(fragments(flow.ends, payload, 1'000, 9'999));
    script.expect(401, 402, Verdict::accept, Reason::none);
}
