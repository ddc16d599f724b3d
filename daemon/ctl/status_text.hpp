// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <boost/json/fwd.hpp>

#include <string>

namespace ikefrag::ctl {

class Terminal;

/// A status object for people: a line a member, inner objects indented, lists of objects numbered
/// by their name.
[[nodiscard]] std::string status_text(const boost::json::object& status, const Terminal& terminal);

} // namespace ikefrag::ctl
