// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/log_message.hpp"

#include "daemon/kernel/netlink_message.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>

namespace ikefrag {

namespace {

/// The kernel flushes its buffer at 64 packets or after this many hundredths of a second.
constexpr std::uint32_t flush_packets = 64;
constexpr std::uint32_t flush_hundredths = 1;
/// The kernel's own limit of one datagram of copies.
constexpr std::uint32_t datagram_bytes = 131072;

std::optional<Leg> leg_of_hook(std::uint8_t hook) noexcept {
    switch (hook) {
    case NF_INET_PRE_ROUTING: return Leg::prerouting;
    case NF_INET_LOCAL_OUT: return Leg::output;
    case NF_INET_POST_ROUTING: return Leg::postrouting;
    default: return std::nullopt;
    }
}

std::optional<Duration> stamp_of(const nlattr& attribute) noexcept {
    if (mnl_attr_get_payload_len(&attribute) < sizeof(nfulnl_msg_packet_timestamp))
        return std::nullopt;
    const Bytes bytes = attribute_bytes(attribute);
    std::uint64_t seconds = 0;
    std::uint64_t microseconds = 0;
    for (std::size_t i = 0; i < 8; ++i) {
        seconds = seconds << 8 | bytes[i];
        microseconds = microseconds << 8 | bytes[8 + i];
    }
    if (seconds > 0xffffffffu * 2ull || microseconds >= 1'000'000) return std::nullopt;
    return std::chrono::seconds(seconds) + std::chrono::microseconds(microseconds);
}

std::uint16_t vlan_of(const nlattr& nest) noexcept {
    std::uint16_t vlan = 0;
    each_attribute_of(attribute_bytes(nest), [&](const nlattr& one) {
        if (mnl_attr_get_type(&one) == NFULA_VLAN_TCI)
            vlan = static_cast<std::uint16_t>(big_endian_16(one) & 0x0fff);
    });
    return vlan;
}

template <class Put>
std::vector<std::uint8_t> encode_config(std::uint16_t group, Put&& put) {
    MessageWriter writer(1024);
    nlmsghdr* message =
        writer.begin(NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, AF_UNSPEC, group);
    put(message);
    writer.end(message);
    return {writer.bytes().begin(), writer.bytes().end()};
}

} // namespace

std::optional<LoggedPacket> parse_logged_packet(const nlmsghdr& message) noexcept {
    if (message.nlmsg_type != (NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET)) return std::nullopt;
    LoggedPacket packet;
    std::optional<Leg> leg;
    std::uint32_t in = 0;
    std::uint32_t out = 0;
    each_attribute(message, sizeof(nfgenmsg), [&](const nlattr& one) {
        switch (mnl_attr_get_type(&one)) {
        case NFULA_PACKET_HDR:
            if (mnl_attr_get_payload_len(&one) >= sizeof(nfulnl_msg_packet_hdr))
                leg = leg_of_hook(attribute_bytes(one)[2]);
            break;
        case NFULA_PAYLOAD: packet.bytes = attribute_bytes(one); break;
        case NFULA_TIMESTAMP: packet.stamp = stamp_of(one); break;
        case NFULA_IFINDEX_INDEV: in = big_endian_32(one); break;
        case NFULA_IFINDEX_OUTDEV: out = big_endian_32(one); break;
        case NFULA_VLAN: packet.vlan = vlan_of(one); break;
        case NFULA_SEQ: packet.sequence = big_endian_32(one); break;
        default: break;
        }
    });
    if (!leg) return std::nullopt;
    packet.leg = *leg;
    packet.interface = *leg == Leg::prerouting ? in : out;
    return packet;
}

std::optional<std::uint32_t> packet_length(Bytes packet) noexcept {
    const auto word = [&](std::size_t at) {
        return static_cast<std::uint32_t>(packet[at] << 8 | packet[at + 1]);
    };
    if (packet.size() >= 20 && packet[0] >> 4 == 4) return word(2);
    if (packet.size() >= 40 && packet[0] >> 4 == 6) return word(4) + 40;
    return std::nullopt;
}

std::vector<std::uint8_t> encode_log_bind(std::uint16_t group) {
    return encode_config(group, [](nlmsghdr* message) {
        nfulnl_msg_config_cmd command{};
        command.command = NFULNL_CFG_CMD_BIND;
        mnl_attr_put(message, NFULA_CFG_CMD, sizeof command, &command);
    });
}

std::vector<std::uint8_t> encode_log_settings(std::uint16_t group) {
    return encode_config(group, [](nlmsghdr* message) {
        nfulnl_msg_config_mode mode{};
        mode.copy_range = htonl(0xffff);
        mode.copy_mode = NFULNL_COPY_PACKET;
        mnl_attr_put(message, NFULA_CFG_MODE, sizeof mode, &mode);
        mnl_attr_put_u32(message, NFULA_CFG_NLBUFSIZ, htonl(datagram_bytes));
        mnl_attr_put_u32(message, NFULA_CFG_TIMEOUT, htonl(flush_hundredths));
        mnl_attr_put_u32(message, NFULA_CFG_QTHRESH, htonl(flush_packets));
        mnl_attr_put_u16(message, NFULA_CFG_FLAGS, htons(NFULNL_CFG_F_SEQ));
    });
}

} // namespace ikefrag
