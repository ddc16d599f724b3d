// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

namespace ikefrag {
namespace {

constexpr std::size_t max_offsets = 6;
constexpr std::size_t max_runs = 8;

/// One line of evidence has seldom more.
constexpr std::size_t usual_line = 96;
/// Up to here a double of seconds tells nanoseconds apart.
constexpr Duration exact = std::chrono::hours(24);

void append(std::string& text, std::uint64_t number) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
    text.append(digits.data(), end.ptr);
}

double seconds_of(Duration duration) { return std::chrono::duration<double>(duration).count(); }

void append_by_library(std::string& text, double value, int digits) {
    std::array<char, 64> out;
    const auto end =
        std::to_chars(out.data(), out.data() + out.size(), value, std::chars_format::fixed, digits);
    assert(end.ec == std::errc{});
    text.append(out.data(), end.ptr);
}

/// Seconds with so many digits behind the point: what std::to_chars gives, by whole numbers where
/// they cannot differ, at a fraction of its cost. In: digits: 0, 1 or 3
void append_seconds(std::string& text, Duration duration, int digits) {
    const auto unit = digits == 3 ? 1'000'000u : digits == 1 ? 100'000'000u : 1'000'000'000u;
    const auto count = duration.count();
    const auto nanoseconds = static_cast<std::uint64_t>(count);
    const auto rest = nanoseconds % unit;
    if (count < 0 || duration > exact || rest == unit / 2)
        return append_by_library(text, seconds_of(duration), digits);
    const auto rounded = nanoseconds / unit + (rest > unit / 2 ? 1 : 0);
    const auto parts = 1'000'000'000u / unit;
    append(text, rounded / parts);
    if (digits == 0) return;
    text += '.';
    const auto part = rounded % parts;
    if (digits == 3 && part < 100) text += part < 10 ? "00" : "0";
    append(text, part);
}

/// As many digits as tell something.
void append_number_of(std::string& text, Duration duration) {
    const double seconds = seconds_of(duration);
    const double size = seconds < 0 ? -seconds : seconds;
    append_seconds(text, duration, size < 0.9995 ? 3 : size < 9.95 ? 1 : 0);
}

void append_offset(std::string& text, TimePoint time, TimePoint start) {
    const auto at = text.size();
    append_number_of(text, time - start);
    if (text[at] != '-') text.insert(at, 1, '+');
    text += " s";
}

} // namespace

std::string seconds_text(Duration duration) {
    std::string text;
    append_number_of(text, duration);
    return text += " s";
}

std::string offset_text(TimePoint time, TimePoint start) {
    std::string text;
    append_offset(text, time, start);
    return text;
}

std::vector<TimePoint> times_of(const std::vector<const MessageRecord*>& messages) {
    std::vector<TimePoint> times;
    times.reserve(messages.size());
    for (const auto* message : messages) times.push_back(message->time);
    return times;
}

std::string offsets_text(const std::vector<TimePoint>& times, TimePoint start) {
    std::string text;
    for (std::size_t i = 0; i < times.size(); ++i) {
        if (i == max_offsets && times.size() > max_offsets + 1) {
            text += "... ";
            i = times.size() - 1;
        }
        text += '+';
        append_seconds(text, times[i] - start, 1);
        text += ' ';
    }
    return text.empty() ? text : text + "s";
}

std::string count_text(std::size_t count) {
    if (count == 1) return "once";
    if (count == 2) return "twice";
    return std::to_string(count) + " times";
}

std::string number_text(std::size_t count, std::string_view noun) {
    return std::to_string(count) + " " + std::string(noun) + (count == 1 ? "" : "s");
}

std::string exchange_text(const Exchange& exchange) {
    auto text = exchange_name(exchange.version, exchange.type);
    if (exchange.version == 2 && exchange.message_id > 1) append(text += ' ', exchange.message_id);
    return text;
}

namespace {

std::string_view piece_of(Transport transport) noexcept {
    switch (transport) {
    case Transport::whole: return "packet";
    case Transport::ip: return "IP fragment";
    case Transport::skf: return "IKE fragment";
    case Transport::v1: return "IKEv1 fragment";
    case Transport::cisco: return "Cisco fragment";
    }
    return "";
}

} // namespace

std::string transport_text(Transport transport) {
    return transport == Transport::whole ? "one packet" : std::string(piece_of(transport)) + "s";
}

std::string pieces_text(std::size_t count, Transport transport) {
    return count == 0 ? transport_text(Transport::whole) : number_text(count, piece_of(transport));
}

namespace {

/// Whether its clear notifies say something: an answer's do, and errors. A cookie that a request
/// brings back is what it was asked for.
bool says_something(const MessageRecord& message) noexcept {
    return message.role == Role::response || message.error_notify != 0;
}

/// How its IP fragments came; empty for a message in one packet.
std::string arrival_text(const MessageRecord& message) {
    if (message.complete && message.ip_fragments == 0) return {};
    const auto first = std::to_string(message.first_fragment_bytes) + " octets";
    if (message.complete)
        return ", in " + pieces_text(message.ip_fragments, Transport::ip) + " (first " + first +
               ")";
    if (!message.first_seen) return ", only trailing IP fragments came";
    // Refused for what it is, not for what is missing.
    if (message.reason != Reason::timeout && message.reason != Reason::none)
        return ", in IP fragments (first " + first + ")";
    return ", first IP fragment (" + first + ") came, the rest did not";
}

} // namespace

std::string evidence_text(const MessageRecord& message, TimePoint start) {
    std::string text;
    text.reserve(usual_line);
    append_offset(text, message.time, start);
    text += message.direction == Direction::to_server ? " to server: " : " to client: ";
    text += exchange_text(message.exchange);
    (text += ' ') += to_string(message.role);
    if (message.skf_number != 0) {
        append(text += " fragment ", message.skf_number);
        if (message.skf_total != 0) append(text += '/', message.skf_total);
    }
    if (message.message_bytes != 0) {
        append(text += ", ", message.message_bytes);
        text += " octets";
    }
    text += arrival_text(message);
    if (message.refused)
        text += ", dropped by this firewall (" + std::string(to_string(message.reason)) + ")";
    if (message.left_time)
        text += ", left this firewall after " + seconds_text(*message.left_time - message.time);
    if (const auto says = notifies_text(message); !says.empty() && says_something(message))
        text += ", says " + says;
    if (message.retransmit) text += ", a repeat";
    return text;
}

std::string missing_text(const FragmentSet& set) {
    std::string text;
    std::size_t runs = 0;
    const auto total = std::min(set.total, NumberSet::max_number);
    for (std::uint16_t number = 1; number <= total;) {
        if (set.present.has(number)) {
            ++number;
            continue;
        }
        auto last = number;
        while (last < total && !set.present.has(static_cast<std::uint16_t>(last + 1))) ++last;
        if (runs++ == max_runs) return text + ", ...";
        if (!text.empty()) text += ", ";
        text += std::to_string(number);
        if (last > number) text += "-" + std::to_string(last);
        number = static_cast<std::uint16_t>(last + 1);
    }
    if (set.total == 0) return "the last, at least";
    return text.empty() ? "none" : text;
}

std::string evidence_text(const FragmentSet& set, TimePoint start) {
    auto text = offset_text(set.first_time, start) +
                (set.direction == Direction::to_server ? " to server: " : " to client: ") +
                exchange_text(set.exchange) + " " + std::string(to_string(set.role)) + " in " +
                transport_text(set.transport) + ": " + std::to_string(set.seen) + " of " +
                (set.total == 0 ? "?" : std::to_string(set.total)) + " seen, largest packet " +
                std::to_string(set.largest_bytes) + " octets";
    if (!set.complete && !set.is_too_large()) text += ", missing " + missing_text(set);
    if (set.attempts > 1) text += ", sent " + count_text(set.attempts);
    text += ", last piece at " + offset_text(set.last_time, start);
    return text;
}

std::string_view icmp_text(const IcmpRecord& icmp) noexcept {
    const auto key = icmp.type * 256 + icmp.code;
    if (icmp.family == Family::ipv4) {
        switch (key) {
        case 3 * 256 + 1: return "host unreachable";
        case 3 * 256 + 3: return "port unreachable";
        case 3 * 256 + 4: return "fragmentation needed";
        case 3 * 256 + 9: return "network administratively prohibited";
        case 3 * 256 + 10: return "host administratively prohibited";
        case 3 * 256 + 13: return "communication administratively prohibited";
        case 11 * 256 + 1: return "fragment reassembly time exceeded";
        default: return "";
        }
    }
    switch (key) {
    case 1 * 256 + 1: return "communication administratively prohibited";
    case 1 * 256 + 3: return "address unreachable";
    case 1 * 256 + 4: return "port unreachable";
    case 2 * 256 + 0: return "packet too big";
    case 3 * 256 + 1: return "fragment reassembly time exceeded";
    default: return "";
    }
}

std::string evidence_text(const IcmpRecord& icmp, TimePoint start) {
    auto text = offset_text(icmp.time, start) + " ICMP from " + to_string(icmp.reporter) + ": " +
                std::string(icmp_text(icmp)) + " (type " + std::to_string(icmp.type) + ", code " +
                std::to_string(icmp.code) + ") about a packet " +
                (icmp.direction == Direction::to_server ? "to the server" : "to the client");
    if (icmp.mtu != 0) text += ", next-hop MTU " + std::to_string(icmp.mtu);
    return text;
}

} // namespace ikefrag
