// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <string>

namespace ikefrag {

/// Two small hexadecimal digits a byte, nothing between them.
[[nodiscard]] std::string to_hex(Bytes bytes);

} // namespace ikefrag
