// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/counted.hpp"

#include <boost/json/fwd.hpp>

#include <cstddef>
#include <string>
#include <string_view>

/// Tables for people out of the JSON that replay and the daemon give: one look for both.
namespace ikefrag::ctl {

class Terminal;

/// The newest `max` rows; says how many there are more. Empty input: one line that says so.
[[nodiscard]] std::string
list_handshakes(const boost::json::array& handshakes, const Terminal& terminal, std::size_t max);
[[nodiscard]] std::string
list_peers(const boost::json::array& peers, const Terminal& terminal, std::size_t max);
/// One block a finding: who, what, what to do, on what evidence.
[[nodiscard]] std::string
list_diagnoses(const boost::json::array& diagnoses, const Terminal& terminal, std::size_t max);
/// RFC 4180, with a header line.
[[nodiscard]] std::string peers_csv(const boost::json::array& peers);

/// A member as text for people: "-" for null or absent; strings through escape_terminal.
[[nodiscard]] std::string shown(const boost::json::object& object, std::string_view key);
[[nodiscard]] std::string shown(const boost::json::value& value);
/// "2026-11-23 08:00:01" of an RFC 3339 text.
[[nodiscard]] std::string shown_time(const boost::json::object& object, std::string_view key);
/// A member that is a number, with its noun: "1 rule".
[[nodiscard]] std::string
counted(const boost::json::object& object, std::string_view key, std::string_view noun);
using ikefrag::counted;

} // namespace ikefrag::ctl
