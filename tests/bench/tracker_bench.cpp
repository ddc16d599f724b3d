// SPDX-License-Identifier: GPL-2.0-or-later
// tracker_bench time|flood|memory|loop [COUNT]: what the tracker costs, alone and in memory.
//
// time: ns a whole message over healthy handshakes of 10 messages, feed to events taken
// flood: ns a message of IKE_SA_INIT from sources that never come back
// memory: bytes a live handshake (timeline counted apart) of three kinds, bytes a peer
// loop: `time` without clocks, for callgrind: instructions a message = total / messages
#include "plugin/tracker.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <malloc.h>
#include <memory>
#include <string_view>
#include <vector>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1'795'420'800s};
const Endpoint server{address("203.0.113.5"), 500};

/// One message of a handshake's pattern; SPIs are written into it for each handshake.
struct Pattern {
    ByteVector bytes;
    bool by_client = true;
};

std::vector<Pattern> healthy() {
    const auto initiator = spi("0011223344556677");
    const auto responder = spi("8899aabbccddeeff");
    std::vector<Pattern> patterns;
    const auto add = [&](std::uint8_t exchange, std::uint32_t id, bool request, std::size_t n) {
        const EncryptedOptions options{.exchange = exchange,
                                       .id = id,
                                       .response = !request,
                                       .from_initiator = request,
                                       .bytes = n,
                                       .seed = id * 2 + (request ? 1u : 0u)};
        patterns.push_back({encrypted_message(initiator, responder, options), request});
    };
    patterns.push_back({sa_init_request(initiator, {.windows = true}), true});
    patterns.push_back({sa_init_response(initiator, responder), false});
    add(35, 1, true, 1400);
    add(35, 1, false, 1300);
    add(35, 2, true, 300);
    add(35, 2, false, 260);
    add(36, 3, true, 400);
    add(36, 3, false, 380);
    add(37, 4, true, 80);
    add(37, 4, false, 80);
    return patterns;
}

void number(ByteVector& message, std::uint32_t handshake) {
    for (unsigned i = 0; i < 4; ++i)
        message[i] = static_cast<std::uint8_t>(handshake >> (24 - 8 * i));
    message[7] = 1;
}

Endpoint client_of(std::uint32_t handshake) {
    static const Endpoint first{address("10.0.0.0"), 500};
    auto client = first;
    for (unsigned i = 1; i < 4; ++i)
        client.address.bytes[i] = static_cast<std::uint8_t>(handshake >> (24 - 8 * i));
    return client;
}

Observation
shown(const ByteVector& message, const Endpoint& from, const Endpoint& to, TimePoint time) {
    MessageSeen seen;
    seen.source = from;
    seen.destination = to;
    seen.message = message;
    seen.message_bytes = static_cast<std::uint32_t>(message.size());
    seen.datagram_bytes = seen.first_fragment_bytes = seen.message_bytes + 28;
    return {time, Leg::prerouting, seen};
}

Tracker make_tracker(std::size_t handshakes = 50'000) {
    TrackerLimits limits;
    limits.handshakes = handshakes;
    return {std::make_shared<const Policy>(), limits, default_vendor_ids()};
}

/// Handshakes one after the other, 64 of them interleaved, a message each 20 µs.
std::size_t play(Tracker& tracker, std::size_t messages) {
    auto pattern = healthy();
    std::size_t fed = 0;
    TimePoint now = start;
    for (std::uint32_t round = 0; fed < messages; ++round) {
        for (auto& step : pattern) {
            for (std::uint32_t i = 0; i < 64; ++i) {
                const auto handshake = round * 64 + i;
                const auto client = client_of(handshake % 20'000);
                number(step.bytes, handshake);
                tracker.feed(step.by_client ? shown(step.bytes, client, server, now)
                                            : shown(step.bytes, server, client, now));
                now += 20us;
                ++fed;
            }
            tracker.expire(now);
            (void)tracker.take_events();
        }
    }
    return fed;
}

double seconds_since(double began) { return double(std::clock()) / CLOCKS_PER_SEC - began; }

void run_time(std::size_t messages) {
    for (int run = 0; run < 5; ++run) {
        auto tracker = make_tracker();
        const auto began = double(std::clock()) / CLOCKS_PER_SEC;
        const auto fed = play(tracker, messages);
        const auto took = seconds_since(began);
        std::printf("time: %zu messages, %.0f ns a message\n", fed, took * 1e9 / double(fed));
    }
}

void run_flood(std::size_t messages) {
    auto tracker = make_tracker();
    auto message = healthy()[0].bytes;
    TimePoint now = start;
    const auto began = double(std::clock()) / CLOCKS_PER_SEC;
    for (std::uint32_t i = 0; i < messages; ++i) {
        number(message, i);
        tracker.feed(shown(message, client_of(i), server, now));
        now += 10us;
        if (i % 64 == 0) {
            tracker.expire(now);
            (void)tracker.take_events();
        }
    }
    const auto took = seconds_since(began);
    std::printf("flood: %zu messages, %.0f ns a message, %zu handshakes kept, %zu peers\n",
                messages,
                took * 1e9 / double(messages),
                tracker.handshake_count(),
                tracker.peer_count());
}

std::size_t allocated() { return mallinfo2().uordblks + mallinfo2().hblkhd; }

/// What a handshake in progress has sent so far.
struct Kind {
    const char* name;
    /// The messages of handshake number `i`, before its SPI is written into them.
    std::function<std::vector<Pattern>(std::uint32_t i)> messages;
};

std::vector<Kind> kinds() {
    const auto opening = healthy();
    const auto begun = std::vector<Pattern>(opening.begin(), opening.begin() + 3);
    auto in_fragments = std::vector<Pattern>(opening.begin(), opening.begin() + 2);
    for (std::uint16_t number = 1; number <= 4; ++number)
        in_fragments.push_back({IkeBuilder::v2(35)
                                    .spis(spi("0011223344556677"), spi("8899aabbccddeeff"))
                                    .id(1)
                                    .from_initiator()
                                    .skf(number, 5, 1200, number)
                                    .build()});
    const auto unlike = [](std::uint32_t i) {
        auto message = IkeBuilder::v2(34).spis(spi("0011223344556677")).from_initiator();
        message.key_exchange();
        for (std::uint32_t vendor = 0; vendor < 8; ++vendor)
            message.vendor(noise(20, i * 8 + vendor));
        return std::vector<Pattern>{{message.build()}};
    };
    return {
        {"alike, IKE_AUTH whole",                    [=](std::uint32_t) { return begun; }       },
        {"alike, four of five SKF fragments",        [=](std::uint32_t) { return in_fragments; }},
        {"hostile: no two have the same vendor IDs", unlike                                     },
    };
}

void run_handshake_memory(const Kind& kind) {
    constexpr std::uint32_t count = 50'000;
    const auto before = allocated();
    auto tracker = make_tracker();
    TimePoint now = start;
    for (std::uint32_t i = 0; i < count; ++i) {
        const auto client = client_of(i % 100);
        for (auto& [bytes, by_client] : kind.messages(i)) {
            number(bytes, i);
            tracker.feed(by_client ? shown(bytes, client, server, now)
                                   : shown(bytes, server, client, now));
            now += 10us;
        }
        if (i % 64 == 0) {
            tracker.expire(now);
            (void)tracker.take_events();
        }
    }
    now += 60ms;
    tracker.expire(now);
    (void)tracker.take_events();
    std::size_t timeline = 0;
    tracker.for_each_handshake([&timeline](const Handshake& handshake) {
        timeline += handshake.messages.capacity() * sizeof(MessageRecord);
    });
    std::printf("memory: %zu handshakes in progress, %s: %zu bytes each, %zu of it timeline\n",
                tracker.handshakes_in_progress(),
                kind.name,
                (allocated() - before) / count,
                timeline / count);
}

void run_peer_memory() {
    constexpr std::uint32_t count = 100'000;
    const auto before = allocated();
    auto tracker = make_tracker(16);
    for (std::uint32_t i = 0; i < count; ++i) {
        Peer peer;
        peer.address = client_of(i).address;
        peer.vendor = "strongswan";
        tracker.restore_peer(peer);
    }
    const auto all = allocated() - before;
    std::printf("memory: %zu peers: %zu bytes each, %.1f MiB\n",
                tracker.peer_count(),
                all / count,
                double(all) / (1 << 20));
}

} // namespace

int main(int argc, char** argv) {
    const std::string_view what = argc > 1 ? argv[1] : "";
    const std::size_t count = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 1'000'000;
    if (what == "time") {
        run_time(count);
    } else if (what == "flood") {
        run_flood(count);
    } else if (what == "memory") {
        for (const auto& kind : kinds()) run_handshake_memory(kind);
        run_peer_memory();
    } else if (what == "loop") {
        auto tracker = make_tracker();
        std::printf("loop: %zu messages\n", play(tracker, count));
    } else {
        std::fputs("usage: tracker_bench time|flood|memory|loop [COUNT]\n", stderr);
        return 2;
    }
    return 0;
}
