// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace ikefrag {

/// Where a batch of the queue's datagrams is received: memory of its own for each, reused.
class ReceiveSlots {
public:
    /// Above 64 a batch gains nothing and delays its first verdict.
    static constexpr std::size_t count = 64;

    ReceiveSlots() : bytes_(new std::uint8_t[count * slot_bytes]) { // pages come when they are used
        for (std::size_t i = 0; i < count; ++i) {
            pieces_[i] = {bytes_.get() + i * slot_bytes, slot_bytes};
            messages_[i].msg_hdr.msg_iov = &pieces_[i];
            messages_[i].msg_hdr.msg_iovlen = 1;
        }
    }
    /// Out: how many arrived, or -1 with errno set
    int receive(int socket) noexcept {
        return ::recvmmsg(socket, messages_.data(), count, MSG_DONTWAIT, nullptr);
    }
    [[nodiscard]] Bytes datagram(std::size_t i) const noexcept {
        return {bytes_.get() + i * slot_bytes,
                std::min<std::size_t>(messages_[i].msg_len, slot_bytes)};
    }

private:
    /// A whole packet of 65531 octets with its attributes. 576 octets over a multiple of the page,
    /// so that the slots' beginnings do not all fall into the same lines of the cache.
    static constexpr std::size_t slot_bytes = (std::size_t{64} << 10) + 512 + 64;

    std::unique_ptr<std::uint8_t[]> bytes_;
    std::array<iovec, count> pieces_{};
    std::array<mmsghdr, count> messages_{};
};

} // namespace ikefrag
