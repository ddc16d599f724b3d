// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/netlink_socket.hpp"

#include "daemon/kernel/netlink_message.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace ikefrag {

namespace {

[[nodiscard]] std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

[[noreturn]] void fail_to(const char* what) { throw std::system_error(last_error(), what); }

/// The refusal a message carries; empty if it is no answer to a request.
[[nodiscard]] std::optional<int> answer_of(const nlmsghdr& message) noexcept {
    if (message.nlmsg_type != NLMSG_ERROR) return std::nullopt;
    const Bytes body = message_body(message, 0);
    if (body.size() < sizeof(nlmsgerr)) return EBADMSG;
    return -static_cast<const nlmsgerr*>(mnl_nlmsg_get_payload(&message))->error;
}

} // namespace

NetlinkSocket::NetlinkSocket(int protocol, std::uint32_t groups)
    : descriptor_(::socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol)) {
    if (descriptor_ < 0) fail_to("netlink socket");
    sockaddr_nl address{};
    address.nl_family = AF_NETLINK;
    address.nl_groups = groups;
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) < 0) {
        const int error = errno;
        ::close(descriptor_);
        errno = error;
        fail_to("netlink socket: bind");
    }
}

NetlinkSocket::~NetlinkSocket() {
    if (descriptor_ >= 0) ::close(descriptor_);
}

NetlinkSocket::NetlinkSocket(NetlinkSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)) {}

NetlinkSocket& NetlinkSocket::operator=(NetlinkSocket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
}

std::uint32_t NetlinkSocket::set_receive_buffer(std::uint32_t bytes) {
    const int asked = static_cast<int>(bytes);
    if (::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &asked, sizeof asked) < 0)
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &asked, sizeof asked);
    int got = 0;
    socklen_t size = sizeof got;
    ::getsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &got, &size);
    return static_cast<std::uint32_t>(got) / 2; // the kernel doubles it for its own bookkeeping
}

void NetlinkSocket::set_receive_timeout(std::uint32_t milliseconds) {
    timeval time{};
    time.tv_sec = milliseconds / 1000;
    time.tv_usec = static_cast<suseconds_t>(milliseconds % 1000) * 1000;
    if (::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time) < 0)
        fail_to("netlink socket: receive timeout");
}

std::error_code NetlinkSocket::send(Bytes message) const noexcept {
    sockaddr_nl kernel{};
    kernel.nl_family = AF_NETLINK;
    for (;;) {
        const auto sent = ::sendto(descriptor_,
                                   message.data(),
                                   message.size(),
                                   0,
                                   reinterpret_cast<const sockaddr*>(&kernel),
                                   sizeof kernel);
        if (sent >= 0) return {};
        if (errno != EINTR) return last_error();
    }
}

std::error_code NetlinkSocket::request(Bytes messages, std::size_t acknowledgements) const {
    std::vector<std::uint8_t> buffer(32768);
    while (::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
    } // answers to something given up earlier
    if (const auto error = send(messages)) return error;
    std::error_code first;
    while (acknowledgements > 0) {
        const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return first ? first : last_error();
        each_message(Bytes(buffer).first(static_cast<std::size_t>(size)), [&](const nlmsghdr& one) {
            const auto answer = answer_of(one);
            if (!answer) return;
            if (acknowledgements > 0) --acknowledgements;
            if (*answer != 0 && !first) first = {*answer, std::generic_category()};
        });
    }
    return first;
}

std::error_code NetlinkSocket::dump(Bytes request,
                                    const std::function<void(const nlmsghdr&)>& take) const {
    std::vector<std::uint8_t> buffer(65536);
    while (::recv(descriptor_, buffer.data(), buffer.size(), MSG_DONTWAIT) > 0) {
    }
    if (const auto error = send(request)) return error;
    std::optional<int> ended;
    bool interrupted = false;
    while (!ended) {
        const auto size = ::recv(descriptor_, buffer.data(), buffer.size(), 0);
        if (size < 0 && errno == EINTR) continue;
        if (size <= 0) return last_error();
        each_message(Bytes(buffer).first(static_cast<std::size_t>(size)), [&](const nlmsghdr& one) {
            interrupted = interrupted || (one.nlmsg_flags & NLM_F_DUMP_INTR) != 0;
            if (one.nlmsg_type == NLMSG_DONE)
                ended = 0;
            else if (const auto answer = answer_of(one))
                ended = *answer;
            else
                take(one);
        });
    }
    if (*ended != 0) return {*ended, std::generic_category()};
    if (interrupted) return std::make_error_code(std::errc::interrupted);
    return {};
}

} // namespace ikefrag
