// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace ikefrag {

/// The only files and TCP ports the process may reach from now on.
struct Reach {
    std::vector<std::filesystem::path> read;  ///< below them: read
    std::vector<std::filesystem::path> write; ///< below them: read, write, make, remove
    std::vector<std::uint16_t> listen_tcp;    ///< ports it may listen on; it may connect to none
};

/// Shuts the process into `reach` by Landlock, for good; execution is forbidden everywhere. Called
/// before any thread is started. Paths that do not exist are passed over.
/// Out: the kernel's Landlock version; 0: the kernel has none, nothing was shut.
/// Errors: std::system_error naming the step.
int shut_into(const Reach& reach);

} // namespace ikefrag
