// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <boost/json.hpp>

#include <string_view>

namespace ikefrag {

/// A member of what may be an object; null where there is none.
[[nodiscard]] inline const boost::json::value* member(const boost::json::value& value,
                                                      std::string_view key) {
    const auto* object = value.if_object();
    return object != nullptr ? object->if_contains(key) : nullptr;
}

/// A member's text; empty for anything else.
[[nodiscard]] inline std::string_view text_of(const boost::json::value* value) {
    const auto* text = value != nullptr ? value->if_string() : nullptr;
    return text != nullptr ? std::string_view(*text) : std::string_view();
}

} // namespace ikefrag
