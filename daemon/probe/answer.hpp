// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/handshake.hpp"
#include "plugin/vendor_id.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ikefrag::probe {

/// What a server's message says in the clear.
struct Answer {
    Spi initiator_spi{};
    std::uint8_t major_version = 0;
    bool response = false;
    bool complete = false; ///< SA, KE and Nonce: a real answer, not a hint to ask again
    std::vector<std::uint8_t> cookie;
    std::optional<std::uint16_t> wanted_group; ///< of INVALID_KE_PAYLOAD
    std::vector<std::uint16_t> notifies;       ///< types, in order, bounded
    std::vector<std::string> vendors;          ///< names of known vendor IDs, hex of others
    std::string vendor;                        ///< hint word of the first known one, or empty

    [[nodiscard]] bool has_notify(std::uint16_t type) const noexcept;
};

/// Reads an IKE message. In: a UDP payload without non-ESP marker, any bytes
/// Errors:  empty: no IKE header, or a Length that does not fit
/// Bounds:  64 payloads, 32 notifies, 16 vendor IDs; a payload chain that breaks ends there
[[nodiscard]] std::optional<Answer> parse_answer(Bytes message,
                                                 std::span<const VendorId> vendor_ids);

} // namespace ikefrag::probe
