// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/pcapng_writer.hpp"
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/replay/replay.hpp"

#include "tests/support/daemon/temporary_file.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <string>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

/// An IPv4 fragment of UDP from 198.51.100.7 to 203.0.113.5; header checksum 0, as captures with
/// offload have it.
std::vector<std::uint8_t> fragment(std::uint16_t id, std::uint16_t offset, bool more) {
    std::vector<std::uint8_t> packet{0x45, 0, 0,   0,  0,   0, 0,   0, 64,  17,
                                     0,    0, 198, 51, 100, 7, 203, 0, 113, 5};
    packet[3] = 20 + 48;
    packet[4] = static_cast<std::uint8_t>(id >> 8);
    packet[5] = static_cast<std::uint8_t>(id);
    packet[6] = static_cast<std::uint8_t>((more ? 0x20 : 0) | (offset / 8) >> 8);
    packet[7] = static_cast<std::uint8_t>(offset / 8);
    packet.resize(20 + 48, 0x55);
    return packet;
}

class Capture {
public:
    Capture() : writer_("test") { raw_ = writer_.add_interface(101, "raw"); }
    Capture& packet(Duration time, const std::vector<std::uint8_t>& bytes, std::size_t cut = 0) {
        writer_.add_packet(raw_,
                           TimePoint(1'000'000'000s + time),
                           Bytes(bytes).first(bytes.size() - cut),
                           static_cast<std::uint32_t>(bytes.size()));
        return *this;
    }
    [[nodiscard]] std::unique_ptr<Replay> replay(const std::string& config) const {
        const std::vector<TextFile> rules{shipped_rule_file()};
        const TextFile text{"test", config};
        const testing::TemporaryFile file(writer_.file());
        auto reader = CaptureReader::open(file.open());
        auto done = std::make_unique<Replay>(ReplayOptions{
            .policy = parse_config(text, rules)->policy, .vendor_ids = {}, .keep_packets = true});
        done->run(*reader);
        return done;
    }

private:
    PcapngWriter writer_;
    std::uint32_t raw_ = 0;
};

const std::string exclusive = "mode = \"exclusive\"\n";

} // namespace

TEST_CASE("replay: the clock runs on even at the end of time", "[replay]") {
    const auto last = TimePoint::max() - TimePoint(1'000'000'000s);
    const auto done = Capture().packet(last, fragment(1, 48, false)).replay(exclusive);
    REQUIRE(done->packets().size() == 1);
    CHECK(done->packets()[0].verdict == Verdict::drop);
    CHECK_FALSE(done->gate().next_deadline());
}

TEST_CASE("replay: the clock runs on after the last record", "[replay]") {
    // A tail whose first fragment never comes is held, and then refused when its time is over.
    const auto done = Capture().packet(0s, fragment(1, 48, false)).replay(exclusive);
    REQUIRE(done->packets().size() == 1);
    CHECK(done->packets()[0].verdict == Verdict::drop);
    CHECK_FALSE(done->gate().next_deadline());
    CHECK(done->facts().last_time == TimePoint(1'000'000'000s));
}

TEST_CASE("replay: a record older than the one before is of the same time", "[replay]") {
    const auto done = Capture()
                          .packet(10s, fragment(1, 48, false))
                          .packet(3s, fragment(2, 48, false))
                          .packet(11s, fragment(3, 48, false))
                          .replay(exclusive);
    CHECK(done->facts().first_time == TimePoint(1'000'000'010s));
    CHECK(done->facts().last_time == TimePoint(1'000'000'011s));
    CHECK(done->facts().packets == 3);
    CHECK(done->fragments() == 3);
}

TEST_CASE("replay: what a snap length has cut is accepted and unreadable", "[replay]") {
    const auto whole = fragment(1, 48, false);
    const auto done = Capture().packet(0s, whole, 1).packet(1s, whole, 60).replay(exclusive);
    CHECK(done->facts().unreadable == 2);
    CHECK(done->facts().bytes == 2 * whole.size() - 61);
    for (const auto& decision : done->packets()) {
        CHECK(decision.verdict == Verdict::accept);
        CHECK(decision.reason == Reason::unreadable);
    }
}

TEST_CASE("replay: an empty capture has no times", "[replay]") {
    const auto done = Capture().replay(exclusive);
    CHECK(done->facts().packets == 0);
    CHECK_FALSE(done->facts().first_time);
    CHECK_FALSE(done->facts().last_time);
}
