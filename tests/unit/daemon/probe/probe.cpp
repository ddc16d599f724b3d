// SPDX-License-Identifier: GPL-2.0-or-later
// The probe against a made-up path and server, without sockets or sleep.
#include "daemon/probe/probe.hpp"

#include "daemon/probe/run_probe.hpp"
#include "daemon/probe/verdict.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;
using probe::Probe;

namespace {

/// A server and the path to it.
struct World {
    Family family = Family::ipv4;
    std::uint32_t interface_mtu = 1500;
    std::uint32_t route_mtu = 0; ///< what the kernel cuts for, if less than the interface's
    std::uint32_t mtu = 1500;
    bool router_speaks = true;
    bool fragments_pass = true;
    bool answers_500 = true;
    bool answers_4500 = true;
    bool answers_version3 = true;
    bool fragmentation = true;
    bool cookie = false;
    bool cookie_renewed = false; ///< its first cookie is stale when it comes back
    bool cookie_for_ever = false;
    std::uint16_t group = 31;
    bool refused = false;   ///< ICMP port unreachable
    unsigned lose_each = 0; ///< every so many-th packet is lost
    Duration round_trip = 30ms;
};

class Run {
public:
    explicit Run(World given) : world(given) {
        probe::Settings settings;
        settings.server =
            *parse_address(given.family == Family::ipv4 ? "203.0.113.5" : "2001:db8::5");
        settings.local_mtu = given.interface_mtu;
        for (std::size_t i = 0; i < settings.random.size(); ++i)
            settings.random[i] = static_cast<std::uint8_t>(i * 37 + 11);
        server = settings.server;
        Probe probe(settings);
        for (int steps = 0; const auto deadline = probe.next_deadline(); ++steps) {
            REQUIRE(steps < 1000);
            now = std::max(now, *deadline);
            if (const auto send = probe.poll(now, given.route_mtu)) deliver(probe, *send);
        }
        facts = probe.facts();
        verdict = probe::judge(facts, server);
    }

    World world;
    IpAddress server;
    TimePoint now{std::chrono::seconds(1'000)};
    probe::Facts facts;
    probe::Verdict verdict;
    unsigned sent = 0; ///< IP packets
    std::vector<TimePoint> times;
    std::set<Spi> real_spis;
    std::set<Spi> all_spis;

    [[nodiscard]] std::string ids() const {
        std::string text;
        for (const auto& finding : verdict.findings)
            text += (text.empty() ? "" : " ") + std::string(finding.diagnosis->id);
        return text;
    }

private:
    [[nodiscard]] std::uint32_t header() const { return world.family == Family::ipv4 ? 20 : 40; }

    /// How many fragments the kernel makes of it: full ones, each a multiple of 8, until the rest
    /// fits.
    [[nodiscard]] unsigned leave_cut(std::uint32_t bytes, std::uint32_t mtu) const {
        unsigned count = 1;
        auto left = bytes - header();
        const bool v6 = world.family == Family::ipv6;
        const auto full = ((mtu - header()) & ~7u) - (v6 ? 8 : 0);
        for (const auto last = v6 ? full : mtu - header(); left > last; ++count) left -= full;
        return count;
    }

    void deliver(Probe& probe, const probe::Send& send) {
        const auto bytes = static_cast<std::uint32_t>(send.payload.size()) + 8 + header();
        if (send.dont_fragment && bytes > world.interface_mtu) {
            probe.too_big(Probe::Where::here, 0, now);
            return;
        }
        auto mtu = send.fragment_mtu != 0 ? send.fragment_mtu : world.interface_mtu;
        if (world.route_mtu != 0) mtu = std::min(mtu, world.route_mtu);
        const bool fragmented = !send.dont_fragment && bytes > mtu;
        sent += fragmented ? leave_cut(bytes, mtu) : 1;
        times.push_back(now);
        const std::size_t marker = send.port.marked ? 4 : 0;
        Bytes message = Bytes(send.payload).subspan(marker);
        Spi spi{};
        std::copy_n(message.begin(), 8, spi.begin());
        all_spis.insert(spi);
        const bool version3 = message[17] == 0x30;
        if (!version3) real_spis.insert(spi);
        if (world.lose_each != 0 && times.size() % world.lose_each == 0) return;
        if (world.refused) {
            now += world.round_trip;
            probe.unreachable({3, 3, server}, now);
            return;
        }
        if (send.dont_fragment && bytes > world.mtu) {
            if (!world.router_speaks) return;
            now += world.round_trip / 2;
            probe.too_big(Probe::Where::on_path, world.mtu, now);
            return;
        }
        // IPv4 routers cut again; either way it arrives in fragments.
        if ((fragmented || bytes > world.mtu) && !world.fragments_pass) return;
        if (!(send.port.number == 500 ? world.answers_500 : world.answers_4500)) return;
        if (version3 && !world.answers_version3) return;
        now += world.round_trip;
        answer(probe, send.port, message, version3);
    }

    void answer(Probe& probe, probe::Port port, Bytes request, bool version3) {
        const auto read = probe::parse_answer(request, {});
        REQUIRE(read);
        std::vector<std::uint8_t> message(request.begin(), request.begin() + 8);
        message.resize(16, 9);
        message.insert(message.end(), {0, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 0});
        std::size_t next = 16;
        const auto payload = [&](std::uint8_t type, const std::vector<std::uint8_t>& body) {
            message[next] = type;
            next = message.size();
            message.push_back(0);
            message.push_back(0);
            message.push_back(0);
            message.push_back(static_cast<std::uint8_t>(body.size() + 4));
            message.insert(message.end(), body.begin(), body.end());
        };
        if (version3)
            payload(41, {0, 0, 0, 5});
        else if ((world.cookie && read->cookie.empty()) || world.cookie_for_ever)
            payload(41, {0, 0, 0x40, 0x06, 1, 2, 3, 4, 5, 6, 7, 8});
        else if (world.cookie_renewed && read->cookie.size() != 4)
            payload(41,
                    read->cookie.empty()
                        ? std::vector<std::uint8_t>{0, 0, 0x40, 0x06, 1, 2, 3, 4, 5, 6, 7, 8}
                        : std::vector<std::uint8_t>{0, 0, 0x40, 0x06, 9, 9, 9, 9});
        else if (group_of(request) != world.group)
            payload(41, {0, 0, 0, 17, 0, static_cast<std::uint8_t>(world.group)});
        else {
            payload(33, {0, 0});
            payload(34, {0, 31, 0, 0});
            payload(40, {1, 2, 3, 4});
            if (world.fragmentation) payload(41, {0, 0, 0x40, 0x2e});
        }
        message[27] = static_cast<std::uint8_t>(message.size());
        if (port.marked) message.insert(message.begin(), 4, 0);
        probe.received(port, message, 0, now);
    }

    /// The group of a request's KE payload.
    static std::uint16_t group_of(Bytes message) {
        std::uint8_t next = message[16];
        std::size_t at = 28;
        while (next != 0 && at + 6 <= message.size()) {
            if (next == 34)
                return static_cast<std::uint16_t>(message[at + 4] << 8 | message[at + 5]);
            next = message[at];
            at += static_cast<std::size_t>(message[at + 2] << 8 | message[at + 3]);
        }
        return 0;
    }
};

} // namespace

TEST_CASE("probe: what must hold in every world", "[probe]") {
    std::vector<World> worlds;
    for (const auto mtu : {1500u, 1492u, 1400u, 1280u, 1333u, 576u})
        for (const bool speaks : {true, false})
            for (const bool fragments : {true, false})
                for (const bool version3 : {true, false})
                    for (const unsigned lose_each : {0u, 7u})
                        for (const auto family : {Family::ipv4, Family::ipv6}) {
                            if (family == Family::ipv6 && mtu < 1280) continue;
                            World world;
                            world.family = family;
                            world.mtu = mtu;
                            world.router_speaks = speaks;
                            world.fragments_pass = fragments;
                            world.answers_version3 = version3;
                            world.lose_each = lose_each;
                            worlds.push_back(world);
                        }
    for (const auto& world : worlds) {
        CAPTURE(world.mtu, world.router_speaks, world.fragments_pass, world.answers_version3);
        CAPTURE(world.lose_each, static_cast<int>(world.family));
        const Run run(world);
        REQUIRE(run.sent <= 40);
        REQUIRE(run.facts.packets == run.sent);
        REQUIRE(run.real_spis.size() <= 2);
        for (const auto& spi : run.all_spis)
            REQUIRE(std::equal(probe::spi_prefix.begin(), probe::spi_prefix.end(), spi.begin()));
        for (std::size_t i = 1; i < run.times.size(); ++i)
            REQUIRE(run.times[i] - run.times[i - 1] >= probe::pace);
        if (world.lose_each != 0) continue;
        REQUIRE(run.facts.path.bytes == world.mtu);
        REQUIRE(run.facts.path.exact);
        REQUIRE(run.facts.fragments.pass == world.fragments_pass);
        REQUIRE(run.facts.server.fragmentation == true);
        REQUIRE(probe::has_finding(run.verdict) == !world.fragments_pass);
    }
}

TEST_CASE("probe: at most 40 IP packets leave, however small the interface's MTU", "[probe]") {
    unsigned most = 0;
    bool ended_by_bound = false;
    for (std::uint32_t mtu = 68; mtu <= 1500; mtu += mtu < 300 ? 1 : 13)
        for (const std::uint32_t route : {0u, 68u, 552u})
            for (const int group : {31, 14})
                for (const bool answers : {true, false})
                    for (const bool fragments : {true, false}) {
                        World world;
                        world.interface_mtu = world.mtu = mtu;
                        world.route_mtu = std::min(route, mtu);
                        world.group = static_cast<std::uint16_t>(group);
                        world.cookie = true;
                        world.answers_4500 = world.answers_version3 = answers;
                        world.fragments_pass = fragments;
                        CAPTURE(mtu, route, group, answers, fragments);
                        const Run run(world);
                        REQUIRE(run.sent <= 40);
                        REQUIRE(run.facts.packets == run.sent);
                        most = std::max(most, run.sent);
                        ended_by_bound = ended_by_bound || run.facts.out_of_packets;
                    }
    CHECK(most == 40);
    CHECK(ended_by_bound);
}

TEST_CASE("probe: IPv6's fragments are counted as they leave", "[probe]") {
    for (std::uint32_t mtu = 1280; mtu <= 1500; ++mtu) {
        World world;
        world.family = Family::ipv6;
        world.interface_mtu = world.mtu = mtu;
        world.fragments_pass = false;
        CAPTURE(mtu);
        const Run run(world);
        REQUIRE(run.sent <= 40);
        REQUIRE(run.facts.packets == run.sent);
    }
}

TEST_CASE("probe: servers and paths, and the verdict on each", "[probe]") {
    struct Case {
        std::string name;
        std::function<void(World&)> change;
        std::string ids;
    };
    const Case cases[] = {
        {"all well",                 [](World&) {},                                                ""       },
        {"a smaller path is a fact", [](World& w) { w.mtu = 1492; },                               "D26"    },
        {"no 16430",                 [](World& w) { w.fragmentation = false; },                    "D01"    },
        {"fragments lost",           [](World& w) { w.fragments_pass = false; },                   "D04"    },
        {"both",                     [](World& w) { w.fragmentation = w.fragments_pass = false; }, "D04 D01"},
        {"4500 dead",                [](World& w) { w.answers_4500 = false; },                     "D08"    },
        {"500 dead",                 [](World& w) { w.answers_500 = false; },                      "D09"    },
        {"nothing there",            [](World& w) { w.answers_500 = w.answers_4500 = false; },     "D09 D09"},
        {"service down",             [](World& w) { w.refused = true; },                           "D28 D28"},
        {"a cookie first",           [](World& w) { w.cookie = true; },                            ""       },
        {"a cookie renewed",         [](World& w) { w.cookie_renewed = true; },                    ""       },
        {"cookies for ever",         [](World& w) { w.cookie_for_ever = true; },                   "D19"    },
        {"another group",            [](World& w) { w.group = 14; },                               ""       },
        {"a group we cannot do",     [](World& w) { w.group = 21; },                               ""       },
        {"a slow path",              [](World& w) { w.round_trip = 700ms; },                       ""       },
        {"jumbo frames",             [](World& w) { w.interface_mtu = w.mtu = 9000; },             ""       },
        {"a loopback's MTU",         [](World& w) { w.interface_mtu = w.mtu = 65536; },            ""       },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            World world;
            c.change(world);
            const Run run(world);
            CHECK(run.ids() == c.ids);
            CHECK(run.sent <= 40);
            CHECK_FALSE(run.verdict.sentence.empty());
            CHECK(probe::has_finding(run.verdict) == (!c.ids.empty() && c.ids != "D26"));
            const auto object = probe::to_json(run.facts, run.verdict, run.server, "host");
            CHECK(object.at("packets_sent") == run.sent);
            CHECK(object.at("verdict").at("remedy").is_null() == !probe::has_finding(run.verdict));
        }
}

TEST_CASE("probe: facts of the server are told", "[probe]") {
    World world;
    world.cookie = true;
    world.group = 14;
    const Run run(world);
    CHECK(run.facts.server.cookie);
    CHECK_FALSE(run.facts.server.cookie_again);
    CHECK(run.facts.server.group == 14);
    CHECK(run.facts.server.fragmentation == true);
    CHECK(run.facts.server.refuses_version3);
    CHECK(run.facts.ports[0].round_trip == 30ms);
}

TEST_CASE("probe: strangers' datagrams are not answers", "[probe]") {
    probe::Settings settings;
    settings.server = *parse_address("203.0.113.5");
    Probe probe(settings);
    TimePoint now{};
    REQUIRE(probe.poll(now));
    std::vector<std::uint8_t> message(28, 0);
    message[17] = 0x20;
    message[27] = 28;
    probe.received({500, false}, message, 0, now);
    probe.received({500, false}, {}, 0, now);
    probe.received({4500, true}, message, 0, now);
    CHECK_FALSE(probe.facts().any_port_answers());
}

TEST_CASE("probe: only a single host is asked", "[probe]") {
    const char* hosts[] = {"224.0.0.1",
                           "239.255.255.250",
                           "240.0.0.1",
                           "255.255.255.255",
                           "0.0.0.0",
                           "ff02::1",
                           "ff0e::1",
                           "::",
                           "::ffff:224.0.0.1",
                           "::ffff:255.255.255.255",
                           "::ffff:198.51.100.7"};
    for (const auto* host : hosts) {
        CAPTURE(host);
        const auto target = probe::resolve(host, std::nullopt);
        REQUIRE_FALSE(target);
        CHECK(target.error().find("no single host") != std::string::npos);
    }
    CHECK(probe::resolve("127.0.0.1", std::nullopt));
}
