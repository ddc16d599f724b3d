// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/log_reader.hpp"
#include "daemon/observer/causes.hpp"
#include "daemon/observer/proven_sources.hpp"
#include "daemon/observer/totals.hpp"
#include "plugin/gate.hpp"
#include "plugin/policy.hpp"
#include "plugin/tracker.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace boost::asio {
class io_context;
} // namespace boost::asio

namespace ikefrag {

class Clock;
class EventWriter;
class PeerStore;
class QueueWorker;
class Recorder;
class WorkerPool;

/// What the observation thread counted itself.
struct ObserverCounters {
    /// Copies of whole packets by [family][class, last = never known], on the way in and sent by
    /// this host itself.
    std::array<std::array<std::uint64_t, count_of<PacketClass> + 1>, 2> sent_packets{};
    std::uint64_t observations = 0;
    std::uint64_t events = 0;
};

/// The observation plane: copies and the workers' observations go into the tracker, its events to
/// the event log and the peer store. In `observe` a gate of its own gets the copied fragments, and
/// so knows what `guard` would have done. Never in the way of a packet.
///
/// Runs on the io_context's one thread; so does every call.
class Observer {
public:
    Observer(boost::asio::io_context& io,
             const Clock& clock,
             LogReader& log,
             WorkerPool& pool,
             Tracker& tracker,
             EventWriter& events,
             PeerStore& store,
             Recorder& recorder,
             PolicyPointer policy);
    ~Observer();
    Observer(const Observer&) = delete;
    Observer& operator=(const Observer&) = delete;

    /// Begins to read copies; keeps the tracker's and the gate's deadlines.
    void start();
    /// Reads the pool's observation queues from now on; after the pool started.
    void watch_workers();
    /// Takes what is left in them and looks there no more; before the pool ends its workers.
    void leave_workers();

    void set_policy(const PolicyPointer& policy);
    void set_interfaces(const std::vector<InterfaceName>& names);
    /// Ends what waited long enough; writes events. At least once a second, and before anything is
    /// shown to anybody.
    void catch_up();
    /// Lets go of half datagrams in the observing gate: on leaving `observe`.
    void forget_fragments();
    /// The observing gate says nothing of fragments whose first one has not come: on entering
    /// `observe`, the workers had it.
    void accept_headless_until(TimePoint time);

    [[nodiscard]] const ObserverCounters& counters() const noexcept { return counters_; }
    [[nodiscard]] const FailedHandshakes& failed() const noexcept { return failed_; }
    /// Of the observing gate.
    [[nodiscard]] GateTotals gate_totals() const;

private:
    void wait_for_copies();
    /// These two give the time up to which all was read.
    TimePoint read_copies();
    void take_copies(std::span<const Copy> copies);
    void take_copy(const Copy& copy);
    TimePoint drain(QueueWorker& worker);
    void take_observation(const Observation& observation);
    void take_events();
    void take_event(const Event& event);
    void
    end_handshake(const Handshake& handshake, const Finding* cause, bool counted, TimePoint time);
    void schedule();
    [[nodiscard]] std::string server_name(std::optional<std::size_t> index) const;

    struct Sources;
    const Clock& clock_;
    LogReader& log_;
    WorkerPool& pool_;
    Tracker& tracker_;
    EventWriter& events_;
    PeerStore& store_;
    Recorder& recorder_;
    PolicyPointer policy_;
    Gate gate_;
    GateOutput output_;
    std::unique_ptr<Sources> sources_;
    ProvenSources proven_;
    Causes causes_;
    std::uint64_t observations_lost_ = 0; ///< told to the tracker so far
    ObserverCounters counters_;
    FailedHandshakes failed_;
};

} // namespace ikefrag
