// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "tests/bench/frames.hpp"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

namespace ikefrag::bench {

/// A raw socket on one device of one network namespace, entered for its making only.
class PacketSocket {
public:
    enum class Use { send, receive };
    /// In: name of a namespace as `ip netns` knows it; empty: this one. Throws std::system_error.
    PacketSocket(const std::string& name_space, const std::string& device, Use use);
    ~PacketSocket();
    PacketSocket(const PacketSocket&) = delete;
    PacketSocket& operator=(const PacketSocket&) = delete;

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    [[nodiscard]] std::array<std::uint8_t, 6> mac() const;
    /// Sends frames [first, first + count) in one call; gives how many went.
    std::size_t send(const std::vector<Frame>& frames, std::size_t first, std::size_t count);

private:
    int descriptor_ = -1;
    std::string device_;
};

/// How long and how fast to send; the frames are sent in order, over and over.
struct Pace {
    std::size_t frames = 0;          ///< 0: until the time is over
    std::chrono::nanoseconds time{}; ///< 0: until all frames are sent
    double rate = 0;                 ///< frames a second; 0: as fast as it goes
};

struct Sent {
    std::size_t frames = 0;
    double seconds = 0;
    /// Of the sending thread: forwarding and copying happen in it, and a busy machine adds nothing.
    double processor_seconds = 0;
};

Sent send_at_pace(PacketSocket& socket, const std::vector<Frame>& frames, const Pace& pace);

} // namespace ikefrag::bench
