// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/hex.hpp"

#include <string_view>

namespace ikefrag {

std::string to_hex(Bytes bytes) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const auto byte : bytes) {
        text += digits[byte >> 4];
        text += digits[byte & 15];
    }
    return text;
}

} // namespace ikefrag
