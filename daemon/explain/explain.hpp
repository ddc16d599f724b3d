// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"
#include "plugin/handshake.hpp"
#include "plugin/policy.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

/// The story of an attempt: what was sent, what never arrived, who must act, the exact command.
namespace ikefrag {

class Tracker;

/// One attempt and what was found in it; a copy, so that it may leave the tracker's thread.
struct Attempt {
    Handshake handshake;
    std::vector<Finding> findings; ///< of this handshake, cause first
    std::string server_name;       ///< configured name, or empty
};

/// Whom to explain: a peer's or server's address, or an initiator SPI (16 hex digits).
using ExplainTarget = std::variant<IpAddress, Spi>;
[[nodiscard]] std::optional<ExplainTarget> parse_explain_target(std::string_view text);

/// The latest attempts of a target, newest last. In: called on the tracker's thread. Bounds: one
/// walk over the tracker's handshakes and findings; at most `max` copies.
[[nodiscard]] std::vector<Attempt> find_attempts(const Tracker& tracker,
                                                 const Policy& policy,
                                                 const ExplainTarget& target,
                                                 std::size_t max = 3);

/// All attempts first seen at or after a time, of one server if named (report).
[[nodiscard]] std::vector<Attempt> collect_attempts(const Tracker& tracker,
                                                    const Policy& policy,
                                                    std::optional<TimePoint> since = std::nullopt,
                                                    std::string_view server_name = {},
                                                    std::size_t max = 1000);

struct ExplainOptions {
    bool colour = false; ///< ANSI colours
    bool mask = false;   ///< shorten client addresses ([privacy] mask)
};

/// For people: headline, ladder, evidence, remedy, what would disprove it. All text of peers goes
/// through escape_terminal.
[[nodiscard]] std::string explain_text(const std::vector<Attempt>& attempts,
                                       const ExplainOptions& options);

/// One JSON object (text): {"format":1,"attempts":[…]}.
[[nodiscard]] std::string explain_json(const std::vector<Attempt>& attempts,
                                       const ExplainOptions& options);

/// One line of a ladder: a message, or all the IKE fragments of one sending of it.
struct LadderStep {
    enum class Fate : std::uint8_t {
        passed,       ///< seen here; seen leaving, or nothing speaks against it
        partial,      ///< a part of it came, the rest never did
        dropped_here, ///< it came and did not go on
        lost_after,   ///< it left us; what followed shows that it did not arrive
        never_came,   ///< expected, and never seen
        icmp,         ///< what a router or host said of it
    };
    TimePoint time;
    Direction direction = Direction::to_server;
    Fate fate = Fate::passed;
    bool repeat = false;
    std::string label;  ///< "IKE_AUTH request, 3468 octets"
    std::string pieces; ///< "2/3" of its fragments, or empty
    std::string note;   ///< what is special, or empty
};
[[nodiscard]] std::string_view to_string(LadderStep::Fate fate) noexcept;

/// In time order. Bounds: one step a message at most.
[[nodiscard]] std::vector<LadderStep> ladder(const Attempt& attempt);

/// The finding that names why it failed, else the best there is to say; null if there is none.
[[nodiscard]] const Finding* headline_finding(const Attempt& attempt);
/// One sentence on the attempt: what headline_finding() says, else its outcome.
[[nodiscard]] std::string headline(const Attempt& attempt);
/// "the client's network", for "Who must act".
[[nodiscard]] std::string_view actor_text(Actor actor) noexcept;

/// A client's address for showing: whole, or with its last part masked ("203.0.113.x").
[[nodiscard]] std::string shown_address(const IpAddress& address, bool mask);
/// A text of a finding with every address masked but the server's: evidence may name other clients.
[[nodiscard]] std::string shown_text(std::string_view text, const IpAddress& server, bool mask);

} // namespace ikefrag
