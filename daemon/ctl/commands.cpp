// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"

namespace ikefrag::ctl {

std::span<const Command* const> commands() noexcept {
    static constexpr const Command* all[] = {
        &replay_command,     &explain_command,      &report_command,        &status_command,
        &handshakes_command, &peers_command,        &peers_history_command, &peers_forget_command,
        &diagnoses_command,  &watch_command,        &check_command,         &rules_check_command,
        &rules_test_command, &rules_fields_command, &probe_command,         &doctor_command,
        &nft_command,        &capture_command,      &capture_get_command,   &capture_take_command,
        &capture_on_command, &capture_off_command,  &metrics_command,       &reload_command,
        &mode_command,       &version_command,
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
