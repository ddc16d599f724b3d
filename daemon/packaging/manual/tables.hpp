// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ikefrag::manual {

/// A part of a page that the code knows best.
struct Table {
    std::string_view name; ///< as templates call it, without the @
    std::string (*make)(); ///< whole lines
};

[[nodiscard]] const Table* find_table(std::string_view name) noexcept;

} // namespace ikefrag::manual
