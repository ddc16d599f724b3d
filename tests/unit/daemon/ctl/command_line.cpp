// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/command.hpp"

#include "tests/support/daemon/run_program.hpp"
#include "tests/support/daemon/temporary_file.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace ikefrag;
using testing::read_file;
using testing::run_ctl;
using testing::TemporaryFile;
namespace json = boost::json;

namespace {

const std::string captures = TESTS_DIR "/captures/";
const std::string good = captures + "ss-v2-ipfrag-ipv4.i-side.pcap";

std::size_t lines(const std::string& text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

bool contains(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("ctl: every command has a name of its own and a line of help", "[ctl]") {
    std::set<std::string_view> names;
    for (const auto* command : ctl::commands()) {
        CHECK(names.insert(command->name).second);
        CHECK_FALSE(command->help.empty());
        CHECK(command->run != nullptr);
        for (const auto& option : command->options) CHECK(option.name.substr(0, 2) == "--");
    }
}

TEST_CASE("ctl: usage errors are exit code 2 and one line", "[ctl]") {
    struct Case {
        std::string name;
        std::vector<std::string> arguments;
    };
    const std::string no_socket = "/nonexistent/socket";
    std::vector<Case> cases;
    cases.push_back({"nothing", {}});
    cases.push_back({"unknown command", {"frobnicate"}});
    cases.push_back({"half a command", {"rules"}});
    cases.push_back({
        "unknown option", {"replay", "--frobnicate", good}
    });
    cases.push_back({"no capture", {"replay"}});
    cases.push_back({
        "unknown mode", {"replay", "--mode", "sleepy", good}
    });
    cases.push_back({
        "option without value", {"replay", good, "--mode"}
    });
    cases.push_back({
        "neither address nor SPI", {"explain", "vpn.example", "--capture", good}
    });
    cases.push_back({
        "unknown mode of the daemon", {"mode", "sleepy"}
    });
    cases.push_back({
        "a limit that is none", {"handshakes", "--limit", "many"}
    });
    cases.push_back({
        "CSV and JSON at once", {"peers", "--csv", "--json"}
    });
    cases.push_back({
        "report to nowhere", {"report", "--capture", good}
    });
    cases.push_back({
        "bad ports", {"probe", "127.0.0.1", "--ports", "500,500"}
    });
    cases.push_back({
        "two families", {"probe", "127.0.0.1", "--ipv4", "--ipv6"}
    });
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const auto ran = run_ctl(c.arguments);
            CHECK(ran.code == 2);
            CHECK(ran.out.empty());
            CHECK(ran.err.rfind("ikefragctl: ", 0) == 0);
        }
}

TEST_CASE("ctl: help and version", "[ctl]") {
    CHECK(run_ctl({"version"}).out == "ikefragctl " IKEFRAG_VERSION "\n");
    CHECK(run_ctl({"--version"}).code == 0);
    CHECK(json::parse(run_ctl({"version", "--json"}).out).at("version") == IKEFRAG_VERSION);
    const auto help = run_ctl({"--help"});
    CHECK(help.code == 0);
    const auto replay = run_ctl({"replay", "--help"});
    CHECK(replay.code == 0);
    CHECK(contains(replay.out, "--packets"));
    CHECK(contains(replay.out, "CAPTURE"));
    CHECK(contains(replay.out, "--json"));
    CHECK(contains(replay.out, "ikefragctl replay "));
    CHECK(contains(run_ctl({"rules", "check", "--help"}).out, "ikefragctl rules check "));
    const auto explain = run_ctl({"explain", "--help"}).out;
    CHECK(contains(explain, "--capture FILE"));
    CHECK_FALSE(contains(explain, "FILE ..."));
    CHECK(run_ctl({"stauts"}).err ==
          "ikefragctl: there is no command 'stauts'; did you mean status?\n");
    CHECK(run_ctl({"frobnicate"}).err ==
          "ikefragctl: there is no command 'frobnicate'; `ikefragctl --help` lists them\n");
    for (const auto* command : ctl::commands()) {
        const auto first = command->name.substr(0, command->name.find(' '));
        CHECK(contains(help.out, std::string(first)));
    }
}

TEST_CASE("ctl: mistakes of the command line are told in words, with the nearest right one",
          "[ctl]") {
    struct Case {
        std::vector<std::string> arguments;
        std::string said;
    };
    const Case cases[] = {
        {{"rules"},                               "a command is missing; `ikefragctl rules --help` lists them"        },
        {{"rules", "chek"},                       "there is no command 'rules chek'; did you mean rules check?"       },
        {{"rules", "chek", "--config", "x", "y"},
         "there is no command 'rules chek'; did you mean rules check?"                                                },
        {{"peers", "forgte", "192.0.2.1"},
         "there is no command 'peers forgte'; did you mean peers forget?"                                             },
        {{"peers", "192.0.2.1"},
         "there is no command 'peers 192.0.2.1'; `ikefragctl peers --help` lists them"                                },
        {{"status", "now"},
         "'now' is a word too many; `ikefragctl status --help` tells what it takes"                                   },
        {{"\x1b[2J"},                             "there is no command '\\x1b[2J'; `ikefragctl --help` lists them"    },
        {{"report", "--outptu", "x"},             "there is no option '--outptu'; did you mean --output?"             },
        {{"status", "--jsno"},                    "there is no option '--jsno'; did you mean --json?"                 },
        {{"--jsno", "status"},                    "there is no option '--jsno'; did you mean --json?"                 },
        {{"status", "--frobnicate"},
         "there is no option '--frobnicate'; `ikefragctl status --help` lists them"                                   },
        {{"rules", "check"},                      "rules check: PATH is missing: rule files, or directories of *.toml"},
        {{"peers", "forget"},                     "peers forget: ADDRESS is missing: the peer to forget"              },
        {{"report", "-o"},                        "--output: FILE is missing"                                         },
        {{"status", "--socket"},                  "--socket: PATH is missing"                                         },
        {{"explain", "192.0.2.1", "192.0.2.2"},   "explain takes one TARGET"                                          },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.said) {
            const auto ran = run_ctl(c.arguments);
            CHECK(ran.code == 2);
            CHECK(ran.err == "ikefragctl: " + c.said + '\n');
        }
}

TEST_CASE("ctl: without a daemon its commands say so, exit code 3", "[ctl]") {
    std::vector<std::vector<std::string>> all;
    for (const char* word :
         {"status", "handshakes", "peers", "diagnoses", "metrics", "reload", "mode"})
        all.push_back({word});
    all.push_back({"peers", "forget", "192.0.2.1"});
    all.push_back({"peers", "history", "192.0.2.1"});
    all.push_back({"mode", "guard"});
    all.push_back({"explain", "192.0.2.1"});
    for (auto arguments : all) {
        arguments.insert(arguments.begin(), {"--socket", "/nonexistent/control.sock"});
        CAPTURE(arguments);
        const auto ran = run_ctl(arguments);
        CHECK(ran.code == 3);
        CHECK(lines(ran.err) == 1);
        CHECK(ran.out.empty());
    }
}

TEST_CASE("ctl replay: what cannot be read", "[ctl]") {
    SECTION("no such file") {
        const auto ran = run_ctl({"replay", "/nonexistent.pcap"});
        CHECK(ran.code == 1);
        CHECK(ran.err == "ikefragctl: /nonexistent.pcap: No such file or directory\n");
    }
    SECTION("a directory") { CHECK(run_ctl({"replay", "/tmp"}).code == 1); }
    SECTION("not a capture") {
        const TemporaryFile text("this is no capture");
        const auto ran = run_ctl({"replay", "--json", text.path()});
        CHECK(ran.code == 1);
        CHECK(ran.out.empty());
        CHECK(ran.err ==
              "ikefragctl: " + text.path() + ": not a capture (neither pcap nor pcapng)\n");
    }
    SECTION("a name that would play with the terminal") {
        const auto ran = run_ctl({"replay", "/tmp/\x1b[2J"});
        CHECK(contains(ran.err, "\\x1b[2J"));
        CHECK_FALSE(contains(ran.err, "\x1b"));
    }
    SECTION("truncated: what was readable, exit code 0, one line") {
        const auto whole = read_file(good);
        const TemporaryFile cut(whole.substr(0, whole.size() - 10));
        const auto ran = run_ctl({"replay", "--json", cut.path()});
        CHECK(ran.code == 0);
        CHECK(lines(ran.err) == 1);
        const auto object = json::parse(ran.out);
        CHECK(object.at("capture").at("truncated") == true);
        CHECK(object.at("capture").at("packets") == 7);
    }
    SECTION("one bad among good ones does not hide them") {
        const TemporaryFile text("this is no capture");
        const auto ran = run_ctl({"replay", "--json", good, text.path(), good});
        CHECK(ran.code == 1);
        CHECK(lines(ran.out) == 2);
    }
}

TEST_CASE("ctl replay: JSON has the fixed keys in their order", "[ctl]") {
    const auto ran = run_ctl({"replay", "--json", "--packets", good});
    REQUIRE(ran.code == 0);
    CHECK(ran.err.empty());
    const auto object = json::parse(ran.out).as_object();
    std::string keys;
    for (const auto& member : object) keys += (keys.empty() ? "" : " ") + std::string(member.key());
    CHECK(keys == "format mode capture verdicts packets datagrams messages transition handshakes "
                  "peers diagnoses");
    CHECK(object.at("format") == 1);
    CHECK(object.at("mode") == "exclusive");
    const auto& capture = object.at("capture").as_object();
    CHECK(capture.at("packets") == 8);
    CHECK(capture.at("first_time") == "2026-11-23T07:14:38.111282Z");
    CHECK(object.at("datagrams").at("fragments") == 4);
    CHECK(object.at("datagrams").at("complete") == 2);
    const auto& packets = object.at("packets").as_array();
    REQUIRE(packets.size() == 8);
    for (std::size_t i = 0; i < packets.size(); ++i) CHECK(packets[i].at("number") == i + 1);
    const auto& handshake = object.at("handshakes").at(0);
    CHECK(handshake.at("outcome") == "established");
    CHECK(handshake.at("auth_transport").at("request") == "ip");
    CHECK(handshake.at("auth_transport").at("response") == "ip");
    CHECK_FALSE(
        json::parse(run_ctl({"replay", "--json", good}).out).as_object().contains("packets"));
}

TEST_CASE("ctl replay: several captures, one object a line; a pipe; a mode", "[ctl]") {
    const auto ran = run_ctl({"-j", "replay", good, captures + "v2-rekey-ip4.pcap"});
    CHECK(ran.code == 0);
    std::istringstream objects(ran.out);
    std::vector<std::string> files;
    for (std::string line; std::getline(objects, line);)
        files.emplace_back(json::parse(line).at("capture").at("file").as_string());
    CHECK(files == std::vector<std::string>{good, captures + "v2-rekey-ip4.pcap"});

    const auto people = run_ctl({"replay", good, good});
    CHECK(contains(people.out, "All 2 captures: 16 packets"));
    CHECK_FALSE(contains(people.out, "\x1b"));

    const auto piped = run_ctl({"replay", "--json", "--mode", "observe", "-"}, read_file(good));
    CHECK(json::parse(piped.out).at("mode") == "observe");
    CHECK(json::parse(piped.out).at("capture").at("packets") == 8);

    CHECK(run_ctl({"replay", "--quiet", good}).out.empty());
}

TEST_CASE("ctl replay: rules and configuration of one's own", "[ctl]") {
    const TemporaryFile rules("[[rule]]\nname = \"none\"\nmatch = { class = \"ike\" }\n"
                              "action = \"drop\"\n");
    const auto ran = run_ctl({"replay", "--json", "--rules", rules.path(), good});
    REQUIRE(ran.code == 0);
    CHECK(json::parse(ran.out).at("verdicts").at("drop") == 4);
    CHECK(json::parse(ran.out).at("verdicts").at("drop_reasons").at("policy") == 4);

    const TemporaryFile config("mode = \"guard\"\n[[server]]\nname = \"vpn\"\n"
                               "addresses = [\"198.51.100.2\"]\n");
    const auto guard = run_ctl({"replay", "--json", "--config", config.path(), good});
    CHECK(json::parse(guard.out).at("mode") == "guard");

    const TemporaryFile bad("[[rule]]\nnaem = \"x\"\n");
    const auto refused = run_ctl({"replay", "--rules", bad.path(), good});
    CHECK(refused.code == 4);
    CHECK(contains(refused.err, bad.path() + ":2:1: "));
    CHECK(contains(refused.err, "name"));
}

TEST_CASE("ctl rules: check, test, fields", "[ctl]") {
    const TemporaryFile bad("[[rule]]\nname = \"x\"\naction = \"pas\"\n");
    const auto checked = run_ctl({"rules", "check", bad.path()});
    CHECK(checked.code == 4);
    CHECK(contains(checked.err, ":3:10: "));
    const auto as_json = run_ctl({"rules", "check", "--json", bad.path()});
    CHECK(as_json.code == 4);
    CHECK(json::parse(as_json.out).at("valid") == false);
    CHECK(json::parse(as_json.out).at("mistakes").at(0).at("line") == 3);
    const auto shipped = run_ctl({"rules", "check", PROJECT_DIR "/rules/00-default.toml"});
    CHECK(shipped.code == 0);
    CHECK(shipped.out == "valid: 4 rules in 1 file\n");

    const auto tested = run_ctl({"rules", "test", "--json", good});
    CHECK(tested.code == 0);
    CHECK(json::parse(tested.out).at("rules").at(0).at("name") == "ike");
    CHECK(json::parse(tested.out).at("rules").at(0).at("packets") == 4);
    const TemporaryFile drop("[[rule]]\nname = \"no\"\nmatch = { class = \"ike\" }\n"
                             "action = \"drop\"\ndry_run = true\n");
    const auto found = run_ctl({"rules", "test", "--rules", drop.path(), good});
    CHECK(found.code == 1);
    CHECK(contains(found.out, "dropped as policy: 4"));

    char folder[] = "/tmp/ikefrag-test-XXXXXX";
    REQUIRE(mkdtemp(folder) != nullptr);
    const std::string config = std::string(folder) + "/ikefragd.toml";
    const std::string beside = std::string(folder) + "/rules.d";
    const std::string mine = beside + "/10-mine.toml";
    REQUIRE(mkdir(beside.c_str(), 0755) == 0);
    std::ofstream(config) << "mode = \"guard\"\n[[server]]\nname = \"vpn1\"\n"
                             "addresses = [\"198.51.100.2\"]\n";
    std::ofstream(mine)
        << "[[rule]]\nname = \"mine\"\nmatch = { class = \"ike\", server = [\"vpn1\"] }\n"
           "action = \"pass\"\n";
    const auto with = run_ctl({"rules", "check", "--config", config, beside});
    CHECK(with.code == 0);
    CHECK(with.out == "valid: 1 rule in 1 file, with " + config + '\n');
    const auto of_it = run_ctl({"rules", "test", "--config", config, good});
    CHECK(of_it.code == 0);
    CHECK(contains(of_it.out, "mine"));
    CHECK(contains(of_it.out, "rules of " + beside + ", mode guard\n"));
    CHECK(unlink(mine.c_str()) == 0);
    CHECK(rmdir(beside.c_str()) == 0);
    const auto shipped_ones = run_ctl({"rules", "test", "--json", "--config", config, good});
    CHECK(json::parse(shipped_ones.out).at("rules_from") == "00-default.toml, as shipped");
    CHECK(unlink(config.c_str()) == 0);
    CHECK(rmdir(folder) == 0);

    const auto fields = run_ctl({"rules", "fields"});
    CHECK(fields.code == 0);
    CHECK(contains(fields.out, "hold_seconds"));
}

TEST_CASE("ctl nft: the table of each mode", "[ctl]") {
    const TemporaryFile config("mode = \"observe\"\n[[server]]\nname = \"vpn\"\n"
                               "addresses = [\"203.0.113.5\"]\n[queue]\nfirst = 510\n");
    const auto observe = run_ctl({"nft", "--config", config.path()});
    CHECK(observe.code == 0);
    CHECK(contains(observe.out, "table inet ikefragd"));
    CHECK(contains(observe.out, "203.0.113.5"));
    CHECK_FALSE(contains(observe.out, "queue flags"));
    const auto guard = run_ctl({"nft", "--config", config.path(), "--mode", "guard"});
    CHECK(contains(guard.out, "510"));
    CHECK(guard.out != observe.out);
    CHECK(json::parse(run_ctl({"nft", "--json", "--config", config.path()}).out).at("mode") ==
          "observe");
    CHECK(run_ctl({"nft", "--mode", "sleepy"}).code == 2);
    const TemporaryFile bad("mode = \"obsrve\"\n");
    const auto refused = run_ctl({"nft", "--config", bad.path()});
    CHECK(refused.code == 4);
    CHECK(contains(refused.err, ":1:8: "));
}

TEST_CASE("ctl explain and report: from a capture", "[ctl]") {
    const std::string failed = captures + "v2-ipfrag-dropped-ip4.pcap";
    const auto story = run_ctl({"explain", "10.99.1.2", "--capture", failed});
    CHECK(story.code == 0);
    CHECK(contains(story.out, "IKE_AUTH"));
    const auto by_spi = run_ctl({"explain", "529884b3bee481a6", "--json", "--capture", failed});
    CHECK(by_spi.code == 0);
    CHECK(json::parse(by_spi.out).at("format") == 1);
    const auto unknown = run_ctl({"explain", "192.0.2.99", "--capture", failed});
    CHECK(unknown.code == 1);
    CHECK(unknown.err == "ikefragctl: no handshake of 192.0.2.99 in the capture\n");

    char directory[] = "/tmp/ikefrag-test-XXXXXX";
    REQUIRE(mkdtemp(directory) != nullptr);
    const std::string page = std::string(directory) + "/report.html";
    const auto report = run_ctl({"report", "--capture", failed, "-o", page});
    CHECK(report.code == 0);
    CHECK(contains(read_file(page), "default-src 'none'"));
    struct stat facts {};
    REQUIRE(stat(page.c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
    const auto nothing = run_ctl({"report", "--capture", "/nonexistent", "-o", page + "2"});
    CHECK(nothing.code == 1);
    CHECK(access((page + "2").c_str(), F_OK) != 0);
    unlink(page.c_str());
    CHECK(rmdir(directory) == 0); // no temporary file stays behind
}
