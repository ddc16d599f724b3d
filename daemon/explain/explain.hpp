// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"
#include "plugin/handshake.hpp"
#include "plugin/policy.hpp"

#include <cstddef>
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

/// One arrow of a ladder: a message, or all repeats of it that went the same way.
struct LadderStep {
    enum class Fate {
        arrived,     ///< seen here, and seen leaving or presumed so
        lost_before, ///< a part or all of it never reached us
        dropped_here,
        lost_after, ///< it left us; what followed shows that it did not arrive
    };
    TimePoint time;
    Direction direction = Direction::to_server;
    Fate fate = Fate::arrived;
    bool repeat = false;
    std::string label; ///< "IKE_AUTH request 1, 3468 octets, 3 IP fragments"
    std::string note;  ///< "first fragment 1500 octets, rest never came", or empty
};
/// In time order; fragments of one set are one step. Bounds: at most 64 steps.
[[nodiscard]] std::vector<LadderStep> ladder(const Attempt& attempt);

/// A client's address for showing: whole, or with its last part masked ("203.0.113.x").
[[nodiscard]] std::string shown_address(const IpAddress& address, bool mask);
/// A text of a finding with the attempt's client address masked.
[[nodiscard]] std::string shown_text(std::string_view text, const IpAddress& client, bool mask);

} // namespace ikefrag
