// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

/// ikefragctl's own table of commands, as roff and as arrays of a bash script.
namespace ikefrag::manual {

[[nodiscard]] std::string common_options();
[[nodiscard]] std::string commands();
[[nodiscard]] std::string completion();

} // namespace ikefrag::manual
