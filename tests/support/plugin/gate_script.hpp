// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate.hpp"

#include "tests/support/plugin/packets.hpp"
#include "tests/support/plugin/print.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace ikefrag::test {

/// 2026-11-23 08:00:00 UTC: when every script begins.
inline constexpr TimePoint start_of_script{std::chrono::seconds(1'795'420'800)};

/// A policy as the shipped rules make it: IKE passes, ESP, ESP in UDP and keepalives are left; one
/// server, 203.0.113.5 and 2001:db8::5.
[[nodiscard]] Policy shipped_policy(Mode mode = Mode::guard);
[[nodiscard]] Rule rule(std::string name, PacketClass packet_class, Action action);

/// A gate driven by hand: packets and times in, what it said out. Keeps copies of all it said, so
/// that each packet's fate can be asked for by its number.
class GateScript {
public:
    explicit GateScript(Policy policy = shipped_policy());

    /// Sets the time, from the script's begin on.
    GateScript& at(Duration since_start);
    /// Feeds one packet (from an exact heap copy). Numbers count from 1.
    GateScript& feed(const Buffer& packet, std::uint32_t domain = 0);
    GateScript& feed(const std::vector<Buffer>& packets);
    GateScript& feed(const Packet& packet);
    GateScript& expire();
    GateScript& release_all();
    GateScript& set_policy(Policy policy);

    [[nodiscard]] Gate& gate() noexcept { return gate_; }
    [[nodiscard]] TimePoint now() const noexcept { return now_; }
    [[nodiscard]] std::uint32_t fed() const noexcept { return fed_; }
    /// A packet's decision; empty while it is held. Two for one packet fail the test.
    [[nodiscard]] std::optional<Decision> of(std::uint32_t number) const;
    [[nodiscard]] bool is_held(std::uint32_t number) const { return !of(number); }
    /// Packets in the order of their decisions.
    [[nodiscard]] const std::vector<Decision>& decisions() const noexcept { return decisions_; }

    [[nodiscard]] std::vector<MessageSeen> messages() const { return all_of<MessageSeen>(); }
    [[nodiscard]] std::vector<DatagramLost> losses() const { return all_of<DatagramLost>(); }
    template <class What>
    [[nodiscard]] std::vector<What> all_of() const {
        std::vector<What> found;
        for (const auto& observation : out_.observations)
            if (const auto* const what = std::get_if<What>(&observation.what))
                found.push_back(*what);
        return found;
    }

    /// Every packet from first to last has this verdict and reason.
    void expect(std::uint32_t first, std::uint32_t last, Verdict verdict, Reason reason);
    void expect(std::uint32_t number, Verdict verdict, Reason reason = Reason::none) {
        expect(number, number, verdict, reason);
    }
    [[nodiscard]] std::uint64_t outcomes(DatagramOutcome outcome) const;
    [[nodiscard]] std::uint64_t held_packets() const { return gate_.counters().held_packets.get(); }

private:
    void collect();

    Gate gate_;
    GateOutput out_; ///< never cleared: its views stay
    std::size_t collected_ = 0;
    TimePoint now_ = start_of_script;
    std::uint32_t fed_ = 0;
    std::vector<Decision> decisions_;
    std::map<std::uint32_t, Decision> by_packet_;
    std::vector<ExactCopy> copies_;
};

} // namespace ikefrag::test
