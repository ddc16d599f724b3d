// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

namespace ikefrag {

/// Gives up all privileges, for good: user, groups, capabilities, and the way back to them by
/// running a set-uid program. Called with everything that needs them already open, before the first
/// hostile byte is read. Without privileges to begin with, only the way back is closed.
///
/// Errors: std::system_error where the kernel refuses; then nothing hostile must be read
void drop_privileges();

} // namespace ikefrag
