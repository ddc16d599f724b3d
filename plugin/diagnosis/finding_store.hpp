// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>
#include <vector>

namespace ikefrag {

/// The findings that are kept, at most one for each attempt and diagnosis.
///
/// Bounds: `max` findings. Beyond that the oldest fact goes, while facts are more than half of all,
/// else the oldest of any kind.
class FindingStore {
public:
    explicit FindingStore(std::size_t max) : max_(max) {}

    /// Null if there is none. The pointer holds until the next change.
    [[nodiscard]] Finding* find(std::uint64_t handshake, const Diagnosis& diagnosis);
    /// The kept findings of one handshake.
    [[nodiscard]] std::vector<Finding*> of(std::uint64_t handshake);
    Finding& add(Finding finding);
    void remove(std::uint64_t handshake, const Diagnosis& diagnosis);
    /// In order of handshakes, then of the catalogue.
    void for_each(const std::function<void(const Finding&)>& visit) const;
    [[nodiscard]] std::size_t evicted() const noexcept { return evicted_; }

private:
    using Key = std::pair<std::uint64_t, std::size_t>; ///< handshake, row of the catalogue
    static Key key(std::uint64_t handshake, const Diagnosis& diagnosis) noexcept;
    using Findings = std::map<Key, Finding>;
    static constexpr std::size_t few = 4;
    /// The first of a handshake, or what comes after where it would be.
    static Findings::iterator first_of(Findings& findings, std::uint64_t handshake);
    Findings& part(FindingKind kind) noexcept {
        return kind == FindingKind::fact ? facts_ : others_;
    }
    void make_room();

    std::size_t max_;
    std::size_t evicted_ = 0;
    Findings facts_;
    Findings others_;
};

} // namespace ikefrag
