// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/attempt_file.hpp"

#include "daemon/capture/reader.hpp"
#include "daemon/recorder/capture_store.hpp"

#include "tests/support/daemon/story.hpp"
#include "tests/support/daemon/temporary_file.hpp"
#include "tests/support/plugin/packets.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using test::operator+;
using testing::partial_story;

namespace {

bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

struct Read {
    std::vector<test::Buffer> packets;
    std::vector<std::uint32_t> original;
    bool truncated = false;
};

Read read_back(const std::string& content) {
    const testing::TemporaryFile file(content);
    auto reader = CaptureReader::open(file.open());
    REQUIRE(reader);
    Read out;
    Record record;
    while (reader->next(record)) {
        CHECK(record.link_type == 101);
        out.packets.emplace_back(record.bytes.begin(), record.bytes.end());
        out.original.push_back(record.original_bytes);
    }
    out.truncated = reader->truncated();
    return out;
}

RecordedPacket recorded(const test::Buffer& bytes, Leg leg = Leg::prerouting) {
    return {TimePoint(std::chrono::seconds(1'800'000'000)),
            leg,
            bytes,
            static_cast<std::uint32_t>(bytes.size())};
}

std::uint16_t complement(std::uint16_t sum) { return static_cast<std::uint16_t>(~sum); }

/// A packet's checksums by the book: 0 where they are right.
std::uint16_t udp_sum(const test::Buffer& packet) {
    const bool v4 = packet[0] >> 4 == 4;
    const auto body = v4 ? std::size_t{20} : std::size_t{40};
    const Bytes addresses = Bytes(packet).subspan(v4 ? 12 : 8, v4 ? 8 : 32);
    const auto length = static_cast<std::uint32_t>(packet.size() - body);
    std::uint32_t sum = 17 + length;
    for (std::size_t i = 0; i < addresses.size(); i += 2)
        sum += addresses[i] * 256u + addresses[i + 1];
    return complement(test::checksum(Bytes(packet).subspan(body), sum));
}
std::uint16_t header_sum(const test::Buffer& packet) {
    return complement(test::checksum(Bytes(packet).first(20)));
}

} // namespace

TEST_CASE("attempt file: all packets, and the diagnosis as comment", "[recorder]") {
    const auto story = partial_story();
    const test::Ends ends{story.handshake.client.address, story.handshake.server.address};
    const auto pieces = test::fragments(ends, test::udp({ends}, test::ike_auth(4000)), 1480);
    std::vector<RecordedPacket> packets;
    for (const auto& piece : pieces) packets.push_back(recorded(piece));
    auto cut = recorded(pieces[0], Leg::postrouting);
    cut.bytes = cut.bytes.first(128);
    packets.push_back(cut);
    const auto file =
        attempt_file(story.handshake, &story.findings[0], "vpn1", packets, 1 << 20, false);
    const auto read = read_back(file);
    REQUIRE(read.packets.size() == pieces.size() + 1);
    for (std::size_t i = 0; i < pieces.size(); ++i) CHECK(read.packets[i] == pieces[i]);
    CHECK(read.packets.back().size() == 128);
    CHECK(read.original.back() == pieces[0].size());
    CHECK_FALSE(read.truncated);
    for (const auto* part : {"D04 auth_partial_ipfrag",
                             "What happened to 203.0.113.7, in one sentence.",
                             "What 203.0.113.7 must change.",
                             "+0.100 s: seen of 203.0.113.7",
                             "(vpn1)",
                             "arriving",
                             "leaving"})
        CHECK(contains(file, part));
}

TEST_CASE("attempt file: no larger than asked, and says what it lacks", "[recorder]") {
    const auto story = partial_story();
    const auto packet = test::udp_packet(
        {
            {story.handshake.client.address, story.handshake.server.address}
    },
        test::ike_auth(1000));
    const std::vector<RecordedPacket> packets(200, recorded(packet));
    const auto file = attempt_file(story.handshake, nullptr, "", packets, 65536, false);
    CHECK(file.size() <= 65536);
    const auto kept = read_back(file).packets.size();
    CHECK(kept > 40);
    CHECK(contains(file, std::to_string(200 - kept) + " later packets did not fit."));
    CHECK(contains(file, "No diagnosis explains it."));
}

TEST_CASE("attempt file: hostile text cannot reach a terminal through the comment", "[recorder]") {
    auto story = partial_story();
    story.findings[0].sentence = "\x1b[2J\nrogue line\x07\xff";
    const auto file =
        attempt_file(story.handshake, &story.findings[0], "vpn\x1b[1m", {}, 65536, false);
    CHECK_FALSE(contains(file, "\x1b"));
    CHECK_FALSE(contains(file, "\nrogue"));
    CHECK(contains(file, "\\x1b[2J\\x0arogue line\\x07\\xff"));
}

TEST_CASE("attempt file: masked, no packet and no comment has the client's address", "[recorder]") {
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    CAPTURE(static_cast<int>(family));
    auto story = partial_story();
    const auto flow = test::flow_of(family);
    auto& handshake = story.handshake;
    handshake.client = {flow.ends.source, 500};
    handshake.server = {flow.ends.destination, 500};
    for (auto& message : handshake.messages) {
        const bool there = message.direction == Direction::to_server;
        message.source = there ? handshake.client : handshake.server;
        message.destination = there ? handshake.server : handshake.client;
    }
    const auto request = test::udp_packet(flow, test::ike_auth(300));
    const auto answer = test::udp_packet(test::reversed(flow), test::ike_auth(301));
    const auto pieces = test::fragments(flow.ends, test::udp(flow, test::ike_auth(3000)), 1480);
    std::vector<RecordedPacket> packets{recorded(request), recorded(answer)};
    for (const auto& piece : pieces) packets.push_back(recorded(piece));
    const auto file = attempt_file(handshake, &story.findings[0], "vpn1", packets, 1 << 20, true);
    CHECK_FALSE(contains(file, to_string(flow.ends.source) + ' '));
    const auto read = read_back(file);
    REQUIRE(read.packets.size() == packets.size());
    const auto address = flow.ends.source.view();
    for (std::size_t i = 0; i < read.packets.size(); ++i) {
        CAPTURE(i);
        const auto& packet = read.packets[i];
        CHECK(std::search(packet.begin(), packet.begin() + 40, address.begin(), address.end()) ==
              packet.begin() + 40);
        CHECK(packet.size() == packets[i].bytes.size());
        if (family == Family::ipv4) CHECK(header_sum(packet) == 0);
        if (i < 2) CHECK(udp_sum(packet) == 0);
    }
    // The fragments still make one datagram with a right checksum.
    const std::size_t header = family == Family::ipv4 ? 20 : 48;
    test::Buffer whole(read.packets[2].begin(),
                       read.packets[2].begin() + (family == Family::ipv4 ? 20 : 40));
    for (std::size_t i = 2; i < read.packets.size(); ++i)
        whole.insert(whole.end(),
                     read.packets[i].begin() + static_cast<long>(header),
                     read.packets[i].end());
    CHECK(udp_sum(whole) == 0);
}

TEST_CASE("attempt file: a wrong checksum stays wrong, an absent one absent", "[recorder]") {
    const auto flow = test::flow4();
    auto wrong = test::udp_packet(flow, test::ike_auth(100));
    wrong[26] ^= 0x40;
    auto absent = test::udp_packet(flow, test::ike_auth(100));
    absent[26] = absent[27] = 0;
    const auto to = *parse_address("192.0.2.0");
    for (auto* packet : {&wrong, &absent}) replace_address(*packet, flow.ends.source, to);
    CHECK(udp_sum(wrong) != 0);
    CHECK(header_sum(wrong) == 0);
    CHECK((absent[26] == 0 && absent[27] == 0));
}

TEST_CASE("attempt file: addresses that ICMP quotes are replaced, its checksum stays right",
          "[recorder]") {
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    CAPTURE(static_cast<int>(family));
    const auto flow = test::flow_of(family);
    auto router = flow.ends.destination;
    router.bytes[3] ^= 0x55;
    const bool v4 = family == Family::ipv4;
    auto body = test::Buffer{3, 4, 0, 0, 0, 0, 5, 0} + test::udp_packet(flow, test::ike_auth(100));
    auto packet = test::ip({router, flow.ends.source}, v4 ? 1 : 58, body);
    const std::size_t at = v4 ? 20 : 40;
    const auto icmp_sum = [&](const test::Buffer& whole) {
        std::uint32_t sum = 0;
        if (!v4) {
            sum = 58 + static_cast<std::uint32_t>(whole.size() - at);
            for (std::size_t i = 8; i < 40; i += 2) sum += whole[i] * 256u + whole[i + 1];
        }
        return complement(test::checksum(Bytes(whole).subspan(at), sum));
    };
    const auto right = icmp_sum(packet);
    packet[at + 2] = static_cast<std::uint8_t>(right >> 8);
    packet[at + 3] = static_cast<std::uint8_t>(right);
    REQUIRE(icmp_sum(packet) == 0);
    const auto to = prefix_of(flow.ends.source, v4 ? 24 : 56).address;
    const auto before = packet;
    replace_address(packet, flow.ends.source, to);
    CHECK(packet != before);
    CHECK(icmp_sum(packet) == 0);
    const auto address = flow.ends.source.view();
    CHECK(std::search(packet.begin(), packet.end(), address.begin(), address.end()) ==
          packet.end());
    test::for_each_truncation(before, [&](Bytes part) {
        test::Buffer copy(part.begin(), part.end());
        replace_address(copy, flow.ends.source, to);
        CHECK(copy.size() == part.size());
    });
}

TEST_CASE("attempt file: its name tells, and is read back", "[recorder]") {
    auto story = partial_story();
    const auto name = attempt_file_name(story.handshake, &story.findings[0], false);
    CHECK(name ==
          "20270115T080000.000000Z_203.0.113.7_0011223344556677_auth_partial_ipfrag.pcapng");
    const auto parsed = parse_capture_name(name);
    REQUIRE(parsed);
    CHECK(parsed->time == "2027-01-15T08:00:00.000000Z");
    CHECK(parsed->client == "203.0.113.7");
    CHECK(parsed->initiator_spi == "0011223344556677");
    CHECK(parsed->diagnosis == "auth_partial_ipfrag");
    story.handshake.client.address = *parse_address("2001:db8::5");
    CHECK(parse_capture_name(attempt_file_name(story.handshake, nullptr, false))->client ==
          "2001:db8::5");
    CHECK(parse_capture_name(attempt_file_name(story.handshake, nullptr, true))->client ==
          "2001:db8::");
    for (const auto* other : {"",
                              "x.pcapng",
                              "../../etc/passwd",
                              "a_b_c_d.pcapng",
                              "20270115T080000.000000Z_203.0.113.7_00.pcapng",
                              "20270115T080000.000000Z_203.0.113.7_0011223344556677_x/y.pcapng",
                              "20270115T080000.000000Z_203.0.113.777_0011223344556677_x.pcapng"})
        CHECK_FALSE(parse_capture_name(other));
}

TEST_CASE("attempt file: pairs before and behind NAT, each once", "[recorder]") {
    auto story = partial_story();
    auto& handshake = story.handshake;
    handshake.server_inside = *parse_address("10.0.0.5");
    for (auto& message : handshake.messages) {
        message.source = handshake.client;
        message.destination = handshake.server;
        message.left_destination = Endpoint{*handshake.server_inside, 500};
    }
    CHECK(pairs_of(handshake) == std::vector<AddressPair>{
                                     {handshake.client.address, handshake.server.address},
                                     {handshake.client.address, *handshake.server_inside}
    });
}
