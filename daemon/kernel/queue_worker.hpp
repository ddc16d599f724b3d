// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/links.hpp"
#include "daemon/kernel/observation_queue.hpp"
#include "daemon/kernel/queue_counters.hpp"
#include "daemon/kernel/verdict_sender.hpp"
#include "plugin/gate.hpp"
#include "plugin/policy.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ikefrag {

class Clock;
class PacketTap;

/// Octets of a packet that the kernel gives: the most it can (65535 less a netlink attribute's
/// head).
inline constexpr std::uint32_t queue_copy_range = 65531;

struct QueueSettings {
    std::uint16_t number = 500;
    std::uint32_t max_length = 8192; ///< packets the kernel keeps waiting
    bool fail_open = true;           ///< queue or socket full: let pass; false: drop
    std::uint32_t receive_buffer_bytes = 16u << 20;
    std::size_t observation_bytes = std::size_t{1} << 20; ///< room of the observation queue
    std::optional<PacketMark> mark;                       ///< put on every packet let through
};

/// What the kernel made of the settings.
struct QueueBound {
    std::uint32_t max_length = 0;
    bool fail_open = false;           ///< the kernel took the flag
    std::uint32_t receive_buffer = 0; ///< bytes of data
    std::uint32_t copy_range = 0;     ///< from /proc where it may be read, else as asked
};

/// One kernel queue, answered by a thread of its own out of a Gate of its own.
///
/// What a packet costs (a 1.5 kB fragment that is held and released; queue_worker.cpp says where):
/// bytes crossed: packet + 100 in, at most 32 out; copies: kernel → slot, slot → gate (held
/// fragments only), gate → observation queue (once a message); system calls: 2 a batch of up to 64;
/// allocations: none in steady state.
class QueueWorker {
public:
    /// Binds the queue; packets wait until start(). Errors: std::system_error, EPERM: another
    /// process has this queue, or CAP_NET_ADMIN is missing (the text says both).
    QueueWorker(const QueueSettings& settings,
                PolicyPointer policy,
                std::array<std::uint8_t, 16> seed,
                const Clock& clock);
    /// Stops as stop() does.
    ~QueueWorker();
    QueueWorker(const QueueWorker&) = delete;
    QueueWorker& operator=(const QueueWorker&) = delete;

    void start();

    /// Any thread; taken over by the worker before its next packet. set_policy answers nothing that
    /// is held: release() does.
    void set_policy(PolicyPointer policy);
    void set_proven_sources(std::shared_ptr<const std::vector<IpAddress>> sources);
    void set_domains(InterfaceDomainsPointer domains);
    /// Names of interfaces, for rules that test them.
    void set_interface_names(std::vector<InterfaceName> names);
    /// Takes over length, fail_open and mark; the rest stays. The thread that made the worker; the
    /// kernel refuses nothing of it that it took when the queue was bound, and what it refuses is
    /// counted (QueueCounters::other_errors).
    void change(const QueueSettings& settings);
    /// From now on every packet read is copied there, too; null: none is.
    void set_tap(std::shared_ptr<PacketTap> tap);
    /// See Gate: after a start in the midst of traffic.
    void accept_headless_until(TimePoint time);
    /// Lets go of everything held, with `accept` (change to observe).
    void release();

    /// Any thread: has the loop turn, so that it says whether the socket is empty.
    void nudge();

    /// Answers everything held and everything still waiting with `accept`, gives the queue back,
    /// and ends the thread. First take the queue rule away (KernelTable::stop_queueing), so that
    /// nothing comes in meanwhile.
    void stop();

    [[nodiscard]] std::uint16_t number() const noexcept;
    [[nodiscard]] const QueueBound& bound() const noexcept;
    [[nodiscard]] const QueueCounters& counters() const noexcept;
    [[nodiscard]] const GateCounters& gate_counters() const noexcept;
    /// The reader's side belongs to one thread of the caller.
    [[nodiscard]] ObservationQueue& observations() noexcept;
    /// Why the thread ended by itself, if it did (the socket broke); empty while it runs.
    [[nodiscard]] std::string failure() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace ikefrag
