// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/recorder.hpp"

#include "daemon/clock.hpp"
#include "daemon/kernel/log_reader.hpp"
#include "daemon/kernel/packet_tap.hpp"
#include "daemon/observer/worker_pool.hpp"

#include "tests/support/daemon/story.hpp"
#include "tests/support/daemon/temporary_folder.hpp"
#include "tests/support/plugin/packets.hpp"

#include <catch2/catch.hpp>

#include <thread>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

struct Bench {
    explicit Bench(bool enabled = true) {
        settings.state_directory = folder.path;
        settings.capture.enabled = enabled;
    }
    testing::TemporaryFolder folder;
    Settings settings;
    Clock clock;
    WorkerPool pool{settings, clock};
    Attempt attempt = testing::partial_story();
    test::Buffer packet = test::udp_packet(
        {
            {attempt.handshake.client.address, attempt.handshake.server.address}
    },
        test::ike_auth(300));
    TimePoint now = attempt.handshake.first_time + 60s;

    [[nodiscard]] Copy copy() const {
        return {.bytes = packet, .time = attempt.handshake.first_time};
    }
    void end(Recorder& recorder) {
        recorder.handshake_ended(attempt.handshake, &attempt.findings[0], "vpn1", now);
    }
};

bool comes_to(const Counter& counter, std::uint64_t wanted) {
    for (int i = 0; i < 300 && counter.get() < wanted; ++i) std::this_thread::sleep_for(10ms);
    return counter.get() == wanted;
}

} // namespace

TEST_CASE("recorder: a failed attempt leaves a file, of copies and of what workers read",
          "[recorder]") {
    Bench bench;
    Recorder recorder(bench.pool, bench.settings);
    recorder.add(bench.copy());
    REQUIRE_FALSE(bench.pool.taps().empty());
    bench.pool.taps()[0]->push({bench.attempt.handshake.first_time + 1s,
                                bench.packet,
                                static_cast<std::uint32_t>(bench.packet.size())});
    bench.end(recorder);
    CHECK(comes_to(recorder.store().counters().written, 1));
    CHECK(recorder.ring()->packets() == 2);
    REQUIRE(recorder.store().list().size() == 1);
    CHECK(recorder.store().list()[0].name.find("_203.0.113.7_") != std::string::npos);
}

TEST_CASE("recorder: none of one that succeeded, of a probe, or while switched off", "[recorder]") {
    Bench bench;
    Recorder recorder(bench.pool, bench.settings);
    recorder.add(bench.copy());
    bench.attempt.handshake.outcome = Outcome::established;
    bench.end(recorder);
    bench.attempt.handshake.outcome = Outcome::failed;
    bench.attempt.handshake.probe = true;
    bench.end(recorder);
    bench.attempt.handshake.probe = false;
    recorder.enable(false);
    CHECK(bench.pool.taps().empty());
    bench.end(recorder);
    recorder.enable(true);
    bench.end(recorder); // on again, but nothing is kept any more
    std::this_thread::sleep_for(50ms);
    CHECK(recorder.store().list().empty());
}

TEST_CASE("recorder: an unknown end only with a failure to explain it", "[recorder]") {
    Bench bench;
    Recorder recorder(bench.pool, bench.settings);
    recorder.add(bench.copy());
    bench.attempt.handshake.outcome = Outcome::unknown;
    recorder.handshake_ended(bench.attempt.handshake, nullptr, "", bench.now);
    bench.end(recorder);
    CHECK(comes_to(recorder.store().counters().written, 1));
}

TEST_CASE("recorder: a scanner cannot fill the disk", "[recorder]") {
    Bench bench;
    Recorder recorder(bench.pool, bench.settings);
    recorder.add(bench.copy());
    for (int i = 0; i < 50; ++i) {
        bench.attempt.handshake.initiator_spi[7] = static_cast<std::uint8_t>(i);
        bench.end(recorder);
    }
    CHECK(comes_to(recorder.store().counters().written, 2));
    CHECK(recorder.suppressed() == 48);
    bench.now += 11min;
    recorder.add(bench.copy());
    bench.end(recorder);
    CHECK(comes_to(recorder.store().counters().written, 3));
}

TEST_CASE("recorder: many networks at once cannot fill the disk either", "[recorder]") {
    Bench bench;
    Recorder recorder(bench.pool, bench.settings);
    recorder.add(bench.copy());
    const auto end_of_network = [&](unsigned number) {
        const auto address = "100.64." + std::to_string(number) + ".1";
        bench.attempt.handshake.client.address = *parse_address(address);
        bench.end(recorder);
    };
    for (unsigned i = 0; i < 100; ++i) end_of_network(i);
    CHECK(recorder.suppressed() == 80);
    bench.now += 1s;
    for (unsigned i = 100; i < 110; ++i) end_of_network(i);
    CHECK(recorder.suppressed() == 89);
}

TEST_CASE("recorder: a reload switches it, and keeps what is there where it can", "[recorder]") {
    Bench bench(false);
    Recorder recorder(bench.pool, bench.settings);
    recorder.add(bench.copy());
    CHECK_FALSE(recorder.ring());
    bench.settings.capture.enabled = true;
    recorder.change(bench.settings);
    REQUIRE(recorder.ring());
    recorder.add(bench.copy());
    bench.settings.capture.files = 7;
    recorder.change(bench.settings);
    CHECK(recorder.ring()->packets() == 1);
    bench.settings.capture.ring_bytes *= 2;
    recorder.change(bench.settings);
    CHECK(recorder.ring()->packets() == 0);
}
