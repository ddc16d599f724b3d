// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/run_probe.hpp"

#include <ifaddrs.h>
#include <linux/errqueue.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <memory>
#include <system_error>
#include <utility>

namespace ikefrag::probe {

namespace {

using namespace std::chrono_literals;

/// <netinet/in.h> of glibc has it, <linux/in.h> cannot be included besides.
constexpr int ip_receive_fragment_size = 25;
constexpr int ipv6_receive_fragment_size = 77;
constexpr std::uint32_t usual_mtu = 1500;

TimePoint monotonic_now() {
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    return TimePoint(std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec));
}

[[noreturn]] void trouble(const char* what) {
    throw std::system_error(errno, std::generic_category(), what);
}

class Descriptor {
public:
    explicit Descriptor(int number) : number_(number) {}
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Descriptor& operator=(Descriptor&&) = delete;
    [[nodiscard]] int get() const noexcept { return number_; }

private:
    int number_;
};

struct SocketAddress {
    sockaddr_storage storage{};
    socklen_t size = 0;
    [[nodiscard]] const sockaddr* get() const noexcept {
        return reinterpret_cast<const sockaddr*>(&storage);
    }
};

SocketAddress socket_address(const IpAddress& address, std::uint16_t port, std::uint32_t scope) {
    SocketAddress out;
    if (address.family == Family::ipv4) {
        sockaddr_in in{};
        in.sin_family = AF_INET;
        in.sin_port = htons(port);
        std::memcpy(&in.sin_addr, address.bytes.data(), 4);
        std::memcpy(&out.storage, &in, sizeof in);
        out.size = sizeof in;
    } else {
        sockaddr_in6 in{};
        in.sin6_family = AF_INET6;
        in.sin6_port = htons(port);
        in.sin6_scope_id = scope;
        std::memcpy(&in.sin6_addr, address.bytes.data(), 16);
        std::memcpy(&out.storage, &in, sizeof in);
        out.size = sizeof in;
    }
    return out;
}

std::optional<IpAddress> address_of(const sockaddr* address) {
    if (address == nullptr) return std::nullopt;
    if (address->sa_family == AF_INET) {
        sockaddr_in in{};
        std::memcpy(&in, address, sizeof in);
        std::array<std::uint8_t, 4> bytes{};
        std::memcpy(bytes.data(), &in.sin_addr, bytes.size());
        return IpAddress::v4(bytes);
    }
    if (address->sa_family == AF_INET6) {
        sockaddr_in6 in{};
        std::memcpy(&in, address, sizeof in);
        std::array<std::uint8_t, 16> bytes{};
        std::memcpy(bytes.data(), &in.sin6_addr, bytes.size());
        return IpAddress::v6(bytes);
    }
    return std::nullopt;
}

int family_of(const IpAddress& address) {
    return address.family == Family::ipv4 ? AF_INET : AF_INET6;
}

Descriptor connected_socket(const Target& target, std::uint16_t port) {
    Descriptor descriptor(::socket(family_of(target.address), SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (descriptor.get() < 0) trouble("socket");
    const auto address = socket_address(target.address, port, target.scope);
    if (::connect(descriptor.get(), address.get(), address.size) != 0) trouble("connect");
    return descriptor;
}

/// MTU of the interface that has our end's address.
std::uint32_t interface_mtu(int descriptor) {
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&own), &size) != 0) return usual_mtu;
    const auto address = address_of(reinterpret_cast<const sockaddr*>(&own));
    ifaddrs* list = nullptr;
    if (!address || ::getifaddrs(&list) != 0) return usual_mtu;
    const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> owner(list, freeifaddrs);
    for (const auto* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (address_of(entry->ifa_addr) != address) continue;
        ifreq request{};
        std::strncpy(request.ifr_name, entry->ifa_name, IFNAMSIZ - 1);
        if (::ioctl(descriptor, SIOCGIFMTU, &request) == 0 && request.ifr_mtu > 0)
            return static_cast<std::uint32_t>(request.ifr_mtu);
    }
    return usual_mtu;
}

bool is_one_host(const IpAddress& address) {
    const auto& bytes = address.bytes;
    // A mapped address is IPv4 in disguise, and may hide anything that is refused below.
    static constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    if (address.family == Family::ipv6)
        return bytes[0] != 0xff && address != IpAddress{{}, Family::ipv6} &&
               !std::equal(mapped.begin(), mapped.end(), bytes.begin());
    const bool multicast_or_reserved = bytes[0] >= 224;
    return !multicast_or_reserved && bytes[0] != 0;
}

/// The sockets of a probe, one for each port.
class Sockets {
public:
    Sockets(const Target& target, const std::vector<Port>& ports) : ports_(ports) {
        v4_ = target.address.family == Family::ipv4;
        for (const auto& port : ports) {
            sockets_.push_back(connected_socket(target, port.number));
            const int descriptor = sockets_.back().get();
            const int on = 1;
            if (v4_) {
                option(descriptor, IPPROTO_IP, IP_RECVERR, on);
                (void)::setsockopt(
                    descriptor, IPPROTO_IP, ip_receive_fragment_size, &on, sizeof on);
            } else {
                option(descriptor, IPPROTO_IPV6, IPV6_RECVERR, on);
                (void)::setsockopt(
                    descriptor, IPPROTO_IPV6, ipv6_receive_fragment_size, &on, sizeof on);
            }
        }
    }

    /// Sends one datagram; a local refusal comes back into the probe.
    void send(const Send& send, Probe& probe) {
        const int descriptor = sockets_[index_of(send.port)].get();
        if (v4_) {
            option(descriptor,
                   IPPROTO_IP,
                   IP_MTU_DISCOVER,
                   send.dont_fragment ? IP_PMTUDISC_PROBE : IP_PMTUDISC_DONT);
        } else {
            option(descriptor,
                   IPPROTO_IPV6,
                   IPV6_MTU_DISCOVER,
                   send.dont_fragment ? IPV6_PMTUDISC_PROBE : IPV6_PMTUDISC_WANT);
            option(descriptor, IPPROTO_IPV6, IPV6_DONTFRAG, send.dont_fragment ? 1 : 0);
            if (send.fragment_mtu >= 1280)
                (void)::setsockopt(descriptor,
                                   IPPROTO_IPV6,
                                   IPV6_MTU,
                                   &send.fragment_mtu,
                                   sizeof send.fragment_mtu);
        }
        // An ICMP error of before would be returned instead of sending.
        for (int attempt = 0; attempt < 3; ++attempt) {
            if (::send(descriptor, send.payload.data(), send.payload.size(), MSG_DONTWAIT) >= 0)
                return;
            const int error = errno;
            if (error == EMSGSIZE) {
                read_errors(index_of(send.port), probe);
                probe.too_big(Probe::Where::here, 0, monotonic_now());
                return;
            }
            if (error == ENETUNREACH || error == EHOSTUNREACH || error == ECONNREFUSED) {
                read_errors(index_of(send.port), probe);
                continue;
            }
            // A local rule that drops (EPERM), a full queue: as good as lost.
            if (error == EPERM || error == ENOBUFS || error == EAGAIN) return;
            throw std::system_error(error, std::generic_category(), "send");
        }
    }

    /// What the kernel cuts datagrams to the server for: the route's MTU, or what a router's ICMP
    /// has taught. Each socket remembers the route it last used. 0: it does not say
    [[nodiscard]] std::uint32_t route_mtu() const {
        std::uint32_t least = 0;
        for (const auto& socket : sockets_) {
            int mtu = 0;
            socklen_t size = sizeof mtu;
            const int error = v4_ ? ::getsockopt(socket.get(), IPPROTO_IP, IP_MTU, &mtu, &size)
                                  : ::getsockopt(socket.get(), IPPROTO_IPV6, IPV6_MTU, &mtu, &size);
            if (error != 0 || mtu <= 0) continue;
            const auto told = static_cast<std::uint32_t>(mtu);
            least = least == 0 ? told : std::min(least, told);
        }
        return least;
    }

    /// Waits until something comes or the time is over, and gives it to the probe.
    void wait(TimePoint until, Probe& probe) {
        std::vector<pollfd> watched;
        for (const auto& socket : sockets_) watched.push_back({socket.get(), POLLIN, 0});
        const auto left = until - monotonic_now();
        const auto milliseconds = std::clamp<std::int64_t>(
            std::chrono::ceil<std::chrono::milliseconds>(left).count(), 0, 10'000);
        if (::poll(watched.data(), watched.size(), static_cast<int>(milliseconds)) < 0 &&
            errno != EINTR)
            trouble("poll");
        for (std::size_t i = 0; i < watched.size(); ++i) {
            if ((watched[i].revents & POLLERR) != 0) read_errors(i, probe);
            if ((watched[i].revents & POLLIN) != 0) read_answers(i, probe);
        }
    }

private:
    static void option(int descriptor, int level, int name, int value) {
        if (::setsockopt(descriptor, level, name, &value, sizeof value) != 0) trouble("setsockopt");
    }

    [[nodiscard]] std::size_t index_of(Port port) const {
        std::size_t i = 0;
        while (ports_[i].number != port.number) ++i;
        return i;
    }

    void read_answers(std::size_t socket, Probe& probe) {
        std::array<std::uint8_t, 65536> data; // NOLINT: filled by the kernel
        std::array<char, 256> control{};
        for (;;) {
            iovec vector{data.data(), data.size()};
            msghdr message{};
            message.msg_iov = &vector;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            const ssize_t size = ::recvmsg(sockets_[socket].get(), &message, MSG_DONTWAIT);
            if (size < 0) return;
            std::uint32_t fragment = 0;
            for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
                 header = CMSG_NXTHDR(&message, header)) {
                const bool v4 = header->cmsg_level == IPPROTO_IP &&
                                header->cmsg_type == ip_receive_fragment_size;
                const bool v6 = header->cmsg_level == IPPROTO_IPV6 &&
                                header->cmsg_type == ipv6_receive_fragment_size;
                if (v4 || v6) std::memcpy(&fragment, CMSG_DATA(header), sizeof fragment);
            }
            probe.received(ports_[socket],
                           Bytes(data.data(), static_cast<std::size_t>(size)),
                           fragment,
                           monotonic_now());
        }
    }

    void read_errors(std::size_t socket, Probe& probe) {
        std::array<char, 512> data{};
        std::array<char, 512> control{};
        for (;;) {
            iovec vector{data.data(), data.size()};
            msghdr message{};
            message.msg_iov = &vector;
            message.msg_iovlen = 1;
            message.msg_control = control.data();
            message.msg_controllen = control.size();
            if (::recvmsg(sockets_[socket].get(), &message, MSG_DONTWAIT | MSG_ERRQUEUE) < 0)
                return;
            for (auto* header = CMSG_FIRSTHDR(&message); header != nullptr;
                 header = CMSG_NXTHDR(&message, header)) {
                const bool v4 = header->cmsg_level == IPPROTO_IP && header->cmsg_type == IP_RECVERR;
                const bool v6 =
                    header->cmsg_level == IPPROTO_IPV6 && header->cmsg_type == IPV6_RECVERR;
                if (v4 || v6) tell_error(CMSG_DATA(header), probe);
            }
        }
    }

    static void tell_error(const unsigned char* data, Probe& probe) {
        sock_extended_err error{};
        std::memcpy(&error, data, sizeof error);
        const bool icmp = error.ee_origin == SO_EE_ORIGIN_ICMP;
        const bool icmp6 = error.ee_origin == SO_EE_ORIGIN_ICMP6;
        if (!icmp && !icmp6) return;
        if (error.ee_errno == EMSGSIZE) {
            probe.too_big(Probe::Where::on_path, error.ee_info, monotonic_now());
            return;
        }
        IcmpError told;
        told.type = error.ee_type;
        told.code = error.ee_code;
        sockaddr_storage offender{};
        std::memcpy(
            &offender, data + sizeof error, icmp ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
        told.reporter = address_of(reinterpret_cast<const sockaddr*>(&offender));
        probe.unreachable(told, monotonic_now());
    }

    std::vector<Port> ports_;
    std::vector<Descriptor> sockets_;
    bool v4_ = true;
};

} // namespace

Result<Target, std::string> resolve(const std::string& host, std::optional<Family> family) {
    addrinfo hints{};
    hints.ai_family = AF_UNSPEC;
    if (family) hints.ai_family = *family == Family::ipv4 ? AF_INET : AF_INET6;
    hints.ai_socktype = SOCK_DGRAM;
    addrinfo* list = nullptr;
    const int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &list);
    if (error != 0) return fail("cannot resolve the host: " + std::string(::gai_strerror(error)));
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, freeaddrinfo);
    std::string why = "it has no usable address";
    for (const auto* entry = list; entry != nullptr; entry = entry->ai_next) {
        const auto address = address_of(entry->ai_addr);
        if (!address) continue;
        Target target{*address};
        if (!is_one_host(*address)) {
            why = to_string(*address) +
                  " is no single host (multicast, broadcast, mapped or reserved)";
            continue;
        }
        if (address->family == Family::ipv6) {
            sockaddr_in6 in{};
            std::memcpy(&in, entry->ai_addr, sizeof in);
            target.scope = in.sin6_scope_id;
        }
        try {
            // Without SO_BROADCAST the kernel refuses a network's broadcast address here.
            target.local_mtu = interface_mtu(connected_socket(target, 500).get());
            return target;
        } catch (const std::system_error& refused) {
            why = refused.code() == std::errc::permission_denied
                      ? to_string(*address) + " is a broadcast address"
                      : to_string(*address) + ": " + refused.code().message();
        }
    }
    return fail(why);
}

Facts run_probe(const Target& target, Settings settings) {
    settings.server = target.address;
    settings.local_mtu = target.local_mtu;
    if (::getrandom(settings.random.data(), settings.random.size(), 0) !=
        static_cast<ssize_t>(settings.random.size()))
        trouble("getrandom");
    Sockets sockets(target, settings.ports);
    Probe probe(std::move(settings));
    while (const auto deadline = probe.next_deadline()) {
        if (const auto send = probe.poll(monotonic_now(), sockets.route_mtu())) {
            sockets.send(*send, probe);
            continue;
        }
        if (const auto next = probe.next_deadline()) sockets.wait(*next, probe);
    }
    return probe.facts();
}

} // namespace ikefrag::probe
