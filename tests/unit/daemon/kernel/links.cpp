// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/links.hpp"

#include "daemon/kernel/queue_status.hpp"

#include "tests/support/daemon/netlink_builder.hpp"

#include <catch2/catch.hpp>
#include <linux/rtnetlink.h>

#include <cstring>
#include <string>

using namespace ikefrag;
using ikefrag::testing::each_truncation;

namespace {

/// RTM_NEWLINK of index 9 with name, kind and master, in the machine's byte order.
std::vector<std::uint8_t> link_message() {
    std::vector<std::uint8_t> bytes(512);
    nlmsghdr* message = mnl_nlmsg_put_header(bytes.data());
    message->nlmsg_type = RTM_NEWLINK;
    auto* info = static_cast<ifinfomsg*>(mnl_nlmsg_put_extra_header(message, sizeof(ifinfomsg)));
    info->ifi_index = 9;
    mnl_attr_put_strz(message, IFLA_IFNAME, "lan");
    mnl_attr_put_u32(message, IFLA_MTU, 1492);
    mnl_attr_put_u32(message, IFLA_MASTER, 4);
    nlattr* nest = mnl_attr_nest_start(message, IFLA_LINKINFO);
    mnl_attr_put_strz(message, IFLA_INFO_KIND, "veth");
    mnl_attr_nest_end(message, nest);
    bytes.resize(message->nlmsg_len);
    return bytes;
}

} // namespace

TEST_CASE("links: one message of a dump", "[kernel]") {
    const auto bytes = link_message();
    const auto link = parse_link(*first_message(bytes));
    REQUIRE(link);
    CHECK(link->index == 9);
    CHECK(link->name == "lan");
    CHECK(link->kind == "veth");
    CHECK(link->master == 4);
    CHECK(link->mtu == 1492);
    std::size_t read = 0;
    each_truncation(bytes, [&](Bytes cut) {
        each_message(cut, [&](const nlmsghdr& one) { read += parse_link(one) ? 1u : 0u; });
    });
    CHECK(read > 10);
}

TEST_CASE("links: which domain a packet belongs to", "[kernel]") {
    std::vector<Link> links;
    links.push_back({.index = 1, .name = "lo"});
    links.push_back({.index = 2, .name = "wan", .kind = "veth"});
    links.push_back({.index = 3, .name = "blue", .kind = "vrf"});
    links.push_back({.index = 4, .name = "lan", .kind = "veth", .master = 3});
    links.push_back({.index = 5, .name = "br", .kind = "bridge"});
    links.push_back({.index = 6, .name = "port", .kind = "veth", .master = 5});
    const InterfaceDomains domains(links);
    CHECK(domains.of(2, 0) == 0);
    CHECK(domains.of(4, 0) == 3); // a VRF's port and the VRF itself are one domain
    CHECK(domains.of(3, 0) == 3);
    CHECK(domains.of(6, 0) == 0); // a bridge is no domain
    CHECK(domains.of(99, 0) == 0);
    CHECK(domains.of(2, 10) != 0);
    CHECK(domains.of(2, 10) != domains.of(2, 11));
    CHECK(domains.of(2, 3) != domains.of(4, 0)); // VLAN 3 is not VRF 3
    CHECK(InterfaceDomains().of(4, 0) == 0);
}

TEST_CASE("queue status: the columns of /proc/net/netfilter/nfnetlink_queue", "[kernel]") {
    const auto queues = parse_queue_status("  500  12345   17 2 65531     3     4      99  1\n"
                                           "this is no line of it\n"
                                           "  501      1    0 2 65531     0     0       5  1\n"
                                           "  502      1    0 2");
    REQUIRE(queues.size() == 2);
    CHECK(queues[0].number == 500);
    CHECK(queues[0].port == 12345);
    CHECK(queues[0].waiting == 17);
    CHECK(queues[0].copy_mode == 2);
    CHECK(queues[0].copy_range == 65531);
    CHECK(queues[0].dropped == 3);
    CHECK(queues[0].user_dropped == 4);
    CHECK(queues[0].last_id == 99);
    CHECK(queues[1].number == 501);
    CHECK(parse_queue_status("").empty());
}
