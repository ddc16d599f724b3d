// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <variant>

namespace ikefrag {

/// The failures that explain handshakes still in progress, from when they are found to the
/// handshake's end.
///
/// A handshake may go without an end that is told (evicted, or the event was lost), and a failure
/// may be found after the end. So what was found of one that is over does not stay, and beyond the
/// limit the oldest handshake's goes: never is there no room for a new one.
class Causes {
public:
    explicit Causes(std::size_t limit = 10'000) : limit_(limit) {}

    /// Notes what the events tell of failures; before any of them is carried out, as what explains
    /// a handshake's end may come after the end itself.
    void note(std::span<const Event> events) {
        for (const auto& event : events) {
            const auto* finding = finding_of(event);
            if (finding == nullptr || std::holds_alternative<FindingClosed>(event.what) ||
                finding->handshake == 0 || finding->diagnosis == nullptr ||
                finding->diagnosis->kind != FindingKind::failure)
                continue;
            causes_.insert_or_assign(finding->handshake, *finding);
            if (causes_.size() > limit_) causes_.erase(causes_.begin());
        }
    }
    /// The cause of a handshake that ended; it is not kept.
    [[nodiscard]] std::optional<Finding> take(std::uint64_t handshake) {
        auto node = causes_.extract(handshake);
        if (node.empty()) return std::nullopt;
        return std::move(node.mapped());
    }
    /// After all the events: forgets what they told of handshakes that are over. In:
    /// `is_in_progress(number)` tells of a handshake
    template <class Predicate>
    void forget_ended(std::span<const Event> events, Predicate is_in_progress) {
        for (const auto& event : events)
            if (const auto* finding = finding_of(event);
                finding != nullptr && !is_in_progress(finding->handshake))
                causes_.erase(finding->handshake);
    }
    [[nodiscard]] std::size_t size() const noexcept { return causes_.size(); }

private:
    [[nodiscard]] static const Finding* finding_of(const Event& event) noexcept {
        if (const auto* opened = std::get_if<FindingOpened>(&event.what)) return &opened->finding;
        if (const auto* updated = std::get_if<FindingUpdated>(&event.what))
            return &updated->finding;
        const auto* closed = std::get_if<FindingClosed>(&event.what);
        return closed == nullptr ? nullptr : &closed->finding;
    }

    std::size_t limit_;
    std::map<std::uint64_t, Finding> causes_; ///< by handshake number: in order of their begin
};

} // namespace ikefrag
