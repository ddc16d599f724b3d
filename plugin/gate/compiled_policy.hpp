// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate.hpp"
#include "plugin/wire/ip_packet.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ikefrag {

/// The limits one datagram is held to: the rule's where it has its own, else the global ones.
struct DatagramLimits {
    Duration hold{};
    std::uint32_t max_datagram_bytes = 0;
    std::uint32_t max_fragments = 0;
    std::uint32_t min_first_bytes = 0;
    std::uint32_t min_nonlast_bytes = 0;
};

/// What is to be done with a datagram whose class is known.
struct Choice {
    Action action = Action::leave;
    std::int32_t rule = -1; ///< that decided; -1: the mode's default
    bool dry_run = false;
    const DatagramLimits* limits = nullptr;
};

/// Which end of a packet is a configured server, as index into Policy::servers.
struct ServerEnds {
    std::optional<std::size_t> source;
    std::optional<std::size_t> destination;
    [[nodiscard]] bool any() const noexcept { return source || destination; }
};

/// What rules ask of a datagram.
struct RuleFacts {
    const IpPacket* ip = nullptr;
    PacketClass packet_class = PacketClass::other;
    std::uint8_t protocol = 0; ///< the upper layer's
    ServerEnds ends;
    Direction direction = Direction::to_server;
    std::uint32_t interface = 0;
};

/// A policy made ready for packets. Alive as long as it is in force or a datagram is held under it.
class CompiledPolicy {
public:
    explicit CompiledPolicy(PolicyPointer policy);

    [[nodiscard]] const Policy& policy() const noexcept { return *policy_; }
    [[nodiscard]] const DatagramLimits& limits() const noexcept { return limits_; }

    [[nodiscard]] ServerEnds ends_of(const IpPacket& ip) const noexcept;
    /// Whether a fragment of unknown class to or from these may be our concern: with no server
    /// configured every address is a server.
    [[nodiscard]] bool concerns(const ServerEnds& ends) const noexcept {
        return policy_->servers.empty() || ends.any();
    }

    /// First match wins; what no rule decides, the mode does (DESIGN §2).
    [[nodiscard]] Choice choose(const RuleFacts& facts,
                                const std::vector<InterfaceName>& interfaces) const;

    /// Beside the policy itself, which is the caller's.
    [[nodiscard]] std::size_t allocated_bytes() const noexcept;

    std::size_t datagrams_held = 0; ///< under this policy, kept by the gate

private:
    struct CompiledRule {
        DatagramLimits limits;
        std::vector<std::size_t> servers;
    };

    [[nodiscard]] std::optional<std::size_t> server_of(const IpAddress& address) const noexcept;
    [[nodiscard]] bool
    matches(std::size_t rule, const RuleFacts& facts, const std::vector<InterfaceName>&) const;
    [[nodiscard]] Choice default_choice(const RuleFacts& facts) const noexcept;

    PolicyPointer policy_;
    DatagramLimits limits_;
    std::vector<CompiledRule> rules_;
    std::vector<std::pair<IpAddress, std::size_t>> server_addresses_; ///< full length, sorted
    std::vector<std::pair<Prefix, std::size_t>> server_prefixes_;
};

} // namespace ikefrag
