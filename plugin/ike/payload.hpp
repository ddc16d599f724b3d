// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/ike/header.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace ikefrag {

/// Payload types this project reads. Source: PROTOCOL §2.3.
namespace payload {
inline constexpr std::uint8_t v1_sa = 1;
inline constexpr std::uint8_t v1_ke = 4;
inline constexpr std::uint8_t v1_nonce = 10;
inline constexpr std::uint8_t v1_notify = 11;
inline constexpr std::uint8_t v1_vendor_id = 13;
inline constexpr std::uint8_t v1_nat_detection = 20;
inline constexpr std::uint8_t v1_nat_detection_draft = 130;
inline constexpr std::uint8_t sa = 33;
inline constexpr std::uint8_t ke = 34;
inline constexpr std::uint8_t nonce = 40;
inline constexpr std::uint8_t notify = 41;
inline constexpr std::uint8_t vendor_id = 43;
inline constexpr std::uint8_t encrypted = 46;          ///< SK
inline constexpr std::uint8_t encrypted_fragment = 53; ///< SKF, RFC 7383
inline constexpr std::uint8_t fragment = 132;          ///< IKEv1's own, Cisco's in IKEv2
} // namespace payload

/// One payload in the clear.
struct Payload {
    std::uint8_t type = 0;
    std::uint8_t next = 0; ///< type of the payload behind it; of SK and SKF: of the first inside
    bool critical = false;
    bool cut = false;         ///< the copy ends inside it
    std::uint16_t length = 0; ///< by its own header, those 4 bytes included
    Bytes body;               ///< behind the generic header; as much as is there
};

/// Steps through the payloads of a message as far as they are in the clear.
///
/// Ends behind SK, SKF or payload 132, gives nothing when IKEv1's E flag says that all is
/// encrypted. A copy cut short ends the walk and is no fault of the message. An SKF whose numbers
/// make no sense is given, and the message malformed: a receiver discards it (RFC 7383 §2.6).
///
/// Bounds:  at most 64 payloads; more make the message malformed
class PayloadWalk {
public:
    static constexpr unsigned max_payloads = 64;

    /// In: `message` from the IKE header on, at least its 28 bytes; may be cut; bytes beyond
    ///     header.length are not looked at
    PayloadWalk(const IkeHeader& header, Bytes message) noexcept;

    /// The next payload; empty at the end.
    std::optional<Payload> next() noexcept;

    [[nodiscard]] bool is_malformed() const noexcept { return malformed_; }
    [[nodiscard]] bool was_cut() const noexcept { return cut_; }
    /// Where in the message its encrypted part begins: behind the generic header of SK or SKF,
    /// or with IKEv1's E flag behind the message's own. Empty: none was met so far.
    [[nodiscard]] std::optional<std::size_t> encrypted_at() const noexcept { return encrypted_at_; }

private:
    std::optional<Payload> stop_malformed() noexcept;

    Bytes rest_;
    std::optional<std::size_t> encrypted_at_;
    std::size_t there_;   ///< bytes of the message that are not behind the copy's end
    std::size_t missing_; ///< bytes of the message behind the copy's end
    std::uint8_t next_;
    std::uint8_t major_;
    unsigned count_ = 0;
    bool malformed_ = false;
    bool cut_ = false;
};

} // namespace ikefrag
