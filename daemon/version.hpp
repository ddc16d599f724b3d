// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string_view>

/// What was built, and from what.
namespace ikefrag {

[[nodiscard]] std::string_view build_version() noexcept;
/// Twelve hex digits of the commit, or "unknown".
[[nodiscard]] std::string_view build_revision() noexcept;
[[nodiscard]] std::string_view build_compiler() noexcept;

} // namespace ikefrag
