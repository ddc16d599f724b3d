// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/packet_tap.hpp"

#include <cstring>
#include <type_traits>

namespace ikefrag {

namespace {
struct Head {
    TimePoint time;
    std::uint32_t packet_bytes;
};
static_assert(std::is_trivially_copyable_v<Head>, "it is moved as bytes");
} // namespace

void PacketTap::push(const TappedPacket& packet) noexcept {
    const Head head{packet.time, packet.packet_bytes};
    if (!ring_.push({reinterpret_cast<const std::uint8_t*>(&head), sizeof head}, packet.bytes))
        lost_.add();
}

std::optional<TappedPacket> PacketTap::pop() noexcept {
    const auto record = ring_.pop();
    if (!record) return std::nullopt;
    Head head;
    std::memcpy(&head, record->head.data(), sizeof head);
    return TappedPacket{head.time, record->body, head.packet_bytes};
}

} // namespace ikefrag
