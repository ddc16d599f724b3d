// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

/// All that an admin decides about packets, compiled: read by the gate and the tracker, made by the
/// daemon's config reader, swapped whole.
namespace ikefrag {

/// Bounds of the gate, one spelling everywhere. Defaults and their reasons: PROTOCOL §3.3.
struct Limits {
    std::uint32_t hold_seconds = 5;           ///< 1..30, from a datagram's first fragment seen
    std::uint32_t max_datagram_bytes = 16384; ///< 1280..65535, IP payload of one datagram
    std::uint32_t max_fragments = 32;         ///< 2..8192, of one datagram
    std::uint32_t min_first_bytes = 40;       ///< 8..1280, IP payload of a first fragment
    std::uint32_t min_nonlast_bytes = 8;      ///< 8..1280, of any fragment but the last
    std::uint32_t source_datagrams = 8;       ///< held at once from one source (/32, /64)
    std::uint32_t source_packets = 64;        ///< as above
    std::uint32_t source_bytes = 65536;       ///< as above
    std::uint32_t table_datagrams = 512;      ///< held at once in all
    std::uint32_t table_packets = 768;        ///< must stay below the kernel queue's max_length
    std::uint32_t table_bytes = 8u << 20;     ///< payload and bookkeeping, as really allocated
};

/// A VPN gateway behind (or on) this firewall.
struct Server {
    std::string name;              ///< metric label; unique
    std::vector<Prefix> addresses; ///< as its clients see it
    std::vector<Prefix> inside;    ///< behind this firewall's DNAT, if any
};

/// UDP ports of IKE: `plain` carries IKE right after UDP (500), `marked` the non-ESP marker or
/// ESP (4500). Both framings are accepted on `plain`.
struct Ports {
    std::vector<std::uint16_t> plain{500};
    std::vector<std::uint16_t> marked{4500};
};

/// What a rule tests; an empty list or optional tests nothing.
struct Match {
    std::optional<PacketClass> packet_class;
    std::vector<std::string> server; ///< configured names
    std::vector<Prefix> peer;        ///< the side that is not the server
    std::optional<Direction> direction;
    std::optional<Family> family;
    std::optional<std::uint8_t> protocol; ///< IP protocol number
    std::vector<std::string> interface;   ///< where the fragment came in
    std::vector<Transition> transition;   ///< of the peer's address
};

/// A rule's own limits; what is absent is taken from the global ones. They can only narrow what the
/// table as a whole allows; source_* and table_* act on all datagrams and stay global.
struct RuleLimits {
    std::optional<std::uint32_t> hold_seconds;
    std::optional<std::uint32_t> max_datagram_bytes;
    std::optional<std::uint32_t> max_fragments;
    std::optional<std::uint32_t> min_first_bytes;
    std::optional<std::uint32_t> min_nonlast_bytes;
};

struct Policy;

struct Rule {
    std::string name; ///< metric label; unique
    Match match;
    Action action = Action::pass;
    RuleLimits limits;
    bool dry_run = false; ///< say what would be done; accept
    /// Row of GateCounters::rule_matches that counts it; empty: its position. The daemon gives each
    /// name one row for its life (RuleRows), so that counts survive a reload.
    std::optional<std::uint16_t> counter_row;
};

/// Rows for rules by name, that only grow: give it every policy before the gates get it, and read
/// GateCounters::rule_matches by row. Beyond `capacity` names the last row counts all further ones.
class RuleRows {
public:
    static constexpr std::size_t capacity = 256;

    /// Sets counter_row of each rule.
    void assign(Policy& policy);
    /// Names by row; the last may stand for "further".
    [[nodiscard]] const std::vector<std::string>& names() const noexcept { return names_; }

private:
    std::vector<std::string> names_;
};

/// IP protocols 50 and 51.
[[nodiscard]] std::vector<std::uint8_t> esp_and_ah();

/// Everything the engine is told by the admin. Immutable once shared.
struct Policy {
    Mode mode = Mode::observe;
    std::vector<Server> servers; ///< empty: every IKE responder is a server
    Ports ports;
    Limits limits;
    std::vector<Rule> rules;     ///< first match wins; none: mode's default
    std::vector<Prefix> iphttps; ///< [transition] iphttps
    std::vector<Prefix> nat64;   ///< [transition] nat64, beside 64:ff9b::/96
    /// IP protocols of which `exclusive` leaves fragments alone.
    std::vector<std::uint8_t> allowed_protocols = esp_and_ah();

    /// Index into `servers` of the server with this address (outside or inside); empty if none.
    [[nodiscard]] std::optional<std::size_t> server_of(const IpAddress& address) const noexcept;
    [[nodiscard]] bool is_plain_port(std::uint16_t port) const noexcept;
    [[nodiscard]] bool is_marked_port(std::uint16_t port) const noexcept;
};

using PolicyPointer = std::shared_ptr<const Policy>;

} // namespace ikefrag
