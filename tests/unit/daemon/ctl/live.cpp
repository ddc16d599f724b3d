// SPDX-License-Identifier: GPL-2.0-or-later
// The commands that ask the daemon, against a daemon that answers what it is told to.
#include "daemon/ctl/check.hpp"
#include "daemon/ctl/status_text.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/watch_screen.hpp"
#include "daemon/json/json.hpp"

#include "tests/support/daemon/run_program.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;
using testing::run_ctl;
namespace json = boost::json;

namespace {

/// Answers each request by a function; remembers the requests.
class FakeDaemon {
public:
    explicit FakeDaemon(std::function<std::string(const json::object&)> answer)
        : answer_(std::move(answer)) {
        REQUIRE(mkdtemp(directory_) != nullptr);
        path_ = std::string(directory_) + "/control.sock";
        listener_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::strncpy(address.sun_path, path_.c_str(), sizeof address.sun_path - 1);
        REQUIRE(::bind(listener_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        REQUIRE(::listen(listener_, 8) == 0);
        thread_ = std::thread([this] { serve(); });
    }
    ~FakeDaemon() {
        ::shutdown(listener_, SHUT_RDWR);
        thread_.join();
        ::close(listener_);
        ::unlink(path_.c_str());
        ::rmdir(directory_);
    }
    FakeDaemon(const FakeDaemon&) = delete;
    FakeDaemon& operator=(const FakeDaemon&) = delete;

    [[nodiscard]] testing::Ran ctl(std::vector<std::string> arguments) const {
        arguments.insert(arguments.begin(), {"--socket", path_});
        return run_ctl(arguments);
    }
    [[nodiscard]] json::object last_request() const {
        const std::lock_guard lock(mutex_);
        return last_request_;
    }

private:
    void serve() {
        for (;;) {
            const int client = ::accept(listener_, nullptr, nullptr);
            if (client < 0) return;
            std::string line;
            char byte = 0;
            while (::read(client, &byte, 1) == 1 && byte != '\n') line += byte;
            json::error_code error;
            const auto request = json::parse(line, error);
            std::string text = "garbage\n";
            if (!error && request.is_object()) {
                {
                    const std::lock_guard lock(mutex_);
                    last_request_ = request.get_object();
                }
                text = answer_(request.get_object()) + '\n';
            }
            // The client may have given up.
            (void)!::send(client, text.data(), text.size(), MSG_NOSIGNAL);
            ::close(client);
        }
    }

    std::function<std::string(const json::object&)> answer_;
    char directory_[32] = "/tmp/ikefrag-test-XXXXXX";
    std::string path_;
    int listener_ = -1;
    mutable std::mutex mutex_;
    json::object last_request_;
    std::thread thread_;
};

std::string result(const json::value& value) {
    return json::serialize(json::object{
        {"ok",     true },
        {"result", value}
    });
}

json::object handshake(const char* client, Outcome outcome, TimePoint time) {
    Handshake h;
    h.client.address = *parse_address(client);
    h.server.address = *parse_address("203.0.113.5");
    h.first_time = h.last_time = time;
    h.outcome = outcome;
    h.basis = outcome == Outcome::failed ? Basis::unanswered : Basis::esp;
    return to_json(h);
}

json::object status() {
    return json::parse(R"({"format":1,"version":"9.9","mode":"guard","ready":true,
        "uptime_seconds":7260,"last_reload_successful":true,"last_reload_fault":null,
        "peers_database":null,"peers":7,"table":{"present":true,"via":"nft","fault":null},
        "queues":[{"queue":500,"packets":10,"verdicts":{"accept":9,"drop":1},"waiting":0,
                   "held_packets":3,"unseen":2}],
        "handshakes":{"known":12,"in_progress":1},"copies":{"read":40,"lost":0},
        "servers":[{"name":"vpn1","started":5,"completed":4,"failed":1,
                    "fragmentation_supported":false}]})")
        .as_object();
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("ctl live: lists, newest last, with what was asked for", "[ctl]") {
    const TimePoint time(1'795'420'800s);
    FakeDaemon daemon([&](const json::object& request) {
        if (request.at("command") == "handshakes")
            return result({
                {"format",     1                                                },
                {"handshakes",
                 json::array{handshake("192.0.2.2", Outcome::failed, time + 1s),
                             handshake("192.0.2.1", Outcome::established, time)}},
                {"more",       3                                                }
            });
        if (request.at("command") == "peers") {
            Peer peer;
            peer.address = *parse_address("192.0.2.1");
            peer.vendor = "=cmd|'/c calc'\x1b[2J";
            peer.transition = Transition::six_to_four;
            peer.embedded = parse_address("198.51.100.77");
            return result({
                {"format", 1                         },
                {"peers",  json::array{to_json(peer)}},
                {"more",   0                         }
            });
        }
        Finding finding;
        finding.diagnosis = find_diagnosis("D04");
        finding.sentence = "what \x1b[2J happened";
        finding.remedy = "HKLM:\\SYSTEM";
        return result({
            {"format",    1                            },
            {"diagnoses", json::array{to_json(finding)}},
            {"more",      0                            }
        });
    });
    const auto list =
        daemon.ctl({"handshakes", "192.0.2.0", "--outcome", "failed", "--limit", "2"});
    CHECK(list.code == 0);
    CHECK(list.out.find("192.0.2.1") < list.out.find("192.0.2.2"));
    CHECK(contains(list.out, "established (esp)"));
    CHECK(contains(list.out, "and 3 older ones"));
    CHECK(json::serialize(daemon.last_request()) ==
          R"({"address":"192.0.2.0","outcome":"failed","limit":2,"command":"handshakes"})");

    const auto raw = daemon.ctl({"handshakes", "--json"});
    CHECK(json::parse(raw.out).at("handshakes").at(0).at("client") == "192.0.2.2");

    const auto csv = daemon.ctl({"peers", "--missing-fragmentation", "--csv"});
    CHECK(csv.code == 0);
    CHECK(daemon.last_request().at("missing_fragmentation") == true);
    CHECK(contains(csv.out, "\"'=cmd|"));
    CHECK_FALSE(contains(csv.out, "\x1b"));
    CHECK(std::count(csv.out.begin(), csv.out.end(), '\n') == 2);
    const auto peers = daemon.ctl({"peers"}).out;
    CHECK_FALSE(contains(peers, "\x1b"));
    CHECK(contains(peers, "6to4 of 198.51.100.77"));

    const auto found = daemon.ctl({"diagnoses", "--open"});
    CHECK(daemon.last_request().at("open") == true);
    CHECK(contains(found.out, "D04 auth_partial_ipfrag"));
    CHECK(contains(found.out, "HKLM:\\SYSTEM"));
    CHECK_FALSE(contains(found.out, "\x1b"));
}

TEST_CASE("ctl live: what a peer could do, and from when on", "[ctl]") {
    std::atomic<bool> is_known = true; // read by the fake daemon's thread
    FakeDaemon daemon([&](const json::object&) {
        const auto row = [](const char* time, const char* word) {
            return json::object{
                {"time",          time},
                {"fragmentation", word},
                {"intermediate",  true}
            };
        };
        return result({
            {"format",  1            },
            {"address", "192.0.2.1"  },
            {"history",
             is_known ? json::array{row("2026-11-20T10:00:00.000000Z", "none"),
                                    row("2026-11-22T09:12:44.000000Z", "ike\x1b[2J")}
                      : json::array()}
        });
    });
    const auto told = daemon.ctl({"peers", "history", "192.0.2.1"});
    CHECK(told.code == 0);
    CHECK(json::serialize(daemon.last_request()) ==
          R"({"address":"192.0.2.1","command":"history"})");
    CHECK(told.out.find("2026-11-20 10:00:00") < told.out.find("2026-11-22 09:12:44"));
    CHECK(contains(told.out, "none"));
    CHECK(contains(told.out, "yes"));
    CHECK_FALSE(contains(told.out, "\x1b"));
    CHECK(json::parse(daemon.ctl({"peers", "history", "192.0.2.1", "--json"}).out)
              .at("history")
              .as_array()
              .size() == 2);
    is_known = false;
    const auto unknown = daemon.ctl({"peers", "history", "192.0.2.1"});
    CHECK(unknown.code == 1);
    CHECK(contains(unknown.err, "nothing is known of what 192.0.2.1 can do"));
}

TEST_CASE("ctl live: what the daemon refuses, and with which exit code", "[ctl]") {
    struct Case {
        std::string kind;
        int code;
    };
    const Case cases[] = {
        {"usage",      2},
        {"not_found",  1},
        {"config",     4},
        {"permission", 5},
        {"failure",    1},
        {"busy",       1},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.kind) {
            FakeDaemon daemon([&](const json::object&) {
                return json::serialize(json::object{
                    {"ok",    false                                           },
                    {"error", {{"kind", c.kind}, {"message", "so \x1b it is"}}}
                });
            });
            const auto ran = daemon.ctl({"reload"});
            CHECK(ran.code == c.code);
            CHECK(contains(ran.err, "so \\x1b it is"));
            const auto as_json = daemon.ctl({"reload", "--json"});
            CHECK(as_json.code == c.code);
            CHECK(json::parse(as_json.out).at("error").at("kind") == json::value(c.kind));
        }
    FakeDaemon choosy([](const json::object&) {
        return json::serialize(json::object{
            {"ok",    false                                            },
            {"error",
             {{"kind", "config"},
              {"message", "the configuration has mistakes"},
              {"diagnostics",
               json::array{json::object{{"file", "a.toml"},
                                        {"line", 3},
                                        {"column", 8},
                                        {"message", "mode is 1"},
                                        {"source_line", "mode = 1"}}}}}}
        });
    });
    const auto reload = choosy.ctl({"reload", "--json"});
    CHECK(reload.code == 4);
    CHECK(json::serialize(json::parse(reload.out).at("mistakes")) ==
          R"([{"file":"a.toml","line":3,"column":8,"message":"mode is 1"}])");
    FakeDaemon mad([](const json::object&) { return std::string("{\"ok\": maybe"); });
    CHECK(mad.ctl({"status"}).code == 1);
}

TEST_CASE("ctl live: a CSV is whole, or says that it is not", "[ctl]") {
    std::atomic<int> more = 0; // read by the fake daemon's thread
    FakeDaemon daemon([&](const json::object&) {
        return result({
            {"format", 1            },
            {"peers",  json::array()},
            {"more",   more.load()  }
        });
    });
    const auto whole = daemon.ctl({"peers", "--csv"});
    CHECK(whole.err.empty());
    CHECK(daemon.last_request().at("limit") == 100'000);
    more = 7;
    const auto cut = daemon.ctl({"peers", "--csv", "--limit", "5"});
    CHECK(daemon.last_request().at("limit") == 5);
    CHECK(contains(cut.err, "7 more peers"));
}

TEST_CASE("ctl live: an address nobody knows is not said to be forgotten", "[ctl]") {
    FakeDaemon daemon([](const json::object&) {
        return result({
            {"format",    1    },
            {"forgotten", false}
        });
    });
    const auto ran = daemon.ctl({"peers", "forget", "192.0.2.1"});
    CHECK(ran.code == 1);
    CHECK(ran.out.empty());
    CHECK(contains(ran.err, "nothing is known of 192.0.2.1"));
    CHECK(daemon.ctl({"peers", "forget", "192.0.2.1", "--json"}).code == 1);
}

TEST_CASE("ctl live: a mistake on check's command line is UNKNOWN, not CRITICAL", "[ctl]") {
    for (const std::vector<std::string>& arguments : {
             std::vector<std::string>{"check",      "--bogus"},
             {       "check", "--warning"         },
             { "check",       "one",                "two"}
    }) {
        CAPTURE(arguments.back());
        const auto ran = run_ctl(arguments);
        CHECK(ran.code == 3);
        CHECK(contains(ran.out, "UNKNOWN"));
    }
    CHECK(run_ctl({"rules", "check", "--bogus"}).code == 2);
}

TEST_CASE("ctl live: explain, mode, reload, metrics, forget, report", "[ctl]") {
    FakeDaemon daemon([](const json::object& request) {
        const auto command = request.at("command").as_string();
        if (command == "explain" && request.at("form") == "json")
            return result({
                {"format",   1            },
                {"attempts", json::array()}
            });
        if (command == "explain" || command == "metrics")
            return result({
                {"text", "the text\n"}
            });
        if (command == "mode")
            return result({
                {"mode",   request.at("mode")},
                {"before", "observe"         }
            });
        if (command == "status") return result(status());
        if (command == "report")
            return result({
                {"html", "<!doctype html>"}
            });
        return result({
            {"rules",     4                    },
            {"servers",   1                    },
            {"hash",      "ab"                 },
            {"forgotten", true                 },
            {"notes",     json::array{"a note"}}
        });
    });
    CHECK(daemon.ctl({"explain", "192.0.2.1"}).out == "the text\n");
    CHECK(daemon.last_request().at("target") == "192.0.2.1");
    CHECK(json::parse(daemon.ctl({"explain", "0011223344556677", "--json"}).out).at("format") == 1);
    CHECK(daemon.ctl({"metrics"}).out == "the text\n");
    CHECK(daemon.ctl({"mode", "exclusive"}).out == "mode is now exclusive (was observe)\n");
    CHECK(daemon.ctl({"mode"}).out == "guard\n");
    CHECK(daemon.ctl({"reload"}).out ==
          "reloaded: 4 rules, 1 server, configuration ab\nnote: a note\n");
    CHECK(daemon.ctl({"peers", "forget", "192.0.2.1"}).out == "forgotten: 192.0.2.1\n");
    CHECK(daemon.last_request().at("address") == "192.0.2.1");
    CHECK(contains(daemon.ctl({"status"}).out, "guard"));
    const std::string page = "/tmp/ikefrag-test-report-" + std::to_string(getpid());
    CHECK(daemon.ctl({"report", "--since", "24h", "--server", "vpn1", "-o", page}).code == 0);
    CHECK(daemon.last_request().at("since_seconds") == 86'400);
    CHECK(unlink(page.c_str()) == 0);
    CHECK(daemon.ctl({"report", "--since", "tomorrow", "-o", page}).code == 2);
}

TEST_CASE("check: Nagios' states", "[ctl]") {
    const TimePoint now(1'795'420'800s);
    const ctl::HealthLimits limits{.since = "2026-11-23T07:45:00.000000Z"};
    json::array all;
    for (int i = 0; i < 8; ++i) all.push_back(handshake("192.0.2.1", Outcome::established, now));
    all.push_back(handshake("192.0.2.2", Outcome::failed, now - 1h)); // too old to count
    auto probe = handshake("192.0.2.3", Outcome::failed, now);
    probe["probe"] = true;
    all.push_back(probe);
    const auto failed = [&](int count) {
        auto more = all;
        for (int i = 0; i < count; ++i)
            more.push_back(handshake("192.0.2.2", Outcome::failed, now));
        return more;
    };
    const auto state = [&](const json::object& status, const json::array& handshakes) {
        return std::string(to_string(ctl::judge(status, handshakes, limits).state));
    };
    CHECK(state(status(), all) == "OK");
    CHECK(state(status(), failed(1)) == "OK");
    CHECK(state(status(), failed(2)) == "WARNING");
    CHECK(state(status(), failed(8)) == "CRITICAL");
    CHECK(state(status(), json::array{handshake("192.0.2.2", Outcome::failed, now)}) == "OK");
    auto missing = status();
    missing["table"].as_object()["present"] = false;
    CHECK(state(missing, all) == "CRITICAL");
    auto unfit = status();
    unfit["table"].as_object()["fault"] = "table inet ikefragd was made for mode observe";
    CHECK(state(unfit, all) == "WARNING");
    CHECK(contains(ctl::line_of(ctl::judge(unfit, all, limits)),
                   "the kernel table is not as it should be: table inet ikefragd was made for"));
    auto reload = status();
    reload["last_reload_successful"] = false;
    reload["last_reload_fault"] = "file:1:2: no | bar";
    CHECK(state(reload, all) == "WARNING");
    reload["last_reload_fault"] = "file:1:2: no | bar\n    mode = no\n           ^\n";
    const auto line = ctl::line_of(ctl::judge(reload, failed(2), limits));
    CHECK(line ==
          "IKEFRAG WARNING - the last reload failed: file:1:2: no / bar; 2 of 10 handshakes "
          "failed in 15 min; mode guard | established=8 failed=2 "
          "failed_share=20%;20;50;0;100 in_progress=1 peers=7 held_packets=3 unseen=2c "
          "copies_lost=0c uptime=7260s");
    CHECK(state({}, {}) == "OK");
    auto waiting = status();
    waiting["waits_for_restart"] = json::array{"queue.first", "copy.group"};
    const auto waits = ctl::judge(waiting, all, limits);
    CHECK(to_string(waits.state) == "OK");
    CHECK(contains(ctl::line_of(waits), "; waits for a restart: queue.first, copy.group; "));
}

TEST_CASE("status: what the kernel did not give is shown, and nothing else of it", "[ctl]") {
    const ctl::Terminal terminal(stdout, stderr);
    auto all = status();
    all["kernel_settings"] = json::parse(
        R"([{"of":"queue 500","setting":"max_length","asked":8192,"got":8192},
            {"of":"queue 500","setting":"fail_open","asked":true,"got":true}])");
    CHECK_FALSE(contains(ctl::status_text(all, terminal), "kernel settings"));
    all["kernel_settings"].as_array().push_back({
        {"of",      "queue 501"           },
        {"setting", "receive_buffer_bytes"},
        {"asked",   16777216              },
        {"got",     212992                }
    });
    const auto text = ctl::status_text(all, terminal);
    CHECK(contains(text,
                   "kernel settings\n  of queue 501, setting receive_buffer_bytes, asked 16777216, "
                   "got 212992\n"));
    CHECK_FALSE(contains(text, "max_length"));
}

TEST_CASE("check: over the socket", "[ctl]") {
    FakeDaemon daemon([](const json::object& request) {
        if (request.at("command") == "status") return result(status());
        return result({
            {"format",     1            },
            {"handshakes", json::array()},
            {"more",       0            }
        });
    });
    const auto good = daemon.ctl({"check"});
    CHECK(good.code == 0);
    CHECK(good.out.rfind("IKEFRAG OK - ", 0) == 0);
    CHECK(json::parse(daemon.ctl({"check", "--json"}).out).at("state") == "OK");
    CHECK(daemon.ctl({"check", "--warning", "many"}).code == 3);
    const auto gone = run_ctl({"--socket", "/nonexistent/control.sock", "check"});
    CHECK(gone.code == 2);
    CHECK(gone.out.rfind("IKEFRAG CRITICAL - ", 0) == 0);
}

TEST_CASE("check and status: a daemon that hangs is told after 3 s", "[ctl]") {
    std::atomic<int> asked = 0;
    FakeDaemon daemon([&](const json::object&) {
        ++asked;
        std::this_thread::sleep_for(3500ms);
        return result(status());
    });
    const auto checked = daemon.ctl({"check"});
    CHECK(checked.code == 2);
    CHECK(checked.out.rfind("IKEFRAG CRITICAL - the daemon listens on ", 0) == 0);
    CHECK(contains(checked.out, "but did not answer within 3 s"));
    CHECK(asked == 1);
    const auto told = daemon.ctl({"status"});
    CHECK(told.code == 3);
    CHECK(contains(told.err, "did not answer within 3 s"));
}

TEST_CASE("watch: one line a look where there is no terminal", "[ctl]") {
    FakeDaemon daemon([](const json::object& request) {
        if (request.at("command") == "status") return result(status());
        if (request.at("command") == "handshakes")
            return result({
                {"handshakes", json::array()},
                {"more",       0            }
            });
        Finding finding;
        finding.diagnosis = find_diagnosis("D04");
        finding.client = *parse_address("192.0.2.7");
        return result({
            {"diagnoses", json::array{to_json(finding)}},
            {"more",      0                            }
        });
    });
    const auto ran = daemon.ctl({"watch", "--count", "2", "--interval", "1"});
    CHECK(ran.code == 0);
    CHECK(std::count(ran.out.begin(), ran.out.end(), '\n') == 2);
    CHECK(contains(ran.out,
                   " mode guard table present handshakes 12 in_progress 1 peers 7 held 3 "
                   "dropped 1 unseen 2 latest_failure D04 192.0.2.7\n"));
    CHECK_FALSE(contains(ran.out, "\x1b"));
    CHECK(json::parse(daemon.ctl({"watch", "--count", "1", "--json"}).out).at("format") == 1);
    CHECK(daemon.ctl({"watch", "--count", "0"}).code == 2);
}

TEST_CASE("watch: a screen no larger than the terminal", "[ctl]") {
    ctl::Terminal terminal(stdout, stderr);
    terminal.colour = true;
    ctl::Look look;
    look.status = status();
    for (int i = 0; i < 50; ++i)
        look.handshakes.push_back(handshake("192.0.2.1", Outcome::failed, TimePoint(1'000'000s)));
    auto before = look;
    look.status["queues"].as_array()[0].as_object()["packets"] = 30;
    for (const ctl::ScreenSize size : {
             ctl::ScreenSize{24, 80},
             {10, 40},
             {3,  1 }
    }) {
        const auto text = draw(look, &before, 2, size, terminal);
        std::istringstream lines(text);
        unsigned rows = 0;
        for (std::string line; std::getline(lines, line); ++rows) {
            std::string plain;
            for (std::size_t i = 0; i < line.size(); ++i) {
                if (line[i] == '\x1b')
                    i = line.find('m', i);
                else
                    plain += line[i];
            }
            CHECK(plain.size() <= size.columns);
        }
        CHECK(rows < size.rows);
    }
    CHECK(contains(draw(look, &before, 2, {24, 200}, terminal), "10 fragments/s"));
    // How it ended is the first thing wanted: it is there on the narrowest of usual terminals.
    CHECK(contains(draw(look, &before, 2, {24, 80}, terminal), " (unanswered)"));
    CHECK(ctl::cut_line("\x1b[1mabc\x1b[0mdef", 4) == "\x1b[1mabc\x1b[0md\x1b[0m");
    CHECK(ctl::cut_line("aéb", 2) == "aé");
}
