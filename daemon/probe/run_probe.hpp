// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/probe/probe.hpp"
#include "plugin/result.hpp"

#include <functional>
#include <optional>
#include <string>

namespace ikefrag::probe {

/// Where to probe: one address of a host, as the resolver gave it first.
struct Target {
    IpAddress address;
    std::uint32_t scope = 0;     ///< interface of a link-local address
    std::uint32_t local_mtu = 0; ///< of the interface towards it
};

/// Resolves a host name or address, and looks which interface leads there.
///
/// In:      family: the one wanted, or empty for either
/// Errors:  a plain sentence: unknown name, no address of that family, multicast or broadcast,
///          no route
[[nodiscard]] Result<Target, std::string> resolve(const std::string& host,
                                                  std::optional<Family> family);

/// Runs a probe over UDP sockets that are connected to the target: nothing is sent to, or taken
/// from, anybody else. Takes some seconds; needs no privileges.
/// Errors:  std::system_error where the machine refuses
[[nodiscard]] Facts run_probe(const Target& target, Settings settings);

} // namespace ikefrag::probe
