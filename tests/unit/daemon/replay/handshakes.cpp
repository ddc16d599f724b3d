// SPDX-License-Identifier: GPL-2.0-or-later
// Every handshake of every capture: grouping as tshark's, outcome as reviewed by hand.
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/replay/replay.hpp"

#include "tests/support/daemon/temporary_file.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <fcntl.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace ikefrag;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

const std::string own = TESTS_DIR "/captures/";

/// Where captures that may be read but not shipped lie; empty if they are not here.
std::string public_captures() {
    const char* named = std::getenv("IKEFRAG_PUBLIC_CAPTURES");
    const std::string folder = named ? named : PROJECT_DIR "/../shared/captures/public";
    return fs::exists(folder + "/truth.jsonl") ? folder + "/" : "";
}

std::unique_ptr<Replay> replay(const std::string& path) {
    const TextFile config{"test", "mode = \"exclusive\"\n"};
    const std::vector<TextFile> rules{shipped_rule_file()};
    auto reader = CaptureReader::open(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(reader);
    auto done = std::make_unique<Replay>(ReplayOptions{
        .policy = parse_config(config, rules)->policy, .vendor_ids = default_vendor_ids()});
    done->run(*reader);
    return done;
}

std::string word(const std::optional<Transport>& transport) {
    return transport ? std::string(to_string(*transport)) : "-";
}

/// A handshake as the tables write it.
std::string line_of(const Handshake& handshake) {
    std::ostringstream line;
    line << to_string(handshake.initiator_spi) << ' ' << to_string(handshake.outcome) << ' '
         << to_string(handshake.basis) << ' ' << handshake.retransmits << ' '
         << to_string(handshake.client_side.fragmentation) << ' '
         << to_string(handshake.server_side.fragmentation) << ' '
         << word(handshake.auth_request_transport) << ' '
         << word(handshake.auth_response_transport);
    return line.str();
}

/// file → its handshakes, blanks squeezed.
std::map<std::string, std::vector<std::string>> read_table(const std::string& path) {
    std::map<std::string, std::vector<std::string>> table;
    std::istringstream lines(testing::read_file(path));
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with('#')) continue;
        std::istringstream fields(line);
        std::string file;
        fields >> file;
        std::string rest;
        for (std::string field; fields >> field;) rest += (rest.empty() ? "" : " ") + field;
        table[file].push_back(rest);
    }
    return table;
}

std::vector<json::object> read_truth(const std::string& folder) {
    std::vector<json::object> truth;
    std::istringstream lines(testing::read_file(folder + "truth.jsonl"));
    for (std::string line; std::getline(lines, line);)
        truth.push_back(json::parse(line).as_object());
    return truth;
}

/// Captures where we differ from tshark 4.0, and why.
const std::map<std::string, std::string> differs_with_reason{
    {"corelight__zeek-spicy-ipsec__ipsec-ikev1-zero-length.pcap",
     "Length is 0: tshark calls it no IKE, we count one malformed message"},
};

void check_folder(const std::string& folder, const std::string& table_path) {
    const auto table = read_table(table_path);
    std::set<std::string> files;
    for (const auto& truth : read_truth(folder)) {
        const std::string file(truth.at("file").as_string());
        files.insert(file);
        DYNAMIC_SECTION(file) {
            const auto done = replay(folder + file);
            std::vector<std::string> handshakes;
            std::multiset<std::string> spis;
            done->tracker().for_each_handshake([&](const Handshake& handshake) {
                handshakes.push_back(line_of(handshake));
                spis.insert(to_string(handshake.initiator_spi));
            });
            const auto expected = table.find(file);
            CHECK(handshakes ==
                  (expected == table.end() ? std::vector<std::string>{} : expected->second));
            const auto& ike = truth.at("ike").as_object();
            std::multiset<std::string> theirs;
            for (const auto& handshake : ike.at("handshakes").as_array())
                theirs.emplace(handshake.at("ispi").as_string());
            CHECK(spis == theirs);
            const auto& totals = done->tracker().totals();
            CHECK(totals.skf_sets == ike.at("skf").at("sets").as_array().size());
            CHECK(totals.skf_complete == totals.skf_sets);
            if (differs_with_reason.contains(file)) {
                CHECK(totals.malformed == 1);
            } else {
                CHECK(totals.messages == ike.at("total").to_number<std::uint64_t>());
            }
        }
    }
    for (const auto& [file, handshakes] : table) CHECK(files.contains(file));
}

} // namespace

TEST_CASE("handshakes: of every own capture", "[replay]") {
    check_folder(own, own + "handshakes.txt");
}

TEST_CASE("handshakes: of every public capture", "[replay]") {
    const auto folder = public_captures();
    if (folder.empty()) {
        WARN("skipped: no public captures here (IKEFRAG_PUBLIC_CAPTURES names their folder)");
        return;
    }
    check_folder(folder, own + "handshakes-public.txt");
}
