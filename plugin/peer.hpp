// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ikefrag {

struct Policy;

enum class PeerRole : std::uint8_t { client, server };
[[nodiscard]] std::string_view to_string(PeerRole role) noexcept;

/// What an address can do, by what its IKE_SA_INITs say.
struct Capability {
    Fragmentation fragmentation = Fragmentation::unknown;
    /// The IKE_INTERMEDIATE exchange (16438, RFC 9242); empty: not known.
    std::optional<bool> intermediate = std::nullopt;
    bool operator==(const Capability&) const = default;
};

/// What is known of one address that spoke IKE, over all its handshakes.
struct Peer {
    IpAddress address;
    PeerRole role = PeerRole::client;
    Capability capability;
    std::string vendor; ///< hint, or empty
    /// Name of the listed server it last spoke with, or is; "": of none that is listed; empty: not
    /// known.
    std::optional<std::string> server;
    Transition transition = Transition::native;
    std::optional<IpAddress> embedded; ///< IPv4 inside a transition address
    TimePoint first_seen;
    TimePoint last_seen;
    std::optional<TimePoint> fragmentation_changed;
    std::optional<TimePoint> intermediate_changed;
    std::uint32_t handshakes_ok = 0;
    std::uint32_t handshakes_failed = 0;
    std::uint32_t path_mtu_bytes = 0; ///< smallest believed in the last hour; 0 unknown
};

/// The transition technology an address shows, with the IPv4 address inside (PROTOCOL §4).
struct TransitionFacts {
    Transition transition = Transition::native;
    std::optional<IpAddress> embedded; ///< the client's IPv4
    std::optional<IpAddress> relay;    ///< Teredo server
    std::uint16_t mapped_port = 0;     ///< Teredo
    bool bogus = false;                ///< embeds an address that cannot be reached so
};

/// The transition technology of an address under this policy's prefixes.
[[nodiscard]] TransitionFacts transition_of(const IpAddress& address,
                                            const Policy& policy) noexcept;

} // namespace ikefrag
