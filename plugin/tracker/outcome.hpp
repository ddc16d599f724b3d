// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker/entry.hpp"

#include <chrono>
#include <cstdint>

namespace ikefrag {

/// Exchange types by what they mean for a handshake.
[[nodiscard]] bool is_opening_exchange(std::uint8_t version, std::uint8_t type) noexcept;
[[nodiscard]] bool is_auth_exchange(std::uint8_t type) noexcept;
/// One that only an SA that stands can have, the first 500 ms left aside.
[[nodiscard]] bool is_later_exchange(std::uint8_t version, std::uint8_t type) noexcept;
/// IKEv1's phase 1 has all its messages.
[[nodiscard]] bool is_phase1_complete(const Entry& entry) noexcept;

/// An answer to IKE_AUTH of at most so many octets carries no certificate, no SA: a refusal.
/// Source: DESIGN §6, DIAGNOSES D22.
inline constexpr std::uint32_t refusal_bytes = 120;
/// An exchange this much after IKE_AUTH is not the client's refusal any more. Source: DESIGN §6.
inline constexpr auto later_after = std::chrono::milliseconds(500);

/// A handshake of which nothing came for so long has ended: longer than strongSwan's longest gap
/// but the last (42 s), shorter than the 120 s a capture runs on.
inline constexpr auto idle_end = std::chrono::seconds(60);

struct Conclusion {
    Outcome outcome = Outcome::in_progress;
    Basis basis = Basis::none;
};

/// How a handshake ended, if nothing more comes (DESIGN §6).
[[nodiscard]] Conclusion conclude(const Entry& entry) noexcept;

} // namespace ikefrag
