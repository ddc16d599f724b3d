// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/vendor_list.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <vector>

using namespace ikefrag;

namespace {

using Texts = std::vector<std::string>;

constexpr std::array<std::uint8_t, 4> start{0x00, 0x7f, 0x80, 0xff};

} // namespace

TEST_CASE("vendor list: names, and hex of what has none, in order and once", "[vendor_list]") {
    VendorList list;
    CHECK(list.empty());
    CHECK(list.texts().empty());
    list.add_name("strongSwan");
    list.add_unknown(start);
    list.add_name("strongSwan");
    list.add_unknown(start);
    list.add_unknown({});
    CHECK(list.texts() == Texts{"strongSwan", "007f80ff", ""});
}

TEST_CASE("vendor list: of another, what is missing comes behind", "[vendor_list]") {
    VendorList latest;
    latest.add_name("b");
    VendorList earlier;
    earlier.add_name("a");
    earlier.add_name("b");
    earlier.add_unknown(start);
    latest.add_all(earlier);
    CHECK(latest.texts() == Texts{"b", "a", "007f80ff"});
    CHECK(earlier.texts() == Texts{"a", "b", "007f80ff"});
}

TEST_CASE("vendor list: a copy keeps what it had", "[vendor_list]") {
    VendorList list;
    list.add_name("a");
    const auto copy = list;
    list.add_name("b");
    CHECK(copy.texts() == Texts{"a"});
    CHECK(list.texts() == Texts{"a", "b"});
}

TEST_CASE("vendor list: bounded", "[vendor_list]") {
    VendorList list;
    for (std::size_t i = 0; i < 2 * VendorList::max_entries; ++i)
        list.add_name(std::to_string(i) + std::string(200, 'x'));
    const auto texts = list.texts();
    CHECK(texts.size() == VendorList::max_entries);
    CHECK(texts[0].size() == VendorList::max_entry_bytes);
}
