// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/address.hpp"

#include <algorithm>
#include <cassert>
#include <charconv>

namespace ikefrag {
namespace {

constexpr std::size_t groups_of_ipv6 = 8;
using Groups = std::array<std::uint16_t, groups_of_ipv6>;

std::uint8_t bits_of(Family family) noexcept { return family == Family::ipv4 ? 32 : 128; }

/// Whether the first `length` bits of two addresses are the same.
bool same_bits(const IpAddress& a, const IpAddress& b, std::uint8_t length) noexcept {
    const auto whole = static_cast<std::ptrdiff_t>(length / 8);
    if (!std::equal(a.bytes.begin(), a.bytes.begin() + whole, b.bytes.begin())) return false;
    const unsigned rest = length % 8u;
    if (rest == 0) return true;
    const auto mask = static_cast<std::uint8_t>(0xff00u >> rest);
    const auto at = static_cast<std::size_t>(whole);
    return ((a.bytes[at] ^ b.bytes[at]) & mask) == 0;
}

/// A number without sign or leading zeros, of the whole text.
std::optional<unsigned> parse_decimal(std::string_view text, unsigned highest) noexcept {
    if (text.empty() || text.size() > 3 || (text.size() > 1 && text[0] == '0')) return std::nullopt;
    unsigned value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value);
    if (parsed.ec != std::errc{} || parsed.ptr != end || value > highest) return std::nullopt;
    return value;
}

std::optional<std::array<std::uint8_t, 4>> parse_quad(std::string_view text) noexcept {
    std::array<std::uint8_t, 4> bytes{};
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto dot = i + 1 < bytes.size() ? text.find('.') : text.size();
        if (dot == std::string_view::npos) return std::nullopt;
        const auto value = parse_decimal(text.substr(0, dot), 255);
        if (!value) return std::nullopt;
        bytes[i] = static_cast<std::uint8_t>(*value);
        text.remove_prefix(std::min(dot + 1, text.size()));
    }
    return bytes;
}

std::optional<std::uint16_t> parse_group(std::string_view text) noexcept {
    if (text.empty() || text.size() > 4) return std::nullopt;
    std::uint16_t value = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, value, 16);
    if (parsed.ec != std::errc{} || parsed.ptr != end) return std::nullopt;
    return value;
}

/// Groups between colons, the last of which may be a dotted quad; no "::" in it.
struct GroupRun {
    Groups groups{};
    std::size_t count = 0;
};

std::optional<GroupRun> parse_groups(std::string_view text) noexcept {
    GroupRun run;
    while (!text.empty()) {
        const auto colon = text.find(':');
        const auto word = text.substr(0, colon);
        const bool last = colon == std::string_view::npos;
        if (last && word.find('.') != std::string_view::npos) {
            const auto quad = parse_quad(word);
            if (!quad || run.count > groups_of_ipv6 - 2) return std::nullopt;
            run.groups[run.count++] = static_cast<std::uint16_t>((*quad)[0] << 8 | (*quad)[1]);
            run.groups[run.count++] = static_cast<std::uint16_t>((*quad)[2] << 8 | (*quad)[3]);
            return run;
        }
        const auto group = parse_group(word);
        if (!group || run.count == groups_of_ipv6) return std::nullopt;
        run.groups[run.count++] = *group;
        if (last) return run;
        text.remove_prefix(colon + 1);
        if (text.empty()) return std::nullopt;
    }
    return run;
}

std::optional<IpAddress> parse_ipv6(std::string_view text) noexcept {
    const auto gap = text.find("::");
    Groups groups{};
    if (gap == std::string_view::npos) {
        const auto run = parse_groups(text);
        if (!run || run->count != groups_of_ipv6) return std::nullopt;
        groups = run->groups;
    } else {
        const auto head_text = text.substr(0, gap);
        if (head_text.find('.') != std::string_view::npos) return std::nullopt;
        const auto head = parse_groups(head_text);
        const auto tail = parse_groups(text.substr(gap + 2));
        // "::" stands for at least one group (RFC 5952 §4.2.2 advises against just one).
        if (!head || !tail || head->count + tail->count >= groups_of_ipv6) return std::nullopt;
        std::copy_n(head->groups.begin(), head->count, groups.begin());
        std::copy_n(tail->groups.begin(),
                    tail->count,
                    groups.end() - static_cast<std::ptrdiff_t>(tail->count));
    }
    IpAddress address;
    address.family = Family::ipv6;
    for (std::size_t i = 0; i < groups_of_ipv6; ++i) {
        address.bytes[2 * i] = static_cast<std::uint8_t>(groups[i] >> 8);
        address.bytes[2 * i + 1] = static_cast<std::uint8_t>(groups[i]);
    }
    return address;
}

/// The longest run of two or more zero groups, the first of equals (RFC 5952 §4.2).
struct ZeroRun {
    std::size_t begin = groups_of_ipv6;
    std::size_t count = 1;
};

ZeroRun longest_zero_run(const Groups& groups) noexcept {
    ZeroRun best;
    for (std::size_t i = 0; i < groups.size();) {
        std::size_t end = i;
        while (end < groups.size() && groups[end] == 0) ++end;
        if (end - i > best.count) best = {.begin = i, .count = end - i};
        i = end + 1;
    }
    return best;
}

void append_number(std::string& text, unsigned value, int base) {
    std::array<char, 8> digits{};
    auto* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value, base).ptr;
    text.append(digits.data(), end);
}

void append_quad(std::string& text, Bytes four) {
    for (std::size_t i = 0; i < 4; ++i) {
        if (i > 0) text += '.';
        append_number(text, four[i], 10);
    }
}

} // namespace

IpAddress IpAddress::v4(Bytes four) noexcept {
    assert(four.size() >= 4);
    IpAddress address;
    std::copy_n(four.begin(), 4, address.bytes.begin());
    return address;
}

IpAddress IpAddress::v6(Bytes sixteen) noexcept {
    assert(sixteen.size() >= 16);
    IpAddress address;
    address.family = Family::ipv6;
    std::copy_n(sixteen.begin(), 16, address.bytes.begin());
    return address;
}

bool Prefix::contains(const IpAddress& other) const noexcept {
    return other.family == address.family && same_bits(address, other, length);
}

bool Prefix::covers(const Prefix& other) const noexcept {
    return length <= other.length && contains(other.address);
}

std::string to_string(const IpAddress& address) {
    std::string text;
    if (address.family == Family::ipv4) {
        append_quad(text, address.view());
        return text;
    }
    Groups groups{};
    for (std::size_t i = 0; i < groups_of_ipv6; ++i)
        groups[i] =
            static_cast<std::uint16_t>(address.bytes[2 * i] << 8 | address.bytes[2 * i + 1]);
    const auto zeros = longest_zero_run(groups);
    // IPv4-mapped addresses are written with a dotted quad (RFC 5952 §5).
    const bool mapped = zeros.begin == 0 && zeros.count == 5 && groups[5] == 0xffff;
    if (mapped) {
        text = "::ffff:";
        append_quad(text, address.view().subspan(12));
        return text;
    }
    for (std::size_t i = 0; i < groups_of_ipv6; ++i) {
        if (i == zeros.begin) {
            text += "::";
            i += zeros.count - 1;
            continue;
        }
        if (i > 0 && text.back() != ':') text += ':';
        append_number(text, groups[i], 16);
    }
    return text;
}

std::string to_string(const Prefix& prefix) {
    return to_string(prefix.address) + '/' + std::to_string(prefix.length);
}

std::optional<IpAddress> parse_address(std::string_view text) noexcept {
    if (text.find(':') != std::string_view::npos) return parse_ipv6(text);
    const auto quad = parse_quad(text);
    if (!quad) return std::nullopt;
    return IpAddress::v4(*quad);
}

std::optional<Prefix> parse_prefix(std::string_view text) noexcept {
    const auto slash = text.find('/');
    const auto address = parse_address(text.substr(0, slash));
    if (!address) return std::nullopt;
    auto length = unsigned{bits_of(address->family)};
    if (slash != std::string_view::npos) {
        const auto given = parse_decimal(text.substr(slash + 1), length);
        if (!given) return std::nullopt;
        length = *given;
    }
    const auto prefix = prefix_of(*address, static_cast<std::uint8_t>(length));
    if (prefix.address != *address) return std::nullopt;
    return prefix;
}

Prefix prefix_of(const IpAddress& address, std::uint8_t length) noexcept {
    assert(length <= bits_of(address.family));
    Prefix prefix{.address = address, .length = length};
    const std::size_t whole = length / 8u;
    const unsigned rest = length % 8u;
    auto& bytes = prefix.address.bytes;
    if (rest != 0) bytes[whole] = static_cast<std::uint8_t>(bytes[whole] & (0xff00u >> rest));
    std::fill(bytes.begin() + static_cast<std::ptrdiff_t>(whole + (rest != 0 ? 1 : 0)),
              bytes.end(),
              std::uint8_t{0});
    return prefix;
}

} // namespace ikefrag
