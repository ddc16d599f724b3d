// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/observer.hpp"

#include "daemon/asio.hpp"
#include "daemon/clock.hpp"
#include "daemon/events/event_writer.hpp"
#include "daemon/observer/borrowed.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/recorder.hpp"
#include "daemon/state/peer_store.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

/// Datagrams of copies read in one turn, up to 64 copies each; then timers and clients get theirs.
constexpr int datagrams_a_turn = 32;
constexpr int observations_a_turn = 4096;
/// Copies arrive up to one log timeout (10 ms) after their packet: ending fragments earlier would
/// end some that have come.
constexpr Duration copies_late = std::chrono::milliseconds(50);

/// The policy of a gate that only looks.
PolicyPointer observing(const PolicyPointer& policy) {
    if (policy->mode == Mode::observe) return policy;
    auto copy = std::make_shared<Policy>(*policy);
    copy->mode = Mode::observe;
    return copy;
}

template <class... Cases>
struct Overloaded : Cases... {
    using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

} // namespace

struct Observer::Sources {
    Sources(asio::io_context& context, int log)
        : io(context), copies(context, log), timer(context) {}
    asio::io_context& io;
    Borrowed copies;
    asio::steady_timer timer;
    std::vector<std::unique_ptr<Borrowed>> queues;
};

Observer::Observer(asio::io_context& io,
                   const Clock& clock,
                   LogReader& log,
                   WorkerPool& pool,
                   Tracker& tracker,
                   EventWriter& events,
                   PeerStore& store,
                   Recorder& recorder,
                   PolicyPointer policy)
    : clock_(clock), log_(log), pool_(pool), tracker_(tracker), events_(events), store_(store),
      recorder_(recorder), policy_(std::move(policy)), gate_(observing(policy_), random_seed()),
      sources_(std::make_unique<Sources>(io, log.descriptor())) {}

Observer::~Observer() = default;

void Observer::start() {
    wait_for_copies();
    schedule();
}

void Observer::wait_for_copies() {
    sources_->copies.wait([this](ErrorCode error) {
        if (error) return;
        read_copies();
        wait_for_copies();
    });
}

TimePoint Observer::read_copies() {
    auto read_until = clock_.now();
    for (int i = 0; i < datagrams_a_turn; ++i) {
        const auto copies = log_.read();
        if (copies.empty()) break;
        take_copies(copies);
        if (i == datagrams_a_turn - 1) read_until = std::min(read_until, copies.back().time);
    }
    if (const auto lost = log_.take_lost(); lost != 0)
        take_observation({clock_.now(), Leg::prerouting, CopiesLost{lost}});
    schedule();
    return read_until;
}

void Observer::take_copies(std::span<const Copy> copies) {
    for (const auto& copy : copies) take_copy(copy);
    for (const auto& observation : output_.observations) take_observation(observation);
    output_.clear();
}

void Observer::take_copy(const Copy& copy) {
    if (copy.bytes.empty()) return;
    recorder_.add(copy);
    Packet packet;
    packet.bytes = copy.bytes;
    packet.leg = copy.leg;
    packet.interface = copy.interface;
    packet.domain = copy.domain;
    packet.truncated = copy.truncated;
    if (copy.leg == Leg::prerouting) return gate_.feed(packet, copy.time, output_);
    const auto before = output_.observations.size();
    const auto seen = observe_whole(*policy_, packet, copy.time, output_);
    for (auto i = before; i < output_.observations.size(); ++i)
        output_.observations[i].at_latest = copy.leg == Leg::output && !copy.stamped;
    // What goes out was counted when it came in.
    if (copy.leg != Leg::output) return;
    const auto family = copy.bytes[0] >> 4 == 6 ? Family::ipv6 : Family::ipv4;
    const auto packet_class = seen.packet_class ? index(*seen.packet_class) : count_of<PacketClass>;
    ++counters_.sent_packets[index(family)][packet_class];
}

void Observer::watch_workers() {
    for (const auto& worker : pool_.workers()) {
        sources_->queues.push_back(
            std::make_unique<Borrowed>(sources_->io, worker->observations().descriptor()));
        auto& queue = *sources_->queues.back();
        // Waits again and again; ends with the descriptor (leave_workers cancels it).
        const auto wait = [this, &queue, &worker = *worker](auto again) -> void {
            queue.wait([this, &worker, again](ErrorCode error) {
                if (error) return;
                drain(worker);
                schedule();
                again(again);
            });
        };
        wait(wait);
    }
    if (proven_.latest()) pool_.set_proven_sources(proven_.latest());
}

void Observer::leave_workers() {
    sources_->queues.clear();
    for (const auto& worker : pool_.workers()) drain(*worker);
    recorder_.drain();
}

TimePoint Observer::drain(QueueWorker& worker) {
    recorder_.drain();
    auto& queue = worker.observations();
    auto read_until = clock_.now();
    for (int i = 0; i < observations_a_turn; ++i) {
        const auto observation = queue.pop();
        if (!observation) return read_until;
        take_observation(*observation);
        // More than a turn's worth: the eventfd stays readable until all is drained.
        if (i == observations_a_turn - 1) read_until = std::min(read_until, observation->time);
    }
    return read_until;
}

void Observer::take_observation(const Observation& observation) {
    ++counters_.observations;
    if (const auto* lost = std::get_if<DatagramLost>(&observation.what))
        events_.datagram_refused(*lost, observation.time);
    tracker_.feed(observation);
}

void Observer::catch_up() {
    const auto now = clock_.now();
    auto read_until = std::min(now, read_copies());
    for (const auto& worker : pool_.workers()) read_until = std::min(read_until, drain(*worker));
    gate_.expire(now - copies_late, output_);
    for (const auto& observation : output_.observations) take_observation(observation);
    output_.clear();
    std::uint64_t lost = 0;
    for (const auto& queue : pool_.totals()) lost += queue.observations_lost;
    if (lost > observations_lost_)
        take_observation({now, Leg::prerouting, CopiesLost{lost - observations_lost_}});
    observations_lost_ = std::max(observations_lost_, lost);
    // What is left to be read is in time: the tracker's clock waits for it.
    tracker_.expire(read_until);
    take_events();
    recorder_.expire(now);
    if (const auto proven = proven_.next(tracker_, now)) {
        pool_.set_proven_sources(proven);
        gate_.set_proven_sources(proven);
    }
}

void Observer::schedule() {
    auto next = tracker_.next_deadline();
    if (const auto gate = gate_.next_deadline())
        next = std::min(next.value_or(TimePoint::max()), *gate + copies_late);
    if (!next) return;
    const auto wait = std::max<Duration>(*next - clock_.now(), std::chrono::milliseconds(1));
    sources_->timer.expires_after(std::min<Duration>(wait, std::chrono::seconds(1)));
    sources_->timer.async_wait([this](ErrorCode error) {
        if (error) return;
        catch_up();
        schedule();
    });
}

void Observer::take_events() {
    const auto events = tracker_.take_events();
    causes_.note(events);
    for (const auto& event : events) take_event(event);
    causes_.forget_ended(events, [this](std::uint64_t number) {
        const auto* handshake = tracker_.find_handshake(number);
        return handshake != nullptr && !handshake->ended;
    });
}

void Observer::take_event(const Event& event) {
    ++counters_.events;
    const auto time = event.time;
    std::visit(
        Overloaded{
            [&](const HandshakeEnded& ended) {
                const auto cause = causes_.take(ended.handshake);
                if (const auto* handshake = tracker_.find_handshake(ended.handshake))
                    end_handshake(*handshake, cause ? &*cause : nullptr, ended.counted, time);
            },
            [&](const CapabilityChanged& changed) {
                events_.capability_changed(changed, time);
                store_.capability_changed(changed.address, time, changed.after);
            },
            [&](const FindingOpened& opened) {
                events_.finding_changed(
                    "opened", opened.finding, server_name(opened.finding.server_index), time);
            },
            [&](const FindingClosed& closed) {
                events_.finding_changed(
                    "closed", closed.finding, server_name(closed.finding.server_index), time);
            },
            [&](const PeerChanged& changed) {
                if (const auto* peer = tracker_.find_peer(changed.address)) store_.store(*peer);
            },
            [&](const PeerForgotten& forgotten) { store_.forget(forgotten.address); },
            [](const auto&) {}},
        event.what);
}

void Observer::end_handshake(const Handshake& handshake,
                             const Finding* cause,
                             bool counted,
                             TimePoint time) {
    const auto server = server_name(handshake.server_index);
    recorder_.handshake_ended(handshake, cause, server, time);
    if (handshake.outcome != Outcome::failed) cause = nullptr;
    if (handshake.outcome == Outcome::failed && counted)
        ++failed_[{server.empty() ? "unlisted" : server,
                   handshake.version,
                   cause == nullptr ? "none" : std::string(cause->diagnosis->slug)}];
    events_.handshake_ended(handshake, cause, server, time);
}

std::string Observer::server_name(std::optional<std::size_t> index) const {
    return index && *index < policy_->servers.size() ? policy_->servers[*index].name
                                                     : std::string();
}

void Observer::set_policy(const PolicyPointer& policy) {
    policy_ = policy;
    gate_.set_policy(observing(policy));
    tracker_.set_policy(policy);
}

void Observer::set_interfaces(const std::vector<InterfaceName>& names) {
    gate_.set_interface_names(names);
}

void Observer::forget_fragments() {
    gate_.release_all(clock_.now(), output_);
    for (const auto& observation : output_.observations) take_observation(observation);
    output_.clear();
}

void Observer::accept_headless_until(TimePoint time) { gate_.accept_headless_until(time); }

GateTotals Observer::gate_totals() const { return read_totals(gate_.counters()); }

} // namespace ikefrag
