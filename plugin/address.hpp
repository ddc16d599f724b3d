// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ikefrag {

enum class Family : std::uint8_t { ipv4, ipv6 };

/// An IPv4 or IPv6 address; IPv4 fills the first four bytes, the rest is zero.
struct IpAddress {
    std::array<std::uint8_t, 16> bytes{};
    Family family = Family::ipv4;

    [[nodiscard]] static IpAddress v4(Bytes four) noexcept;
    [[nodiscard]] static IpAddress v6(Bytes sixteen) noexcept;
    /// The address's own bytes: 4 or 16 of them.
    [[nodiscard]] Bytes view() const noexcept {
        return Bytes(bytes).first(family == Family::ipv4 ? 4 : 16);
    }
    auto operator<=>(const IpAddress&) const = default;
    /// Two comparisons of words: compilers call memcmp for sixteen bytes.
    bool operator==(const IpAddress& other) const noexcept {
        using Words = std::array<std::uint64_t, 2>;
        const auto ours = std::bit_cast<Words>(bytes);
        const auto theirs = std::bit_cast<Words>(other.bytes);
        return ours[0] == theirs[0] && ours[1] == theirs[1] && family == other.family;
    }
};

/// An address and a UDP port.
struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    auto operator<=>(const Endpoint&) const = default;
};

/// A network: the first `length` bits of `address` count, the rest are zero.
struct Prefix {
    IpAddress address;
    std::uint8_t length = 0;

    [[nodiscard]] bool contains(const IpAddress& other) const noexcept;
    /// Whether every address of `other` is in this network too.
    [[nodiscard]] bool covers(const Prefix& other) const noexcept;
    auto operator<=>(const Prefix&) const = default;
};

/// RFC 5952 text for IPv6, dotted quad for IPv4.
[[nodiscard]] std::string to_string(const IpAddress& address);
/// "address/length".
[[nodiscard]] std::string to_string(const Prefix& prefix);

/// Errors: empty for anything but one whole IPv4 dotted quad or IPv6 address (no zone, no port).
[[nodiscard]] std::optional<IpAddress> parse_address(std::string_view text) noexcept;
/// An address alone is a prefix of full length. Errors: empty, also where bits behind the length
/// are set ("10.0.0.1/8" is a mistake, not a network).
[[nodiscard]] std::optional<Prefix> parse_prefix(std::string_view text) noexcept;
/// The first `length` bits of an address, as a prefix.
[[nodiscard]] Prefix prefix_of(const IpAddress& address, std::uint8_t length) noexcept;

} // namespace ikefrag
