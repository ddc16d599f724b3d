// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/peer.hpp"
#include "plugin/time.hpp"

#include <cstddef>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace ikefrag {

/// The changes of what an address could do that are kept.
inline constexpr std::size_t most_capabilities = 8;

/// What is to be written of one address.
struct PeerChange {
    bool forget = false; ///< what the file has of the address, before the rest
    std::optional<Peer> peer;
    std::vector<std::pair<TimePoint, Capability>> capabilities;

    /// The newest are kept.
    void add(TimePoint time, const Capability& after) {
        capabilities.emplace_back(time, after);
        if (capabilities.size() > most_capabilities) capabilities.erase(capabilities.begin());
    }
    /// Adds what came after this.
    void follow(PeerChange&& next) {
        if (next.forget) {
            *this = std::move(next);
            return;
        }
        if (next.peer) peer = std::move(next.peer);
        for (const auto& [time, after] : next.capabilities) add(time, after);
    }
};

/// What waits for the disk, newest state for each address.
struct PeerChanges {
    std::map<IpAddress, PeerChange> by_address;
    std::optional<TimePoint> forget_before;

    [[nodiscard]] bool empty() const { return by_address.empty() && !forget_before; }
};

} // namespace ikefrag
