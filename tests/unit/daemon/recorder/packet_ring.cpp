// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/packet_ring.hpp"

#include "tests/support/plugin/packets.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace ikefrag;
using test::operator+;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t capacity = std::size_t{1} << 20;
const TimePoint start{1'700'000'000s};

IpAddress address(std::uint32_t number) {
    const std::uint8_t four[] = {10,
                                 static_cast<std::uint8_t>(number >> 16),
                                 static_cast<std::uint8_t>(number >> 8),
                                 static_cast<std::uint8_t>(number)};
    return IpAddress::v4(four);
}
const IpAddress server = address(0xff0005);

test::Buffer packet_of(std::uint32_t client, std::size_t size, std::uint8_t fill = 7) {
    return test::ip({address(client), server}, 17, test::Buffer(size, fill));
}

RecordedPacket recorded(const test::Buffer& bytes, TimePoint time) {
    return {time, Leg::prerouting, bytes, static_cast<std::uint32_t>(bytes.size())};
}

std::vector<RecordedPacket> all_of(const PacketRing& ring, std::uint32_t client) {
    const std::vector<AddressPair> pairs{
        {address(client), server}
    };
    return ring.select(pairs, start - 1h, start + 24h);
}

} // namespace

TEST_CASE("packet ring: gives the packets of a pair, either way, and no others'", "[recorder]") {
    PacketRing ring(capacity, 60s);
    const auto there = packet_of(1, 100);
    const auto back = test::ip({server, address(1)}, 17, test::Buffer(50, 9));
    CHECK(ring.add(recorded(there, start)));
    CHECK(ring.add(recorded(packet_of(2, 100), start)));
    CHECK(ring.add(recorded(back, start + 1s)));
    const auto packets = all_of(ring, 1);
    REQUIRE(packets.size() == 2);
    CHECK(std::ranges::equal(packets[0].bytes, there));
    CHECK(std::ranges::equal(packets[1].bytes, back));
    CHECK(ring.packets() == 3);
    CHECK(ring.oldest() == start);
}

TEST_CASE("packet ring: by time, whatever order they came in", "[recorder]") {
    PacketRing ring(capacity, 60s);
    for (const auto second : {3, 1, 2, 5, 4})
        CHECK(ring.add(recorded(packet_of(1, 40, static_cast<std::uint8_t>(second)),
                                start + std::chrono::seconds(second))));
    const auto packets = all_of(ring, 1);
    REQUIRE(packets.size() == 5);
    for (std::size_t i = 0; i < 5; ++i) CHECK(packets[i].bytes.back() == i + 1);
    const std::vector<AddressPair> pairs{
        {address(1), server}
    };
    CHECK(ring.select(pairs, start + 2s, start + 4s).size() == 3);
}

TEST_CASE("packet ring: an ICMP error about a pair is its packet, too", "[recorder]") {
    struct Row {
        const char* name;
        Family family;
        std::uint8_t protocol;
    };
    const auto row = GENERATE(Row{"ipv4", Family::ipv4, 1}, Row{"ipv6", Family::ipv6, 58});
    CAPTURE(row.name);
    const auto flow = test::flow_of(row.family);
    auto quote = test::Buffer{3, 4, 0, 0, 0, 0, 0, 0} + test::udp_packet(flow, test::ike_auth(200));
    auto router = flow.ends.source;
    router.bytes[3] ^= 0x55;
    const auto error = test::ip({router, flow.ends.source}, row.protocol, quote);
    PacketRing ring(capacity, 60s);
    CHECK(ring.add(recorded(error, start)));
    const std::vector<AddressPair> pairs{
        {flow.ends.source, flow.ends.destination}
    };
    CHECK(ring.select(pairs, start, start).size() == 1);
    test::for_each_truncation(error, [&](Bytes part) {
        (void)quoted_pair_of(part);
        (void)pair_of(part);
    });
}

TEST_CASE("packet ring: the oldest go when it is full, and what is kept is whole", "[recorder]") {
    const auto seed = GENERATE(1u, 2u, 3u);
    CAPTURE(seed);
    std::mt19937 random(seed);
    PacketRing ring(capacity, 24h);
    constexpr std::uint32_t count = 3000;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto size = 8 + random() % 1400;
        REQUIRE(
            ring.add(recorded(packet_of(i, size, static_cast<std::uint8_t>(i)), start + i * 1s)));
        REQUIRE(ring.bytes() <= capacity);
    }
    CHECK(ring.packets() < count);
    CHECK(ring.bytes() > capacity / 2); // it is used, not only bounded
    const auto kept = static_cast<std::uint32_t>(ring.packets());
    for (std::uint32_t i = count % 7; i < count; i += i + 20 < count - kept ? 29 : 7) {
        const auto packets = all_of(ring, i);
        REQUIRE(packets.size() == (i < count - kept ? 0u : 1u)); // the newest, without a hole
        if (packets.empty()) continue;
        const auto body = packets[0].bytes.subspan(20);
        CHECK(std::ranges::all_of(body, [&](auto b) { return b == static_cast<std::uint8_t>(i); }));
    }
}

TEST_CASE("packet ring: tiny packets cannot make its bookkeeping grow", "[recorder]") {
    PacketRing ring(capacity, 24h);
    for (std::uint32_t i = 0; i < 20'000; ++i) CHECK(ring.add(recorded(packet_of(i, 8), start)));
    CHECK(ring.packets() <= capacity / 4 / 160);
    CHECK(all_of(ring, 19'999).size() == 1);
}

TEST_CASE("packet ring: a flood of one pair does not push out others", "[recorder]") {
    PacketRing ring(capacity, 60s);
    CHECK(ring.add(recorded(packet_of(1, 1000), start)));
    std::size_t taken = 0;
    for (int i = 0; i < 10'000; ++i)
        taken += std::size_t{ring.add(recorded(packet_of(2, 1400), start))};
    CHECK(taken * 1420 <= capacity / 8);
    CHECK(taken > 50);
    CHECK(all_of(ring, 1).size() == 1);
    ring.expire(start + 61s); // and its share comes back
    CHECK(ring.packets() == 0);
    CHECK(ring.bytes() == 0);
    CHECK(ring.add(recorded(packet_of(2, 1400), start)));
}

TEST_CASE("packet ring: leaves out what is no IP packet", "[recorder]") {
    PacketRing ring(capacity, 60s);
    const auto whole = packet_of(1, 8);
    for (std::size_t size = 0; size < 20; ++size)
        CHECK_FALSE(
            ring.add(recorded({whole.begin(), whole.begin() + static_cast<long>(size)}, start)));
    CHECK_FALSE(ring.add(recorded(test::Buffer(60, 0x33), start)));
    CHECK(ring.packets() == 0);
}
