// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/log_reader.hpp"

#include "daemon/clock.hpp"
#include "daemon/kernel/log_message.hpp"
#include "daemon/kernel/netlink_message.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace ikefrag {

namespace {

/// Twice the kernel's largest datagram of copies.
constexpr std::size_t buffer_bytes = std::size_t{256} << 10;

} // namespace

void estimate_times(std::span<Copy> copies) noexcept {
    // Copies come in the kernel's order.
    std::optional<TimePoint> next;
    for (auto copy = copies.rbegin(); copy != copies.rend(); ++copy) {
        if (copy->stamped)
            next = copy->time;
        else if (next)
            copy->time = *next;
    }
    for (std::size_t i = 1; i < copies.size(); ++i)
        if (!copies[i].stamped && copies[i].leg == Leg::postrouting)
            copies[i].time = copies[i - 1].time;
}

LogReader::LogReader(const LogSettings& settings, const Clock& clock)
    : clock_(&clock), socket_(NETLINK_NETFILTER), buffer_(buffer_bytes),
      domains_(std::make_shared<const InterfaceDomains>()) {
    socket_.set_receive_timeout(1000);
    const auto ask = [&](const std::vector<std::uint8_t>& request, const char* what) {
        if (const auto error = socket_.request(request, 1))
            throw std::system_error(error,
                                    "log group " + std::to_string(settings.group) + ": " + what +
                                        // A group that somebody else has: EPERM, not EBUSY.
                                        (error == std::errc::operation_not_permitted ||
                                                 error == std::errc::device_or_resource_busy
                                             ? " (another program reads this group, or "
                                               "CAP_NET_ADMIN is missing)"
                                             : ""));
    };
    receive_buffer_ = socket_.set_receive_buffer(settings.receive_buffer_bytes);
    ask(encode_log_bind(settings.group), "bind");
    ask(encode_log_settings(settings.group), "settings");
    copies_.reserve(256);
}

int LogReader::descriptor() const noexcept { return socket_.descriptor(); }

std::span<const Copy> LogReader::read() {
    copies_.clear();
    while (copies_.empty()) {
        const auto size =
            ::recv(socket_.descriptor(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (size > 0)
            parse(static_cast<std::size_t>(size));
        else if (size < 0 && errno == ENOBUFS)
            counters_.enobufs.add();
        else if (size == 0 || errno != EINTR)
            break;
    }
    return copies_;
}

void LogReader::parse(std::size_t size) {
    const TimePoint now = clock_->now();
    const bool whole = each_message(Bytes(buffer_).first(size), [&](const nlmsghdr& message) {
        if (message.nlmsg_type == NLMSG_DONE) return;
        const auto packet = parse_logged_packet(message);
        if (!packet) {
            counters_.unknown.add();
            return;
        }
        count(packet->sequence);
        const auto length = packet_length(packet->bytes);
        const std::uint32_t domain = domains_->of(packet->interface, packet->vlan);
        copies_.push_back({packet->bytes,
                           packet->leg,
                           packet->stamp ? clock_->of_stamp(*packet->stamp) : now,
                           packet->interface,
                           domain,
                           !length || *length > packet->bytes.size(),
                           packet->stamp.has_value()});
    });
    if (!whole) counters_.unknown.add();
    estimate_times(copies_);
}

void LogReader::count(std::optional<std::uint32_t> sequence) {
    counters_.copies.add();
    if (!sequence) return;
    // The group's numbers begin at 0 with our bind; unsigned arithmetic carries over the wrap.
    const std::uint32_t missed = *sequence - next_sequence_;
    next_sequence_ = *sequence + 1;
    if (missed == 0) return;
    counters_.lost.add(missed);
    lost_untaken_ += missed;
}

std::uint64_t LogReader::take_lost() noexcept { return std::exchange(lost_untaken_, 0); }

} // namespace ikefrag
