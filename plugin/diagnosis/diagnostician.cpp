// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/diagnostician.hpp"

#include <utility>

namespace ikefrag {

class Diagnostician::State {
public:
    PolicyPointer policy;
    std::size_t max_findings = 0;
    std::size_t evicted = 0;
    std::vector<Step> steps;
};

Diagnostician::Diagnostician(PolicyPointer policy, std::size_t max_findings)
    : state_(std::make_unique<State>()) {
    state_->policy = std::move(policy);
    state_->max_findings = max_findings;
}
Diagnostician::~Diagnostician() = default;
Diagnostician::Diagnostician(Diagnostician&&) noexcept = default;
Diagnostician& Diagnostician::operator=(Diagnostician&&) noexcept = default;

void Diagnostician::review(const Handshake&, TimePoint) {}
void Diagnostician::stray(const DatagramLost&, TimePoint) {}
std::optional<TimePoint> Diagnostician::review_at(const Handshake&, TimePoint) const {
    return std::nullopt;
}
void Diagnostician::set_policy(PolicyPointer policy) { state_->policy = std::move(policy); }
std::vector<Diagnostician::Step> Diagnostician::take_steps() {
    return std::exchange(state_->steps, {});
}
void Diagnostician::for_each(const std::function<void(const Finding&)>&) const {}
std::size_t Diagnostician::evicted() const noexcept { return state_->evicted; }
const Finding* Diagnostician::cause_of(std::uint64_t) const { return nullptr; }

} // namespace ikefrag
