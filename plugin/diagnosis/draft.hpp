// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"
#include "plugin/diagnosis/sums.hpp"
#include "plugin/diagnosis/view.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ikefrag {

using Values = std::vector<std::pair<std::string_view, std::string>>;

/// A finding being made: what a detector knows, before it is put into words.
struct Draft {
    const Diagnosis* diagnosis = nullptr;
    Confidence confidence = Confidence::high;
    Actor actor = Actor::unknown;
    Values values; ///< for the names in the sentence and the remedy
    std::vector<std::string> evidence;

    Draft& with(std::string_view name, std::string value) {
        values.emplace_back(name, std::move(value));
        return *this;
    }
};

/// What the detectors say of one handshake.
class Drafts {
public:
    Draft& add(std::string_view id, Actor actor, Confidence confidence);
    [[nodiscard]] bool has(std::string_view id) const noexcept;
    [[nodiscard]] std::vector<Draft>& all() noexcept { return drafts_; }
    [[nodiscard]] const std::vector<Draft>& all() const noexcept { return drafts_; }

private:
    std::vector<Draft> drafts_;
};

/// Everything a detector may look at.
struct Scene {
    const View& view;
    const Sums& sums;
    ServerSums& server;
};

// One family each; in the order in which they may rely on what was found before.
void find_here(const Scene& scene, Drafts& out);         ///< D29 D30 D34
void find_lost_on_path(const Scene& scene, Drafts& out); ///< D04 D05 D10 D11 D12
void find_icmp(const Scene& scene, Drafts& out);         ///< D26 D27 D28
void find_sharing(const Scene& scene, Drafts& out);      ///< D24 D25
void find_silence(const Scene& scene, Drafts& out);      ///< D06 D07 D08 D09 D16 D18
void find_negotiation(const Scene& scene, Drafts& out);  ///< D19 to D23
void find_capability(const Scene& scene, Drafts& out);   ///< D01 D02 D03 D13 D14 D15 D17 D33
void find_facts(const Scene& scene, Drafts& out);        ///< D31 D32 D35

/// Keeps what may stand: no failure of an established handshake, of several failures the most
/// specific.
void settle(const Scene& scene, Drafts& drafts);

/// Its rank among failures: the lower, the more specific; kinds other than failure come last.
[[nodiscard]] std::size_t rank_of(const Diagnosis& diagnosis) noexcept;

/// The sentence or remedy in words: the draft's values first, then the names every finding has
/// (client, server, server_on, …).
[[nodiscard]] std::string phrase(std::string_view text, const Draft& draft, const View& view);

/// Confidence lowered a step where the SPI was seen with several client addresses.
[[nodiscard]] Confidence confidence_of(const View& view, Confidence best) noexcept;

} // namespace ikefrag
