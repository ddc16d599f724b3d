// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/control/protocol.hpp"
#include "daemon/kernel/conntrack_probe.hpp"
#include "plugin/address.hpp"
#include "plugin/words.hpp"

#include <boost/json/object.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

/// A rule of this host that sends a UDP port to another address.
struct Forwarding {
    std::string where;                ///< "ip nat prerouting", "iptables-legacy nat PREROUTING"
    std::vector<std::uint16_t> ports; ///< UDP ports it takes; empty: every port
    std::optional<IpAddress> outside; ///< the destination it takes, where it names one
    IpAddress inside;                 ///< where it sends them
};

/// A kernel queue of this network namespace, from /proc/net/netfilter/nfnetlink_queue.
struct KernelQueue {
    std::uint16_t number = 0;
    std::uint32_t port_id = 0;
    std::uint32_t waiting = 0;
    std::uint64_t dropped_full = 0;
    std::uint64_t dropped_socket = 0;
};

struct Interface {
    std::string name;
    std::uint32_t mtu = 0;
    bool up = false;
    bool large_receive_offload = false;
};

/// An address that answered IKE here, and where our NAT sent what was for it.
struct ServerSeen {
    IpAddress address;
    std::optional<IpAddress> inside;
    bool operator==(const ServerSeen&) const = default;
};

/// What the daemon asked of the kernel and what it got, as text.
struct KernelSetting {
    std::string of;   ///< "queue 500"
    std::string name; ///< "receive_buffer_bytes"
    std::string asked;
    std::string got;
};

/// What a running daemon says of itself and of what it saw.
struct DaemonFacts {
    Mode mode = Mode::observe;
    std::string version;
    std::string config_hash;
    std::int64_t clock_step_seconds = 0;    ///< by which the wall clock was set since it started
    std::vector<ServerSeen> servers_seen{}; ///< of its newest 1000 handshakes, each once
    std::vector<std::string> waits_for_restart{}; ///< keys of the configuration: "queue.first"
    std::string table_fault{}; ///< how the kernel table is not as it should be; empty: it is
    std::vector<KernelSetting> kernel_settings{};
};

/// Everything the doctor looks at, gathered beforehand: its judgement is pure.
struct HostFacts {
    bool is_root = false;
    std::string kernel_release;
    std::optional<Config> config; ///< empty: it has mistakes
    std::size_t config_mistakes = 0;
    std::string config_path;
    bool config_exists = false;
    std::optional<DaemonFacts> daemon;     ///< empty: no_answer says why
    std::optional<ControlError> no_answer; ///< empty, and no daemon: not running
    std::optional<bool> nft_queue;         ///< the kernel has nftables' own queue statement
    std::optional<bool> table_present;     ///< empty: could not be looked at
    ConntrackFacts conntrack;
    std::vector<Forwarding> forwardings;
    std::vector<std::string> flowtables; ///< names of nftables flow tables
    std::vector<KernelQueue> queues;
    bool queues_readable = false;
    std::vector<std::uint16_t> log_groups; ///< bound ones
    bool log_groups_readable = false;
    std::map<std::string, std::string, std::less<>> sysctls; ///< "net.ipv4.ip_forward" → "1"
    std::vector<Interface> interfaces;
    std::vector<IpAddress> own_addresses;
    std::optional<int> metrics_status; ///< HTTP status; empty: no answer
    std::int64_t clock_seconds = 0;    ///< since 1970
};

/// Looks at this host. Takes up to some hundred milliseconds; changes nothing.
/// In: control_socket: where the daemon answers; empty: where the configuration says
[[nodiscard]] HostFacts gather_host_facts(const std::string& config_path,
                                          const std::string& control_socket);

/// Pure readers, for tests.
///
/// In: the JSON of `nft -j list ruleset`; the output of iptables-save
void read_nft_forwardings(std::string_view json, HostFacts& facts);
void read_iptables_forwardings(std::string_view tool, std::string_view text, HostFacts& facts);
/// In: /proc/net/netfilter/nfnetlink_queue
[[nodiscard]] std::vector<KernelQueue> read_kernel_queues(std::string_view text);
/// In: the control socket's answer to `status`, and to `handshakes`
[[nodiscard]] DaemonFacts read_daemon_facts(const boost::json::object& status);
[[nodiscard]] std::vector<ServerSeen> read_servers_seen(const boost::json::object& handshakes);
/// In: /proc/net/netfilter/nfnetlink_log
[[nodiscard]] std::vector<std::uint16_t> read_log_groups(std::string_view text);

} // namespace ikefrag
