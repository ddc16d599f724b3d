// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/log_message.hpp"

#include "tests/support/daemon/netlink_builder.hpp"

#include <catch2/catch.hpp>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

#include <string>

using namespace ikefrag;
using namespace std::chrono_literals;
using ikefrag::testing::each_truncation;
using ikefrag::testing::NetlinkBuilder;

namespace {

using Vector = std::vector<std::uint8_t>;

NetlinkBuilder logged(std::uint8_t hook) {
    NetlinkBuilder builder(NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET, 2);
    builder.put(NFULA_PACKET_HDR, Vector{8, 0, hook, 0});
    return builder;
}

Vector stamp(std::uint64_t seconds, std::uint64_t microseconds) {
    Vector bytes(16);
    for (std::size_t i = 0; i < 8; ++i) {
        bytes[i] = static_cast<std::uint8_t>(seconds >> 8 * (7 - i));
        bytes[8 + i] = static_cast<std::uint8_t>(microseconds >> 8 * (7 - i));
    }
    return bytes;
}

} // namespace

TEST_CASE("log message: a copy with all that we read", "[kernel]") {
    auto builder = logged(0);
    builder.put(NFULA_TIMESTAMP, stamp(1700000000, 250000)).u32(NFULA_IFINDEX_INDEV, 3);
    builder.u32(NFULA_IFINDEX_OUTDEV, 4).u32(NFULA_SEQ, 99).put(NFULA_PAYLOAD, Vector{0x45, 0});
    builder.nest(NFULA_VLAN, [](NetlinkBuilder& vlan) { vlan.u16(1, 0x8100).u16(2, 0x6064); });
    const auto packet = parse_logged_packet(builder.message());
    REQUIRE(packet);
    CHECK(Vector(packet->bytes.begin(), packet->bytes.end()) == Vector{0x45, 0});
    CHECK(packet->leg == Leg::prerouting);
    CHECK(packet->stamp == Duration(1700000000s) + 250ms);
    CHECK(packet->interface == 3);
    CHECK(packet->sequence == 99u);
    CHECK(packet->vlan == 100);
}

TEST_CASE("log message: the hook tells the leg", "[kernel]") {
    struct Case {
        std::string name;
        std::uint8_t hook;
        std::optional<Leg> leg;
        std::uint32_t interface;
    };
    const Case cases[] = {
        {"prerouting",                     0,   Leg::prerouting,  3},
        {"input is none of ours",          1,   std::nullopt,     0},
        {"forward is none of ours",        2,   std::nullopt,     0},
        {"output: where it goes out",      3,   Leg::output,      4},
        {"postrouting: where it goes out", 4,   Leg::postrouting, 4},
        {"no hook at all",                 200, std::nullopt,     0}
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            auto builder = logged(c.hook);
            builder.u32(NFULA_IFINDEX_INDEV, 3).u32(NFULA_IFINDEX_OUTDEV, 4);
            const auto packet = parse_logged_packet(builder.message());
            REQUIRE(packet.has_value() == c.leg.has_value());
            if (!packet) return;
            CHECK(packet->leg == *c.leg);
            CHECK(packet->interface == c.interface);
        }
}

TEST_CASE("log message: a stamp that cannot be is no stamp", "[kernel]") {
    struct Case {
        std::string name;
        Vector bytes;
        bool stamped;
    };
    const Case cases[] = {
        {"right", stamp(1,           999999),       true},
        {"a million microseconds",       stamp(1, 1000000), false},
        {"beyond what nanoseconds hold",  stamp(~0ull,                   0),   false},
        {"cut",     Vector(15),false         }
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            auto builder = logged(0);
            builder.put(NFULA_TIMESTAMP, c.bytes);
            const auto packet = parse_logged_packet(builder.message());
            REQUIRE(packet);
            CHECK(packet->stamp.has_value() == c.stamped);
        }
}

TEST_CASE("log message: what is none", "[kernel]") {
    NetlinkBuilder config(NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG);
    config.put(NFULA_PACKET_HDR, Vector{8, 0, 0, 0});
    CHECK_FALSE(parse_logged_packet(config.message()));
    NetlinkBuilder queue(NFNL_SUBSYS_QUEUE, 0);
    queue.put(NFULA_PACKET_HDR, Vector{8, 0, 0, 0});
    CHECK_FALSE(parse_logged_packet(queue.message()));
    NetlinkBuilder no_header(NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET);
    CHECK_FALSE(parse_logged_packet(no_header.message()));
}

TEST_CASE("log message: cut anywhere it stays inside its bytes", "[kernel]") {
    auto builder = logged(4);
    builder.put(NFULA_TIMESTAMP, stamp(1, 2)).u32(NFULA_SEQ, 1).put(NFULA_PAYLOAD, Vector(20, 7));
    std::size_t read = 0;
    each_truncation(builder.bytes(), [&](Bytes cut) {
        each_message(cut, [&](const nlmsghdr& message) {
            const auto packet = parse_logged_packet(message);
            if (!packet) return;
            ++read;
            if (!packet->bytes.empty())
                CHECK(packet->bytes.data() + packet->bytes.size() <= cut.data() + cut.size());
        });
    });
    CHECK(read > 10);
}

TEST_CASE("log message: a packet's length by its own header", "[kernel]") {
    Vector v4(20);
    v4[0] = 0x45;
    v4[2] = 0x05;
    v4[3] = 0xdc;
    Vector v6(40);
    v6[0] = 0x60;
    v6[4] = 0x01;
    CHECK(packet_length(v4) == 1500u);
    CHECK(packet_length(v6) == 296u);
    CHECK_FALSE(packet_length(Bytes(v4).first(19)));
    CHECK_FALSE(packet_length(Bytes(v6).first(39)));
    CHECK_FALSE(packet_length({}));
    CHECK_FALSE(packet_length(Vector(40, 0x50)));
}

TEST_CASE("log settings: the group's number is in the header, big-endian", "[kernel]") {
    const auto bind = encode_log_bind(0x1234);
    REQUIRE(bind.size() == 28);
    CHECK(bind[4] == NFULNL_MSG_CONFIG);
    CHECK(bind[5] == NFNL_SUBSYS_ULOG);
    CHECK(bind[18] == 0x12);
    CHECK(bind[19] == 0x34);
    CHECK(bind[24] == NFULNL_CFG_CMD_BIND);
    const auto settings = encode_log_settings(1);
    REQUIRE(settings.size() == 20 + 12 + 3 * 8 + 8);
    // mode: attribute 2, whole packets, COPY_PACKET
    CHECK(Vector(settings.begin() + 20, settings.begin() + 32) ==
          Vector{10, 0, 2, 0, 0, 0, 0xff, 0xff, 2, 0, 0, 0});
}
