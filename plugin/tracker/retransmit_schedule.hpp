// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <span>
#include <string_view>

namespace ikefrag {

/// Whose retransmit schedule these gaps between repeats of one request look like.
///
/// In:      gaps in order, the first between the request and its first repeat
/// Out:     a word ("windows"); where two stacks keep the same times, both ("libreswan or
///          android"); empty: fewer than three gaps, or none fits within 25 %
/// Source:  DIAGNOSES §1.4
[[nodiscard]] std::string_view guess_stack(std::span<const Duration> gaps) noexcept;

} // namespace ikefrag
