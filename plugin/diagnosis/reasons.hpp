// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/words.hpp"

#include <string>
#include <string_view>

/// The gate's reasons, sorted by whose doing they are.
namespace ikefrag {

/// A limit or rule of ours: an honest datagram can meet it (D29).
[[nodiscard]] bool is_own_limit(Reason reason) noexcept;
/// Fragments no honest sender makes, or damaged ones (D30).
[[nodiscard]] bool is_attack(Reason reason) noexcept;

/// What happened, as part of a sentence.
[[nodiscard]] std::string_view limit_text(Reason reason) noexcept;
[[nodiscard]] std::string_view attack_text(Reason reason) noexcept;
/// What became of an attack's fragments: "refused".
[[nodiscard]] std::string_view done_text(bool enforced) noexcept;
/// What to change in the configuration.
[[nodiscard]] std::string limit_hint(Reason reason);

} // namespace ikefrag
