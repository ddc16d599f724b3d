// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/bench/packet_socket.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <system_error>
#include <thread>

namespace ikefrag::bench {

namespace {

constexpr std::size_t batch = 64;
using SteadyClock = std::chrono::steady_clock;

[[noreturn]] void fail_to(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

double processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// In another network namespace until its end.
class InNamespace {
public:
    explicit InNamespace(const std::string& name) {
        if (name.empty()) return;
        home_ = ::open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
        const int there = ::open(("/run/netns/" + name).c_str(), O_RDONLY | O_CLOEXEC);
        if (there < 0 || ::setns(there, CLONE_NEWNET) != 0) fail_to("namespace " + name);
        ::close(there);
    }
    ~InNamespace() {
        if (home_ < 0) return;
        ::setns(home_, CLONE_NEWNET);
        ::close(home_);
    }
    InNamespace(const InNamespace&) = delete;
    InNamespace& operator=(const InNamespace&) = delete;

private:
    int home_ = -1;
};

} // namespace

PacketSocket::PacketSocket(const std::string& name_space, const std::string& device, Use use)
    : device_(device) {
    const InNamespace inside(name_space);
    const auto protocol = static_cast<std::uint16_t>(use == Use::send ? 0 : htons(ETH_P_ALL));
    descriptor_ = ::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, protocol);
    if (descriptor_ < 0) fail_to("packet socket");
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = protocol;
    address.sll_ifindex = static_cast<int>(::if_nametoindex(device.c_str()));
    if (address.sll_ifindex == 0) fail_to("device " + device);
    if (::bind(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        fail_to("packet socket on " + device);
    const int buffer = 64 << 20;
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer);
}

PacketSocket::~PacketSocket() { ::close(descriptor_); }

std::array<std::uint8_t, 6> PacketSocket::mac() const {
    ifreq request{};
    std::strncpy(request.ifr_name, device_.c_str(), sizeof request.ifr_name - 1);
    if (::ioctl(descriptor_, SIOCGIFHWADDR, &request) != 0) fail_to("address of " + device_);
    std::array<std::uint8_t, 6> mac{};
    std::memcpy(mac.data(), request.ifr_hwaddr.sa_data, mac.size());
    return mac;
}

std::size_t
PacketSocket::send(const std::vector<Frame>& frames, std::size_t first, std::size_t count) {
    std::array<mmsghdr, batch> messages{};
    std::array<iovec, batch> pieces{};
    count = std::min({count, batch, frames.size() - first});
    for (std::size_t i = 0; i < count; ++i) {
        const auto& frame = frames[first + i];
        pieces[i] = {const_cast<std::uint8_t*>(frame.data()), frame.size()};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    const int sent = ::sendmmsg(descriptor_, messages.data(), static_cast<unsigned>(count), 0);
    if (sent < 0 && errno != ENOBUFS && errno != EINTR) fail_to("send");
    return static_cast<std::size_t>(std::max(sent, 0));
}

Sent send_at_pace(PacketSocket& socket, const std::vector<Frame>& frames, const Pace& pace) {
    const auto begin = SteadyClock::now();
    const double before = processor_time();
    const std::size_t wanted = pace.frames != 0 ? pace.frames : ~std::size_t{0};
    Sent sent;
    std::size_t at = 0;
    while (sent.frames < wanted) {
        const auto now = SteadyClock::now() - begin;
        if (pace.time.count() != 0 && now >= pace.time) break;
        std::size_t now_allowed = std::min(batch, wanted - sent.frames);
        if (pace.rate > 0) {
            const auto due =
                static_cast<std::size_t>(std::chrono::duration<double>(now).count() * pace.rate);
            if (due <= sent.frames) {
                std::this_thread::sleep_for(std::chrono::microseconds(20));
                continue;
            }
            now_allowed = std::min(now_allowed, due - sent.frames);
        }
        const std::size_t went = socket.send(frames, at, now_allowed);
        sent.frames += went;
        at = (at + went) % frames.size();
    }
    sent.processor_seconds = processor_time() - before;
    sent.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    return sent;
}

} // namespace ikefrag::bench
