// SPDX-License-Identifier: GPL-2.0-or-later
// Relation: for any sequence of fragments the gate gives the naive oracle's answers, each packet
// one, and holds nothing after the deadline.
#include "plugin/gate.hpp"
#include "plugin/wire/byte_reader.hpp"

#include "tests/support/plugin/naive_gate.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

Policy make_policy() {
    Policy policy;
    policy.mode = Mode::guard;
    Server server;
    server.name = "vpn1";
    server.addresses = {prefix("203.0.113.5"), prefix("2001:db8::5")};
    policy.servers = {server};
    policy.limits.source_datagrams = 64;
    policy.limits.source_packets = 512;
    policy.limits.source_bytes = 4u << 20;
    return policy;
}

/// Datagrams to cut pieces from: sound, of another class, and broken in one way each; the last one
/// is long.
const std::vector<Buffer>& datagrams(const Flow& flow) {
    static std::array<std::vector<Buffer>, 2> made;
    auto& list = made[index(flow.ends.source.family)];
    if (!list.empty()) return list;
    auto dns = flow;
    dns.source_port = dns.destination_port = 53;
    auto lying = udp(flow, ike_auth(200));
    lying[5] ^= 1;
    auto wrong = udp(flow, ike_auth(200));
    wrong[150] ^= 1;
    auto unsummed = udp(flow, ike_auth(200));
    unsummed[6] = unsummed[7] = 0;
    list = {udp(flow, ike_auth(200)),
            udp(flow, ike_auth(120, 3)),
            udp(flow, marked(ike_auth(200))),
            udp(dns, ike_auth(200)),
            udp(flow, Buffer(200, 9)),
            lying,
            wrong,
            unsummed,
            udp(flow, ike_auth(6'000))};
    return list;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const auto policy = std::make_shared<const Policy>(make_policy());
    ByteReader reader(Bytes(data, size));
    const auto shape = reader.u8();
    const auto flow = flow_of((shape & 1) != 0 ? Family::ipv6 : Family::ipv4);
    const bool long_second = (shape & 2) != 0; // the second datagram has more than one window
    Gate gate(policy, {});
    NaiveGate oracle(flow, policy->limits);
    GateOutput out;
    std::vector<Answer> expected;
    TimePoint now{std::chrono::seconds(1'000'000)};
    std::uint32_t number = 0;
    while (!reader.rest().empty() && number < 64) {
        const auto what = reader.u8();
        const bool is_long = long_second && (what & 7u) == 1;
        const auto& whole = is_long ? datagrams(flow).back() : datagrams(flow)[what & 7u];
        const std::uint32_t scale = is_long ? 16 : 1;
        const auto where = reader.u8();
        const std::uint32_t begin = (where & 0x3fu) * 8u * scale;
        const std::uint32_t length = reader.u8() * scale;
        now += std::chrono::milliseconds((what >> 5) * 250);
        Piece piece{.number = number + 1, .id = (what >> 3 & 3u) + 1, .offset = begin};
        const auto first = std::min<std::size_t>(begin, whole.size());
        const auto last = std::min<std::size_t>(first + length, whole.size());
        piece.bytes.assign(whole.begin() + static_cast<std::ptrdiff_t>(first),
                           whole.begin() + static_cast<std::ptrdiff_t>(last));
        piece.more = last != whole.size();
        piece.protocol = std::array<std::uint8_t, 4>{17, 17, 6, 50}[where >> 6];
        if (piece.offset == 0 && !piece.more) continue; // a whole packet
        ++number;
        const auto bytes = packet_of(flow, piece);
        Packet packet;
        packet.id.value = piece.number;
        packet.bytes = bytes;
        gate.feed(packet, now, out);
        const auto answers = oracle.feed(piece, now);
        expected.insert(expected.end(), answers.begin(), answers.end());
    }
    now += std::chrono::seconds(5);
    gate.expire(now, out);
    const auto rest = oracle.expire(now);
    expected.insert(expected.end(), rest.begin(), rest.end());
    std::vector<Answer> given;
    for (const auto& decision : out.decisions)
        given.push_back({decision.packet.value, decision.verdict, decision.reason});
    const auto by_number = [](const Answer& a, const Answer& b) { return a.number < b.number; };
    std::sort(given.begin(), given.end(), by_number);
    std::sort(expected.begin(), expected.end(), by_number);
    if (given != expected || given.size() != number) std::abort();
    if (gate.next_deadline() || gate.memory().held_bytes != 0) std::abort();
    return 0;
}
