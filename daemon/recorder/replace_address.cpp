// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/attempt_file.hpp"

#include <algorithm>

namespace ikefrag {

namespace {

constexpr std::uint8_t udp = 17, icmp_v4 = 1, icmp_v6 = 58, fragment_header = 44;
constexpr std::size_t v6_header = 40, fragment_header_bytes = 8, icmp_header = 8;

struct Replacement {
    Bytes from;
    Bytes to;
};

/// A packet whose bytes are changed in place. Whatever lies beyond its end is left alone.
class Rewriter {
public:
    explicit Rewriter(std::span<std::uint8_t> packet) : packet_(packet) {}

    [[nodiscard]] bool has(std::size_t at, std::size_t size) const {
        return at <= packet_.size() && size <= packet_.size() - at;
    }
    [[nodiscard]] std::uint8_t byte(std::size_t at) const { return has(at, 1) ? packet_[at] : 0; }
    [[nodiscard]] std::uint32_t word(std::size_t at) const {
        return has(at, 2) ? packet_[at] * 256u + packet_[at + 1] : 0;
    }
    /// Puts `to` where `from` stands. Out: whether it stood there
    bool put(std::size_t at, const Replacement& change) {
        const auto size = change.from.size();
        if (!has(at, size) || !std::ranges::equal(packet_.subspan(at, size), change.from))
            return false;
        std::ranges::copy(change.to, packet_.begin() + static_cast<std::ptrdiff_t>(at));
        return true;
    }
    /// A checksum over `from` becomes one over `to` (RFC 1624 §3): HC' = ~(~HC + ~m + m').
    void adjust(std::size_t at, const Replacement& change) {
        if (!has(at, 2)) return;
        const auto& [from, to] = change;
        std::uint32_t sum = ~word(at) & 0xffff;
        for (std::size_t i = 0; i + 1 < from.size(); i += 2) {
            sum += ~(from[i] * 256u + from[i + 1]) & 0xffff;
            sum += to[i] * 256u + to[i + 1];
        }
        while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
        packet_[at] = static_cast<std::uint8_t>(~sum >> 8);
        packet_[at + 1] = static_cast<std::uint8_t>(~sum);
    }

    /// As adjust(); UDP has no checksum of zero.
    void adjust_udp(std::size_t at, const Replacement& change) {
        adjust(at, change);
        if (word(at) == 0 && has(at, 2)) packet_[at] = packet_[at + 1] = 0xff;
    }

private:
    std::span<std::uint8_t> packet_;
};

void replace_v4(Rewriter& packet, const Replacement& change) {
    const std::size_t body = std::size_t{packet.byte(0) & 0x0fu} * 4;
    const bool first = (packet.word(6) & 0x1fff) == 0;
    const bool summed = first && packet.byte(9) == udp && packet.word(body + 6) != 0;
    for (const std::size_t address : {std::size_t{12}, std::size_t{16}}) {
        if (!packet.put(address, change)) continue;
        packet.adjust(10, change);
        if (summed) packet.adjust_udp(body + 6, change);
    }
    if (!first || packet.byte(9) != icmp_v4) return;
    // The quoted header's own checksum makes up for its address, so ICMP's sum over both stays
    // right; the quoted UDP checksum is left alone for the same reason.
    const std::size_t quoted = body + icmp_header;
    for (const std::size_t address : {quoted + 12, quoted + 16})
        if (packet.put(address, change)) packet.adjust(quoted + 10, change);
}

void replace_v6(Rewriter& packet, const Replacement& change) {
    auto protocol = packet.byte(6);
    std::size_t body = v6_header;
    bool first = true;
    if (protocol == fragment_header) {
        protocol = packet.byte(body);
        first = (packet.word(body + 2) & 0xfff8) == 0;
        body += fragment_header_bytes;
    }
    const std::size_t checksum = protocol == udp ? body + 6 : body + 2;
    const bool summed =
        first && ((protocol == udp && packet.word(checksum) != 0) || protocol == icmp_v6);
    for (const std::size_t address : {std::size_t{8}, std::size_t{24}})
        if (packet.put(address, change) && summed) packet.adjust_udp(checksum, change);
    if (protocol != icmp_v6 || !first) return;
    const std::size_t quoted = body + icmp_header;
    for (const std::size_t address : {quoted + 8, quoted + 24})
        if (packet.put(address, change)) packet.adjust(checksum, change);
}

} // namespace

void replace_address(std::span<std::uint8_t> bytes, const IpAddress& from, const IpAddress& to) {
    Rewriter packet(bytes);
    const Replacement change{from.view(), to.view()};
    if (from.family == Family::ipv4 && packet.byte(0) >> 4 == 4) replace_v4(packet, change);
    if (from.family == Family::ipv6 && packet.byte(0) >> 4 == 6) replace_v6(packet, change);
}

} // namespace ikefrag
