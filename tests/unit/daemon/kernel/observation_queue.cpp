// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/observation_queue.hpp"

#include <catch2/catch.hpp>
#include <poll.h>

#include <random>
#include <thread>
#include <vector>

using namespace ikefrag;

namespace {

using Vector = std::vector<std::uint8_t>;

Observation message_of(const Vector& bytes, std::int64_t time) {
    MessageSeen message;
    message.message = bytes;
    message.message_bytes = static_cast<std::uint32_t>(bytes.size());
    return {TimePoint(Duration(time)), Leg::output, message};
}

Vector bytes_of(const Observation& observation) {
    const auto view = std::get<MessageSeen>(observation.what).message;
    return {view.begin(), view.end()};
}

bool readable(const ObservationQueue& queue) {
    pollfd wait{queue.descriptor(), POLLIN, 0};
    return ::poll(&wait, 1, 0) == 1;
}

} // namespace

TEST_CASE("observation queue: gives what it got, bytes included", "[kernel]") {
    ObservationQueue queue(4096);
    CHECK_FALSE(queue.pop());
    {
        const Vector gone{1, 2, 3}; // the queue keeps a copy
        CHECK(queue.push(message_of(gone, 5)));
    }
    const auto observation = queue.pop();
    REQUIRE(observation);
    CHECK(observation->time == TimePoint(Duration(5)));
    CHECK(observation->leg == Leg::output);
    CHECK(bytes_of(*observation) == Vector{1, 2, 3});
    CHECK_FALSE(queue.pop());
}

TEST_CASE("observation queue: carries every kind", "[kernel]") {
    ObservationQueue queue(8192);
    const Vector bytes{7, 8};
    DatagramLost lost;
    lost.message = bytes;
    IcmpSeen icmp;
    icmp.quoted_message = bytes;
    CHECK(queue.push({{}, {}, lost}));
    CHECK(queue.push({{}, {}, icmp}));
    CHECK(queue.push({{}, {}, EspSeen{}}));
    CHECK(queue.push({{}, {}, TcpFallbackSeen{}}));
    CHECK(queue.push({{}, {}, OuterSeen{}}));
    CHECK(queue.push({{}, {}, CopiesLost{9}}));
    const auto first = queue.pop();
    REQUIRE(first);
    CHECK(std::get<DatagramLost>(first->what).message[1] == 8);
    const auto second = queue.pop();
    REQUIRE(second);
    CHECK(std::get<IcmpSeen>(second->what).quoted_message[0] == 7);
    CHECK(std::holds_alternative<EspSeen>(queue.pop()->what));
    CHECK(std::holds_alternative<TcpFallbackSeen>(queue.pop()->what));
    CHECK(std::holds_alternative<OuterSeen>(queue.pop()->what));
    CHECK(std::get<CopiesLost>(queue.pop()->what).count == 9);
}

TEST_CASE("observation queue: full means lost and counted, never overwritten", "[kernel]") {
    ObservationQueue queue(4096);
    std::uint64_t taken = 0;
    while (queue.push(message_of(Vector(100, static_cast<std::uint8_t>(taken)), 0))) ++taken;
    CHECK(taken >= 8);
    CHECK(queue.lost().get() == 1);
    CHECK(queue.pushed().get() == taken);
    CHECK_FALSE(queue.push(message_of(Vector(100000), 0))); // larger than the whole ring
    for (std::uint64_t i = 0; i < taken; ++i) {
        const auto observation = queue.pop();
        REQUIRE(observation);
        CHECK(bytes_of(*observation) == Vector(100, static_cast<std::uint8_t>(i)));
    }
    CHECK_FALSE(queue.pop());
    CHECK(queue.push(message_of({1}, 0)));
}

TEST_CASE("observation queue: drained, it takes half of itself wherever it stands", "[kernel]") {
    ObservationQueue queue(4096);
    for (std::size_t size = 0; size <= 1700; size += 7) {
        CAPTURE(size);
        CHECK(queue.push(message_of(Vector(size % 500, 0x33), 0)));
        CHECK(queue.pop());
        CHECK_FALSE(queue.pop());
        REQUIRE(queue.push(message_of(Vector(size, 0x55), 0)));
        const auto observation = queue.pop();
        REQUIRE(observation);
        CHECK(bytes_of(*observation) == Vector(size, 0x55));
        CHECK_FALSE(queue.pop());
    }
    CHECK(queue.lost().get() == 0);
}

TEST_CASE("observation queue: what the reader looks at stays until it asks for more", "[kernel]") {
    ObservationQueue queue(4096);
    REQUIRE(queue.push(message_of(Vector(1000, 0x11), 0)));
    const auto first = queue.pop();
    REQUIRE(first);
    while (queue.push(message_of(Vector(1000, 0x22), 0))) {
    }
    CHECK(bytes_of(*first) == Vector(1000, 0x11));
}

TEST_CASE("observation queue: wakes a reader that sleeps, once", "[kernel]") {
    ObservationQueue queue(4096);
    CHECK_FALSE(readable(queue));
    queue.push(message_of({1}, 0));
    CHECK_FALSE(readable(queue)); // the writer wakes once a batch
    queue.wake();
    CHECK(readable(queue));
    CHECK(queue.pop());
    CHECK_FALSE(queue.pop());
    CHECK_FALSE(readable(queue));
    queue.push(message_of({1}, 0));
    queue.wake();
    CHECK(readable(queue));
}

TEST_CASE("observation queue: one thread writes, one reads, nothing is torn", "[kernel]") {
    const auto seed = GENERATE(1u, 2u, 3u);
    CAPTURE(seed);
    ObservationQueue queue(std::size_t{1} << 14);
    constexpr std::int64_t count = 50000;
    std::thread writer([&] {
        std::mt19937 random(seed);
        for (std::int64_t i = 0; i < count;) {
            const Vector bytes(random() % 1500, static_cast<std::uint8_t>(i));
            if (queue.push(message_of(bytes, i))) ++i;
            queue.wake();
        }
    });
    std::int64_t expected = 0;
    bool right = true;
    while (expected < count) {
        pollfd wait{queue.descriptor(), POLLIN, 0};
        // a wake that is lost would end here, and fail below
        if (::poll(&wait, 1, 5000) != 1) break;
        while (const auto observation = queue.pop()) {
            right = right && observation->time == TimePoint(Duration(expected));
            for (const auto byte : bytes_of(*observation))
                right = right && byte == static_cast<std::uint8_t>(expected);
            ++expected;
        }
    }
    if (expected < count) // let the writer end
        while (expected < count)
            while (queue.pop()) ++expected;
    writer.join();
    CHECK(right);
    CHECK(expected == count);
}
