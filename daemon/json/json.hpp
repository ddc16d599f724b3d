// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"
#include "plugin/gate.hpp"
#include "plugin/handshake.hpp"
#include "plugin/peer.hpp"
#include "plugin/tracker.hpp"

#include <boost/json/fwd.hpp>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The engine's types as JSON, with the keys of DESIGN §6: the same in `replay --json` and on the
/// control socket. Absent values are null; keys may be added, never renamed or removed.
namespace ikefrag {

/// Text for a JSON string: always valid UTF-8.
[[nodiscard]] boost::json::value json_text(std::string_view text);
/// null while not known.
[[nodiscard]] boost::json::value bool_or_null(const std::optional<bool>& value);
/// RFC 3339, UTC, six decimals.
[[nodiscard]] boost::json::value to_json(TimePoint time);
/// null while zero.
[[nodiscard]] boost::json::value to_json(const Spi& spi);

[[nodiscard]] boost::json::object to_json(const Handshake& handshake);
/// With the timeline besides: "messages", "sets", "icmp".
[[nodiscard]] boost::json::object to_json_with_timeline(const Handshake& handshake);
[[nodiscard]] boost::json::object to_json(const MessageRecord& message);
[[nodiscard]] boost::json::object to_json(const Peer& peer);
[[nodiscard]] boost::json::object to_json(const Finding& finding);
[[nodiscard]] boost::json::object to_json(const Diagnosis& diagnosis);

/// Verdicts of packets, and the reasons of those that were (or would have been) dropped.
struct VerdictTotals {
    std::array<std::uint64_t, count_of<Verdict>> verdicts{};
    std::array<std::uint64_t, count_of<Reason>> drop_reasons{};
    std::array<std::uint64_t, count_of<Verdict>> intended{};
    std::array<std::uint64_t, count_of<Reason>> intended_drop_reasons{};

    void add(const Decision& decision) noexcept;
};
/// "accept" … "merge", "drop_reasons" (every reason, zeros included), "intended" (the same again).
[[nodiscard]] boost::json::object to_json(const VerdictTotals& totals);

/// "fragments" (records that are one), "fragmented" and its four parts.
[[nodiscard]] boost::json::object datagrams_json(const GateCounters& counters,
                                                 std::uint64_t fragments);
/// The "messages" object: totals, by exchange, by transport, SKF, 16430.
[[nodiscard]] boost::json::object messages_json(const TrackerTotals& totals);
/// The "transition" object: tunnel packets compared, and those that do not match.
[[nodiscard]] boost::json::object transition_json(const TrackerTotals& totals);

/// Appends one entry of "packets" as JSON text: the hot path of `replay --packets`.
/// In: `rule` is the deciding rule's name, empty where none was asked
void append_packet_json(std::string& out,
                        std::uint64_t number,
                        const Decision& decision,
                        std::string_view rule);

} // namespace ikefrag
