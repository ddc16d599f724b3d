// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/queue_message.hpp"

#include "daemon/kernel/netlink_message.hpp"

#include <arpa/inet.h>
#include <libnetfilter_queue/libnetfilter_queue.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include <algorithm>
#include <cassert>
#include <cerrno>
#include <cstring>
#include <limits>

namespace ikefrag {

namespace {

constexpr int packet_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_PACKET;
constexpr int run_type = NFNL_SUBSYS_QUEUE << 8 | NFQNL_MSG_VERDICT_BATCH;
/// NFQA_VLAN and the tag in it: newer than the header libnetfilter_queue 1.0.5 brings along.
constexpr int attribute_vlan = 19;
constexpr int attribute_vlan_tag = 2;
/// Header, nfgenmsg, verdict header and mark, each with its attribute header.
constexpr std::size_t verdict_message_bytes = 16 + 4 + 12 + 8;

std::uint16_t vlan_of(const nlattr& nest) noexcept {
    std::uint16_t vlan = 0;
    each_attribute_of(attribute_bytes(nest), [&](const nlattr& one) {
        if (mnl_attr_get_type(&one) == attribute_vlan_tag)
            vlan = static_cast<std::uint16_t>(big_endian_16(one) & 0x0fff);
    });
    return vlan;
}

QueueMessage parse_packet(const nlmsghdr& message) noexcept {
    QueuedPacket packet;
    bool has_id = false;
    std::optional<std::uint32_t> length;
    each_attribute(message, sizeof(nfgenmsg), [&](const nlattr& one) {
        switch (mnl_attr_get_type(&one)) {
        case NFQA_PACKET_HDR:
            has_id = mnl_attr_get_payload_len(&one) >= sizeof(nfqnl_msg_packet_hdr);
            packet.id = {big_endian_32(one)};
            break;
        case NFQA_PAYLOAD: packet.bytes = attribute_bytes(one); break;
        case NFQA_CAP_LEN: length = big_endian_32(one); break;
        case NFQA_IFINDEX_INDEV: packet.interface = big_endian_32(one); break;
        case NFQA_MARK: packet.mark = big_endian_32(one); break;
        case attribute_vlan: packet.vlan = vlan_of(one); break;
        default: break;
        }
    });
    if (!has_id) return UnknownMessage{};
    packet.packet_bytes = length.value_or(static_cast<std::uint32_t>(packet.bytes.size()));
    return packet;
}

QueueMessage parse_error(const nlmsghdr& message) noexcept {
    const Bytes body = message_body(message, 0);
    if (body.size() < sizeof(nlmsgerr)) return UnknownMessage{};
    const auto* error = static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message));
    constexpr int largest = std::numeric_limits<int>::max();
    VerdictRefused refused{{error->msg.nlmsg_seq}, -std::max(error->error, -largest), false, 1};
    // Behind the error stands our message as we sent it: nfgenmsg, then NFQA_VERDICT_HDR first.
    constexpr std::size_t verdict_at = sizeof(nlmsgerr) + sizeof(nfgenmsg) + sizeof(nlattr);
    nfqnl_msg_verdict_hdr verdict{};
    if (error->msg.nlmsg_type == run_type) refused.packets = error->msg.nlmsg_seq;
    if (body.size() < verdict_at + sizeof verdict) return refused;
    std::memcpy(&verdict, body.data() + verdict_at, sizeof verdict);
    refused.accepted = ntohl(verdict.verdict) == NF_ACCEPT;
    refused.id = {ntohl(verdict.id)};
    return refused;
}

int kernel_verdict(Verdict verdict) noexcept {
    switch (verdict) {
    case Verdict::accept:
    case Verdict::replace: return NF_ACCEPT;
    case Verdict::drop:
    case Verdict::merge: return NF_DROP;
    }
    assert(false);
    return NF_ACCEPT;
}

/// A config message of one queue that `put` completes.
template <class Put>
std::vector<std::uint8_t> encode_config(std::uint16_t queue, Put&& put) {
    std::vector<std::uint8_t> buffer(256);
    nlmsghdr* message =
        nfq_nlmsg_put(reinterpret_cast<char*>(buffer.data()), NFQNL_MSG_CONFIG, queue);
    message->nlmsg_flags |= NLM_F_ACK;
    put(message);
    buffer.resize(message->nlmsg_len);
    return buffer;
}

} // namespace

QueueMessage parse_queue_message(Bytes datagram) noexcept {
    const nlmsghdr* message = first_message(datagram);
    if (message == nullptr) return UnknownMessage{};
    if (message->nlmsg_type == packet_type) return parse_packet(*message);
    if (message->nlmsg_type == NLMSG_ERROR) return parse_error(*message);
    return UnknownMessage{};
}

std::size_t message_bytes(Bytes batch) noexcept {
    const nlmsghdr* message = first_message(batch);
    return message == nullptr ? batch.size()
                              : std::min(netlink_aligned(message->nlmsg_len), batch.size());
}

std::size_t message_packets(Bytes batch) noexcept {
    const nlmsghdr* message = first_message(batch);
    return message != nullptr && message->nlmsg_type == run_type ? message->nlmsg_seq : 1;
}

VerdictBatch::VerdictBatch(std::uint16_t queue) : queue_(queue), buffer_(room) {}

bool VerdictBatch::add(PacketId id,
                       Verdict verdict,
                       std::optional<std::uint32_t> mark,
                       Bytes replacement) {
    const std::size_t needed = verdict_message_bytes + replacement.size() + 8;
    assert(replacement.size() <= max_replacement);
    if (needed > buffer_.size() - used_) return false;
    nlmsghdr* message =
        nfq_nlmsg_put(reinterpret_cast<char*>(buffer_.data() + used_), NFQNL_MSG_VERDICT, queue_);
    message->nlmsg_seq = id.value;
    nfq_nlmsg_verdict_put(message, static_cast<int>(id.value), kernel_verdict(verdict));
    if (mark) nfq_nlmsg_verdict_put_mark(message, *mark);
    if (verdict == Verdict::replace)
        nfq_nlmsg_verdict_put_pkt(
            message, replacement.data(), static_cast<std::uint32_t>(replacement.size()));
    used_ += netlink_aligned(message->nlmsg_len);
    ++count_;
    return true;
}

bool VerdictBatch::add_run(PacketId last,
                           std::uint32_t packets,
                           std::optional<std::uint32_t> mark) {
    if (verdict_message_bytes > buffer_.size() - used_) return false;
    nlmsghdr* message = nfq_nlmsg_put(
        reinterpret_cast<char*>(buffer_.data() + used_), NFQNL_MSG_VERDICT_BATCH, queue_);
    message->nlmsg_seq = packets;
    nfq_nlmsg_verdict_put(message, static_cast<int>(last.value), NF_ACCEPT);
    if (mark) nfq_nlmsg_verdict_put_mark(message, *mark);
    used_ += netlink_aligned(message->nlmsg_len);
    count_ += packets;
    return true;
}

std::vector<std::uint8_t> encode_queue_bind(std::uint16_t queue) {
    return encode_config(queue, [](nlmsghdr* message) {
        nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_BIND);
    });
}

std::vector<std::uint8_t> encode_queue_unbind(std::uint16_t queue) {
    return encode_config(queue, [](nlmsghdr* message) {
        nfq_nlmsg_cfg_put_cmd(message, AF_UNSPEC, NFQNL_CFG_CMD_UNBIND);
    });
}

std::vector<std::uint8_t> encode_queue_limits(std::uint16_t queue, std::uint32_t max_length) {
    return encode_config(queue, [&](nlmsghdr* message) {
        nfq_nlmsg_cfg_put_params(message, NFQNL_COPY_PACKET, 0xffff);
        nfq_nlmsg_cfg_put_qmaxlen(message, max_length);
    });
}

std::vector<std::uint8_t> encode_queue_when_full(std::uint16_t queue, WhenFull full) {
    return encode_config(queue, [&](nlmsghdr* message) {
        mnl_attr_put_u32(
            message, NFQA_CFG_FLAGS, htonl(full == WhenFull::pass ? NFQA_CFG_F_FAIL_OPEN : 0));
        mnl_attr_put_u32(message, NFQA_CFG_MASK, htonl(NFQA_CFG_F_FAIL_OPEN));
    });
}

std::vector<std::uint8_t> unacknowledged(std::vector<std::uint8_t> request) {
    assert(request.size() >= sizeof(nlmsghdr));
    nlmsghdr header{};
    std::memcpy(&header, request.data(), sizeof header);
    header.nlmsg_flags &= static_cast<std::uint16_t>(~NLM_F_ACK);
    std::memcpy(request.data(), &header, sizeof header);
    return request;
}

} // namespace ikefrag
