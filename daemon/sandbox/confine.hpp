// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ikefrag {

struct Settings;

/// Gives up all the daemon does not need once it runs: root's identity (if `user` exists), every
/// capability but CAP_NET_ADMIN, files outside its configuration, /usr, /proc and its state
/// (Landlock), system calls it never makes (seccomp). What was not possible is told in the log.
///
/// Called while there is one thread. Makes the state directory, 0700, first. Errors:
/// std::system_error naming the step.
void confine(const std::string& user,
             const std::string& config_path,
             const std::string& rules_directory,
             const Settings& settings);

} // namespace ikefrag
