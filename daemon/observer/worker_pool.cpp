// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/worker_pool.hpp"

#include "daemon/clock.hpp"
#include "daemon/kernel/packet_tap.hpp"

#include <sys/random.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace ikefrag {
namespace {

QueueSettings queue_settings(const Settings& settings, std::uint16_t number) {
    QueueSettings queue;
    queue.number = number;
    queue.max_length = settings.queue.max_length;
    queue.fail_open = settings.queue.fail_open;
    if (settings.mark) queue.mark = PacketMark{settings.mark->value, settings.mark->mask};
    return queue;
}

} // namespace

std::array<std::uint8_t, 16> random_seed() {
    std::array<std::uint8_t, 16> seed{};
    if (::getrandom(seed.data(), seed.size(), 0) != static_cast<ssize_t>(seed.size()))
        throw std::system_error(errno, std::generic_category(), "getrandom");
    return seed;
}

PolicyPointer share_of(const PolicyPointer& policy, std::uint16_t count) {
    if (count <= 1) return policy;
    auto share = std::make_shared<Policy>(*policy);
    for (auto* limit :
         {&share->limits.table_datagrams, &share->limits.table_packets, &share->limits.table_bytes})
        *limit = std::max<std::uint32_t>(1, *limit / count);
    return share;
}

WorkerPool::WorkerPool(const Settings& settings, const Clock& clock)
    : settings_(settings), clock_(clock), retired_(settings.queue.count) {
    for (std::uint16_t i = 0; i < settings.queue.count; ++i)
        retired_[i].number = static_cast<std::uint16_t>(settings.queue.first + i);
}

WorkerPool::~WorkerPool() = default;

void WorkerPool::start(const PolicyPointer& policy) {
    if (running()) return;
    const auto share = share_of(policy, settings_.queue.count);
    std::vector<std::unique_ptr<QueueWorker>> workers;
    for (const auto& queue : retired_)
        workers.push_back(std::make_unique<QueueWorker>(
            queue_settings(settings_, queue.number), share, random_seed(), clock_));
    for (const auto& worker : workers) worker->start();
    workers_ = std::move(workers);
    hand_out_taps();
}

void WorkerPool::tap(bool wanted) {
    if (wanted == !taps_.empty()) return;
    taps_.clear();
    if (wanted)
        for (std::size_t i = 0; i < retired_.size(); ++i)
            taps_.push_back(std::make_shared<PacketTap>());
    hand_out_taps();
}

void WorkerPool::hand_out_taps() {
    for (std::size_t i = 0; i < workers_.size(); ++i)
        workers_[i]->set_tap(taps_.empty() ? nullptr : taps_[i]);
}

void WorkerPool::release() {
    for (const auto& worker : workers_) worker->release();
}

void WorkerPool::stop() {
    for (const auto& worker : workers_) worker->stop();
    for (std::size_t i = 0; i < workers_.size(); ++i) {
        auto totals = read_totals(*workers_[i]);
        totals.held_packets = totals.held_datagrams = totals.held_bytes = 0;
        retired_[i].add(totals);
        retired_gates_.add(read_totals(workers_[i]->gate_counters()));
    }
    workers_.clear();
}

void WorkerPool::change(const Settings& settings) {
    settings_ = settings;
    for (const auto& worker : workers_) worker->change(queue_settings(settings_, worker->number()));
}

void WorkerPool::set_policy(const PolicyPointer& policy) {
    const auto share = share_of(policy, settings_.queue.count);
    for (const auto& worker : workers_) worker->set_policy(share);
}

void WorkerPool::set_proven_sources(const std::shared_ptr<const std::vector<IpAddress>>& sources) {
    for (const auto& worker : workers_) worker->set_proven_sources(sources);
}

void WorkerPool::set_domains(const InterfaceDomainsPointer& domains) {
    for (const auto& worker : workers_) worker->set_domains(domains);
}

void WorkerPool::set_interfaces(const std::vector<InterfaceName>& names) {
    for (const auto& worker : workers_) worker->set_interface_names(names);
}

void WorkerPool::accept_headless_until(TimePoint time) {
    for (const auto& worker : workers_) worker->accept_headless_until(time);
}

std::vector<QueueTotals> WorkerPool::totals() const {
    auto totals = retired_;
    for (std::size_t i = 0; i < workers_.size(); ++i) totals[i].add(read_totals(*workers_[i]));
    return totals;
}

GateTotals WorkerPool::gate_totals() const {
    auto totals = retired_gates_;
    for (const auto& worker : workers_) totals.add(read_totals(worker->gate_counters()));
    return totals;
}

std::string WorkerPool::failure() const {
    for (const auto& worker : workers_)
        if (auto failure = worker->failure(); !failure.empty())
            return "queue " + std::to_string(worker->number()) + ": " + failure;
    return {};
}

WorkerPool::Emptied WorkerPool::emptied() const {
    Emptied emptied{.at = TimePoint::max()};
    for (const auto& totals : retired_) emptied.received += totals.received;
    for (const auto& worker : workers_) {
        const auto& counters = worker->counters();
        const Duration at{static_cast<std::int64_t>(counters.emptied_ns.get())};
        emptied.at = std::min(emptied.at, TimePoint(at));
        emptied.received += counters.received_when_empty.get();
    }
    return emptied;
}

void WorkerPool::nudge() const {
    for (const auto& worker : workers_) worker->nudge();
}

Duration WorkerPool::longest_pause(TimePoint now) const {
    Duration longest{};
    for (const auto& worker : workers_) {
        const Duration beat{static_cast<std::int64_t>(worker->counters().beat_ns.get())};
        longest = std::max(longest, now.time_since_epoch() - beat);
    }
    return longest;
}

} // namespace ikefrag
