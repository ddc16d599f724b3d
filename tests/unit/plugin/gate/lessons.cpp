// SPDX-License-Identifier: GPL-2.0-or-later
// What other engines for fragments got wrong, each as a test of its own; in brackets: whose lesson.
// Attacks with a name are in classics.cpp.
#include "plugin/gate/entry_index.hpp"

#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

TEST_CASE("lessons: IPv4's protocol is part of a datagram's name (Zeek, nfqlb)",
          "[gate][lessons]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 400));
    script.feed(fragment(flow.ends, payload, 400, 708, 0x1234, 6));
    script.expect(2, Verdict::accept); // TCP's, left alone
    CHECK(script.is_held(1));
    script.feed(fragment(flow.ends, payload, 400, 708));
    script.expect(1, Verdict::accept);
    script.expect(3, Verdict::accept);
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
}

TEST_CASE("lessons: the way back is another datagram (Suricata, libtins)", "[gate][lessons]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 400));
    script.feed(fragment(reversed(flow).ends, payload, 400, 708));
    CHECK(script.held_packets() == 2);
    script.feed(fragment(flow.ends, payload, 400, 708));
    script.expect(1, Verdict::accept);
    script.expect(3, Verdict::accept);
    CHECK(script.is_held(2));
}

TEST_CASE("lessons: no IPv6 fragment joins an IPv4 datagram (Suricata 8510)", "[gate][lessons]") {
    // Addresses that begin with the same octets, and the same id.
    const auto four = flow4();
    const Ends six{.source = address("c633:6407::"), .destination = address("cb00:7105::")};
    auto policy = shipped_policy();
    policy.servers[0].addresses = {prefix("203.0.113.5"), prefix("cb00:7105::")};
    const auto payload = udp(four, ike_auth(700));
    GateScript script(policy);
    script.feed(fragment(four.ends, payload, 0, 400));
    script.feed(fragment(six, payload, 400, 708));
    CHECK(script.held_packets() == 2);
    script.feed(fragment(four.ends, payload, 400, 708));
    script.expect(1, Verdict::accept);
    script.expect(3, Verdict::accept);
    CHECK(script.is_held(2));
}

TEST_CASE("lessons: two uplinks may bring half a datagram each (PAN)", "[gate][lessons]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto pieces = fragments(flow.ends, udp(flow, ike_auth(1'992)), 1'000);
    GateScript script;
    for (std::uint32_t number = 1; number <= 2; ++number) {
        Packet packet;
        packet.id.value = number;
        packet.bytes = pieces[number - 1];
        packet.interface = number;
        script.feed(packet);
    }
    script.expect(1, 2, Verdict::accept, Reason::none);
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
    // Told is the one that brought something first.
    REQUIRE(script.messages().size() == 1);
    CHECK(script.messages()[0].interface == 1);
    const auto whole = udp_packet(flow, sa_init_request(spi("0011223344556677")));
    Packet packet;
    packet.id.value = 3;
    packet.bytes = whole;
    packet.interface = 9;
    script.feed(packet);
    REQUIRE(script.messages().size() == 2);
    CHECK(script.messages()[1].interface == 9);
}

TEST_CASE("lessons: keys chosen to meet in one place cost nothing (CVE-2003-0364)",
          "[gate][lessons]") {
    // Sources and ids of which each sum is the same number, and each exclusive or.
    auto flow = flow4();
    const auto payload = udp(flow, ike_auth(700));
    constexpr std::uint32_t count = 200;
    GateScript script;
    for (int round = 0; round < 2; ++round)
        for (std::uint32_t i = 0; i < count; ++i) {
            flow.ends.source =
                IpAddress::v4(std::array<std::uint8_t, 4>{10, static_cast<std::uint8_t>(i), 0, 1});
            script.feed(fragment(flow.ends, payload, 0, 400, 0xff00u - (i << 8)));
        }
    CHECK(script.held_packets() == count);
    script.expect(count + 1, 2 * count, Verdict::drop, Reason::duplicate);
    CHECK(script.gate().mean_probes() <= 2.0);
}

TEST_CASE("lessons: two keys of one hash are two keys (PcapPlusPlus)", "[gate][lessons]") {
    struct Named {
        std::uint32_t key;
        std::uint64_t hash;
    };
    constexpr std::uint64_t hash = 42;
    Named one{1, hash};
    Named two{2, hash};
    Named three{3, hash};
    EntryIndex<Named> index;
    index.reserve(8);
    index.insert(&one);
    index.insert(&two);
    CHECK(index.find(hash, 1u) == &one);
    CHECK(index.find(hash, 2u) == &two);
    CHECK(index.find(hash, 3u) == nullptr);
    index.insert(&three);
    index.erase(&one); // draws up the others
    CHECK(index.find(hash, 1u) == nullptr);
    CHECK(index.find(hash, 2u) == &two);
    CHECK(index.find(hash, 3u) == &three);
}

TEST_CASE("lessons: half a message does not block the same one sent again (strongSwan)",
          "[gate][lessons]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(1'992));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 1'000, 1));
    script.at(1s).feed(fragments(flow.ends, payload, 1'000, 2));
    script.expect(2, 3, Verdict::accept, Reason::none);
    CHECK(script.is_held(1));
    script.at(5s).expire();
    script.expect(1, Verdict::drop, Reason::timeout);
}

TEST_CASE("lessons: many small pieces, slowly (VPP's 3 and 100 ms, NP7's 2, Windows' MTU 626)",
          "[gate][lessons]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6), 4500);
    const bool backwards = GENERATE(false, true);
    auto pieces = fragments(flow.ends, udp(flow, marked(ike_auth(6'900))), 600);
    const auto count = static_cast<std::uint32_t>(pieces.size());
    REQUIRE(count == 12);
    if (backwards) std::reverse(pieces.begin(), pieces.end());
    GateScript script;
    auto now = 0ms;
    for (const auto& piece : pieces) {
        script.at(now).feed(piece);
        now += 400ms;
    }
    script.expect(1, count, Verdict::accept, Reason::none);
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
}

TEST_CASE("lessons: offset and length do not wrap at 16 bits (gopacket)", "[gate][lessons]") {
    // 65 528 + 408 is 400 where only 16 bits are kept: just behind what is there.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const bool more = GENERATE(false, true);
    auto policy = shipped_policy();
    policy.limits.max_datagram_bytes = 65'535;
    GateScript script(policy);
    script.feed(fragment(flow.ends, udp(flow, ike_auth(700)), 0, 400));
    IpOptions options;
    options.offset = 65'528;
    options.more = more;
    script.feed(ip(flow.ends, 17, Buffer(408, 1), options));
    script.expect(1, 2, Verdict::drop, Reason::bad_length);
    CHECK(script.held_packets() == 0);
}

TEST_CASE("lessons: a whole of the right size has no holes (Snort, libtins)", "[gate][lessons]") {
    // Octets received reach the datagram's size before its middle has come.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(792));
    GateScript script;
    SECTION("copies are not counted as what is missing") {
        script.feed(fragment(flow.ends, payload, 400, 800));
        script.feed(fragment(flow.ends, payload, 0, 200));
        script.feed(fragment(flow.ends, payload, 0, 200));
        script.expect(3, Verdict::drop, Reason::duplicate);
        CHECK(script.held_packets() == 2);
        CHECK(script.outcomes(DatagramOutcome::complete) == 0);
        script.feed(fragment(flow.ends, payload, 200, 400));
        script.expect(4, Verdict::accept);
    }
    SECTION("nor is what lies behind the end") {
        script.feed(fragment(flow.ends, payload, 0, 200));
        script.feed(fragment(flow.ends, payload, 400, 600));
        script.feed(fragment(flow.ends, payload, 600, 792)); // not the last: 8 octets follow
        IpOptions last;
        last.offset = 400;
        script.feed(ip(flow.ends, 17, Buffer(200, 1), last)); // ends before what is there
        script.expect(1, 4, Verdict::drop, Reason::inconsistent_last);
        CHECK(script.outcomes(DatagramOutcome::complete) == 0);
    }
}

TEST_CASE("lessons: only its first fragment says what an IPv6 datagram is (RFC 8200 4.5)",
          "[gate][lessons]") {
    // A receiver takes a tail for IKE's whatever it calls itself. Let through by its own word, it
    // would wait there (60 s) for a first fragment that was checked with another tail.
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto said = static_cast<std::uint8_t>(GENERATE(50, 51, 6, 58));
    const auto flow = flow6();
    const auto payload = udp(flow, ike_auth(1'492));
    GateScript script(shipped_policy(mode));
    script.feed(fragment(flow.ends, payload, 1'000, 1'500, 0x1234, said));
    REQUIRE(script.is_held(1));
    SECTION("IKE's first fragment shows the lie") {
        script.feed(fragment(flow.ends, payload, 0, 504));
        script.expect(1, 2, Verdict::drop, Reason::header_chain);
        script.feed(fragment(flow.ends, payload, 504, 1'000));
        script.expect(3, Verdict::drop, Reason::poisoned);
        CHECK(script.outcomes(DatagramOutcome::complete) == 0);
    }
    SECTION("without one it ends here") {
        script.at(5s).expire();
        script.expect(1, Verdict::drop, Reason::timeout);
    }
    SECTION("true to its word, it goes with its own") {
        script.feed(fragment(flow.ends, Buffer(1'500, 7), 0, 1'000, 0x1234, said));
        const bool left = mode == Mode::guard || said == 50 || said == 51;
        script.expect(
            1, 2, left ? Verdict::accept : Verdict::drop, left ? Reason::none : Reason::policy);
    }
}

TEST_CASE("lessons: options that look alike hide no other first fragment (CVE-2019-5597)",
          "[gate][lessons]") {
    // IPv6 options fill all that is remembered of a first fragment that was not held. The one
    // behind them with the same id, IKE this time, is no copy of it.
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto flow = flow6();
    Buffer options(72);
    options[0] = 17;
    options[1] = 8;
    options[2] = 1;
    options[3] = 68; // PadN to the end
    const auto behind = [&](const Flow& ports, const Buffer& message) {
        auto payload = options;
        const auto datagram = udp(ports, message);
        payload.insert(payload.end(), datagram.begin(), datagram.end());
        return payload;
    };
    auto other = flow;
    other.source_port = other.destination_port = mode == Mode::guard ? 53 : 4500;
    const auto left = behind(other, Buffer(1'400, 7));
    const auto ike = behind(flow, ike_auth(1'400));
    GateScript script(shipped_policy(mode));
    script.feed(fragment(flow.ends, left, 0, 1'000, 0x1234, 60));
    script.expect(1, Verdict::accept);
    script.feed(fragment(flow.ends, left, 0, 1'000, 0x1234, 60)); // a copy of it
    script.expect(2, Verdict::accept);
    script.feed(fragment(flow.ends, ike, 0, 1'000, 0x1234, 60));
    REQUIRE(script.is_held(3));
    auto forged = Buffer(ike.begin(), ike.end());
    forged.back() ^= 1;
    script.feed(fragment(flow.ends, forged, 1'000, 1'480, 0x1234, 60));
    script.expect(3, 4, Verdict::drop, Reason::checksum);
}

TEST_CASE("lessons: a server's 500 takes IKE from any port, 4500 too", "[gate][lessons]") {
    // The other way about, a NAT may give ESP's client port 500.
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    auto flow = flow_of(family);
    flow.source_port = 4500;
    const bool back = GENERATE(false, true);
    if (back) flow = reversed(flow);
    GateScript script(shipped_policy(mode));
    SECTION("held and checked") {
        script.feed(fragments(flow.ends, udp(flow, ike_auth(1'992)), 1'000));
        script.expect(1, 2, Verdict::accept, Reason::none);
        CHECK(script.outcomes(DatagramOutcome::complete) == 1);
        REQUIRE(script.messages().size() == 1);
        CHECK_FALSE(script.messages()[0].marked);
    }
    SECTION("whatever its Length says") {
        auto message = ike_auth(1'992);
        ++message[27];
        script.feed(fragments(flow.ends, udp(flow, message), 1'000));
        script.expect(1, 2, Verdict::drop, Reason::ike_malformed);
    }
    SECTION("whole, too") {
        script.feed(udp_packet(flow, ike_auth(500) + Buffer{1}));
        script.expect(1, Verdict::accept, Reason::ike_malformed);
        CHECK(script.messages().size() == 1);
    }
    SECTION("what comes to 4500 is ESP") {
        std::swap(flow.source_port, flow.destination_port);
        script.feed(fragments(flow.ends, udp(flow, esp(2'000)), 1'000));
        script.expect(1, 3, Verdict::accept, Reason::none);
        CHECK(script.outcomes(DatagramOutcome::left) == 1);
    }
}

TEST_CASE("lessons: no Length excuses a first fragment without its marker (RFC 2675)",
          "[gate][lessons]") {
    // IPv6 takes UDP's Length 0 for all there is; what follows would be a marker and IKE.
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6), 4500);
    const auto length = static_cast<std::uint8_t>(GENERATE(0, 8, 9, 11));
    auto payload = udp(flow, marked(ike_auth(1'492)));
    payload[4] = 0;
    payload[5] = length;
    GateScript script(shipped_policy(mode));
    script.feed(fragment(flow.ends, payload, 0, 8));
    script.expect(1, Verdict::drop, Reason::tiny_first);
    script.feed(fragment(flow.ends, payload, 8, 1'000));
    script.expect(2, Verdict::drop, Reason::poisoned);
}

TEST_CASE("lessons: a datagram in fragments is no keepalive, whatever its Length says",
          "[gate][lessons]") {
    // The shipped rules leave keepalives: what follows one's first fragment would pass unchecked.
    const auto mode = GENERATE(Mode::guard, Mode::exclusive);
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    auto payload = udp(flow, Buffer{0xff} + ike_auth(1'491));
    payload[4] = 0;
    payload[5] = 9;
    GateScript script(shipped_policy(mode));
    script.feed(fragment(flow.ends, payload, 0, 1'000));
    CHECK(script.is_held(1));
    script.feed(fragment(flow.ends, payload, 1'000, 1'500));
    script.expect(1, 2, Verdict::drop, Reason::udp_length);
}

TEST_CASE("lessons: pieces forged in a client's name do not keep its message out",
          "[gate][lessons]") {
    // Each source has 8 datagrams; nobody may be locked out by who fills them for him.
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    GateScript script;
    const auto forge = [&](std::uint32_t count) {
        for (std::uint32_t id = 1; id <= count; ++id)
            script.feed(fragment(flow.ends, udp(flow, ike_auth(1'400)), 0, 1'000, id));
    };
    const auto message = udp(flow, ike_auth(4'992));
    SECTION("with all its share taken") {
        forge(8);
        CHECK(script.held_packets() == 8);
        script.feed(fragments(flow.ends, message, 1'000, 100));
        script.expect(9, 13, Verdict::accept, Reason::none);
        script.expect(1, Verdict::drop, Reason::source_limit);
        CHECK(script.is_held(8));
    }
    SECTION("nor with more of them than it has places") {
        forge(20);
        script.feed(fragments(flow.ends, message, 1'000, 5)); // an id of one that made way
        script.expect(21, 25, Verdict::accept, Reason::none);
    }
    SECTION("nor where they have no first fragment") {
        for (std::uint32_t id = 1; id <= 20; ++id)
            script.feed(fragment(flow.ends, udp(flow, ike_auth(1'400)), 1'000, 1'408, id));
        script.feed(fragments(flow.ends, message, 1'000, 5));
        script.expect(21, 25, Verdict::accept, Reason::none);
    }
    SECTION("nor with the table full of others'") {
        forge(2);
        auto other = flow;
        for (std::uint32_t i = 0; i < 1'000; ++i) {
            other.ends.source.bytes[2] = static_cast<std::uint8_t>(100 + i / 250);
            other.ends.source.bytes[3] = static_cast<std::uint8_t>(i % 250);
            script.feed(fragment(other.ends, udp(other, ike_auth(1'400)), 0, 1'000, 7));
        }
        const auto before = script.fed();
        script.feed(fragments(flow.ends, message, 1'000, 100));
        script.expect(before + 1, before + 5, Verdict::accept, Reason::none);
    }
}

TEST_CASE("lessons: the same octets under another name are another datagram's", "[gate][lessons]") {
    // IPv6: a first fragment that calls itself TCP is left; IKE with its octets must not follow it.
    const auto flow = flow6();
    const auto payload = udp(flow, ike_auth(1'492));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 1'000, 0x1234, 6));
    script.expect(1, Verdict::accept, Reason::none);
    script.feed(fragment(flow.ends, payload, 0, 1'000));
    CHECK(script.is_held(2));
    script.feed(fragment(flow.ends, payload, 1'000, 1'500));
    script.expect(2, 3, Verdict::accept, Reason::none);
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
}
