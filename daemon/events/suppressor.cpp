// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/events/suppressor.hpp"

#include <algorithm>

namespace ikefrag {

bool Suppressor::take_token(TimePoint now) {
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - refilled_).count();
    if (seconds > 0) {
        const auto fresh = static_cast<std::uint64_t>(std::min<std::int64_t>(seconds, 3600));
        tokens_ = std::min(limits_.burst, tokens_ + fresh * limits_.per_second);
        refilled_ = now;
    }
    if (tokens_ == 0) return false;
    --tokens_;
    return true;
}

bool Suppressor::allows(const std::string& key, TimePoint now) {
    auto found = windows_.find(key);
    if (found == windows_.end()) {
        const bool full = windows_.size() >= limits_.keys;
        found = windows_.try_emplace(full ? "other" : key, Window{now, 0, 0}).first;
    }
    auto& window = found->second;
    if (window.written < limits_.per_key && take_token(now)) {
        ++window.written;
        return true;
    }
    ++window.left_out;
    return false;
}

std::vector<Suppressor::Suppressed> Suppressor::take_suppressed(TimePoint now) {
    std::vector<Suppressed> out;
    std::erase_if(windows_, [&](const auto& entry) {
        const auto& [key, window] = entry;
        if (now - window.start < limits_.window) return false;
        if (window.left_out != 0) out.push_back({key, window.left_out});
        return true;
    });
    return out;
}

} // namespace ikefrag
