// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/doctor/doctor.hpp"

#include <string>
#include <string_view>
#include <vector>

/// The doctor's single looks: each adds its rows for one part of a host.
namespace ikefrag::doctor {

using Rows = std::vector<Examination>;

// The daemon and what it asked of the kernel.
void examine_rights(const HostFacts& facts, Rows& rows);
void examine_config(const HostFacts& facts, Rows& rows);
void examine_daemon(const HostFacts& facts, Rows& rows);
void examine_table(const HostFacts& facts, Rows& rows);
void examine_queue_support(const HostFacts& facts, Rows& rows);
void examine_taken(const HostFacts& facts, Rows& rows);
void examine_queues(const HostFacts& facts, Rows& rows);
void examine_copies(const HostFacts& facts, Rows& rows);
void examine_kernel_settings(const HostFacts& facts, Rows& rows);
void examine_metrics(const HostFacts& facts, Rows& rows);

// This host beside the daemon.
void examine_conntrack(const HostFacts& facts, Rows& rows);
void examine_fragment_drops(const HostFacts& facts, Rows& rows);
void examine_offloads(const HostFacts& facts, Rows& rows);
void examine_sysctls(const HostFacts& facts, Rows& rows);
void examine_clock(const HostFacts& facts, Rows& rows);

// The VPN gateways and the way to them.
void examine_forwarding(const HostFacts& facts, Rows& rows);
void examine_servers(const HostFacts& facts, Rows& rows);
void examine_dnat(const HostFacts& facts, Rows& rows);

/// A sysctl's value; empty where it could not be read.
[[nodiscard]] std::string_view sysctl(const HostFacts& facts, std::string_view name);
/// Adds "not read" for a check of others' rulesets. Out: whether they were not
bool not_read(const HostFacts& facts, std::string_view check, Rows& rows);
/// "a, b, c".
[[nodiscard]] std::string join(const std::vector<std::string>& parts);

} // namespace ikefrag::doctor
