// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ikefrag {

/// Becomes `user` for good, with CAP_NET_ADMIN alone, which the kernel demands at every verdict;
/// nothing run later can gain more (no_new_privs, empty bounding set but for that one).
///
/// Called before any thread is started. Without root: only drops what there is beyond
/// CAP_NET_ADMIN. Errors: std::system_error naming the step; std::runtime_error for an unknown
/// user.
void keep_only_net_admin(const std::string& user);

/// Gives up every privilege for good, for those who read a stranger's capture or database: user
/// nobody, no group, no capability, no way back by running a set-uid program. Called with
/// everything that needs them already open, before the first hostile byte is read. Without
/// privileges to begin with, only the way back is closed.
///
/// Errors: std::system_error naming the step; then nothing hostile must be read
void give_up_all_privileges();

/// Forbids core dumps and attaching debuggers: keys and addresses of others pass through here.
void forbid_dumps();

} // namespace ikefrag
