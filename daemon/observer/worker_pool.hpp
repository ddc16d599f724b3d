// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/kernel/links.hpp"
#include "daemon/kernel/queue_worker.hpp"
#include "daemon/observer/totals.hpp"
#include "plugin/policy.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace ikefrag {

class Clock;
class PacketTap;

/// The queue workers, as one: none in `observe`, one a queue otherwise. What they counted outlives
/// them, so that no counter ever goes back.
class WorkerPool {
public:
    WorkerPool(const Settings& settings, const Clock& clock);
    ~WorkerPool();
    WorkerPool(const WorkerPool&) = delete;
    WorkerPool& operator=(const WorkerPool&) = delete;

    /// Binds every queue and starts its thread; no effect while running. Errors: std::system_error,
    /// then nothing runs.
    void start(const PolicyPointer& policy);
    /// Lets go of everything held with `accept`; the threads go on.
    void release();
    /// Answers everything, gives the queues back, ends the threads.
    void stop();

    [[nodiscard]] bool running() const noexcept { return !workers_.empty(); }
    /// The workers: their observations are read by whoever drives the pool.
    [[nodiscard]] const std::vector<std::unique_ptr<QueueWorker>>& workers() const noexcept {
        return workers_;
    }

    /// Takes over the queues' length, fail_open and mark, of workers started later, too. In: number
    /// and count of the queues as before
    void change(const Settings& settings);
    void set_policy(const PolicyPointer& policy);
    void set_proven_sources(const std::shared_ptr<const std::vector<IpAddress>>& sources);
    void set_domains(const InterfaceDomainsPointer& domains);
    void set_interfaces(const std::vector<InterfaceName>& names);
    void accept_headless_until(TimePoint time);
    /// Whether every packet read is copied to a tap of its worker, those of workers started later
    /// included.
    void tap(bool wanted);
    /// One a queue while tapped, else none; read by whoever drives the pool.
    [[nodiscard]] const std::vector<std::shared_ptr<PacketTap>>& taps() const noexcept {
        return taps_;
    }

    /// Sums of what happened since the daemon's start, and the gauges of now; one a queue.
    [[nodiscard]] std::vector<QueueTotals> totals() const;
    /// All gates' counts since the start.
    [[nodiscard]] GateTotals gate_totals() const;

    /// Why a worker ended by itself; empty while all is well.
    [[nodiscard]] std::string failure() const;
    /// The longest time since any worker's loop turned; 0 with none running.
    [[nodiscard]] Duration longest_pause(TimePoint now) const;
    /// Of all workers since the start: `received` has every packet that came until `at`, which is
    /// the end of time with none running.
    struct Emptied {
        TimePoint at;
        std::uint64_t received = 0;
    };
    [[nodiscard]] Emptied emptied() const;
    /// Has every worker look whether its socket is empty.
    void nudge() const;

private:
    void hand_out_taps();

    Settings settings_;
    const Clock& clock_;
    std::vector<std::unique_ptr<QueueWorker>> workers_;
    std::vector<std::shared_ptr<PacketTap>> taps_;
    std::vector<QueueTotals> retired_; ///< of workers that are gone, one a queue
    GateTotals retired_gates_;
};

/// The policy as one of `count` gates gets it: the table's limits are shared out equally, so that
/// all together stay within them.
[[nodiscard]] PolicyPointer share_of(const PolicyPointer& policy, std::uint16_t count);

/// 16 bytes nobody else knows. Errors: std::system_error.
[[nodiscard]] std::array<std::uint8_t, 16> random_seed();

} // namespace ikefrag
