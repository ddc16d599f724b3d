// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"
#include "plugin/handshake.hpp"
#include "plugin/observation.hpp"
#include "plugin/policy.hpp"
#include "plugin/time.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace ikefrag {

/// How often one handshake is looked at; kept with it.
struct LookPace {
    TimePoint paid;           ///< each look pays a pause; ahead of now by a burst at most
    bool pending : 1 = false; ///< a look was put off
    bool trouble : 1 = false; ///< a failure stands: everything new may be its end
};

/// Looks at handshakes as they change and keeps one finding per attempt and diagnosis: opened,
/// updated, closed with the outcome. Keeps the few sums over a server's clients that server-wide
/// diagnoses need (D01, D06, D08, D25, D35). Called by the tracker only.
class Diagnostician {
public:
    enum class Change : std::uint8_t { opened, updated, closed };
    struct Step {
        Change change;
        Finding finding;
        TimePoint time;
    };

    Diagnostician(PolicyPointer policy, std::size_t max_findings);
    ~Diagnostician();
    Diagnostician(Diagnostician&&) noexcept;
    Diagnostician& operator=(Diagnostician&&) noexcept;

    /// Called after every change of a handshake, when a deadline it named is due, and once when it
    /// has ended (handshake.ended).
    void review(const Handshake& handshake, LookPace& pace, TimePoint now);

    /// A lost or refused datagram that belongs to no handshake: tails alone, attacks.
    void stray(const DatagramLost& lost, TimePoint now);

    /// When a handshake should be reviewed again though nothing more was seen of it (silence is a
    /// signal); empty: no need.
    [[nodiscard]] static std::optional<TimePoint>
    review_at(const Handshake& handshake, const LookPace& pace, TimePoint now);

    void set_policy(PolicyPointer policy);
    /// Tracker::set_fragment_drops.
    void set_fragment_drops(const FragmentDrops& drops);

    /// Steps since the last call, in place of what `steps` held: its room is used for the next
    /// ones.
    void take_steps(std::vector<Step>& steps);
    void for_each(const std::function<void(const Finding&)>& visit) const;
    [[nodiscard]] std::size_t evicted() const noexcept;
    /// The failure finding that names why this handshake failed; null if none does.
    [[nodiscard]] const Finding* cause_of(std::uint64_t handshake) const;

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace ikefrag
