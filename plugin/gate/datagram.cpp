// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/datagram.hpp"

#include <algorithm>
#include <cassert>

namespace ikefrag {
namespace {

constexpr std::uint32_t largest_ip_packet = 65'535;

StepResult refused(Reason reason) noexcept { return {.step = Step::refused, .reason = reason}; }

/// What is wrong with a fragment whatever others say (RFC 791 §3.2, RFC 8200 §4.5, RFC 1858 §3).
Reason check_alone(const IpPacket& ip) noexcept {
    if (ip.reason != Reason::none) return ip.reason;
    if (ip.family == Family::ipv6 && ip.protocol == protocol::fragment) return Reason::header_chain;
    const auto length = ip.payload_bytes();
    // The reassembled packet has the headers in front of the Fragment header, too.
    const auto headers = ip.family == Family::ipv4 ? ip.header_bytes : ip.header_bytes - 48;
    if (length == 0 || (ip.more_fragments && length % 8 != 0)) return Reason::bad_length;
    if (ip.offset + length + headers > largest_ip_packet) return Reason::bad_length;
    // RFC 1858 §3.3, RFC 3128: made only to rewrite the transport header.
    if (ip.offset == 8) return Reason::tiny_first;
    return Reason::none;
}

} // namespace

StepResult Datagram::measure(const IpPacket& ip) noexcept {
    const auto length = ip.payload_bytes();
    const auto end = ip.offset + length;
    if (const auto reason = check_alone(ip); reason != Reason::none) return refused(reason);
    // RFC 8200 lets later fragments say something else; no sender does, only who wants to confuse.
    if (fragments > 0 && protocol != ip.protocol) return refused(Reason::header_chain);

    if (!ip.more_fragments) {
        if (last_seen ? end != total_bytes : end < highest_end)
            return refused(Reason::inconsistent_last);
        if (!last_seen && end == highest_end) return refused(Reason::inconsistent_last);
    } else if (last_seen && end >= total_bytes) {
        return refused(Reason::inconsistent_last);
    }
    switch (payload.fit(ip.offset, ip.payload)) {
    case Fit::copy: return {.step = Step::copy, .reason = Reason::duplicate};
    case Fit::overlap: return refused(Reason::overlap);
    case Fit::free: break;
    }

    reordered = reordered || ip.offset != highest_end;
    protocol = ip.protocol;
    ++fragments;
    seen_bytes += length;
    highest_end = std::max(highest_end, end);
    largest_fragment_bytes = std::max(largest_fragment_bytes, ip.total_bytes);
    if (!ip.more_fragments) {
        last_seen = true;
        total_bytes = end;
    } else if (!ip.is_first()) {
        least_nonlast_bytes = std::min(least_nonlast_bytes, length);
    }
    return {};
}

void Datagram::take_first(const IpPacket& ip, const FirstFacts& facts) noexcept {
    first_seen = true;
    udp_offset = facts.udp_offset;
    marked = facts.kind.marked;
    first_bytes = ip.payload_bytes();
    header_bytes = ip.header_bytes;
    first_fragment_bytes = ip.total_bytes;
    if (facts.udp) {
        source_port = facts.udp->source_port;
        destination_port = facts.udp->destination_port;
        udp_length = facts.udp->length;
        udp_checksum = facts.udp->checksum;
        is_udp = true;
    }
    if (ip.family == Family::ipv4)
        std::copy(ip.header.begin(), ip.header.end(), ipv4_header.begin());
}

Reason Datagram::check_limits() const noexcept {
    if (first_seen && first_bytes < udp_offset + limits->min_first_bytes) return Reason::tiny_first;
    if (least_nonlast_bytes < limits->min_nonlast_bytes) return Reason::tiny_nonlast;
    const auto told = is_udp ? udp_offset + udp_length : 0;
    if (std::max(highest_end, told) > limits->max_datagram_bytes) return Reason::too_big;
    if (fragments > limits->max_fragments) return Reason::too_many;
    return Reason::none;
}

void Datagram::write_header(std::span<std::uint8_t> packet) const noexcept {
    const auto header = packet.first(header_bytes);
    const auto put_word = [&](std::size_t at, std::size_t word) {
        header[at] = static_cast<std::uint8_t>(word >> 8);
        header[at + 1] = static_cast<std::uint8_t>(word);
    };
    std::copy_n(ipv4_header.begin(), header_bytes, header.begin());
    put_word(2, packet.size());
    put_word(6, 0);
    put_word(10, 0);
    InternetSum header_sum;
    header_sum.add(header);
    put_word(10, header_sum.checksum());
}

bool Datagram::is_whole() const noexcept {
    // The sum is but the cheap question; holes decide.
    return first_seen && last_seen && seen_bytes >= total_bytes && payload.is_whole(total_bytes);
}

bool Datagram::needs_block() const noexcept {
    return held >= first_packets.size() &&
           (held - first_packets.size()) % std::tuple_size_v<decltype(HeldBlock::packets)> == 0;
}

void Datagram::hold(HeldPacket packet, HeldBlocks& blocks) {
    if (held < first_packets.size()) {
        first_packets[held++] = std::move(packet);
        return;
    }
    if (needs_block()) {
        auto* const block = blocks.create();
        block->next = more_packets;
        more_packets = block;
    }
    const auto place = (held - first_packets.size()) % more_packets->packets.size();
    more_packets->packets[place] = std::move(packet);
    ++held;
}

} // namespace ikefrag
