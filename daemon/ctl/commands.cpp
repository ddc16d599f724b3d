// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"

namespace ikefrag::ctl {

std::span<const Command* const> commands() noexcept {
    static constexpr const Command* all[] = {
        &replay_command,
        &rules_check_command,
        &rules_test_command,
        &rules_fields_command,
        &doctor_command,
        &version_command,
    };
    return all;
}

std::span<const Option> common_options() noexcept {
    static constexpr Option all[] = {
        {"--json",     "",     "machine-readable output"                  },
        {"--no-color", "",     "no colours, not even on a terminal"       },
        {"--quiet",    "",     "no output for people; the exit code tells"},
        {"--socket",   "PATH", "the daemon's control socket"              },
    };
    return all;
}

} // namespace ikefrag::ctl
