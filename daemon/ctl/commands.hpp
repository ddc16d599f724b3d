// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/ctl/command.hpp"

/// One file a command; each defines its row here.
namespace ikefrag::ctl {

extern const Command capture_command;
extern const Command capture_get_command;
extern const Command capture_off_command;
extern const Command capture_on_command;
extern const Command capture_take_command;
extern const Command check_command;
extern const Command diagnoses_command;
extern const Command doctor_command;
extern const Command explain_command;
extern const Command handshakes_command;
extern const Command metrics_command;
extern const Command mode_command;
extern const Command nft_command;
extern const Command peers_command;
extern const Command peers_forget_command;
extern const Command peers_history_command;
extern const Command probe_command;
extern const Command reload_command;
extern const Command replay_command;
extern const Command report_command;
extern const Command rules_check_command;
extern const Command rules_fields_command;
extern const Command rules_test_command;
extern const Command status_command;
extern const Command version_command;
extern const Command watch_command;

} // namespace ikefrag::ctl
