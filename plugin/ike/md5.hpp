// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <cstdint>

namespace ikefrag {

/// MD5, for the NAT-D hashes of IKEv1 peers that chose it (RFC 3947 §3.2): nothing here relies on
/// it being hard to forge.
[[nodiscard]] std::array<std::uint8_t, 16> md5(Bytes bytes) noexcept;

} // namespace ikefrag
