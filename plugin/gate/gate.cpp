// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate.hpp"

#include "plugin/gate/state.hpp"

namespace ikefrag {

Gate::Gate(PolicyPointer policy, std::array<std::uint8_t, 16> seed)
    : state_(std::make_unique<State>(std::move(policy), seed)) {}
Gate::~Gate() = default;
Gate::Gate(Gate&&) noexcept = default;
Gate& Gate::operator=(Gate&&) noexcept = default;

void Gate::feed(const Packet& packet, TimePoint now, GateOutput& out) {
    state_->feed(packet, now, out);
}

void Gate::expire(TimePoint now, GateOutput& out) { state_->expire(now, out); }

std::optional<TimePoint> Gate::next_deadline() const { return state_->next_deadline(); }

void Gate::release_all(TimePoint now, GateOutput& out) { state_->release_all(now, out); }

void Gate::set_policy(PolicyPointer policy) { state_->set_policy(std::move(policy)); }

void Gate::accept_headless_until(TimePoint time) { state_->accept_headless_until(time); }

void Gate::vanished(PacketId) { state_->count_vanished(); }

void Gate::set_proven_sources(const std::shared_ptr<const std::vector<IpAddress>>& sources) {
    state_->set_proven_sources(sources ? *sources : std::vector<IpAddress>{});
}

void Gate::set_interface_names(std::vector<InterfaceName> names) {
    state_->set_interface_names(std::move(names));
}

GateMemory Gate::memory() const noexcept { return state_->memory(); }

double Gate::mean_probes() const noexcept { return state_->mean_probes(); }

const GateCounters& Gate::counters() const noexcept { return state_->counters(); }

const Policy& Gate::policy() const noexcept { return state_->policy(); }

} // namespace ikefrag
