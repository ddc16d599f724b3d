// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: what is read of a queue message lies within it, does not change with bytes behind it,
// and written anew as the kernel would reads the same; a batch of verdicts is so many messages,
// each naming its packet; the kernel's refusal of one names that packet and what was said of it.
#include "daemon/kernel/queue_message.hpp"

#include "tests/fuzz/choices.hpp"
#include "tests/support/daemon/netlink_builder.hpp"

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

using namespace ikefrag;
using namespace ikefrag::test;
using ikefrag::testing::NetlinkBuilder;

namespace {

constexpr int attribute_vlan = 19;

bool same(const QueuedPacket& a, const QueuedPacket& b) {
    return a.id == b.id &&
           std::equal(a.bytes.begin(), a.bytes.end(), b.bytes.begin(), b.bytes.end()) &&
           a.packet_bytes == b.packet_bytes && a.interface == b.interface && a.mark == b.mark &&
           a.vlan == b.vlan;
}

ByteVector written(const QueuedPacket& packet) {
    const auto id = packet.id.value;
    const ByteVector header{static_cast<std::uint8_t>(id >> 24),
                            static_cast<std::uint8_t>(id >> 16),
                            static_cast<std::uint8_t>(id >> 8),
                            static_cast<std::uint8_t>(id),
                            8,
                            0,
                            0};
    NetlinkBuilder builder(NFNL_SUBSYS_QUEUE, NFQNL_MSG_PACKET, 2);
    builder.put(NFQA_PACKET_HDR, header).u32(NFQA_MARK, packet.mark);
    builder.u32(NFQA_IFINDEX_INDEV, packet.interface).u32(NFQA_CAP_LEN, packet.packet_bytes);
    builder.nest(attribute_vlan, [&](NetlinkBuilder& vlan) { vlan.u16(2, packet.vlan); });
    builder.put(NFQA_PAYLOAD, packet.bytes);
    return builder.bytes();
}

void any_bytes(Bytes input) {
    const ByteVector bytes(input.begin(), input.end());
    const auto message = parse_queue_message(bytes);
    must(message_bytes(bytes) <= bytes.size());
    if (const auto* const packet = std::get_if<QueuedPacket>(&message)) {
        must(lies_within(packet->bytes, bytes));
        const auto again = written(*packet);
        const auto reread = parse_queue_message(again);
        must(std::holds_alternative<QueuedPacket>(reread) &&
             same(*packet, std::get<QueuedPacket>(reread)));
    }
    auto longer = bytes;
    longer.insert(longer.end(), 24, 0xa5);
    const auto of_longer = parse_queue_message(longer);
    if (!std::holds_alternative<UnknownMessage>(message))
        must(of_longer.index() == message.index());
    if (const auto* const refused = std::get_if<VerdictRefused>(&message))
        must(std::get<VerdictRefused>(of_longer).id == refused->id);
}

/// What the kernel sends back for a message it refuses.
ByteVector refusal(Bytes own, std::int32_t error) {
    ByteVector bytes(sizeof(nlmsghdr) + sizeof error + own.size());
    nlmsghdr header{};
    header.nlmsg_len = static_cast<std::uint32_t>(bytes.size());
    header.nlmsg_type = NLMSG_ERROR;
    std::memcpy(bytes.data(), &header, sizeof header);
    std::memcpy(bytes.data() + sizeof header, &error, sizeof error);
    std::memcpy(bytes.data() + sizeof header + sizeof error, own.data(), own.size());
    return bytes;
}

void verdicts(Choices& choices) {
    struct Said {
        PacketId id;
        Verdict verdict;
    };
    VerdictBatch batch(choices.u16());
    std::vector<Said> said;
    while (!choices.empty() && said.size() < 200) {
        const auto how = choices.u8();
        const Said one{{choices.u32()}, static_cast<Verdict>(how % count_of<Verdict>)};
        const bool has_mark = (how & 16) != 0;
        ByteVector replacement;
        if (one.verdict == Verdict::replace) replacement.resize(choices.u16() % 65'000u);
        const auto before = batch.bytes().size();
        const auto mark = has_mark ? std::optional<std::uint32_t>(how) : std::nullopt;
        if (!batch.add(one.id, one.verdict, mark, replacement)) {
            must(batch.bytes().size() == before && !batch.empty());
            break;
        }
        said.push_back(one);
    }
    must(batch.count() == said.size());
    std::size_t number = 0;
    auto rest = batch.bytes();
    while (!rest.empty()) {
        const auto size = message_bytes(rest);
        must(size > 0 && number < said.size());
        const auto own = rest.first(size);
        rest = rest.subspan(size);
        const auto& one = said[number++];
        const auto answer = refusal(own, -2);
        const auto parsed = parse_queue_message(answer);
        const auto* const refused = std::get_if<VerdictRefused>(&parsed);
        must(refused != nullptr && refused->id == one.id && refused->error == 2);
        const bool accepts = one.verdict == Verdict::accept || one.verdict == Verdict::replace;
        must(refused->accepted == accepts);
    }
    must(number == said.size());
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Choices choices(data, size);
    if ((choices.u8() & 1) != 0)
        verdicts(choices);
    else
        any_bytes(choices.rest());
    return 0;
}
