// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/words.hpp"

#include <cstdint>
#include <optional>

namespace ikefrag::probe {

/// The largest IP packet that passes.
struct PathSize {
    std::uint32_t bytes = 0; ///< 0: not known
    bool exact = false;      ///< one octet more does not pass
    bool told_by_icmp = false;
    bool silent_loss = false; ///< larger packets vanished without a word from the router
};

/// Finds the largest size that passes by few questions: sizes of common links first, then halves.
class SizeSearch {
public:
    SizeSearch() = default;
    /// In: a size that has passed, and the interface's own
    SizeSearch(Family family, std::uint32_t passed, std::uint32_t interface_mtu);

    /// The size to try next; empty: found.
    [[nodiscard]] std::optional<std::uint32_t> next() const;
    void passed(std::uint32_t bytes);
    void lost(std::uint32_t bytes);
    /// A router (or this host) says what fits; believed once it has passed. 0: it does not say.
    void told(std::uint32_t bytes, std::uint32_t mtu);
    [[nodiscard]] PathSize result() const;

private:
    std::uint32_t low_ = 0;  ///< passes
    std::uint32_t high_ = 0; ///< does not
    std::uint32_t top_ = 0;  ///< one more than the interface's MTU: nothing of ours is larger
    std::uint32_t told_ = 0; ///< the MTU a router named
    Family family_ = Family::ipv4;
    bool tried_top_ = false;
    bool silent_ = false;
};

} // namespace ikefrag::probe
