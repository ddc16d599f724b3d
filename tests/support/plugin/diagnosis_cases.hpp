// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "tests/support/plugin/handshake_script.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <string>
#include <vector>

namespace ikefrag::testing {

constexpr auto in = Direction::to_server;
constexpr auto out = Direction::to_peer;

struct DiagnosisCase {
    std::string name;
    std::string expected; ///< ids of all findings of the handshake, when the script is over
    std::function<HandshakeScript()> script;
};

/// Runs the scripts; also checks that every finding is worded and that no name was left unfilled.
inline void check(const std::vector<DiagnosisCase>& cases) {
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            auto script = c.script();
            CHECK(script.ids() == c.expected);
            script.firewall().diagnostician.for_each([](const Finding& finding) {
                INFO(finding.diagnosis->id << ": " << finding.sentence << " / " << finding.remedy);
                CHECK(finding.sentence.find_first_of("{}") == std::string::npos);
                CHECK(finding.remedy.find_first_of("{}") == std::string::npos);
                CHECK_FALSE(finding.sentence.empty());
                CHECK_FALSE(finding.remedy.empty());
                CHECK_FALSE(finding.evidence.empty());
            });
        }
}

inline HandshakeScript failed(HandshakeScript script, double seconds = 60) {
    return script.at(seconds).ends(Outcome::failed, Basis::unanswered);
}
inline HandshakeScript well(HandshakeScript script) {
    return script.ends(Outcome::established, Basis::esp);
}

} // namespace ikefrag::testing
