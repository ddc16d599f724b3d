// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/explain/explain.hpp"

namespace ikefrag::testing {

/// A failed attempt with every fate on its ladder's client side: IKE_SA_INIT both ways, IKE_AUTH
/// twice in part, and D04.
[[nodiscard]] Attempt partial_story();

/// One message of a story, `seconds` after its start.
MessageRecord& add_message(Attempt& attempt,
                           double seconds,
                           std::uint8_t type,
                           Direction direction,
                           Role role,
                           std::uint32_t bytes);
Finding& add_finding(Attempt& attempt, std::string_view id, Actor actor);

} // namespace ikefrag::testing
