// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace ikefrag {

/// From now on the process may call only what the running daemon needs (an allow-list, seccomp);
/// all else fails with EPERM, and `execve`, `ptrace` and their kin kill it. For good, threads
/// started later included; called before any is.
/// Errors: std::system_error naming the step.
void allow_only_needed_system_calls();

} // namespace ikefrag
