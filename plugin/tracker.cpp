// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker.hpp"

#include "plugin/tracker/state.hpp"

#include <utility>

namespace ikefrag {

Tracker::Tracker(PolicyPointer policy, TrackerLimits limits, std::vector<VendorId> vendor_ids)
    : state_(std::make_unique<State>(std::move(policy), limits, std::move(vendor_ids))) {}

Tracker::~Tracker() = default;
Tracker::Tracker(Tracker&&) noexcept = default;
Tracker& Tracker::operator=(Tracker&&) noexcept = default;

void Tracker::feed(const Observation& observation) { state_->feed(observation); }

void Tracker::expire(TimePoint now) { state_->expire(now); }

std::optional<TimePoint> Tracker::next_deadline() const { return state_->next_deadline(); }

std::vector<Event> Tracker::take_events() { return state_->take_events(); }

void Tracker::set_policy(PolicyPointer policy) { state_->set_policy(std::move(policy)); }

const Handshake* Tracker::find_handshake(std::uint64_t number) const {
    return state_->find_handshake(number);
}

void Tracker::for_each_handshake(const std::function<void(const Handshake&)>& visit) const {
    const auto& table = state_->handshakes;
    for (auto i = table.first(); i != no_index; i = table.at(i).created.after)
        visit(table.at(i).handshake);
}

void Tracker::for_each_peer(const std::function<void(const Peer&)>& visit) const {
    std::as_const(state_->peers).for_each([&](const PeerEntry& entry) {
        auto peer = entry.peer;
        peer.path_mtu_bytes = entry.path_mtu.at(state_->now());
        visit(peer);
    });
}

void Tracker::for_each_finding(const std::function<void(const Finding&)>& visit) const {
    state_->diagnostician.for_each(visit);
}

const Peer* Tracker::find_peer(const IpAddress& address) const {
    auto* entry = state_->peers.find(address);
    if (entry == nullptr) return nullptr;
    // What it believed is forgotten by time alone.
    entry->peer.path_mtu_bytes = entry->path_mtu.at(state_->now());
    return &entry->peer;
}

void Tracker::restore_peer(const Peer& peer) { state_->restore_peer(peer); }

bool Tracker::forget_peer(const IpAddress& address) { return state_->forget_peer(address); }

void Tracker::forget_peers_before(TimePoint time) { state_->forget_peers_before(time); }

const TrackerTotals& Tracker::totals() const noexcept { return state_->totals(); }

const std::vector<ExchangeTotals>& Tracker::server_totals() const noexcept {
    return state_->server_totals();
}

std::size_t Tracker::handshakes_in_progress() const noexcept { return state_->in_progress; }

std::size_t Tracker::handshake_count() const noexcept { return state_->handshakes.size(); }

std::size_t Tracker::peer_count() const noexcept { return state_->peers.size(); }

std::shared_ptr<const std::vector<IpAddress>> Tracker::proven_sources() const {
    return state_->proven_sources();
}

void Tracker::set_live_since(TimePoint time) { state_->live_since = time; }

void Tracker::set_fragment_drops(const FragmentDrops& drops) {
    state_->diagnostician.set_fragment_drops(drops);
}

} // namespace ikefrag
