// SPDX-License-Identifier: GPL-2.0-or-later
// Every held fragment is answered exactly once, by whoever forgets it.
#include "plugin/gate/held_packet.hpp"

#include "tests/support/plugin/print.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <optional>
#include <vector>

using namespace ikefrag;

namespace {

PacketId packet(std::uint32_t number) {
    PacketId id;
    id.value = number;
    return id;
}

/// What was answered while a test ran.
struct Heard {
    GateCounters counters;
    GateOutput output;
    Answers answers{counters};

    Heard() { answers.set_output(&output); }
    [[nodiscard]] HeldPacket hold(std::uint32_t number) {
        return {answers, packet(number), Family::ipv6, 0};
    }
    [[nodiscard]] std::vector<std::uint32_t> numbers() const {
        std::vector<std::uint32_t> found;
        for (const auto& decision : output.decisions) found.push_back(decision.packet.value);
        return found;
    }
};

using Numbers = std::vector<std::uint32_t>;

} // namespace

TEST_CASE("held packet: destroyed unanswered, it answers accept", "[gate]") {
    Heard heard;
    { const auto held = heard.hold(7); }
    REQUIRE(heard.numbers() == Numbers{7});
    const auto& decision = heard.output.decisions[0];
    CHECK(decision.verdict == Verdict::accept);
    CHECK(decision.intended == Verdict::accept);
    CHECK(decision.reason == Reason::none);
    CHECK(decision.fragment);
    CHECK(heard.counters.verdicts[index(Verdict::accept)].get() == 1);
}

TEST_CASE("held packet: answered, it says no more", "[gate]") {
    Heard heard;
    {
        auto held = heard.hold(7);
        Decision decision;
        decision.verdict = Verdict::drop;
        held.answer(decision);
        CHECK(heard.numbers() == Numbers{7});
    }
    CHECK(heard.numbers() == Numbers{7});
    CHECK(heard.output.decisions[0].verdict == Verdict::drop);
}

TEST_CASE("held packet: the duty moves, and no move forgets one", "[gate]") {
    Heard heard;
    SECTION("made of another") {
        auto first = std::make_optional(heard.hold(1));
        {
            const auto second = std::move(*first);
            first.reset();
            CHECK(heard.numbers().empty());
        }
        CHECK(heard.numbers() == Numbers{1});
    }
    SECTION("put in another's place") {
        {
            auto first = heard.hold(1);
            auto second = heard.hold(2);
            first = std::move(second);
            CHECK(first.id() == packet(2));
        }
        auto numbers = heard.numbers();
        std::sort(numbers.begin(), numbers.end());
        CHECK(numbers == Numbers{1, 2});
    }
    SECTION("an empty one has none") {
        { const HeldPacket nobody; }
        CHECK(heard.numbers().empty());
    }
}
