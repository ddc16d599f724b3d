// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker.hpp"

#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

namespace ikefrag {

/// Decides when the gates get the tracker's proven sources anew. Each gate sorts thousands of them
/// between two packets (0.4 ms), and every client that shows itself could make it do so: hence at
/// most four times a second, and not for the same ones in another order.
class ProvenSources {
public:
    using Pointer = std::shared_ptr<const std::vector<IpAddress>>;
    static constexpr Duration pause = std::chrono::milliseconds(250);

    /// Out: those to be handed out now; null: the latest ones stay
    [[nodiscard]] Pointer next(const Tracker& tracker, TimePoint now) {
        if (latest_ != nullptr && now - taken_at_ < pause) return nullptr;
        auto sources = tracker.proven_sources();
        if (sources == taken_) return nullptr;
        taken_ = sources;
        taken_at_ = now;
        auto sorted = *sources;
        std::sort(sorted.begin(), sorted.end());
        if (latest_ != nullptr && sorted == sorted_) return nullptr;
        sorted_ = std::move(sorted);
        latest_ = std::move(sources);
        return latest_;
    }
    /// Handed out last; null: none yet
    [[nodiscard]] const Pointer& latest() const noexcept { return latest_; }

private:
    Pointer taken_;
    Pointer latest_;
    std::vector<IpAddress> sorted_; ///< of `latest_`
    TimePoint taken_at_;
};

} // namespace ikefrag
