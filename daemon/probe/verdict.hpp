// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/probe/probe.hpp"
#include "plugin/diagnosis.hpp"

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>
#include <vector>

namespace ikefrag::probe {

/// What a probe's facts mean, in the catalogue's words.
struct Verdict {
    std::string sentence;          ///< all in one
    std::string remedy;            ///< what to change; empty where nothing must be
    std::vector<Finding> findings; ///< the most important first; facts last
};
[[nodiscard]] Verdict judge(const Facts& facts, const IpAddress& server);
/// Whether something must be changed: ikefragctl's exit code 1.
[[nodiscard]] bool has_finding(const Verdict& verdict) noexcept;

/// In: host as it was asked for
[[nodiscard]] boost::json::object
to_json(const Facts& facts, const Verdict& verdict, const IpAddress& server, std::string_view host);

/// Short, for people: "port unreachable".
[[nodiscard]] std::string icmp_text(const IcmpError& error, Family family);
/// "NAT_DETECTION_SOURCE_IP", or the number.
[[nodiscard]] std::string notify_text(std::uint16_t type);

} // namespace ikefrag::probe
