// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <cstdint>
#include <string>

/// What `ikefragctl watch` shows: pure, out of the daemon's answers.
namespace ikefrag::ctl {

class Terminal;

/// One look at the daemon.
struct Look {
    boost::json::object status;
    boost::json::array handshakes; ///< oldest first
    boost::json::array failures;   ///< findings of kind failure, oldest first
};

struct ScreenSize {
    unsigned rows = 24;
    unsigned columns = 80;
};

/// Goes to the top and clears what is below.
[[nodiscard]] std::string clear_screen();
/// At most as many lines as the screen has, none wider. In: `before`: the last look, or null
[[nodiscard]] std::string draw(const Look& look,
                               const Look* before,
                               unsigned seconds_between,
                               const ScreenSize& size,
                               const Terminal& terminal);
/// One line: time, mode, handshakes, held, dropped, latest failure.
[[nodiscard]] std::string look_line(const Look& look);
/// {"format": 1, "status": …, "handshakes": […], "diagnoses": […]} on one line.
[[nodiscard]] std::string look_json(const Look& look);
/// The first `columns` characters of a line, colours kept whole.
[[nodiscard]] std::string cut_line(const std::string& line, std::size_t columns);

} // namespace ikefrag::ctl
