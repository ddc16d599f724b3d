// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report/sha256.hpp"

#include "plugin/sha256.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {
namespace {

std::string base64(Bytes bytes) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        const auto count = std::min<std::size_t>(3, bytes.size() - i);
        for (std::size_t k = 0; k < 3; ++k)
            group = group << 8 | (k < count ? std::uint32_t{bytes[i + k]} : 0u);
        for (std::size_t k = 0; k < 4; ++k)
            text += k <= count ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

} // namespace

std::string sha256_base64(std::string_view text) {
    const std::vector<std::uint8_t> bytes(text.begin(), text.end());
    return base64(sha256(bytes));
}

} // namespace ikefrag
