// SPDX-License-Identifier: GPL-2.0-or-later
// hostile rss packets|bytes [FRAGMENTS]: resident memory of a gate under so many hostile fragments
// (default 10 million), against its cap; with the shipped limits, where the packets held are what
// binds, or with all others raised, so that table_bytes is
// hostile crowd OPEN [ROUNDS]: feeds what a full table of OPEN datagrams has to do besides holding
// (limits raised), for callgrind: evictions, poison and poisoned, what was left, expiries
// hostile cost OPEN [FRAGMENTS]: feeds fragments while OPEN datagrams are open (limits raised), for
// callgrind: --toggle-collect=measured*
// hostile time OPEN [FRAGMENTS]: the same, in nanoseconds of processor time a fragment
#include "plugin/gate.hpp"

#include "tests/support/plugin/packets.hpp"

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <random>
#include <string>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

Policy policy_for(std::uint32_t open) {
    Policy policy;
    policy.mode = Mode::guard;
    Server server;
    server.name = "vpn1";
    server.addresses = {prefix("203.0.113.5"), prefix("2001:db8::5")};
    policy.servers = {server};
    Rule ike;
    ike.name = "ike";
    ike.match.packet_class = PacketClass::ike;
    policy.rules = {ike};
    if (open == 0) return policy;
    policy.limits.hold_seconds = 30;
    policy.limits.source_datagrams = 1'000'000;
    policy.limits.source_packets = 1'000'000;
    policy.limits.source_bytes = 1u << 30;
    policy.limits.table_datagrams = 2 * open + 1'000;
    policy.limits.table_packets = 1'000'000;
    policy.limits.table_bytes = 1u << 30;
    return policy;
}

/// A line of /proc/self/status, in bytes.
std::size_t status_bytes(const std::string& name) {
    std::ifstream status("/proc/self/status");
    std::string line;
    while (std::getline(status, line))
        if (line.starts_with(name + ':')) return std::stoul(line.substr(name.size() + 1)) * 1024;
    return 0;
}

void put16(Buffer& packet, std::size_t at, std::uint32_t value) {
    packet[at] = static_cast<std::uint8_t>(value >> 8);
    packet[at + 1] = static_cast<std::uint8_t>(value);
}

void mend_header_checksum(Buffer& packet) {
    put16(packet, 10, 0);
    put16(
        packet,
        10,
        static_cast<std::uint32_t>(static_cast<std::uint16_t>(~checksum(Bytes(packet).first(20)))));
}

/// Hostile fragments of several kinds, changed in place: nothing here allocates. A third of them
/// forges the server's address: they fill the half of the table that is kept for it.
class Attack {
public:
    Attack() {
        const auto flow = flow4();
        const auto payload = udp(flow, ike_auth(16'000));
        for (const auto& ends : {flow.ends, flow.ends, reversed(flow).ends})
            for (const std::uint32_t begin : {0u, 8'000u, 1'400u})
                for (const std::uint32_t bytes : {48u, 1'400u, 600u})
                    kinds_.push_back(fragment(ends, payload, begin, begin + bytes));
    }
    const Buffer& next() {
        const auto kind = random_() % kinds_.size();
        auto& packet = kinds_[kind];
        const auto client = static_cast<std::uint32_t>(random_() % 10'000);
        const std::size_t at = kind < kinds_.size() / 3 * 2 ? 12 : 16;
        packet[at] = static_cast<std::uint8_t>(11 + client % 7);
        put16(packet, at + 2, client);
        put16(packet, 4, static_cast<std::uint32_t>(random_() % 64));
        mend_header_checksum(packet);
        return packet;
    }

private:
    std::vector<Buffer> kinds_;
    std::mt19937 random_{1};
};

int rss(std::uint64_t fragments, bool bytes_bind) {
    Attack attack;
    for (int i = 0; i < 1'000; ++i) (void)attack.next();
    auto shipped = policy_for(0);
    if (bytes_bind) {
        shipped.limits.table_datagrams = 100'000;
        shipped.limits.table_packets = 100'000;
        shipped.limits.source_datagrams = 64;
    }
    const auto policy = std::make_shared<const Policy>(shipped);
    const auto before = status_bytes("VmRSS");
    Gate gate(policy, {1, 2, 3});
    GateOutput out;
    auto now = TimePoint{1'795'420'800s};
    std::size_t highest = 0;
    for (std::uint64_t i = 0; i < fragments; ++i) {
        now += 5us;
        Packet packet;
        packet.id.value = static_cast<std::uint32_t>(i);
        packet.bytes = attack.next();
        gate.feed(packet, now, out);
        if (i % 64 == 63) out.clear();
        if (i % 65'536 == 0) highest = std::max(highest, status_bytes("VmRSS"));
    }
    highest = std::max(highest, status_bytes("VmRSS"));
    const auto cap = policy->limits.table_bytes;
    const auto grown = highest - before;
    std::printf("%llu hostile fragments: resident memory grew by %zu bytes, %.3f of the cap of %u; "
                "accounted "
                "at most %llu held, %zu fixed; %llu evictions; %s bound\n",
                static_cast<unsigned long long>(fragments),
                grown,
                static_cast<double>(grown) / cap,
                cap,
                static_cast<unsigned long long>(gate.counters().held_bytes_max.get()),
                gate.memory().fixed_bytes,
                static_cast<unsigned long long>(gate.counters().evictions.get()),
                bytes_bind ? "bytes" : "packets");
    return static_cast<double>(grown) <= 1.05 * cap ? 0 : 1;
}

/// One fragment of 600 octets for an open datagram, whichever. Its own function, so that callgrind
/// can count it alone.
extern "C" __attribute__((noinline)) void
measured_feed(Gate& gate, const Packet& packet, TimePoint now, GateOutput& out) {
    gate.feed(packet, now, out);
}

/// A gate that gets a packet each microsecond, those that count by measured_feed.
struct Feeder {
    explicit Feeder(const Policy& policy)
        : gate(std::make_shared<const Policy>(policy), {1, 2, 3}) {}

    void feed(Buffer& bytes, bool count) {
        mend_header_checksum(bytes);
        Packet packet;
        packet.id.value = ++number;
        packet.bytes = bytes;
        now += 1us;
        if (count)
            measured_feed(gate, packet, now, out);
        else
            gate.feed(packet, now, out);
        out.clear();
    }

    Gate gate;
    GateOutput out;
    TimePoint now{1'795'420'800s};
    std::uint32_t number = 0;
};

int cost(std::uint32_t open, std::uint32_t fragments, bool timed) {
    Feeder feeder(policy_for(open));
    auto& gate = feeder.gate;
    auto flow = flow4();
    const auto payload = udp(flow, ike_auth(8'000));
    auto head = fragment(flow.ends, payload, 0, 600);
    std::vector<Buffer> tails;
    for (std::uint32_t i = 1; i <= 8; ++i)
        tails.push_back(fragment(flow.ends, payload, i * 600, i * 600 + 600));
    const auto feed = [&](Buffer& bytes, std::uint32_t datagram, bool count) {
        put16(bytes, 4, datagram & 0xffff);
        put16(bytes, 14, datagram >> 16);
        feeder.feed(bytes, count);
    };
    for (std::uint32_t i = 0; i < open; ++i) feed(head, i, false);
    // Steps that meet every datagram before any again, far apart in memory.
    const std::uint32_t step = open / 2 + 1 + (open % 2 == 0 ? (open / 2) % 2 : 0);
    timespec begin{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
    std::uint32_t at = 0;
    for (std::uint32_t i = 0; i < fragments; ++i) {
        const auto round = i / open;
        if (round >= tails.size()) {
            std::fprintf(stderr, "at most %zu fragments with %u open\n", tails.size() * open, open);
            return 2;
        }
        at = (at + step) % open;
        feed(tails[round], at, true);
    }
    timespec end{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    const auto nanoseconds = static_cast<double>(end.tv_sec - begin.tv_sec) * 1e9 +
                             static_cast<double>(end.tv_nsec - begin.tv_nsec);
    if (gate.counters().held_packets.get() < open + fragments / 2) {
        std::fprintf(stderr,
                     "not what was to be measured: %llu held\n",
                     static_cast<unsigned long long>(gate.counters().held_packets.get()));
        return 2;
    }
    if (timed)
        std::printf("%u open: %.0f ns a fragment (with the making of its header)\n",
                    open,
                    nanoseconds / fragments);
    else
        std::printf("%u open, %u fragments measured, mean probes %.3f\n",
                    open,
                    fragments,
                    gate.mean_probes());
    return 0;
}

/// A table that is full: per round a new datagram that another makes way for, a contradiction that
/// poisons, a piece of what is poisoned, one of what was left; then, as time goes on, a new
/// datagram for each that expires.
int crowd(std::uint32_t open, std::uint32_t rounds) {
    auto policy = policy_for(open);
    policy.limits.table_datagrams = 2 * open; // half of it is for who is not proven
    Feeder feeder(policy);
    auto& gate = feeder.gate;
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(8'000));
    const auto dns = flow4(53, 53);
    auto head = fragment(flow.ends, payload, 0, 600);
    auto other = head;
    other[100] ^= 1;
    auto tail = fragment(flow.ends, payload, 600, 1'200);
    auto left = fragment(dns.ends, udp(dns, Buffer(2'000)), 0, 600);
    const auto feed = [&](Buffer& bytes, std::uint32_t source, bool count) {
        put16(bytes, 12, 0x0b00 + (source >> 16));
        put16(bytes, 14, source);
        feeder.feed(bytes, count);
    };
    std::uint32_t next = 0;
    while (next < open) feed(head, next++, false);
    constexpr std::uint32_t strangers = 1u << 23; // sources of what is left
    for (std::uint32_t i = 0; i < rounds; ++i) {
        feed(head, next++, true);
        const auto victim = next - 1 - i % (open / 2);
        feed(other, victim, true);
        feed(tail, victim, true);
        feed(left, strangers + i, true);
        feed(left, strangers + i, true);
        feed(head, next++, false); // full again
    }
    for (std::uint32_t i = 0; i < rounds; ++i) {
        feeder.now = *gate.next_deadline() - 1us; // as feed() counts
        feed(head, next++, true);
    }
    const auto& counters = gate.counters();
    const auto count = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    const auto poisoned = counters.refusals[0][index(Reason::poisoned)][1].get();
    const auto timed_out = counters.refusals[0][index(Reason::timeout)][1].get();
    std::printf("%u open, %u measured: %llu evictions, %llu poisoned, %llu left, %llu expired\n",
                open,
                6 * rounds,
                count(counters.evictions.get()),
                count(poisoned),
                count(counters.datagrams[0][index(DatagramOutcome::left)].get()),
                count(timed_out));
    const bool as_meant = counters.evictions.get() >= rounds && poisoned >= rounds / 2 &&
                          timed_out >= rounds / 2 && counters.held_packets.get() <= open;
    return as_meant ? 0 : 2;
}

} // namespace

int main(int count, char** arguments) {
    const std::string what = count > 1 ? arguments[1] : "";
    const auto number = [&](int at, unsigned long otherwise) {
        return count > at ? std::strtoul(arguments[at], nullptr, 10) : otherwise;
    };
    const std::string bound = count > 2 ? arguments[2] : "";
    if (what == "rss" && (bound == "packets" || bound == "bytes"))
        return rss(number(3, 10'000'000), bound == "bytes");
    if (what == "crowd" && count > 2)
        return crowd(static_cast<std::uint32_t>(number(2, 100)),
                     static_cast<std::uint32_t>(number(3, 10'000)));
    if ((what == "cost" || what == "time") && count > 2)
        return cost(static_cast<std::uint32_t>(number(2, 100)),
                    static_cast<std::uint32_t>(number(3, 800)),
                    what == "time");
    std::fputs("usage: hostile rss packets|bytes [FRAGMENTS] | cost OPEN [FRAGMENTS] | time OPEN "
               "[FRAGMENTS] | crowd OPEN [ROUNDS]\n",
               stderr);
    return 2;
}
