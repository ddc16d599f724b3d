// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate.hpp"
#include "plugin/gate/siphash.hpp"
#include "plugin/wire/ip_packet.hpp"

#include <array>
#include <vector>

namespace ikefrag {

/// Lets through one EspSeen a flow and second, and the first behind each IKE message of the same
/// flow: the tracker asks only whether ESP flowed after a message, a capture holds millions.
///
/// Direct-mapped: a flow that meets another in its place only shows more often.
class EspFilter {
public:
    explicit EspFilter(SipHash hash) : hash_(hash), places_(place_count) {}

    [[nodiscard]] bool
    lets_through(const Endpoint& source, const Endpoint& destination, TimePoint now) noexcept;
    /// An IKE message was seen between two ends: their next ESP is shown, each way.
    void reopen(const Endpoint& source, const Endpoint& destination) noexcept;

    [[nodiscard]] std::size_t allocated_bytes() const noexcept {
        return places_.capacity() * sizeof(Place);
    }

private:
    static constexpr std::size_t place_count = 1024;
    static constexpr Duration interval = std::chrono::seconds(1);
    struct Place {
        std::uint64_t flow = 0;
        std::array<TimePoint, 2> shown; ///< [back]
    };
    /// Two ends in an order of their own, and which way it goes between them.
    struct Way {
        std::uint64_t flow = 0;
        bool back = false;
    };

    [[nodiscard]] Way way_of(const Endpoint& source, const Endpoint& destination) const noexcept;
    /// Both ways.
    void forget(const Endpoint& source, const Endpoint& destination) noexcept;

    SipHash hash_;
    std::vector<Place> places_;
};

/// Gives the observations of a whole packet (atomic fragments included).
///
/// In:      filter: null where every ESP packet is to be shown
WholeSeen look_at_whole(const Policy& policy,
                        const IpPacket& ip,
                        const Packet& packet,
                        TimePoint time,
                        GateOutput& out,
                        EspFilter* filter);

} // namespace ikefrag
