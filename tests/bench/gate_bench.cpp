// SPDX-License-Identifier: GPL-2.0-or-later
// gate_bench [ROUNDS=3]: what gate and tracker cost together, in memory, on one core (P4).
//
// whole ike        IKE messages in one packet each, followed by the tracker
// whole esp        ESP in UDP of 64 tunnels
// whole mix        what a gateway sees: a handshake of 4 messages, then 200 packets of its tunnel
// fragments        IKE_AUTHs of five fragments: held, checked, released, followed
// gate             the same without the tracker
// libtins parse+   the same fragments through libtins' IP and IPv4Reassembler
// libtins          its IPv4Reassembler alone, packets parsed beforehand
// open N           the same with N more datagrams open, the oldest of which is completed next
//
// Prints a line each: name, ns a packet of processor time, millions of packets a second; best of
// the rounds.
//
// gate_bench capture FILE ROUNDS ESP: a pcap for P5, of ROUNDS times 64 handshakes of 4 messages,
// each followed by ESP packets of its tunnel.
//
// gate_bench loop NAME COUNT: one of them without clocks, for callgrind.
#include "plugin/gate.hpp"
#include "plugin/tracker.hpp"

#include "tests/support/plugin/packets.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#ifdef IKEFRAG_LIBTINS
#include <tins/ip.h>
#include <tins/ip_reassembler.h>
#endif

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1'795'420'800s};

PolicyPointer gateway(std::uint32_t open = 0) {
    auto policy = std::make_shared<Policy>();
    policy->mode = Mode::exclusive;
    policy->servers.push_back({.name = "vpn1", .addresses = {prefix("203.0.113.5")}, .inside = {}});
    if (open > 0) {
        auto& limits = policy->limits;
        limits.hold_seconds = 30;
        limits.source_datagrams = limits.table_datagrams = 2 * open + 1024;
        limits.source_packets = limits.table_packets = 12 * open + 8192;
        limits.source_bytes = limits.table_bytes = std::numeric_limits<std::uint32_t>::max();
    }
    return policy;
}

/// Gate, tracker and the clock of a bench.
class Engine {
public:
    explicit Engine(PolicyPointer policy)
        : gate_(policy, {1, 2, 3}), tracker_(policy, {}, default_vendor_ids()) {}

    void feed(Bytes packet, Duration step) {
        now_ += step;
        gate_.feed({.id = {number_++}, .bytes = packet}, now_, out_);
        if (number_ % 64 == 0) hand_on();
    }
    /// As the daemon does it: a batch of 64, then the verdicts, then the tracker.
    void hand_on() {
        accepted_ += out_.decisions.size();
        if (follow)
            for (const auto& observation : out_.observations) tracker_.feed(observation);
        out_.clear();
        if (!follow) return;
        tracker_.expire(now_);
        (void)tracker_.take_events();
    }
    void check(std::uint64_t packets, std::uint64_t datagrams) {
        hand_on();
        std::uint64_t complete = 0;
        for (const auto& family : gate_.counters().datagrams)
            complete += family[index(DatagramOutcome::complete)].get();
        if (accepted_ == packets && complete == datagrams) return;
        for (const auto& reason : words<Reason>())
            if (const auto count = gate_.counters().refusals[0][index(reason.value)][1].get();
                count > 0)
                std::fprintf(stderr,
                             "gate_bench: %llu %s\n",
                             static_cast<unsigned long long>(count),
                             reason.text.data());
        std::fprintf(stderr,
                     "gate_bench: %llu of %llu packets answered, %llu of %llu datagrams complete\n",
                     static_cast<unsigned long long>(accepted_),
                     static_cast<unsigned long long>(packets),
                     static_cast<unsigned long long>(complete),
                     static_cast<unsigned long long>(datagrams));
        std::exit(1);
    }

    bool follow = true;

private:
    Gate gate_;
    Tracker tracker_;
    GateOutput out_;
    TimePoint now_ = start;
    std::uint32_t number_ = 0;
    std::uint64_t accepted_ = 0;
};

double processor_seconds() {
    timespec time{};
    ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

constexpr std::uint16_t clients = 64;
constexpr std::size_t ipv4_header = 20;
constexpr std::size_t message_at = ipv4_header + 8;

Flow flow_of_client(std::uint32_t number, std::uint16_t port) {
    auto client = address("198.51.100.0");
    client.bytes[3] = static_cast<std::uint8_t>(1 + number);
    return {
        {client, address("203.0.113.5")},
        port, port
    };
}

void put16(Buffer& packet, std::size_t at, std::uint32_t value) {
    packet[at] = static_cast<std::uint8_t>(value >> 8);
    packet[at + 1] = static_cast<std::uint8_t>(value);
}
void put32(Buffer& packet, std::size_t at, std::uint32_t value) {
    put16(packet, at, value >> 16);
    put16(packet, at + 2, value & 0xffff);
}

/// Packets played round after round, so few that they stay in the cache as what the kernel has just
/// copied does; each round has initiator SPIs and IP ids of its own.
class Pattern {
public:
    explicit Pattern(std::vector<Buffer> packets) : packets_(std::move(packets)) {}

    [[nodiscard]] std::size_t size() const noexcept { return packets_.size(); }

    /// The `position`th packet as it is in a round.
    Bytes get(std::size_t position, std::uint32_t round) {
        auto& packet = packets_[position];
        // The id is behind a sum that knows it as zero.
        if (ids_) {
            put16(packet, 4, round & 0xffff);
            const auto sum = sums_[position] + (round & 0xffff);
            put16(packet, 10, ~((sum & 0xffff) + (sum >> 16)));
        }
        const bool is_first = (packet[6] & 0x1f) == 0 && packet[7] == 0;
        if (spis_ && is_first) {
            put32(packet, message_at, round);
            // In the encrypted part, what keeps UDP's checksum as it was.
            if (ids_) put32(packet, message_at + 64, ~round);
        }
        return packet;
    }

    static Pattern of_fragments(std::vector<Buffer> packets) {
        for (auto& packet : packets) put16(packet, 4, 0);
        Pattern pattern(std::move(packets));
        pattern.ids_ = pattern.spis_ = true;
        for (auto& packet : pattern.packets_) {
            put16(packet, 10, 0);
            pattern.sums_.push_back(checksum(Bytes(packet).first(ipv4_header)));
        }
        return pattern;
    }
    static Pattern of_messages(std::vector<Buffer> packets) {
        Pattern pattern(std::move(packets));
        pattern.spis_ = true;
        return pattern;
    }

private:
    std::vector<Buffer> packets_;
    std::vector<std::uint32_t> sums_;
    bool ids_ = false;
    bool spis_ = false;
};

Buffer sealed(const Flow& flow, std::uint8_t exchange, bool request, std::uint32_t seed) {
    const Spi initiator{0, 0, 0, 0, 0, 0, 0, static_cast<std::uint8_t>(seed + 1)};
    const auto responder = spi("8899aabbccddeeff");
    Buffer message;
    if (exchange == 34)
        message = request ? sa_init_request(initiator) : sa_init_response(initiator, responder);
    else
        message = encrypted_message(initiator,
                                    responder,
                                    {.exchange = exchange,
                                     .id = 1,
                                     .response = !request,
                                     .from_initiator = request,
                                     .bytes = request ? 1300u : 1200u,
                                     .seed = seed});
    return udp_packet(request ? flow : reversed(flow), message);
}

/// A handshake of IKE_SA_INIT and IKE_AUTH for each client, interleaved.
Pattern only_ike() {
    std::vector<Buffer> packets;
    for (const std::uint8_t exchange : {std::uint8_t{34}, std::uint8_t{35}})
        for (const bool request : {true, false})
            for (std::uint32_t i = 0; i < clients; ++i)
                packets.push_back(sealed(flow_of_client(i, 500), exchange, request, i));
    return Pattern::of_messages(std::move(packets));
}

std::vector<Buffer> tunnels() {
    std::vector<Buffer> packets;
    for (std::uint32_t i = 0; i < 4 * clients; ++i) {
        const auto flow = flow_of_client(i % clients, 4500);
        packets.push_back(udp_packet(i / clients % 2 == 0 ? flow : reversed(flow), esp(1'000)));
    }
    return packets;
}

/// One IKE_AUTH of five fragments for each client.
Pattern fragmented() {
    std::vector<Buffer> packets;
    for (std::uint32_t i = 0; i < clients; ++i) {
        const auto flow = flow_of_client(i, 500);
        auto message = ike_auth(6'800, static_cast<std::uint8_t>(i));
        put32(message, 0, 0);
        put32(message, 64, 0xffff'ffff);
        for (auto& piece : fragments(flow.ends, udp(flow, message), 1'480))
            packets.push_back(std::move(piece));
    }
    return Pattern::of_fragments(std::move(packets));
}

/// Out: the processor seconds it took
double play(Pattern pattern, std::uint32_t rounds, std::uint64_t datagrams, bool follow) {
    Engine engine(gateway());
    engine.follow = follow;
    const auto before = processor_seconds();
    for (std::uint32_t round = 1; round <= rounds; ++round)
        for (std::size_t i = 0; i < pattern.size(); ++i) engine.feed(pattern.get(i, round), 4us);
    const auto took = processor_seconds() - before;
    engine.check(std::uint64_t{rounds} * pattern.size(), datagrams);
    return took;
}

/// A handshake of each client, then 200 packets of each one's tunnel.
double play_mixed(std::uint32_t rounds) {
    Engine engine(gateway());
    auto ike = only_ike();
    Pattern esp(tunnels());
    const auto before = processor_seconds();
    for (std::uint32_t round = 1; round <= rounds; ++round) {
        for (std::size_t i = 0; i < ike.size(); ++i) engine.feed(ike.get(i, round), 4us);
        for (std::size_t i = 0; i < 200 * clients; ++i)
            engine.feed(esp.get(i % esp.size(), round), 4us);
    }
    const auto took = processor_seconds() - before;
    engine.check(rounds * (ike.size() + 200 * clients), 0);
    return took;
}

/// Keeps `open` datagrams with one fragment held each, and completes the oldest while a new one
/// begins; `more` times.
double play_open(Pattern pattern, std::uint32_t open, std::uint32_t more) {
    Engine engine(gateway(open));
    const auto first = [&](std::uint32_t i) {
        engine.feed(pattern.get(i % clients * 5, 1 + i / clients), 0us);
    };
    for (std::uint32_t i = 0; i < open; ++i) first(i);
    const auto before = processor_seconds();
    for (std::uint32_t i = 0; i < more; ++i) {
        for (std::uint32_t k = 1; k < 5; ++k)
            engine.feed(pattern.get(i % clients * 5 + k, 1 + i / clients), 1us);
        first(i + open);
    }
    const auto took = processor_seconds() - before;
    engine.check(std::uint64_t{5} * more, more);
    return took;
}

#ifdef IKEFRAG_LIBTINS
enum class Timed { parsing_too, reassembly };

double play_libtins(Pattern pattern, std::uint32_t rounds, Timed timed) {
    Tins::IPv4Reassembler reassembler;
    std::uint64_t complete = 0;
    double took = 0;
    for (std::uint32_t round = 1; round <= rounds; ++round) {
        std::vector<Tins::IP> packets;
        packets.reserve(pattern.size());
        auto before = processor_seconds();
        for (std::size_t i = 0; i < pattern.size(); ++i) {
            const auto bytes = pattern.get(i, round);
            packets.emplace_back(bytes.data(), static_cast<std::uint32_t>(bytes.size()));
        }
        if (timed == Timed::reassembly) before = processor_seconds();
        for (auto& packet : packets)
            if (reassembler.process(packet) == Tins::IPv4Reassembler::REASSEMBLED) ++complete;
        took += processor_seconds() - before;
    }
    if (complete != std::uint64_t{rounds} * clients) {
        std::fputs("gate_bench: libtins did not put all together\n", stderr);
        std::exit(1);
    }
    return took;
}
#endif

void print(const std::string& name, std::uint64_t packets, double seconds) {
    std::printf("%-20s %8.1f ns %8.3f M/s\n",
                name.c_str(),
                seconds * 1e9 / static_cast<double>(packets),
                static_cast<double>(packets) / seconds / 1e6);
    std::fflush(stdout);
}

/// In: work: gives the processor seconds it took
template <class Work>
void measure(const std::string& name, std::uint64_t packets, int rounds, Work work) {
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round < rounds; ++round) best = std::min(best, work());
    print(name, packets, best);
}

void run_all(int rounds) {
    const auto ike = only_ike();
    const Pattern esp(tunnels());
    const auto pieces = fragmented();
    constexpr std::uint32_t many = 1'000;
    measure("whole ike", many * ike.size(), rounds, [&] { return play(ike, many, 0, true); });
    measure(
        "whole esp", 10 * many * esp.size(), rounds, [&] { return play(esp, 10 * many, 0, true); });
    measure("whole mix", many / 10 * (ike.size() + 200 * clients), rounds, [] {
        return play_mixed(many / 10);
    });
    const auto datagrams = std::uint64_t{many} * clients;
    const auto fragments = many * pieces.size();
    measure("fragments", fragments, rounds, [&] { return play(pieces, many, datagrams, true); });
    measure("gate", fragments, rounds, [&] { return play(pieces, many, datagrams, false); });
#ifdef IKEFRAG_LIBTINS
    measure("libtins parse+", fragments, rounds, [&] {
        return play_libtins(pieces, many, Timed::parsing_too);
    });
    measure("libtins", fragments, rounds, [&] {
        return play_libtins(pieces, many, Timed::reassembly);
    });
#endif
    for (const std::uint32_t open : {100u, 100'000u})
        measure("open " + std::to_string(open), 100'000, rounds, [&] {
            return play_open(pieces, open, 20'000);
        });
}

void write_all(std::FILE* file, const void* bytes, std::size_t count) {
    if (std::fwrite(bytes, 1, count, file) == count) return;
    std::perror("gate_bench");
    std::exit(1);
}

/// A pcap of raw IP packets: rounds of a handshake of each client and `esp` packets of its tunnel.
void write_capture(const char* name, std::uint32_t rounds, std::uint32_t esp_packets) {
    std::FILE* file = std::fopen(name, "wb");
    if (file == nullptr) {
        std::perror(name);
        std::exit(1);
    }
    constexpr std::array<std::uint32_t, 6> head{0xa1b2c3d4, 0x0004'0002, 0, 0, 65'535, 101};
    write_all(file, head.data(), sizeof head);
    std::uint64_t microseconds = 1'795'420'800'000'000;
    const auto write = [&](Bytes packet) {
        microseconds += 40;
        const auto size = static_cast<std::uint32_t>(packet.size());
        const std::array<std::uint32_t, 4> record{
            static_cast<std::uint32_t>(microseconds / 1'000'000),
            static_cast<std::uint32_t>(microseconds % 1'000'000),
            size,
            size};
        write_all(file, record.data(), sizeof record);
        write_all(file, packet.data(), packet.size());
    };
    auto ike = only_ike();
    Pattern esp(tunnels());
    for (std::uint32_t round = 1; round <= rounds; ++round) {
        for (std::size_t i = 0; i < ike.size(); ++i) write(ike.get(i, round));
        for (std::size_t i = 0; i < std::size_t{esp_packets} * clients; ++i)
            write(esp.get(i % esp.size(), round));
    }
    if (std::fclose(file) != 0) std::exit(1);
}

int run_loop(std::string_view name, std::uint32_t rounds) {
    if (name == "ike")
        play(only_ike(), rounds, 0, true);
    else if (name == "esp")
        play(Pattern(tunnels()), rounds, 0, true);
    else if (name == "fragments" || name == "gate")
        play(fragmented(), rounds, std::uint64_t{rounds} * clients, name == "fragments");
    else
        return 2;
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc == 4 && std::string_view(argv[1]) == "loop")
        return run_loop(argv[2], static_cast<std::uint32_t>(std::strtoul(argv[3], nullptr, 10)));
    if (argc == 5 && std::string_view(argv[1]) == "capture") {
        const auto number = [&](int at) {
            return static_cast<std::uint32_t>(std::strtoul(argv[at], nullptr, 10));
        };
        write_capture(argv[2], number(3), number(4));
        return 0;
    }
    const int rounds = argc > 1 ? std::atoi(argv[1]) : 3;
    if (rounds < 1 || argc > 2) {
        std::fputs(
            "usage: gate_bench [ROUNDS]\n       gate_bench loop ike|esp|fragments|gate COUNT\n",
            stderr);
        return 2;
    }
    run_all(rounds);
}
