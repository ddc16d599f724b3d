// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/explain/explain.hpp"
#include "plugin/peer.hpp"

#include <string>
#include <vector>

namespace ikefrag {

/// What a report shows.
struct ReportInput {
    std::string source; ///< "capture FILE", or the host's name: free text
    std::string range;  ///< "since 2026-11-23 08:00", or empty
    TimePoint made;
    std::vector<Attempt> attempts;       ///< by time; collect_attempts()
    std::vector<Finding> other_findings; ///< of no single attempt
    std::vector<Peer> peers;
    bool mask = false; ///< shorten client addresses
};

/// One self-contained HTML page: no network access, no script, styles allowed by their hash. All
/// text goes through escape_html.
[[nodiscard]] std::string render_report(const ReportInput& input);

} // namespace ikefrag
