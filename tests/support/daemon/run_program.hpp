// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <vector>

namespace ikefrag::testing {

struct Ran {
    int code = -1; ///< exit code; 128 + signal for one that was killed
    std::string out;
    std::string err;
};

/// Runs a program to its end. In: `input` for its standard input
[[nodiscard]] Ran run_program(const std::vector<std::string>& command,
                              const std::string& input = {});

/// The ikefragctl of this build. In: arguments without its name
[[nodiscard]] Ran run_ctl(std::vector<std::string> arguments, const std::string& input = {});

} // namespace ikefrag::testing
