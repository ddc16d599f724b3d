// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ikefrag {

/// SHA-256 of a text in base64, as a Content-Security-Policy names a style (FIPS 180-4, RFC 4648).
/// Not for secrets. Bounds: text below 2^32 octets.
[[nodiscard]] std::string sha256_base64(std::string_view text);

} // namespace ikefrag
