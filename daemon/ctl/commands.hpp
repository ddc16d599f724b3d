// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/ctl/command.hpp"

/// One file a command; each defines its row here.
namespace ikefrag::ctl {

extern const Command replay_command;
extern const Command version_command;
extern const Command doctor_command;
extern const Command rules_check_command;
extern const Command rules_test_command;
extern const Command rules_fields_command;

} // namespace ikefrag::ctl
