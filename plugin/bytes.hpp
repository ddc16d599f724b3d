// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <span>

namespace ikefrag {

/// A view of bytes somebody else owns.
using Bytes = std::span<const std::uint8_t>;

} // namespace ikefrag
