// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/vendor_id.hpp"

#include "plugin/ike/vendor_table.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

std::string find(const VendorTable& table, const ByteVector& data) {
    const auto found = table.find(data);
    return found ? table.at(*found).name : "";
}

} // namespace

TEST_CASE("vendor IDs: known ones by the longest prefix", "[ike]") {
    const VendorTable table(default_vendor_ids());
    struct Case {
        std::string data;
        std::string name;
    };
    const Case cases[] = {
        {"1e2b516905991c7d7c96fcbfb587e46100000009", "MS NT5 ISAKMPOAKLEY Windows 8 or later"},
        {"1e2b516905991c7d7c96fcbfb587e46100000042", "MS NT5 ISAKMPOAKLEY"                   },
        {"4048b7d56ebce88525e7de7f00d6c2d3",         "FRAGMENTATION"                         },
        {"4048b7d56ebce88525e7de7f00d6c2d3c0000000", "FRAGMENTATION"                         },
        {"4048b7d56ebce88525e7de7f00d6c2",           ""                                      },
        {"882fe56d6fd20dbc2251613b2ebe5beb",         "strongSwan"                            },
        {"464c455856504e2d535550504f52544544",       "FLEXVPN-SUPPORTED"                     },
        {"62502774",                                 "ZyXEL 2"                               },
        {"625027",                                   ""                                      },
        {"",                                         ""                                      },
    };
    for (const auto& c : cases) CHECK(find(table, hex(c.data)) == c.name);
}

TEST_CASE("vendor IDs: the default table is sound", "[ike]") {
    const auto ids = default_vendor_ids();
    CHECK(ids.size() >= 35);
    const VendorTable table(ids);
    for (const auto& id : ids) CHECK(find(table, id.prefix) == id.name);
}

TEST_CASE("vendor-ID file: what is read", "[ike]") {
    const auto ids = parse_vendor_ids("# comment\n"
                                      "\n"
                                      "Some box\t0102 0304 aAfF\tbox\r\n"
                                      "No hint\t0a0b0c0d\n"
                                      "Empty hint\t0a0b0c0e\t\n"
                                      "no newline at the end\t0a0b0c0f\tx-1_y");
    REQUIRE(ids);
    REQUIRE(ids->size() == 4);
    CHECK((*ids)[0].name == "Some box");
    CHECK((*ids)[0].prefix == hex("01020304aaff"));
    CHECK((*ids)[0].vendor == "box");
    CHECK((*ids)[1].vendor.empty());
    CHECK((*ids)[2].vendor.empty());
    CHECK((*ids)[3].vendor == "x-1_y");
    CHECK(parse_vendor_ids("")->empty());
}

TEST_CASE("vendor-ID file: what is refused, with its line", "[ike]") {
    struct Case {
        std::string name;
        std::string line;
        std::string message;
    };
    const std::string name_bounds = "the name must be 1 to 64 printable ASCII characters";
    const std::string no_prefix = "expected a tab and the hex prefix behind the name";
    const std::string no_hex = "the prefix must be pairs of hex digits";
    const std::string prefix_bounds = "the prefix must be 4 to 64 bytes long";
    const std::string word_bounds = "the vendor word must be 1 to 15 of a-z, 0-9, '_' and '-'";
    const Case cases[] = {
        {"no tab",                      "just a name",                           no_prefix          },
        {"no name",                     "\t01020304",                            name_bounds        },
        {"a long name",                 std::string(65,                          'n') + "\t01020304", name_bounds},
        {"a control character",                             "bad\x1b[2J\t01020304",                                                name_bounds                },
        {"an 8-bit character",                             "\xc3\xa4\t01020304",                                                 name_bounds   },
        {"an odd digit",                             "x\t0102030",                                                       no_hex                              },
        {"no hex digit",                             "x\t0102030g",                                                       no_hex  },
        {"three bytes",                             "x\t010203",                                                        prefix_bounds                                 },
        {"65 bytes",                             "x\t" + std::string(130,                                                           '0'),prefix_bounds},
        {"a capital word",                "x\t01020304\tBox",                                                       word_bounds                                                                 },
        {"a hostile word",                  "x\t01020304\t'; DROP",   word_bounds},
        {"a long word",                  "x\t01020304\t" + std::string(33,                                                       'a'),                                                                                                                         word_bounds},
        {"a fourth field",                         "x\t01020304\ta\tb","more than three fields"},
        {"a NUL",std::string("x\0y\t01020304",   12),                                                                                                                             name_bounds},
        {"a prefix given before",                "again\tffffffff",                                                  "this prefix was given before"},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const auto ids = parse_vendor_ids("fine\tffffffff\n\n" + c.line + "\n");
            REQUIRE_FALSE(ids);
            REQUIRE(ids.error().size() == 1);
            CHECK(ids.error()[0].line == 3);
            CHECK(ids.error()[0].message == c.message);
        }
    }
}

TEST_CASE("vendor-ID file: every mistake is told, and there is a bound", "[ike]") {
    const auto wrong = parse_vendor_ids("a\nb\nc\t01020304\nd\n");
    REQUIRE_FALSE(wrong);
    CHECK(wrong.error().size() == 3);
    std::string many;
    for (int i = 0; i < 4097; ++i) {
        char line[32];
        std::snprintf(line, sizeof(line), "n\t%08x\n", static_cast<unsigned>(i));
        many += line;
    }
    const auto bounded = parse_vendor_ids(many);
    REQUIRE_FALSE(bounded);
    REQUIRE(bounded.error().size() == 1);
    CHECK(bounded.error()[0].line == 4097);
}

TEST_CASE("vendor-ID file: the shipped one is the default table", "[ike]") {
    std::ifstream file(PROJECT_DIR "/rules/vendor-ids.txt");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const auto shipped = parse_vendor_ids(text);
    REQUIRE(shipped);
    const auto built_in = default_vendor_ids();
    REQUIRE(shipped->size() == built_in.size());
    for (std::size_t i = 0; i < built_in.size(); ++i) {
        CHECK((*shipped)[i].name == built_in[i].name);
        CHECK((*shipped)[i].prefix == built_in[i].prefix);
        CHECK((*shipped)[i].vendor == built_in[i].vendor);
    }
}
