// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/vendor_id.hpp"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

namespace ikefrag {

namespace {

constexpr std::size_t max_entries = 4096;
constexpr std::size_t max_name_bytes = 64;
constexpr std::size_t min_prefix_bytes = 4;
constexpr std::size_t max_prefix_bytes = 64;
constexpr std::size_t max_word_bytes = VendorWord::max_bytes;

struct DefaultRow {
    std::string_view name;
    std::string_view hex;
    std::string_view vendor;
};

/// Source: PROTOCOL §2.8; the MD5 sums there were computed anew from their strings.
constexpr DefaultRow default_rows[] = {
    {"MS NT5 ISAKMPOAKLEY Windows 2000",       "1e2b516905991c7d7c96fcbfb587e46100000002", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows XP",         "1e2b516905991c7d7c96fcbfb587e46100000003", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows 2003",       "1e2b516905991c7d7c96fcbfb587e46100000004", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows Vista",      "1e2b516905991c7d7c96fcbfb587e46100000005", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows 2008",       "1e2b516905991c7d7c96fcbfb587e46100000006", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows 7",          "1e2b516905991c7d7c96fcbfb587e46100000007", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows 2008R2",     "1e2b516905991c7d7c96fcbfb587e46100000008", "windows"   },
    {"MS NT5 ISAKMPOAKLEY Windows 8 or later",
     "1e2b516905991c7d7c96fcbfb587e46100000009",                                           "windows"   },
    {"MS NT5 ISAKMPOAKLEY",                    "1e2b516905991c7d7c96fcbfb587e461",         "windows"   },
    {"MS-Negotiation Discovery Capable",       "fb1de3cdf341b7ea16b7e5be0855f120",         "windows"   },
    {"Vid-Initial-Contact",                    "26244d38eddb61b3172a36e3d0cfb819",         "windows"   },
    {"IKE CGA version 1",                      "e3a5966a76379fe707228231e5ce8652",         "windows"   },
    {"MS-MamieExists",                         "214ca4faffa7f32d6748e5303395ae83",         "windows"   },
    {"NLBS_PRESENT",                           "72872b95fcda2eb708efe322119b4971",         "windows"   },
    {"KEY_MODS",                               "01528bbbc00696121849ab9a1c5b2a51",         "windows"   },
    {"MSFT IPsec Security Realm Id",           "686a8cbdfe634b405146fb2baf33e9e8",         "windows"   },
    {"FRAGMENTATION",                          "4048b7d56ebce88525e7de7f00d6c2d3",         ""          },
    {"strongSwan",                             "882fe56d6fd20dbc2251613b2ebe5beb",         "strongswan"},
    {"CISCO-DELETE-REASON",                    "434953434f2d44454c4554452d524541534f4e",   "cisco"     },
    {"CISCO(COPYRIGHT)&Copyright (c) 2009",    "434953434f28434f5059524947485429",         "cisco"     },
    {"FLEXVPN-SUPPORTED",                      "464c455856504e2d535550504f52544544",       "cisco"     },
    {"CISCO-DYNAMIC-ROUTE",                    "434953434f2d44594e414d49432d524f555445",   "cisco"     },
    {"Cisco Unity",                            "12f5f28c457168a9702d9fe274cc",             ""          },
    {"Cisco VPN concentrator",                 "1f07f70eaa6514d3b0fa96542a50",             "cisco"     },
    {"Fortigate",                              "1d6e178f6c2c0be284985465450fe9d4",         "fortinet"  },
    {"Juniper SRX",                            "fd808804df73b15150709d878044cde0ac1efcde", "juniper"   },
    {"NetScreen",                              "699369228741c6d4ca094c93e242c9de19e7b7c6", "juniper"   },
    {"Check Point",                            "f4ed19e0c114eb516faaac0ee37daf2807b4381f", "checkpoint"},
    {"SonicWall",                              "5b362bc820f60001",                         "sonicwall" },
    {"SonicWall 2",                            "404bf439522ca3f6",                         "sonicwall" },
    {"SonicWall 3",                            "da8e937880010000",                         "sonicwall" },
    {"SonicWall 4",                            "5b362bc820f70001",                         "sonicwall" },
    {"ZyXEL",                                  "b858d1addd08c1e8adafea150608aa4497aa6cc8", "zyxel"     },
    {"ZyXEL 2",                                "62502774",                                 "zyxel"     },
    {"ZyXEL 3",                                "f758f226",                                 "zyxel"     },
    {"KAME/racoon",                            "7003cbc1097dbe9c2600ba6983bc8b35",         "racoon"    },
    {"RFC 3947 NAT-T",                         "4a131c81070358455c5728f20e95452f",         ""          },
    {"NAT-T draft-02",                         "90cb80913ebb696e086381b5ec427b1f",         ""          },
    {"DPD",                                    "afcad71368a1f1c96b8696fc77570100",         ""          },
    {"XAUTH",                                  "09002689dfd6b712",                         ""          },
};

std::optional<std::uint8_t> hex_digit(char c) noexcept {
    if (c >= '0' && c <= '9') return static_cast<std::uint8_t>(c - '0');
    if (c >= 'a' && c <= 'f') return static_cast<std::uint8_t>(c - 'a' + 10);
    if (c >= 'A' && c <= 'F') return static_cast<std::uint8_t>(c - 'A' + 10);
    return std::nullopt;
}

/// Errors: empty for an odd number of digits or any other character but spaces between.
std::optional<std::vector<std::uint8_t>> parse_hex(std::string_view text) {
    std::vector<std::uint8_t> bytes;
    std::optional<std::uint8_t> high;
    for (const char c : text) {
        if (c == ' ') continue;
        const auto digit = hex_digit(c);
        if (!digit) return std::nullopt;
        if (high) {
            bytes.push_back(static_cast<std::uint8_t>(*high << 4 | *digit));
            high.reset();
        } else {
            high = digit;
        }
    }
    if (high) return std::nullopt;
    return bytes;
}

bool is_printable(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_word(std::string_view text) noexcept {
    return std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    });
}

/// The text up to the next separator, which is taken off too.
std::string_view take_field(std::string_view& rest, char separator) noexcept {
    const auto end = std::min(rest.find(separator), rest.size());
    const auto field = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return field;
}

Result<VendorId, std::string> parse_line(std::string_view line) {
    const auto name = take_field(line, '\t');
    const auto hex = take_field(line, '\t');
    const auto word = take_field(line, '\t');
    if (!line.empty()) return fail(std::string("more than three fields"));
    if (name.empty() || name.size() > max_name_bytes || !is_printable(name))
        return fail(std::string("the name must be 1 to 64 printable ASCII characters"));
    if (hex.empty()) return fail(std::string("expected a tab and the hex prefix behind the name"));
    auto prefix = parse_hex(hex);
    if (!prefix) return fail(std::string("the prefix must be pairs of hex digits"));
    if (prefix->size() < min_prefix_bytes || prefix->size() > max_prefix_bytes)
        return fail(std::string("the prefix must be 4 to 64 bytes long"));
    if (word.size() > max_word_bytes || !is_word(word))
        return fail(std::string("the vendor word must be 1 to 15 of a-z, 0-9, '_' and '-'"));
    return VendorId{std::string(name), std::move(*prefix), std::string(word)};
}

} // namespace

VendorWord::VendorWord(std::string_view text) {
    text = text.substr(0, max_bytes);
    text_ = SharedList<char>(std::vector<char>(text.begin(), text.end()));
}

std::string operator+(std::string text, const VendorWord& word) {
    return std::move(text.append(word.view()));
}

std::vector<VendorId> default_vendor_ids() {
    std::vector<VendorId> ids;
    for (const auto& row : default_rows)
        ids.push_back({std::string(row.name), *parse_hex(row.hex), std::string(row.vendor)});
    return ids;
}

Result<std::vector<VendorId>, std::vector<VendorIdError>> parse_vendor_ids(std::string_view text) {
    std::vector<VendorId> ids;
    std::vector<VendorIdError> errors;
    std::set<std::vector<std::uint8_t>> seen;
    for (std::size_t number = 1; !text.empty(); ++number) {
        auto line = take_field(text, '\n');
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (line.empty() || line.front() == '#') continue;
        if (ids.size() == max_entries) {
            errors.push_back({number, "more than 4096 entries"});
            break;
        }
        auto id = parse_line(line);
        if (!id) {
            errors.push_back({number, id.error()});
        } else if (!seen.insert(id->prefix).second) {
            errors.push_back({number, "this prefix was given before"});
        } else {
            ids.push_back(std::move(*id));
        }
    }
    if (!errors.empty()) return fail(std::move(errors));
    return ids;
}

} // namespace ikefrag
