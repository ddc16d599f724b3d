// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/links.hpp"

#include "daemon/kernel/netlink_message.hpp"
#include "daemon/kernel/netlink_socket.hpp"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

namespace ikefrag {

namespace {

/// rtnetlink speaks the machine's own byte order.
std::uint32_t number_of(const nlattr& attribute) noexcept {
    std::uint32_t value = 0;
    if (mnl_attr_get_payload_len(&attribute) >= sizeof value)
        std::memcpy(&value, mnl_attr_get_payload(&attribute), sizeof value);
    return value;
}

/// A VLAN tag still on the packet and a VRF number must not be taken for each other.
constexpr std::uint32_t vlan_flag = 0x80000000u;

} // namespace

InterfaceDomains::InterfaceDomains(const std::vector<Link>& links) {
    for (const auto& link : links) {
        if (link.kind == "vrf") entries_.push_back({link.index, link.index});
        const auto master = std::ranges::find(links, link.master, &Link::index);
        if (link.master != 0 && master != links.end() && master->kind == "vrf")
            entries_.push_back({link.index, link.master});
    }
    std::ranges::sort(entries_, {}, &Entry::interface);
}

std::uint32_t InterfaceDomains::of(std::uint32_t interface, std::uint16_t vlan) const noexcept {
    if (vlan != 0) return vlan_flag | vlan;
    if (entries_.empty()) return 0;
    const auto entry = std::ranges::lower_bound(entries_, interface, {}, &Entry::interface);
    return entry != entries_.end() && entry->interface == interface ? entry->domain : 0;
}

std::optional<Link> parse_link(const nlmsghdr& message) {
    if (message.nlmsg_type != RTM_NEWLINK) return std::nullopt;
    const Bytes fixed = message_body(message, 0);
    if (fixed.size() < sizeof(ifinfomsg)) return std::nullopt;
    ifinfomsg info{};
    std::memcpy(&info, fixed.data(), sizeof info);
    Link link;
    link.index = static_cast<std::uint32_t>(info.ifi_index);
    each_attribute(message, sizeof(ifinfomsg), [&](const nlattr& one) {
        switch (mnl_attr_get_type(&one)) {
        case IFLA_IFNAME: link.name = attribute_text(one); break;
        case IFLA_MASTER: link.master = number_of(one); break;
        case IFLA_MTU: link.mtu = number_of(one); break;
        case IFLA_LINKINFO:
            each_attribute_of(attribute_bytes(one), [&](const nlattr& field) {
                if (mnl_attr_get_type(&field) == IFLA_INFO_KIND) link.kind = attribute_text(field);
            });
            break;
        default: break;
        }
    });
    return link;
}

std::vector<Link> read_links() {
    NetlinkSocket socket(NETLINK_ROUTE);
    socket.set_receive_timeout(2000);
    alignas(nlmsghdr) std::array<std::uint8_t, 64> request{};
    nlmsghdr* message = mnl_nlmsg_put_header(request.data());
    message->nlmsg_type = RTM_GETLINK;
    message->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg));
    std::vector<Link> links;
    const auto error =
        socket.dump(Bytes(request).first(message->nlmsg_len), [&](const nlmsghdr& one) {
            if (auto link = parse_link(one)) links.push_back(std::move(*link));
        });
    if (error && error != std::errc::interrupted)
        throw std::system_error(error, "listing network interfaces");
    std::ranges::sort(links, {}, &Link::index);
    return links;
}

} // namespace ikefrag
