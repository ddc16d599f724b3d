// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/packet_ring.hpp"

#include "daemon/capture/field_reader.hpp"

#include <algorithm>
#include <cstring>

namespace ikefrag {

namespace {

constexpr std::size_t share_of_a_pair = 8; ///< an eighth
/// What an entry costs beside its bytes: itself, and its pair's place in the map of shares.
constexpr std::size_t entry_bytes = 160;
constexpr std::uint8_t icmp_v4 = 1, icmp_v6 = 58;
constexpr std::size_t icmp_header = 8;

struct IpHeader {
    AddressPair pair;
    std::uint8_t protocol = 0;
    std::size_t size = 0; ///< IPv6: of the fixed header
};

std::optional<IpHeader> read_ip_header(Bytes packet) noexcept {
    FieldReader reader(packet, std::endian::big);
    const auto first = reader.u8();
    const auto family = first >> 4 == 6 ? Family::ipv6 : Family::ipv4;
    if (first >> 4 != 4 && first >> 4 != 6) return std::nullopt;
    const bool v4 = family == Family::ipv4;
    reader.take(v4 ? 8 : 5);
    const auto protocol = reader.u8();
    reader.take(v4 ? 2 : 1);
    const auto source = reader.take(v4 ? 4 : 16);
    const auto destination = reader.take(v4 ? 4 : 16);
    if (reader.failed()) return std::nullopt;
    const auto address = [&](Bytes bytes) {
        return v4 ? IpAddress::v4(bytes) : IpAddress::v6(bytes);
    };
    return IpHeader{
        {address(source), address(destination)},
        protocol,
        v4 ? std::size_t{first & 0x0fu              }
        * 4 : 40
    };
}

} // namespace

std::optional<AddressPair> pair_of(Bytes packet) noexcept {
    const auto header = read_ip_header(packet);
    if (!header) return std::nullopt;
    return header->pair;
}

std::optional<AddressPair> quoted_pair_of(Bytes packet) noexcept {
    const auto header = read_ip_header(packet);
    if (!header || (header->protocol != icmp_v4 && header->protocol != icmp_v6))
        return std::nullopt;
    const auto skipped = header->size + icmp_header;
    if (packet.size() < skipped) return std::nullopt;
    return pair_of(packet.subspan(skipped));
}

PacketRing::PacketRing(std::size_t capacity, Duration longest)
    : room_(capacity / 4 * 3), max_entries_(capacity / 4 / entry_bytes), longest_(longest),
      ring_(new std::uint8_t[room_]) {}

bool PacketRing::add(const RecordedPacket& packet) {
    const auto size = packet.bytes.size();
    const auto pair = pair_of(packet.bytes);
    if (!pair || size > room_ / share_of_a_pair) return false;
    auto& share = shares_[*pair];
    if (share + size > room_ / share_of_a_pair) return false;
    share += size;
    if (room_ - end_ < size) {
        while (!entries_.empty() && entries_.front().at >= end_) forget_oldest();
        end_ = 0;
    }
    const auto in_the_way = [&](const Entry& entry) {
        return entry.at < end_ + size && entry.at + entry.size > end_;
    };
    while (!entries_.empty() && (entries_.size() >= max_entries_ || in_the_way(entries_.front())))
        forget_oldest();
    std::memcpy(ring_.get() + end_, packet.bytes.data(), size);
    entries_.push_back({packet.time,
                        static_cast<std::uint32_t>(end_),
                        static_cast<std::uint32_t>(size),
                        packet.packet_bytes,
                        packet.leg});
    end_ += size;
    used_ += size;
    return true;
}

void PacketRing::forget_oldest() {
    const auto& oldest = entries_.front();
    if (const auto pair = pair_of(bytes_of(oldest))) {
        const auto share = shares_.find(*pair);
        if (share != shares_.end() && (share->second -= oldest.size) == 0) shares_.erase(share);
    }
    used_ -= oldest.size;
    entries_.pop_front();
}

void PacketRing::expire(TimePoint now) {
    while (!entries_.empty() && now - entries_.front().time > longest_) forget_oldest();
}

std::vector<RecordedPacket>
PacketRing::select(std::span<const AddressPair> pairs, TimePoint first, TimePoint last) const {
    const auto wanted = [&](const std::optional<AddressPair>& pair) {
        return pair && std::ranges::find(pairs, *pair) != pairs.end();
    };
    std::vector<RecordedPacket> packets;
    for (const auto& entry : entries_) {
        if (entry.time < first || entry.time > last) continue;
        const auto bytes = bytes_of(entry);
        if (wanted(pair_of(bytes)) || wanted(quoted_pair_of(bytes)))
            packets.push_back({entry.time, entry.leg, bytes, entry.packet_bytes});
    }
    std::ranges::stable_sort(packets, {}, &RecordedPacket::time);
    return packets;
}

std::optional<TimePoint> PacketRing::oldest() const noexcept {
    if (entries_.empty()) return std::nullopt;
    return entries_.front().time;
}

} // namespace ikefrag
