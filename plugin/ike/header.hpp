// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/handshake.hpp"
#include "plugin/result.hpp"

#include <cstddef>
#include <cstdint>

namespace ikefrag {

/// The fixed header of every IKE message, version 1 or 2. Source: RFC 7296 §3.1, RFC 2408 §3.1.
struct IkeHeader {
    static constexpr std::size_t size_bytes = 28;

    Spi initiator_spi{}; ///< v1: initiator cookie
    Spi responder_spi{};
    std::uint8_t next_payload = 0;
    std::uint8_t major = 2;
    std::uint8_t minor = 0;
    std::uint8_t exchange_type = 0;
    std::uint8_t flags = 0;
    std::uint32_t message_id = 0;
    std::uint32_t length = 0; ///< of the whole message, this header included

    [[nodiscard]] bool is_response() const noexcept { return major >= 2 && (flags & 0x20) != 0; }
    /// v2: sent by the original initiator of the SA.
    [[nodiscard]] bool is_from_initiator() const noexcept { return (flags & 0x08) != 0; }
    /// v1: everything behind this header is encrypted. Of a payload 132 the flag says nothing:
    /// racoon sets it, though the fragment's own header is in the clear (PROTOCOL §2.6).
    [[nodiscard]] bool is_encrypted_v1() const noexcept;
};

enum class IkeFault : std::uint8_t {
    truncated,   ///< fewer than 28 bytes there
    zero_spi,    ///< initiator SPI is zero
    bad_version, ///< major version is neither 1 nor 2
    bad_length,  ///< Length below 28, or not the size of the message
    bad_payload, ///< a payload in the clear is shorter than 4 bytes or ends past the message
};

/// Reads the header alone.
///
/// In:      `message`: from the IKE header on, marker removed; may be cut short
/// Errors:  truncated, zero_spi, bad_version; bad_length: Length below 28
[[nodiscard]] Result<IkeHeader, IkeFault> parse_ike_header(Bytes message) noexcept;

/// Whether a message is well formed as far as it is in the clear: header, Length, and the chain of
/// payloads up to SK, SKF (and its numbers) or a payload 132, at most 64; nothing behind IKEv1's
/// E flag but a payload 132.
///
/// In:      `message`: may be cut; what the cut takes away is not judged
///          `message_bytes`: the message's real size (UDP payload less marker)
/// Errors:  as parse_ike_header; bad_length: Length is not `message_bytes`; bad_payload
/// Source:  RFC 7296 §3.2; the bounds of PROTOCOL §2.3
[[nodiscard]] Result<IkeHeader, IkeFault> check_ike_message(Bytes message,
                                                            std::size_t message_bytes) noexcept;

} // namespace ikefrag
