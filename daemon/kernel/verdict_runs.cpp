// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/verdict_runs.hpp"

#include <cassert>

namespace ikefrag {

namespace {

/// 32 bits come round.
bool is_before(std::uint32_t a, std::uint32_t b) noexcept {
    return static_cast<std::int32_t>(a - b) < 0;
}

} // namespace

void VerdictRuns::begin_turn() {
    turn_.clear();
    next_ = 0;
    older_ = waiting_;
    in_order_ = true;
}

void VerdictRuns::read(PacketId id) {
    ++waiting_;
    if (!turn_.empty() && !is_before(turn_.back(), id.value)) in_order_ = false;
    turn_.push_back(id.value);
}

bool VerdictRuns::answered(PacketId id) {
    assert(waiting_ > 0);
    --waiting_;
    if (!in_order_) return false;
    if (next_ < turn_.size() && turn_[next_] == id.value) {
        ++next_;
        return older_ == 0 && !stopped_;
    }
    if (turn_.empty() || is_before(id.value, turn_.front())) {
        assert(older_ > 0);
        --older_;
    } else {
        in_order_ = false; // one of this turn that was overtaken waits still
    }
    return false;
}

} // namespace ikefrag
