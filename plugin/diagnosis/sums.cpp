// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/sums.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

constexpr Duration mark_life = std::chrono::minutes(15);
constexpr Duration tail_life = std::chrono::minutes(2);
constexpr std::uint32_t fade_at = 1000;
constexpr std::size_t max_times = 8;

} // namespace

bool may_tell(const std::optional<Told>& told,
              std::uint64_t handshake,
              TimePoint now,
              Duration pause) noexcept {
    return !told || told->handshake == handshake || now >= told->time + pause;
}

bool tell(std::optional<Told>& told, std::uint64_t handshake, TimePoint now, Duration pause) {
    if (!may_tell(told, handshake, now, pause)) return false;
    if (!told || told->handshake != handshake) told = Told{now, handshake};
    return true;
}

AttemptMark& ServerSums::mark(std::uint64_t number, TimePoint now) {
    while (!marks_.empty() &&
           (marks_.size() > max_attempts || marks_.front().time < now - mark_life))
        marks_.pop_front();
    // Nearly always one of the newest.
    for (std::size_t back = 1; back <= std::min<std::size_t>(marks_.size(), 4); ++back)
        if (auto& mark = marks_[marks_.size() - back]; mark.number == number) return mark;
    auto at = marks_.empty() || marks_.back().number < number
                  ? marks_.end()
                  : std::ranges::lower_bound(marks_, number, {}, &AttemptMark::number);
    if (at != marks_.end() && at->number == number) return *at;
    AttemptMark mark;
    mark.number = number;
    mark.time = now;
    return *marks_.insert(at, mark);
}

void ServerSums::count_outcome(const ClientGroup& group, bool failed) {
    auto at = groups_.find(group);
    if (at == groups_.end()) {
        if (groups_.size() >= max_groups) {
            const auto least = std::ranges::min_element(
                groups_, {}, [](const auto& entry) { return entry.second.total; });
            groups_.erase(least);
        }
        at = groups_.emplace(group, GroupCount{}).first;
    }
    auto& count = at->second;
    ++count.total;
    if (failed) ++count.failed;
    if (count.total >= fade_at) {
        count.total /= 2;
        count.failed /= 2;
    }
}

ServerSums&
Sums::server(std::optional<std::size_t> index, const IpAddress& address, TimePoint now) {
    const ServerKey key{index, index ? IpAddress{} : address};
    auto at = servers_.find(key);
    if (at == servers_.end()) {
        if (servers_.size() >= max_servers)
            servers_.erase(std::ranges::min_element(
                servers_, {}, [](const auto& entry) { return entry.second.touched; }));
        at = servers_.try_emplace(key).first;
    }
    at->second.touched = now;
    return at->second;
}

void Sums::tails_seen(const DatagramLost& lost, TimePoint now) {
    // They came before they were told: an attempt begun in between did not have them.
    const auto came = lost.first_time == TimePoint{} ? now : lost.first_time;
    const auto key = std::pair(lost.source, lost.destination);
    auto at = tails_.find(key);
    if (at == tails_.end()) {
        if (tails_.size() >= max_pairs)
            tails_.erase(std::ranges::min_element(
                tails_, {}, [](const auto& entry) { return entry.second.last_time; }));
        at = tails_.emplace(key, Tails{}).first;
    }
    auto& tails = at->second;
    if (tails.datagrams == 0 || tails.last_time < now - tail_life) {
        tails = Tails{};
        tails.first_time = came;
    }
    tails.last_time = std::max(tails.last_time, came);
    ++tails.datagrams;
    tails.bytes += lost.bytes;
    if (tails.times.size() < max_times) tails.times.push_back(came);
}

const Tails*
Sums::tails(const IpAddress& source, const IpAddress& destination, TimePoint now) const {
    const auto at = tails_.find(std::pair(source, destination));
    if (at == tails_.end() || at->second.last_time < now - tail_life) return nullptr;
    return &at->second;
}

Prefix client_network_of(const IpAddress& address) noexcept {
    return prefix_of(address, address.family == Family::ipv4 ? 24 : 56);
}

} // namespace ikefrag
