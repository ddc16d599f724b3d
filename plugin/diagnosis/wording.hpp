// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/handshake.hpp"
#include "plugin/time.hpp"

#include <cassert>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

/// Small pieces of sentences. All text is printable ASCII.
namespace ikefrag {

/// "0.046 s", "3.0 s", "12 s": as many digits as tell something.
[[nodiscard]] std::string seconds_text(Duration duration);
/// "+3.0 s", from the start of the attempt.
[[nodiscard]] std::string offset_text(TimePoint time, TimePoint start);
[[nodiscard]] std::vector<TimePoint> times_of(const std::vector<const MessageRecord*>& messages);
/// "+0.0 +1.0 +3.0 s"; the first six and the last.
[[nodiscard]] std::string offsets_text(const std::vector<TimePoint>& times, TimePoint start);
/// "once", "twice", "3 times".
[[nodiscard]] std::string count_text(std::size_t count);
/// "1 client", "2 clients".
[[nodiscard]] std::string number_text(std::size_t count, std::string_view noun);
/// "IKE_AUTH", with its number where that tells rounds apart: "IKE_AUTH 3".
[[nodiscard]] std::string exchange_text(const Exchange& exchange);
/// "IP fragments", "IKE fragments", …
[[nodiscard]] std::string transport_text(Transport transport);
/// "1 IKE fragment", "3 IP fragments"; "one packet" where there are none.
[[nodiscard]] std::string pieces_text(std::size_t count, Transport transport);

/// One line of evidence: when, where to, what, how large, how it came.
[[nodiscard]] std::string evidence_text(const MessageRecord& message, TimePoint start);
[[nodiscard]] std::string evidence_text(const FragmentSet& set, TimePoint start);
[[nodiscard]] std::string evidence_text(const IcmpRecord& icmp, TimePoint start);
/// "3, 5-7": numbers of a set that were not seen; at most eight runs.
[[nodiscard]] std::string missing_text(const FragmentSet& set);
/// What an ICMP error says: "port unreachable"; empty for none that matters.
[[nodiscard]] std::string_view icmp_text(const IcmpRecord& icmp) noexcept;

/// A template with each `{name}` replaced by what `append_value(out, name)` appends.
template <class AppendValue>
[[nodiscard]] std::string fill(std::string_view text, const AppendValue& append_value) {
    std::string out;
    out.reserve(2 * text.size());
    while (!text.empty()) {
        const auto open = text.find('{');
        out += text.substr(0, open);
        if (open == std::string_view::npos) break;
        const auto close = text.find('}', open);
        assert(close != std::string_view::npos);
        append_value(out, text.substr(open + 1, close - open - 1));
        text.remove_prefix(close + 1);
    }
    return out;
}

} // namespace ikefrag
