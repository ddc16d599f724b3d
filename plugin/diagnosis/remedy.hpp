// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/time.hpp"

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

/// What is known of an IKE implementation: how to switch on IKE fragmentation, to size it, its
/// limits. Empty text: it has no such setting that we know of.
struct Stack {
    std::string_view word;      ///< vendor hint
    std::string_view name;      ///< for sentences
    std::string_view on;        ///< turns IKE fragmentation on, as server or client
    std::string_view client_on; ///< as client, where it differs
    std::string_view size;      ///< sets the size of IKE fragments; `{mtu}` is the size
    std::string_view force;     ///< makes it fragment at once
};
[[nodiscard]] std::span<const Stack> stacks() noexcept;
/// Null for a word we have no row of.
[[nodiscard]] const Stack* find_stack(std::string_view word) noexcept;
/// "Windows" for "windows"; the word itself where we have no row, empty for none.
[[nodiscard]] std::string stack_name(std::string_view word);

/// How to turn IKE fragmentation on at a server of this vendor; with none known, the likely ones
/// (Windows first where the client is Windows).
[[nodiscard]] std::string server_on_text(std::string_view server, std::string_view client);
[[nodiscard]] std::string client_on_text(std::string_view client);
/// How to set the size of IKE fragments. In: mtu: size of the whole IP packet; 0: not known
[[nodiscard]] std::string size_text(std::string_view vendor, std::size_t mtu);
[[nodiscard]] std::string force_text(std::string_view vendor);

/// The stack whose retransmission gaps these are, or empty. In: gaps, three at least. Source:
/// DIAGNOSES 1.4; each gap within 25 %.
[[nodiscard]] std::string_view timing_of(const std::vector<Duration>& gaps) noexcept;

} // namespace ikefrag
