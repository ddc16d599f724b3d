// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <system_error>

struct nlmsghdr;

namespace ikefrag {

/// A netlink socket, closed at its end. Errors of making one: std::system_error.
class NetlinkSocket {
public:
    /// In: protocol such as NETLINK_NETFILTER; groups: bit mask of multicast groups, 0 none
    explicit NetlinkSocket(int protocol, std::uint32_t groups = 0);
    ~NetlinkSocket();
    NetlinkSocket(NetlinkSocket&& other) noexcept;
    NetlinkSocket& operator=(NetlinkSocket&& other) noexcept;

    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }

    /// Asks for a receive buffer, beyond the system's limit where the capability allows it.
    /// Out: what the kernel gave, in bytes of data it will hold
    std::uint32_t set_receive_buffer(std::uint32_t bytes);
    void set_receive_timeout(std::uint32_t milliseconds);

    /// Errors: the send's
    std::error_code send(Bytes message) const noexcept;

    /// Sends requests that each ask for an acknowledgement and waits for as many.
    ///
    /// Out:     the first refusal, or none; other messages that arrive meanwhile are dropped
    std::error_code request(Bytes messages, std::size_t acknowledgements) const;

    /// Sends a dump request and gives each message to `take`.
    ///
    /// Errors:  interrupted: what was dumped changed meanwhile; ask again
    std::error_code dump(Bytes request, const std::function<void(const nlmsghdr&)>& take) const;

private:
    int descriptor_ = -1;
};

} // namespace ikefrag
