// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

/// The project's closed vocabularies. One word per idea: an enumerator's text is the word in rule
/// files, metric labels, JSON, the log and the manual alike.
namespace ikefrag {

enum class Mode : std::uint8_t { observe, guard, exclusive };

/// What a rule does with a fragmented datagram (DESIGN §2).
enum class Action : std::uint8_t { pass, reassemble, leave, drop };

/// What happened to one packet: `replace` carries a rebuilt datagram, `merge` has gone into it.
enum class Verdict : std::uint8_t { accept, drop, replace, merge };

/// Why a packet or datagram was refused, or what is wrong with one that was let through.
enum class Reason : std::uint8_t {
    none,
    overlap,
    inconsistent_last,
    bad_length,
    tiny_first,
    tiny_nonlast,
    too_many,
    too_big,
    timeout,
    source_limit,
    table_full,
    evicted,
    duplicate,
    checksum,
    udp_length,
    header_chain,
    ip_options,
    ike_malformed,
    unreadable,
    poisoned,
    policy,
};

enum class PacketClass : std::uint8_t { ike, esp_in_udp, keepalive, esp, other };

/// How a fragmented datagram ended.
enum class DatagramOutcome : std::uint8_t { complete, incomplete, refused, left };

/// `to_server`: the destination is a configured VPN gateway, or with none configured the responder.
enum class Direction : std::uint8_t { to_server, to_peer };

enum class Role : std::uint8_t { request, response };

/// Where the kernel showed us a packet: coming in, sent by this host itself, or going out.
enum class Leg : std::uint8_t { prerouting, output, postrouting };

/// How one IKE message travelled: in one packet, in IP fragments, in RFC 7383 fragments, in IKEv1
/// payload-132 fragments, in Cisco's own IKEv2 fragments.
enum class Transport : std::uint8_t { whole, ip, skf, v1, cisco };

/// What one side said it can do: RFC 7383 (16430), the IKEv1 FRAGMENTATION vendor ID, that vendor
/// ID in IKEv2 without 16430, nothing, or not seen.
enum class Fragmentation : std::uint8_t { ike, v1, cisco, none, unknown };

/// Transition technology an IPv6 address shows (PROTOCOL §4); IPv4 is `native`.
enum class Transition : std::uint8_t {
    native,
    six_to_four, // "6to4"
    teredo,
    isatap,
    nat64,
    v4mapped,
    ula,
    linklocal,
    iphttps,
};

/// `in_progress` is the daemon's only: a capture's handshakes have all ended.
enum class Outcome : std::uint8_t { in_progress, established, failed, unknown };

/// The evidence an outcome stands on (DESIGN §6); `none` while in progress.
enum class Basis : std::uint8_t {
    none,
    esp,
    later_exchange,
    unanswered,
    refused,
    answered,
    half_view,
    mid_stream,
    redirected,
};

enum class Severity : std::uint8_t { info, warning, critical };
enum class Confidence : std::uint8_t { low, medium, high };
enum class FindingKind : std::uint8_t { failure, advice, fact };
/// Who must act.
enum class Actor : std::uint8_t {
    client,
    client_network,
    server,
    server_network,
    this_firewall,
    unknown,
};

/// One enumerator and its word.
template <class E>
struct Word {
    E value;
    std::string_view text;
};

/// Every enumerator of E with its word, in the enum's order. Defined for each enum above, Family
/// included.
template <class E>
[[nodiscard]] std::span<const Word<E>> words() noexcept;

/// The word of a value.
template <class E>
requires requires { words<E>(); }
[[nodiscard]] std::string_view to_string(E value) noexcept {
    return words<E>()[static_cast<std::size_t>(value)].text;
}

/// The value of a word; empty if there is none such.
template <class E>
[[nodiscard]] std::optional<E> parse_word(std::string_view text) noexcept {
    for (const auto& word : words<E>())
        if (word.text == text) return word.value;
    return std::nullopt;
}

template <>
std::span<const Word<Family>> words<Family>() noexcept;
template <>
std::span<const Word<Mode>> words<Mode>() noexcept;
template <>
std::span<const Word<Action>> words<Action>() noexcept;
template <>
std::span<const Word<Verdict>> words<Verdict>() noexcept;
template <>
std::span<const Word<Reason>> words<Reason>() noexcept;
template <>
std::span<const Word<PacketClass>> words<PacketClass>() noexcept;
template <>
std::span<const Word<DatagramOutcome>> words<DatagramOutcome>() noexcept;
template <>
std::span<const Word<Direction>> words<Direction>() noexcept;
template <>
std::span<const Word<Role>> words<Role>() noexcept;
template <>
std::span<const Word<Leg>> words<Leg>() noexcept;
template <>
std::span<const Word<Transport>> words<Transport>() noexcept;
template <>
std::span<const Word<Fragmentation>> words<Fragmentation>() noexcept;
template <>
std::span<const Word<Transition>> words<Transition>() noexcept;
template <>
std::span<const Word<Outcome>> words<Outcome>() noexcept;
template <>
std::span<const Word<Basis>> words<Basis>() noexcept;
template <>
std::span<const Word<Severity>> words<Severity>() noexcept;
template <>
std::span<const Word<Confidence>> words<Confidence>() noexcept;
template <>
std::span<const Word<FindingKind>> words<FindingKind>() noexcept;
template <>
std::span<const Word<Actor>> words<Actor>() noexcept;

/// Number of values of an enum of this file: the size of an array indexed by it.
template <class E>
inline constexpr std::size_t count_of = 0;
template <>
inline constexpr std::size_t count_of<Family> = 2;
template <>
inline constexpr std::size_t count_of<Mode> = 3;
template <>
inline constexpr std::size_t count_of<Action> = 4;
template <>
inline constexpr std::size_t count_of<Verdict> = 4;
template <>
inline constexpr std::size_t count_of<Reason> = 21;
template <>
inline constexpr std::size_t count_of<PacketClass> = 5;
template <>
inline constexpr std::size_t count_of<DatagramOutcome> = 4;
template <>
inline constexpr std::size_t count_of<Direction> = 2;
template <>
inline constexpr std::size_t count_of<Role> = 2;
template <>
inline constexpr std::size_t count_of<Leg> = 3;
template <>
inline constexpr std::size_t count_of<Transport> = 5;
template <>
inline constexpr std::size_t count_of<Fragmentation> = 5;
template <>
inline constexpr std::size_t count_of<Transition> = 9;
template <>
inline constexpr std::size_t count_of<Outcome> = 4;
template <>
inline constexpr std::size_t count_of<Basis> = 9;
template <>
inline constexpr std::size_t count_of<Severity> = 3;
template <>
inline constexpr std::size_t count_of<Confidence> = 3;
template <>
inline constexpr std::size_t count_of<FindingKind> = 3;
template <>
inline constexpr std::size_t count_of<Actor> = 6;

/// Position of an enumerator, for arrays of `count_of<E>`.
template <class E>
[[nodiscard]] constexpr std::size_t index(E value) noexcept {
    return static_cast<std::size_t>(value);
}

} // namespace ikefrag
