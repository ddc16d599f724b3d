// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/json/json.hpp"

#include "daemon/explain/explain.hpp"

#include <boost/json.hpp>

#include <chrono>

namespace ikefrag {
namespace json = boost::json;
namespace {

json::object ladder_json(const LadderStep& step, const Attempt& attempt, bool mask) {
    const auto& handshake = attempt.handshake;
    json::object object;
    object["time"] = to_json(step.time);
    object["offset_seconds"] =
        std::chrono::duration<double>(step.time - handshake.first_time).count();
    object["direction"] = to_string(step.direction);
    object["fate"] = to_string(step.fate);
    object["repeat"] = step.repeat;
    object["label"] = json_text(shown_text(step.label, handshake.server.address, mask));
    object["pieces"] = step.pieces.empty() ? json::value(nullptr) : json::value(step.pieces);
    object["note"] = step.note.empty() ? json::value(nullptr) : json_text(step.note);
    return object;
}

json::object finding_json(const Finding& finding, const Attempt& attempt, bool mask) {
    auto object = to_json(finding);
    const auto& server = attempt.handshake.server.address;
    object["client"] = shown_address(finding.client, mask);
    object["sentence"] = json_text(shown_text(finding.sentence, server, mask));
    object["remedy"] = json_text(shown_text(finding.remedy, server, mask));
    json::array evidence;
    for (const auto& line : finding.evidence)
        evidence.push_back(json_text(shown_text(line, server, mask)));
    object["evidence"] = std::move(evidence);
    object["not_when"] = finding.diagnosis->not_when;
    return object;
}

/// The handshake with its timeline: every message, set of fragments and ICMP error.
json::object handshake_json(const Handshake& handshake, bool mask) {
    auto object = to_json_with_timeline(handshake);
    if (!mask) return object;
    const auto hide = [&](json::value& text) {
        text = json_text(
            shown_text(std::string_view(text.as_string()), handshake.server.address, mask));
    };
    hide(object["client"]);
    for (auto& message : object["messages"].as_array())
        for (const auto* end : {"source", "destination", "left_source", "left_destination"})
            if (auto* endpoint = message.as_object()[end].if_object(); endpoint != nullptr)
                hide((*endpoint)["address"]);
    for (auto& icmp : object["icmp"].as_array()) hide(icmp.as_object()["reporter"]);
    return object;
}

json::object attempt_json(const Attempt& attempt, bool mask) {
    json::object object;
    object["headline"] =
        json_text(shown_text(headline(attempt), attempt.handshake.server.address, mask));
    const auto* cause = headline_finding(attempt);
    object["cause"] = cause == nullptr ? json::value(nullptr) : json::value(cause->diagnosis->id);
    object["server_name"] =
        attempt.server_name.empty() ? json::value(nullptr) : json_text(attempt.server_name);
    object["handshake"] = handshake_json(attempt.handshake, mask);
    json::array steps;
    for (const auto& step : ladder(attempt)) steps.push_back(ladder_json(step, attempt, mask));
    object["ladder"] = std::move(steps);
    json::array findings;
    for (const auto& finding : attempt.findings)
        findings.push_back(finding_json(finding, attempt, mask));
    object["findings"] = std::move(findings);
    return object;
}

} // namespace

std::string explain_json(const std::vector<Attempt>& attempts, const ExplainOptions& options) {
    json::array list;
    for (const auto& attempt : attempts) list.push_back(attempt_json(attempt, options.mask));
    json::object object;
    object["format"] = 1;
    object["attempts"] = std::move(list);
    return json::serialize(object);
}

} // namespace ikefrag
