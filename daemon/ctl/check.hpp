// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// The daemon's health as monitoring systems want it. Source: the Nagios plugin guidelines.
namespace ikefrag::ctl {

enum class State : std::uint8_t { ok = 0, warning = 1, critical = 2, unknown = 3 };
[[nodiscard]] std::string_view to_string(State state) noexcept;

struct HealthLimits {
    unsigned warning_percent = 20; ///< of failed handshakes
    unsigned critical_percent = 50;
    unsigned least = 5;    ///< ended handshakes, to judge the share at all
    std::string since;     ///< RFC 3339: handshakes first seen at or after it count
    unsigned minutes = 15; ///< how long that is ago
};

struct Health {
    State state = State::ok;
    std::vector<std::string> remarks; ///< the worst first
    std::string performance;          ///< "name=value;warn;crit …"
};

/// Judges the daemon's "status" and "handshakes" (protocol.hpp). Pure.
[[nodiscard]] Health judge(const boost::json::object& status,
                           const boost::json::array& handshakes,
                           const HealthLimits& limits);
/// "IKEFRAG WARNING - remark; remark | performance".
[[nodiscard]] std::string line_of(const Health& health);
[[nodiscard]] boost::json::object to_json(const Health& health);

} // namespace ikefrag::ctl
