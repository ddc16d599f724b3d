// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: what is read of a datagram of copies lies within it, and written anew as the kernel
// would reads the same; a datagram cut short gives the first of the same copies, never others.
#include "daemon/kernel/log_message.hpp"

#include "tests/fuzz/choices.hpp"
#include "tests/support/daemon/netlink_builder.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

using namespace ikefrag;
using namespace ikefrag::test;
using ikefrag::testing::NetlinkBuilder;

namespace {

struct Copied {
    LoggedPacket packet;
    ByteVector bytes;
};

bool same(const Copied& a, const Copied& b) {
    return a.bytes == b.bytes && a.packet.leg == b.packet.leg && a.packet.stamp == b.packet.stamp &&
           a.packet.interface == b.packet.interface && a.packet.vlan == b.packet.vlan &&
           a.packet.sequence == b.packet.sequence;
}

std::vector<Copied> read_all(Bytes datagram) {
    std::vector<Copied> all;
    each_message(datagram, [&](const nlmsghdr& message) {
        if (const auto packet = parse_logged_packet(message)) {
            must(lies_within(packet->bytes, datagram));
            const auto length = packet_length(packet->bytes);
            must(!length || *length <= 65'535u + 40u);
            all.push_back({
                *packet, {packet->bytes.begin(), packet->bytes.end()}
            });
        }
    });
    return all;
}

std::uint8_t hook_of(Leg leg) {
    if (leg == Leg::output) return NF_INET_LOCAL_OUT;
    return leg == Leg::postrouting ? NF_INET_POST_ROUTING : NF_INET_PRE_ROUTING;
}

ByteVector written(const Copied& copied) {
    NetlinkBuilder builder(NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET, 2);
    const auto& packet = copied.packet;
    builder.put(NFULA_PACKET_HDR, ByteVector{8, 0, hook_of(packet.leg), 0});
    if (packet.stamp) {
        const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(*packet.stamp);
        const auto left = *packet.stamp - seconds;
        ByteVector stamp(16);
        for (std::size_t i = 0; i < 8; ++i) {
            stamp[i] = static_cast<std::uint8_t>(seconds.count() >> (56 - 8 * i));
            stamp[8 + i] = static_cast<std::uint8_t>(left.count() / 1000 >> (56 - 8 * i));
        }
        builder.put(NFULA_TIMESTAMP, stamp);
    }
    const bool comes_in = packet.leg == Leg::prerouting;
    builder.u32(comes_in ? NFULA_IFINDEX_INDEV : NFULA_IFINDEX_OUTDEV, packet.interface);
    builder.nest(NFULA_VLAN, [&](NetlinkBuilder& vlan) { vlan.u16(NFULA_VLAN_TCI, packet.vlan); });
    if (packet.sequence) builder.u32(NFULA_SEQ, *packet.sequence);
    builder.put(NFULA_PAYLOAD, copied.bytes);
    return builder.bytes();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Choices choices(data, size);
    const auto cut_at = choices.u16();
    const ByteVector datagram(choices.rest().begin(), choices.rest().end());
    const auto whole = read_all(datagram);
    for (const auto& copied : whole) {
        const auto bytes = written(copied);
        const auto again = read_all(bytes);
        must(again.size() == 1 && same(again[0], copied));
    }
    const ByteVector front(datagram.begin(),
                           datagram.begin() + cut_at % (static_cast<int>(datagram.size()) + 1));
    const auto part = read_all(front);
    must(part.size() <= whole.size());
    for (std::size_t i = 0; i < part.size(); ++i) must(same(part[i], whole[i]));
    return 0;
}
