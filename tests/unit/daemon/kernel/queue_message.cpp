// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/queue_message.hpp"

#include "tests/support/daemon/netlink_builder.hpp"

#include <catch2/catch.hpp>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <cerrno>
#include <cstring>
#include <string>

using namespace ikefrag;
using ikefrag::testing::each_truncation;
using ikefrag::testing::NetlinkBuilder;

namespace {

using Vector = std::vector<std::uint8_t>;

/// id 0x01020304, IPv4, prerouting.
const Vector packet_header{1, 2, 3, 4, 8, 0, 0};

NetlinkBuilder queued(const Vector& payload) {
    NetlinkBuilder builder(NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET, 2);
    builder.put(NFQA_PACKET_HDR, packet_header).put(NFQA_PAYLOAD, payload);
    return builder;
}

Vector copy_of(Bytes bytes) { return {bytes.begin(), bytes.end()}; }

/// Bytes as "01 02 ff".
std::string hex(Bytes bytes) {
    std::string text;
    for (const auto byte : bytes) {
        const std::string digits = "0123456789abcdef";
        if (!text.empty()) text += ' ';
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace

TEST_CASE("queue message: a packet with all that we read", "[kernel]") {
    auto builder = queued({0x45, 1, 2, 3, 4});
    builder.u32(NFQA_IFINDEX_INDEV, 7).u32(NFQA_MARK, 0xabcd).u32(NFQA_CAP_LEN, 1500);
    builder.u32(NFQA_SKB_INFO, 1);
    builder.nest(19, [](NetlinkBuilder& vlan) { vlan.u16(1, 0x8100).u16(2, 0xe00a); });
    const auto bytes = builder.bytes();
    const auto message = parse_queue_message(bytes);
    const auto* packet = std::get_if<QueuedPacket>(&message);
    REQUIRE(packet != nullptr);
    CHECK(packet->id.value == 0x01020304);
    CHECK(copy_of(packet->bytes) == Vector{0x45, 1, 2, 3, 4});
    CHECK(packet->packet_bytes == 1500);
    CHECK(packet->interface == 7);
    CHECK(packet->mark == 0xabcd);
    CHECK(packet->vlan == 10);
}

TEST_CASE("queue message: a whole copy needs no length of its own", "[kernel]") {
    const auto bytes = queued({0x45, 1, 2}).bytes();
    const auto message = parse_queue_message(bytes);
    const auto& packet = std::get<QueuedPacket>(message);
    CHECK(packet.packet_bytes == 3);
    CHECK(packet.mark == 0);
    CHECK(packet.vlan == 0);
}

TEST_CASE("queue message: a packet without payload still has an id to answer", "[kernel]") {
    NetlinkBuilder builder(NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET);
    builder.put(NFQA_PACKET_HDR, packet_header);
    const auto bytes = builder.bytes();
    CHECK(std::get<QueuedPacket>(parse_queue_message(bytes)).id.value == 0x01020304);
}

TEST_CASE("queue message: what is none", "[kernel]") {
    struct Case {
        std::string name;
        Vector bytes;
    };
    NetlinkBuilder no_header(NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET);
    no_header.put(NFQA_PAYLOAD, packet_header);
    NetlinkBuilder short_header(NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET);
    short_header.put(NFQA_PACKET_HDR, Bytes(packet_header).first(6));
    NetlinkBuilder config(NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG);
    config.put(NFQA_PACKET_HDR, packet_header);
    NetlinkBuilder log(NFNL_SUBSYS_ULOG, NFQNL_MSG_PACKET);
    log.put(NFQA_PACKET_HDR, packet_header);
    const Case cases[] = {
        {"nothing",             {}                  },
        {"no packet header",    no_header.bytes()   },
        {"packet header cut",   short_header.bytes()},
        {"config message",      config.bytes()      },
        {"another subsystem's", log.bytes()         }
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(std::holds_alternative<UnknownMessage>(parse_queue_message(c.bytes)));
        }
}

TEST_CASE("queue message: a length that is negative as an int is none", "[kernel]") {
    // libmnl's own check takes such a message for one that fits, and reads gigabytes past it.
    for (const std::uint8_t highest : {std::uint8_t{0x80}, std::uint8_t{0xff}}) {
        auto bytes = queued({0x45, 1, 2}).bytes();
        bytes[3] = highest;
        CHECK(std::holds_alternative<UnknownMessage>(parse_queue_message(bytes)));
        CHECK(message_bytes(bytes) == bytes.size());
        int seen = 0;
        CHECK_FALSE(each_message(bytes, [&](const nlmsghdr&) { ++seen; }));
        CHECK(seen == 0);
    }
}

TEST_CASE("queue message: cut anywhere it stays inside its bytes", "[kernel]") {
    auto builder = queued(Vector(40, 0x45));
    builder.u32(NFQA_IFINDEX_INDEV, 7).u32(NFQA_CAP_LEN, 1500);
    builder.nest(19, [](NetlinkBuilder& vlan) { vlan.u16(1, 0x8100).u16(2, 10); });
    const auto whole = builder.bytes();
    std::size_t read = 0;
    each_truncation(whole, [&](Bytes cut) {
        const auto message = parse_queue_message(cut);
        const auto* packet = std::get_if<QueuedPacket>(&message);
        if (packet == nullptr) return;
        ++read;
        CHECK(packet->id.value == 0x01020304);
        if (!packet->bytes.empty()) {
            CHECK(packet->bytes.data() >= cut.data());
            CHECK(packet->bytes.data() + packet->bytes.size() <= cut.data() + cut.size());
        }
    });
    CHECK(read > 10); // the cuts behind the packet header, their length field set right
}

TEST_CASE("queue message: a refused verdict names its packet", "[kernel]") {
    Vector bytes(sizeof(nlmsghdr) + sizeof(nlmsgerr));
    nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
    message->nlmsg_type = NLMSG_ERROR;
    auto* error = static_cast<nlmsgerr*>(mnl_nlmsg_put_extra_header(message, sizeof(nlmsgerr)));
    error->error = -ENOENT;
    error->msg.nlmsg_seq = 77;
    const auto parsed = parse_queue_message(bytes);
    const auto* refused = std::get_if<VerdictRefused>(&parsed);
    REQUIRE(refused != nullptr);
    CHECK(refused->id.value == 77);
    CHECK(refused->error == ENOENT);
    CHECK_FALSE(refused->accepted); // the kernel cut what we had sent
    each_truncation(bytes, [&](Bytes cut) {
        if (cut.size() < bytes.size())
            CHECK(std::holds_alternative<UnknownMessage>(parse_queue_message(cut)));
    });
}

TEST_CASE("queue message: a refused run names how many it was for", "[kernel]") {
    VerdictBatch batch(500);
    REQUIRE(batch.add_run({0x01020304}, 12, std::nullopt));
    // The kernel's answer: its own header, the error, then our message as it was.
    Vector bytes(sizeof(nlmsghdr) + sizeof(int));
    nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
    message->nlmsg_type = NLMSG_ERROR;
    const int error = -ENOENT;
    std::memcpy(bytes.data() + sizeof(nlmsghdr), &error, sizeof error);
    bytes.insert(bytes.end(), batch.bytes().begin(), batch.bytes().end());
    const auto length = static_cast<std::uint32_t>(bytes.size());
    std::memcpy(bytes.data(), &length, sizeof length);
    const auto parsed = parse_queue_message(bytes);
    const auto* refused = std::get_if<VerdictRefused>(&parsed);
    REQUIRE(refused != nullptr);
    CHECK(refused->packets == 12);
    CHECK(refused->id.value == 0x01020304);
    CHECK(refused->error == ENOENT);
    CHECK(refused->accepted);
}

TEST_CASE("verdict batch: bytes of a run", "[kernel]") {
    VerdictBatch batch(500);
    REQUIRE(batch.add({7}, Verdict::drop, std::nullopt, {}));
    REQUIRE(batch.add_run({0x01020304}, 12, std::nullopt));
    REQUIRE(batch.add_run({0x01020305}, 2, 0x10u));
    CHECK(batch.count() == 15);
    Bytes left = batch.bytes();
    CHECK(message_packets(left) == 1);
    left = left.subspan(message_bytes(left));
    CHECK(message_packets(left) == 12);
    // type VERDICT_BATCH, sequence = number of packets; VERDICT_HDR: accept, the last id
    CHECK(hex(left.first(message_bytes(left))) ==
          "20 00 00 00 03 03 01 00 0c 00 00 00 00 00 00 00 00 00 01 f4 0c 00 02 00 "
          "00 00 00 01 01 02 03 04");
    left = left.subspan(message_bytes(left));
    CHECK(message_packets(left) == 2);
    CHECK(hex(left) == "28 00 00 00 03 03 01 00 02 00 00 00 00 00 00 00 00 00 01 f4 0c 00 02 00 "
                       "00 00 00 01 01 02 03 05 08 00 03 00 00 00 00 10");
}

TEST_CASE("verdict batch: bytes of one verdict", "[kernel]") {
    struct Case {
        std::string name;
        Verdict verdict;
        std::optional<std::uint32_t> mark;
        Vector replacement;
        std::string expected;
    };
    // length, type VERDICT of subsystem 3, flags REQUEST, sequence = id, port; family, version,
    // queue 500; attribute VERDICT_HDR: verdict, id; attribute MARK; attribute PAYLOAD
    const std::string id = "04 03 02 01 00 00 00 00 00 00 01 f4 0c 00 02 00 ";
    const Case cases[] = {
        {"accept",
         Verdict::accept,
         {},
         {},
         "20 00 00 00 01 03 01 00 " + id + "00 00 00 01 01 02 03 04"                        },
        {"drop",
         Verdict::drop,
         {},
         {},
         "20 00 00 00 01 03 01 00 " + id + "00 00 00 00 01 02 03 04"                        },
        {"merge is a drop to the kernel",
         Verdict::merge,
         {},
         {},
         "20 00 00 00 01 03 01 00 " + id + "00 00 00 00 01 02 03 04"                        },
        {"accept with mark",
         Verdict::accept,
         0x10u, {},
         "28 00 00 00 01 03 01 00 " + id + "00 00 00 01 01 02 03 04 08 00 03 00 00 00 00 10"},
        {"replace carries the packet",
         Verdict::replace,
         {},
         {0x45, 0, 0, 3, 9},
         "2c 00 00 00 01 03 01 00 " + id +
             "00 00 00 01 01 02 03 04 09 00 0a 00 45 00 00 03 09 00 00 00"                  },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            VerdictBatch batch(500);
            REQUIRE(batch.add({0x01020304}, c.verdict, c.mark, c.replacement));
            CHECK(batch.count() == 1);
            CHECK(hex(batch.bytes()) == c.expected);
        }
}

TEST_CASE("verdict batch: keeps order, says when it is full, begins anew", "[kernel]") {
    VerdictBatch batch(0);
    const Vector big(VerdictBatch::max_replacement, 0x45);
    std::uint32_t added = 0;
    while (batch.add({added}, Verdict::replace, std::nullopt, big)) ++added;
    CHECK(added == 2);
    CHECK(batch.count() == 2);
    CHECK(batch.bytes().size() <= VerdictBatch::room);
    std::vector<std::uint32_t> ids;
    Bytes left = batch.bytes();
    while (!left.empty()) {
        ids.push_back(static_cast<std::uint32_t>(left[8] | left[9] << 8));
        left = left.subspan(message_bytes(left));
    }
    CHECK(ids == std::vector<std::uint32_t>{0, 1});
    batch.clear();
    CHECK(batch.empty());
    CHECK(batch.bytes().empty());
    CHECK(batch.add({9}, Verdict::accept, std::nullopt, {}));
}

TEST_CASE("queue settings: bytes of the requests", "[kernel]") {
    // the queue's number is in the header, big-endian, as the lengths are
    CHECK(hex(encode_queue_bind(500)) == "1c 00 00 00 02 03 05 00 00 00 00 00 00 00 00 00 "
                                         "00 00 01 f4 08 00 01 00 01 00 00 00");
    CHECK(hex(encode_queue_unbind(500)) == "1c 00 00 00 02 03 05 00 00 00 00 00 00 00 00 00 "
                                           "00 00 01 f4 08 00 01 00 02 00 00 00");
    CHECK(hex(encode_queue_limits(1, 8192)) ==
          "28 00 00 00 02 03 05 00 00 00 00 00 00 00 00 00 00 00 00 01 "
          "09 00 02 00 00 00 ff ff 02 00 00 00 08 00 03 00 00 00 20 00");
    CHECK(hex(encode_queue_when_full(1, WhenFull::pass)) ==
          "24 00 00 00 02 03 05 00 00 00 00 00 00 00 00 00 00 00 00 01 "
          "08 00 05 00 00 00 00 01 08 00 04 00 00 00 00 01");
    CHECK(hex(encode_queue_when_full(1, WhenFull::drop)) ==
          "24 00 00 00 02 03 05 00 00 00 00 00 00 00 00 00 00 00 00 01 "
          "08 00 05 00 00 00 00 00 08 00 04 00 00 00 00 01");
    // on a worker's own socket nothing but a refusal comes back
    CHECK(hex(unacknowledged(encode_queue_when_full(1, WhenFull::drop))) ==
          "24 00 00 00 02 03 01 00 00 00 00 00 00 00 00 00 00 00 00 01 "
          "08 00 05 00 00 00 00 00 08 00 04 00 00 00 00 01");
}
