// SPDX-License-Identifier: GPL-2.0-or-later
// R2: no two fragments that conflict are ever let through as one datagram.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <numeric>
#include <set>
#include <sstream>
#include <vector>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

struct Interval {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    [[nodiscard]] bool meets(const Interval& other) const noexcept {
        return begin < other.end && other.begin < end;
    }
    bool operator==(const Interval&) const = default;
};

/// Every way `count` intervals can lie to each other: their ends in all weak orders, renumbered so
/// that equal ways are equal (Allen's 13 relations of two, 409 of three).
std::set<std::vector<std::uint32_t>> relations(std::size_t count) {
    std::set<std::vector<std::uint32_t>> found;
    const auto ends = static_cast<std::uint32_t>(2 * count);
    std::vector<std::uint32_t> points(ends, 0);
    for (;;) {
        bool proper = true;
        for (std::size_t i = 0; i < ends; i += 2) proper = proper && points[i] < points[i + 1];
        if (proper) {
            const std::set<std::uint32_t> used(points.begin(), points.end());
            auto ranks = points;
            for (auto& rank : ranks)
                rank = static_cast<std::uint32_t>(std::distance(used.begin(), used.find(rank)));
            found.insert(ranks);
        }
        std::size_t at = 0;
        while (at < ends && ++points[at] == ends) points[at++] = 0;
        if (at == ends) return found;
    }
}

constexpr std::uint32_t unit = 16; ///< of the intervals
constexpr std::uint32_t around =
    96; ///< from the end of the first fragment to where the last begins
constexpr std::uint32_t window = 2048; ///< the gate keeps bytes by so many

/// A fragment of the datagram, the 16-bit words of its last 8 octets in another order: other bytes,
/// but a one's complement sum does not ask for order. Whichever copy of a block somebody took, the
/// UDP checksum would be right: it is no second net under these tests.
Buffer turned_fragment(
    const Flow& flow, Buffer datagram, std::uint32_t begin, std::uint32_t end, std::size_t by) {
    const auto words = datagram.begin() + end - 8;
    std::rotate(words, words + static_cast<std::ptrdiff_t>(2 * by), words + 8);
    return fragment(flow.ends, datagram, begin, end);
}

/// Whose bytes the intervals have: each its own, or all the datagram's true ones.
enum class Content : std::uint8_t { own, true_bytes };

/// What one arrival order of intervals comes to.
struct Trial {
    std::uint32_t head = 0; ///< where the first fragment ends
    std::vector<Interval> intervals;
    std::vector<std::size_t> order;
    bool last_first = false;
    Content content = Content::own;

    /// Two meet that are not copies of each other.
    [[nodiscard]] bool is_conflict() const {
        for (std::size_t a = 0; a < intervals.size(); ++a)
            for (std::size_t b = 0; b < a; ++b) {
                const bool copies = content == Content::true_bytes && intervals[a] == intervals[b];
                if (intervals[a].meets(intervals[b]) && !copies) return true;
            }
        return false;
    }
    [[nodiscard]] bool covers(std::uint32_t block) const {
        return std::any_of(intervals.begin(), intervals.end(), [&](const Interval& interval) {
            return interval.begin <= block && block < interval.end;
        });
    }
};

/// Feeds a first and a last fragment around, and the intervals between, then what fills every gap.
/// Out: a conflict: all refused, as `overlap` and what comes behind it as `poisoned`; none: all let
///      through but copies
bool is_right(const Flow& flow, const Trial& trial) {
    const auto tail = trial.head + around;
    const auto payload = udp(flow, ike_auth(tail + 100));
    auto policy = shipped_policy();
    policy.limits.table_datagrams = 16; // a gate for each trial: a small one is sooner made
    GateScript script(policy);
    const auto feed = [&](std::uint32_t begin, std::uint32_t end) {
        script.feed(fragment(flow.ends, payload, begin, end));
    };
    const auto feed_edge = [&](bool last) {
        last ? feed(tail, static_cast<std::uint32_t>(payload.size())) : feed(0, trial.head);
    };
    feed_edge(trial.last_first);
    std::size_t turn = 0;
    for (const auto which : trial.order) {
        const auto [begin, end] = trial.intervals[which];
        script.feed(turned_fragment(flow, payload, begin, end, turn));
        if (trial.content == Content::own) ++turn;
    }
    feed_edge(!trial.last_first);
    for (auto at = trial.head; at < tail; at += 8)
        if (!trial.covers(at)) feed(at, at + 8);

    const auto count = [&](Verdict verdict, Reason reason) {
        const auto& given = script.decisions();
        return std::count_if(given.begin(), given.end(), [&](const Decision& decision) {
            return decision.verdict == verdict && decision.reason == reason;
        });
    };
    const auto fed = static_cast<std::ptrdiff_t>(script.fed());
    const auto overlap = count(Verdict::drop, Reason::overlap);
    const auto poisoned = count(Verdict::drop, Reason::poisoned);
    const auto copies = count(Verdict::drop, Reason::duplicate);
    if (trial.is_conflict()) // the newcomer goes with at least the first or last, and what it meets
        return overlap >= 3 && overlap + poisoned + copies == fed &&
               script.outcomes(DatagramOutcome::refused) == 1;
    return count(Verdict::accept, Reason::none) + copies == fed &&
           script.outcomes(DatagramOutcome::complete) == 1;
}

std::string text_of(const Flow& flow, const Trial& trial) {
    std::ostringstream text;
    text << (trial.is_conflict() ? "not refused:" : "not let through:");
    for (const auto which : trial.order)
        text << " [" << trial.intervals[which].begin << ", " << trial.intervals[which].end << ')';
    text << (trial.last_first ? ", last first" : ", first first")
         << (trial.content == Content::own ? ", own bytes, " : ", true bytes, ")
         << to_string(flow.ends.source.family);
    return text.str();
}

/// Every relation of so many intervals, in these arrival orders. Out: how many without a conflict
std::size_t
check_relations(std::size_t count, std::size_t expected, std::uint32_t head, bool every_order) {
    const auto all = relations(count);
    REQUIRE(all.size() == expected);
    std::size_t disjoint = 0;
    for (const auto& points : all) {
        Trial trial;
        trial.head = head;
        for (std::size_t i = 0; i < points.size(); i += 2)
            trial.intervals.push_back(
                {head + points[i] * unit + 8, head + points[i + 1] * unit + 8});
        disjoint += trial.is_conflict() ? 0u : 1u;
        trial.order.resize(count);
        std::iota(trial.order.begin(), trial.order.end(), std::size_t{0});
        do {
            for (const auto& flow : {flow4(), flow6()})
                for (const auto content : {Content::own, Content::true_bytes})
                    for (const bool last_first : {false, true}) {
                        if (last_first && !every_order) continue;
                        trial.content = content;
                        trial.last_first = last_first;
                        if (!is_right(flow, trial)) FAIL(text_of(flow, trial));
                    }
        } while (every_order && std::next_permutation(trial.order.begin(), trial.order.end()));
    }
    return disjoint;
}

} // namespace

TEST_CASE("R2: all 13 relations of two fragments, in every order", "[gate][overlap]") {
    // In the first window, and with the border of two at and between all of their ends.
    const auto head = GENERATE(80u, range(window - 64, window, 8u));
    // Before and meeting, and the other way round.
    CHECK(check_relations(2, 13, head, true) == 4);
}

TEST_CASE("R2: all 409 relations of three fragments, in every order", "[gate][overlap][.slow]") {
    // Before, after and meeting: three intervals in a row, each gap there or not, in each order.
    CHECK(check_relations(3, 409, GENERATE(80u, window - 40, window - 24), true) == 6 * 4);
}

TEST_CASE("R2: relations of three fragments, one order", "[gate][overlap]") {
    // The border of two windows where the second of their ends is.
    CHECK(check_relations(3, 409, window - 24, false) == 6 * 4);
}

TEST_CASE("classics: teardrop, a second fragment inside the first", "[gate][classics]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 40));
    script.feed(fragment(flow.ends, payload, 24, 28 + 4));
    script.expect(1, 2, Verdict::drop, Reason::overlap);
}

TEST_CASE("classics: ping of death, past 65535", "[gate][classics]") {
    const auto flow = flow_of(GENERATE(Family::ipv4, Family::ipv6));
    auto policy = shipped_policy();
    policy.limits.max_datagram_bytes = 65'535;
    GateScript script(policy);
    IpOptions options;
    options.offset = 65'520;
    script.feed(ip(flow.ends, 17, Buffer(400, 1), options));
    script.expect(1, Verdict::drop, Reason::bad_length);
}

TEST_CASE("gate: the largest datagram that IP can carry passes", "[gate]") {
    // IPv4 counts its header of 20 octets, IPv6 does not.
    const auto family = GENERATE(Family::ipv4, Family::ipv6);
    const auto flow = flow_of(family);
    const auto payload = udp(flow, ike_auth((family == Family::ipv4 ? 65'515 : 65'535) - 8));
    auto policy = shipped_policy();
    policy.limits.max_datagram_bytes = 65'535;
    policy.limits.source_bytes = 131'072;
    GateScript script(policy);
    script.feed(fragments(flow.ends, payload, 8'000));
    script.expect(1, 9, Verdict::accept, Reason::none);
}

TEST_CASE("classics: completion with holes (CVE-2024-32867)", "[gate][classics]") {
    // As many octets as the whole has, but some of them twice and some missing.
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(792));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 200));
    script.feed(fragment(flow.ends, payload, 600, 800));
    script.feed(fragment(flow.ends, payload, 200, 400));
    script.feed(fragment(flow.ends, payload, 200, 400));
    CHECK(script.outcomes(DatagramOutcome::complete) == 0);
    CHECK(script.held_packets() == 3);
    script.feed(fragment(flow.ends, payload, 400, 600));
    CHECK(script.outcomes(DatagramOutcome::complete) == 1);
}

TEST_CASE("classics: FragmentSmack, 8-octet pieces in the worst order", "[gate][classics]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(8'000));
    auto policy = shipped_policy();
    policy.limits.max_fragments = 8'192;
    policy.limits.source_packets = 2'000;
    policy.limits.table_packets = 4'000;
    GateScript script(policy);
    std::uint32_t fed = 0;
    for (std::uint32_t at = 40; at + 16 <= payload.size(); at += 16, ++fed)
        script.feed(fragment(flow.ends, payload, at, at + 8));
    CHECK(script.held_packets() == fed);
    script.at(std::chrono::seconds(5)).expire();
    CHECK(script.held_packets() == 0);
    CHECK(script.gate().counters().held_bytes.get() == 0);
}

TEST_CASE("classics: a first fragment of another kind for a live id", "[gate][classics]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(700));
    const auto dns_flow = flow4(53, 53);
    const auto dns = udp(dns_flow, Buffer(692));
    GateScript script;
    SECTION("does not let the tails through") {
        script.feed(fragment(flow.ends, payload, 0, 400));
        script.feed(fragment(dns_flow.ends, dns, 0, 400));
        script.expect(1, 2, Verdict::drop, Reason::overlap);
        script.feed(fragment(flow.ends, payload, 400, 708));
        script.expect(3, Verdict::drop, Reason::poisoned);
    }
    SECTION("IKE behind it is held and checked for itself") {
        script.feed(fragment(dns_flow.ends, dns, 0, 400));
        script.feed(fragment(flow.ends, payload, 0, 400));
        CHECK(script.is_held(2));
        script.feed(fragment(flow.ends, payload, 400, 708));
        script.expect(2, 3, Verdict::accept, Reason::none);
        CHECK(script.messages().size() == 1);
    }
}
