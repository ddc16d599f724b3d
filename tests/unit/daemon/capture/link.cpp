// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/link.hpp"

#include <catch2/catch.hpp>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

using namespace ikefrag;

namespace {

std::vector<std::uint8_t> hex(const std::string& text) {
    std::vector<std::uint8_t> bytes;
    std::string digits;
    for (const char c : text)
        if (c != ' ') digits += c;
    for (std::size_t i = 0; i + 1 < digits.size(); i += 2)
        bytes.push_back(static_cast<std::uint8_t>(std::stoul(digits.substr(i, 2), nullptr, 16)));
    return bytes;
}

const std::string macs = "020000000001 020000000002 ";
const std::string cooked = "0000 0001 0006 020000000001 0000 ";

struct Case {
    std::string name;
    std::uint32_t link_type;
    std::string frame;
    LinkContent content;
    std::string packet;
    std::uint32_t domain;
};

// clang-format off (version 14 crashes on this table)
const Case cases[] = {
    {"Ethernet, IPv4",                   1,   macs + "0800 45aa",                                                 LinkContent::ip,         "45aa", 0        },
    {"Ethernet, IPv6",                   1,   macs + "86dd 60aa",                                                 LinkContent::ip,         "60aa", 0        },
    {"Ethernet, ARP",                    1,   macs + "0806 0001",                                                 LinkContent::other,      "",     0        },
    {"Ethernet, one VLAN",               1,   macs + "8100 2005 0800 45",                                         LinkContent::ip,         "45",   5        },
    {"Ethernet, QinQ",                   1,   macs + "88a8 0064 8100 0007 86dd 60",                               LinkContent::ip,         "60",   0x64007  },
    {"Ethernet, priority tag",           1,   macs + "8100 a000 0800 45",                                         LinkContent::ip,         "45",   0        },
    {"Ethernet, five tags",
     1,                                       macs + "8100 0001 8100 0001 8100 0001 8100 0001 8100 0001 0800 45",
     LinkContent::other,
     "",                                                                                                                                           0x1001001},
    {"Ethernet, SNAP",                   1,   macs + "0009 aaaa03 000000 0800 45",                                LinkContent::ip,         "45",   0        },
    {"Ethernet, LLC",                    1,   macs + "0026 4242 03000000",                                        LinkContent::other,      "",     0        },
    {"Ethernet, PPPoE",                  1,   macs + "8864 11 00 0001 0003 0021 45",                              LinkContent::ip,         "45",   0        },
    {"Ethernet, PPPoE, LCP",             1,   macs + "8864 11 00 0001 0003 c021 45",                              LinkContent::other,      "",     0        },
    {"Ethernet, cut in the type",        1,   macs + "08",                                                        LinkContent::unreadable, "",     0        },
    {"Ethernet, cut in the tag",         1,   macs + "8100 00",                                                   LinkContent::unreadable, "",     0        },
    {"Ethernet, nothing",                1,   "",                                                                 LinkContent::unreadable, "",     0        },
    {"raw, IPv4",                        101, "45aa",                                                             LinkContent::ip,         "45aa", 0        },
    {"raw as BSD numbers it",            12,  "60aa",                                                             LinkContent::ip,         "60aa", 0        },
    {"raw as OpenBSD numbers it",        14,  "45aa",                                                             LinkContent::ip,         "45aa", 0        },
    {"raw IPv4",                         228, "45aa",                                                             LinkContent::ip,         "45aa", 0        },
    {"raw IPv6",                         229, "60aa",                                                             LinkContent::ip,         "60aa", 0        },
    {"raw, no IP version",               101, "35aa",                                                             LinkContent::unreadable, "",     0        },
    {"raw, empty",                       101, "",                                                                 LinkContent::unreadable, "",     0        },
    {"cooked v1",                        113, cooked + "0800 45",                                                 LinkContent::ip,         "45",   0        },
    {"cooked v1, VLAN",                  113, cooked + "8100 0009 0800 45",                                       LinkContent::ip,         "45",   9        },
    {"cooked v1, cut",                   113, "0000 0001",                                                        LinkContent::unreadable, "",     0        },
    {"cooked v2",
     276,                                     "86dd 0000 00000003 0001 00 06 020000000001 0000 60",
     LinkContent::ip,
     "60",                                                                                                                                         0        },
    {"cooked v2, ARP",
     276,                                     "0806 0000 00000003 0001 00 06 020000000001 0000",
     LinkContent::other,
     "",                                                                                                                                           0        },
    {"loopback, little-endian",          0,   "02000000 45",                                                      LinkContent::ip,         "45",   0        },
    {"loopback, big-endian, macOS IPv6", 0,   "0000001e 60",                                                      LinkContent::ip,         "60",   0        },
    {"loopback of OpenBSD",              108, "00000002 45",                                                      LinkContent::ip,         "45",   0        },
    {"loopback, AppleTalk",              0,   "10000000 45",                                                      LinkContent::other,      "",     0        },
    {"PPP",                              9,   "ff03 0021 45",                                                     LinkContent::ip,         "45",   0        },
    {"PPP, compressed protocol",         9,   "21 45",                                                            LinkContent::ip,         "45",   0        },
    {"PPP in HDLC, IPv6",                50,  "ff03 0057 60",                                                     LinkContent::ip,         "60",   0        },
    {"PPP, cut",                         9,   "ff03 00",                                                          LinkContent::unreadable, "",     0        },
    {"a link type nobody knows",         147, "45aa",                                                             LinkContent::unreadable, "",     0        },
};

} // namespace

TEST_CASE("link: what is under a frame", "[capture]") {
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const auto frame = hex(c.frame);
            const auto got = unwrap_link(c.link_type, frame);
            CHECK(static_cast<int>(got.content) == static_cast<int>(c.content));
            CHECK(std::vector<std::uint8_t>(got.packet.begin(), got.packet.end()) == hex(c.packet));
            CHECK(got.domain == c.domain);
        }
}

TEST_CASE("link: a frame cut anywhere is never read past its end", "[capture]") {
    for (const auto& c : cases) {
        const auto frame = hex(c.frame);
        for (std::size_t size = 0; size <= frame.size(); ++size) {
            // Exactly as large as the cut frame, so that the sanitizer sees one byte too far.
            const auto copy = std::make_unique<std::uint8_t[]>(size);
            std::copy_n(frame.begin(), size, copy.get());
            const auto got = unwrap_link(c.link_type, Bytes(copy.get(), size));
            CHECK(got.packet.size() <= size);
        }
    }
}
