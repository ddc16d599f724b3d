// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct nlmsghdr;

namespace ikefrag {

/// A network interface.
struct Link {
    std::uint32_t index = 0;
    std::string name{};
    std::string kind{}; ///< "vrf", "veth", "vlan" …; empty for a plain device
    std::uint32_t master = 0;
    std::uint32_t mtu = 0;
};

/// Which VRF an interface belongs to: the domain fragments of which never meet another's.
class InterfaceDomains {
public:
    InterfaceDomains() = default;
    explicit InterfaceDomains(const std::vector<Link>& links);

    /// In: VLAN id of the packet, 0 none. Out: 0 for an interface of no VRF and no VLAN
    [[nodiscard]] std::uint32_t of(std::uint32_t interface, std::uint16_t vlan) const noexcept;

private:
    struct Entry {
        std::uint32_t interface = 0;
        std::uint32_t domain = 0;
    };
    std::vector<Entry> entries_; ///< sorted; only those in a VRF
};

using InterfaceDomainsPointer = std::shared_ptr<const InterfaceDomains>;

/// Reads one message of a link dump; pure. Empty: it is none.
[[nodiscard]] std::optional<Link> parse_link(const nlmsghdr& message);

/// The interfaces of this network namespace, by index. Errors: std::system_error
[[nodiscard]] std::vector<Link> read_links();

} // namespace ikefrag
