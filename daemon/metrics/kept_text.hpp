// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <algorithm>
#include <functional>
#include <string>
#include <utility>

namespace ikefrag {

/// A text that costs time to make, kept so long that making it takes at most a fifth of the time of
/// who makes it, however often it is asked for: a loop of scrapes must not keep the observation
/// thread from reading copies.
///
/// Bounds: never older than a tenth of a second.
class KeptText {
public:
    /// In: now: a clock that never goes back
    KeptText(std::function<std::string()> make, std::function<Duration()> now)
        : make_(std::move(make)), now_(std::move(now)) {}

    [[nodiscard]] const std::string& get() {
        const auto begun = now_();
        if (made_ && begun < until_) return text_;
        text_ = make_();
        const auto done = now_();
        made_ = true;
        until_ = done + std::min<Duration>((done - begun) * share, std::chrono::milliseconds(100));
        return text_;
    }

private:
    static constexpr int share = 4;
    std::function<std::string()> make_;
    std::function<Duration()> now_;
    std::string text_;
    bool made_ = false;
    Duration until_{};
};

} // namespace ikefrag
