// SPDX-License-Identifier: GPL-2.0-or-later
// R2: no two fragments that conflict are ever let through as one datagram.
#include "tests/support/plugin/gate_script.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <numeric>
#include <set>
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

constexpr std::uint32_t head = 80;  ///< the first fragment: [0, head)
constexpr std::uint32_t unit = 16;  ///< of the intervals, behind it
constexpr std::uint32_t tail = 600; ///< the last fragment begins here

/// Feeds a first and a last fragment around, and the intervals between with bytes of their own,
/// then what fills every gap; gives whether anything was let through.
bool let_through(const Flow& flow,
                 const std::vector<Interval>& intervals,
                 const std::vector<std::size_t>& order,
                 bool last_first) {
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    const auto feed = [&](std::uint32_t begin, std::uint32_t end, std::uint8_t change) {
        auto own = payload;
        for (auto i = begin; i < end; ++i) own[i] ^= change;
        script.feed(fragment(flow.ends, own, begin, end));
    };
    const auto size = static_cast<std::uint32_t>(payload.size());
    if (last_first)
        feed(tail, size, 0);
    else
        feed(0, head, 0);
    std::uint8_t change = 0;
    for (const auto which : order) feed(intervals[which].begin, intervals[which].end, change++);
    if (last_first)
        feed(0, head, 0);
    else
        feed(tail, size, 0);
    for (std::uint32_t at = head; at < tail; at += 8) {
        const bool covered = std::any_of(intervals.begin(), intervals.end(), [&](auto& interval) {
            return interval.begin <= at && at < interval.end;
        });
        if (!covered) feed(at, at + 8, 0);
    }
    return script.outcomes(DatagramOutcome::complete) != 0;
}

void check_relations(std::size_t count, std::size_t expected) {
    const auto all = relations(count);
    REQUIRE(all.size() == expected);
    std::uint64_t tried = 0;
    for (const auto& flow : {flow4(), flow6()})
        for (const auto& points : all) {
            std::vector<Interval> intervals;
            for (std::size_t i = 0; i < points.size(); i += 2)
                intervals.push_back({head + points[i] * unit + 8, head + points[i + 1] * unit + 8});
            bool conflict = false;
            for (std::size_t a = 0; a < count; ++a)
                for (std::size_t b = 0; b < a; ++b)
                    conflict = conflict || intervals[a].meets(intervals[b]);
            std::vector<std::size_t> order(count);
            std::iota(order.begin(), order.end(), std::size_t{0});
            do {
                for (const bool last_first : {false, true}) {
                    ++tried;
                    if (conflict && let_through(flow, intervals, order, last_first))
                        FAIL("a conflict was let through");
                }
            } while (std::next_permutation(order.begin(), order.end()));
        }
    CHECK(tried >= expected * 4);
}

} // namespace

TEST_CASE("R2: all 13 relations of two fragments, in every order", "[gate][overlap]") {
    check_relations(2, 13);
}

TEST_CASE("R2: all 409 relations of three fragments, in every order", "[gate][overlap][.slow]") {
    check_relations(3, 409);
}

TEST_CASE("R2: relations of three fragments, one order", "[gate][overlap]") {
    const auto all = relations(3);
    REQUIRE(all.size() == 409);
    std::size_t disjoint = 0;
    std::size_t number = 0;
    for (const auto& points : all) {
        std::vector<Interval> intervals;
        for (std::size_t i = 0; i < points.size(); i += 2)
            intervals.push_back({head + points[i] * unit + 8, head + points[i + 1] * unit + 8});
        const bool conflict = intervals[0].meets(intervals[1]) ||
                              intervals[0].meets(intervals[2]) || intervals[1].meets(intervals[2]);
        disjoint += conflict ? 0 : 1;
        const auto& flow = ++number % 2 == 0 ? flow4() : flow6();
        if (conflict && let_through(flow, intervals, {0, 1, 2}, false))
            FAIL("a conflict was let through");
    }
    // Before, after and meeting: three intervals in a row, each gap there or not, in each order.
    CHECK(disjoint == 6 * 4);
}

TEST_CASE("classics: teardrop, a second fragment inside the first", "[gate][classics]") {
    const auto flow = flow4();
    const auto payload = udp(flow, ike_auth(700));
    GateScript script;
    script.feed(fragment(flow.ends, payload, 0, 40));
    script.feed(fragment(flow.ends, payload, 24, 28 + 4));
    script.expect(1, 2, Verdict::drop, Reason::overlap);
}

TEST_CASE("classics: ping of death, past 65535", "[gate][classics]") {
    const auto flow = flow4();
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
