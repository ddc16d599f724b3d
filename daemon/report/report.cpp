// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report/report.hpp"

#include "daemon/escape.hpp"
#include "daemon/report/drawing.hpp"
#include "daemon/report/sha256.hpp"
#include "daemon/report/style.hpp"
#include "daemon/timestamp.hpp"

#include <algorithm>
#include <array>
#include <map>
#include <set>

namespace ikefrag {
namespace {

constexpr std::size_t max_stories = 100;
constexpr std::size_t max_rows = 1000;

using Rows = std::vector<std::pair<std::string, std::uint64_t>>;

std::string element(std::string_view name, std::string_view text, std::string_view style = {}) {
    return "<" + std::string(name) +
           (style.empty() ? "" : " class=\"" + std::string(style) + "\"") + ">" +
           escape_html(text) + "</" + std::string(name) + ">";
}

std::string short_time(TimePoint time) {
    auto text = rfc3339(time).substr(0, 19);
    std::ranges::replace(text, 'T', ' ');
    return text + " UTC";
}

std::string_view class_of(FindingKind kind) noexcept {
    switch (kind) {
    case FindingKind::failure: return "bad";
    case FindingKind::advice: return "warn";
    case FindingKind::fact: return "note";
    }
    return "";
}

std::string_view class_of(Outcome outcome) noexcept {
    switch (outcome) {
    case Outcome::established: return "good";
    case Outcome::failed: return "bad";
    case Outcome::in_progress:
    case Outcome::unknown: break;
    }
    return "dim";
}

std::string server_text(const Attempt& attempt) {
    const auto address = to_string(attempt.handshake.server.address);
    return attempt.server_name.empty() ? address : attempt.server_name + " (" + address + ")";
}

std::size_t count_outcome(const ReportInput& input, Outcome outcome) {
    return static_cast<std::size_t>(
        std::ranges::count_if(input.attempts, [&](const Attempt& attempt) {
            return attempt.handshake.outcome == outcome;
        }));
}

std::string tile(std::size_t count, std::string_view name, std::string_view style = {}) {
    return "<div class=\"tile\">" + element("b", std::to_string(count), style) +
           element("span", name, "dim") + "</div>";
}

std::string summary(const ReportInput& input) {
    std::set<IpAddress> clients;
    for (const auto& attempt : input.attempts) clients.insert(attempt.handshake.client.address);
    return "<div class=\"tiles\">" + tile(input.attempts.size(), "handshakes") +
           tile(count_outcome(input, Outcome::established), "established", "good") +
           tile(count_outcome(input, Outcome::failed), "failed", "bad") +
           tile(count_outcome(input, Outcome::unknown) + count_outcome(input, Outcome::in_progress),
                "not known or under way") +
           tile(clients.size(), "client addresses") + "</div>";
}

std::string causes(const ReportInput& input) {
    struct Row {
        std::size_t count = 0;
        std::set<IpAddress> clients;
        std::map<Actor, std::size_t> actors;
    };
    std::map<const Diagnosis*, Row> rows;
    const auto add = [&rows](const Finding& finding) {
        if (finding.diagnosis->kind == FindingKind::fact) return;
        auto& row = rows[finding.diagnosis];
        ++row.count;
        row.clients.insert(finding.client);
        ++row.actors[finding.actor];
    };
    for (const auto& attempt : input.attempts)
        for (const auto& finding : attempt.findings) add(finding);
    for (const auto& finding : input.other_findings) add(finding);
    if (rows.empty())
        return "<p>Nothing to report: no handshake failed in a way that can be "
               "named, and there is no advice.</p>";
    std::string out =
        "<div class=\"wide\"><table><thead><tr><th>Diagnosis</th><th>What it says</th>"
        "<th>Who must act</th><th class=\"number\">Times</th>"
        "<th class=\"number\">Clients</th></tr></thead><tbody>";
    for (const auto& [diagnosis, row] : rows) {
        const auto actor = std::ranges::max_element(
            row.actors, {}, [](const auto& entry) { return entry.second; });
        out += "<tr><td>" +
               element("span",
                       diagnosis->id,
                       std::string("tag ") + std::string(class_of(diagnosis->kind))) +
               escape_html(diagnosis->slug) + "</td>" + element("td", diagnosis->says) +
               element("td", actor_text(actor->first)) +
               element("td", std::to_string(row.count), "number") +
               element("td", std::to_string(row.clients.size()), "number") + "</tr>";
    }
    return out + "</tbody></table></div>";
}

std::string chart(std::string_view title, const Rows& rows) {
    return "<section class=\"card\">" + element("h3", title) + bar_chart_svg(title, rows) +
           "</section>";
}

std::string charts(const ReportInput& input) {
    const auto word_rows = []<class E>(const std::map<E, std::uint64_t>& counts) {
        Rows rows;
        for (const auto& word : words<E>()) {
            const auto at = counts.find(word.value);
            rows.emplace_back(word.text, at == counts.end() ? 0 : at->second);
        }
        return rows;
    };
    std::map<Fragmentation, std::uint64_t> clients;
    std::map<Fragmentation, std::uint64_t> servers;
    std::map<Transport, std::uint64_t> requests;
    std::map<Transport, std::uint64_t> responses;
    std::map<Outcome, std::uint64_t> outcomes;
    std::set<std::pair<bool, IpAddress>> seen;
    // The latest word of each address counts.
    for (auto at = input.attempts.rbegin(); at != input.attempts.rend(); ++at) {
        const auto& handshake = at->handshake;
        if (seen.emplace(true, handshake.client.address).second)
            ++clients[handshake.client_side.fragmentation];
        if (seen.emplace(false, handshake.server.address).second)
            ++servers[handshake.server_side.fragmentation];
        if (handshake.auth_request_transport) ++requests[*handshake.auth_request_transport];
        if (handshake.auth_response_transport) ++responses[*handshake.auth_response_transport];
        ++outcomes[handshake.outcome];
    }
    return "<div class=\"charts\">" + chart("Outcomes", word_rows(outcomes)) +
           chart("IKE fragmentation of clients", word_rows(clients)) +
           chart("IKE fragmentation of servers", word_rows(servers)) +
           chart("How IKE_AUTH requests travelled", word_rows(requests)) +
           chart("How IKE_AUTH answers travelled", word_rows(responses)) + "</div>";
}

std::string finding_html(const Finding& finding, bool mask) {
    const auto& diagnosis = *finding.diagnosis;
    const auto shown = [&](std::string_view text) {
        return shown_text(text, finding.server, mask);
    };
    std::string out =
        "<div class=\"finding\"><p>" +
        element("span", diagnosis.id, "tag " + std::string(class_of(diagnosis.kind))) +
        element("b", diagnosis.slug) + " " +
        element("span",
                std::string(to_string(diagnosis.kind)) + ", confidence " +
                    std::string(to_string(finding.confidence)),
                "dim") +
        "</p>" + element("p", shown(finding.sentence));
    if (diagnosis.kind != FindingKind::fact)
        out += "<p>Who must act: " + element("b", actor_text(finding.actor)) + "</p>" +
               element("pre", shown(finding.remedy));
    out += "<p class=\"dim\">Evidence</p><ul>";
    for (const auto& line : finding.evidence) out += element("li", shown(line));
    out += "</ul>";
    if (diagnosis.kind != FindingKind::fact)
        out += element("p", "What would disprove it: " + std::string(diagnosis.not_when), "dim");
    return out + "</div>";
}

std::string side_html(std::string_view name, const std::string& address, const SideFacts& side) {
    std::string text = address;
    if (!side.vendor.empty()) text += ", " + side.vendor;
    text += ", IKE fragmentation: " + std::string(to_string(side.fragmentation));
    if (side.behind_nat.value_or(false)) text += ", behind NAT";
    std::string ids;
    for (const auto& id : side.vendor_ids.texts()) ids += (ids.empty() ? "" : ", ") + id;
    auto out = "<p>" + element("span", std::string(name) + ": ", "dim") + escape_html(text);
    if (!ids.empty()) out += "<br>" + element("span", "vendor IDs: " + ids, "dim");
    return out + "</p>";
}

std::string story(const Attempt& attempt, bool mask) {
    const auto& handshake = attempt.handshake;
    std::string out =
        "<article class=\"card\">" +
        element("h3", shown_text(headline(attempt), handshake.server.address, mask)) +
        element("p",
                short_time(handshake.first_time) + ", IKEv" + std::to_string(handshake.version) +
                    ", SPI " + to_string(handshake.initiator_spi) + ", outcome " +
                    std::string(to_string(handshake.outcome)) + " (" +
                    std::string(to_string(handshake.basis)) + ")",
                "dim") +
        side_html("client", shown_address(handshake.client.address, mask), handshake.client_side) +
        side_html("server", server_text(attempt), handshake.server_side);
    out += "<div class=\"wide\">" + ladder_svg(attempt, mask) + "</div>";
    for (const auto& finding : attempt.findings) out += finding_html(finding, mask);
    return out + "</article>";
}

bool has_kind(const Attempt& attempt, FindingKind kind) {
    return std::ranges::any_of(attempt.findings, [kind](const Finding& finding) {
        return finding.diagnosis->kind == kind;
    });
}

std::string stories(const ReportInput& input) {
    std::vector<const Attempt*> shown;
    for (const auto wanted : {0, 1}) {
        for (auto at = input.attempts.rbegin(); at != input.attempts.rend(); ++at) {
            const bool failed =
                at->handshake.outcome == Outcome::failed || has_kind(*at, FindingKind::failure);
            const bool advised = !failed && has_kind(*at, FindingKind::advice);
            if (wanted == 0 ? failed : advised) shown.push_back(&*at);
        }
    }
    if (shown.empty()) return "<p>No attempt failed and none calls for advice.</p>";
    std::string out;
    const auto count = std::min(shown.size(), max_stories);
    for (std::size_t i = 0; i < count; ++i) out += story(*shown[i], input.mask);
    if (shown.size() > count)
        out += element("p", std::to_string(shown.size() - count) + " more are left out.", "dim");
    return out;
}

std::string transport_cell(const std::optional<Transport>& transport) {
    return element("td", transport ? to_string(*transport) : "-");
}

std::string attempt_table(const ReportInput& input) {
    std::string out = "<div class=\"wide\"><table><thead><tr><th>Time</th><th>Client</th>"
                      "<th>Server</th><th>Outcome</th><th>Request</th><th>Answer</th>"
                      "<th class=\"number\">Repeats</th><th>Findings</th></tr></thead><tbody>";
    std::size_t count = 0;
    for (auto at = input.attempts.rbegin(); at != input.attempts.rend() && count < max_rows;
         ++at, ++count) {
        const auto& handshake = at->handshake;
        std::string ids;
        for (const auto& finding : at->findings)
            ids += (ids.empty() ? "" : " ") + std::string(finding.diagnosis->id);
        out += "<tr>" + element("td", short_time(handshake.first_time)) +
               element("td", shown_address(handshake.client.address, input.mask)) +
               element("td", server_text(*at)) +
               element("td", to_string(handshake.outcome), class_of(handshake.outcome)) +
               transport_cell(handshake.auth_request_transport) +
               transport_cell(handshake.auth_response_transport) +
               element("td", std::to_string(handshake.retransmits), "number") + element("td", ids) +
               "</tr>";
    }
    out += "</tbody></table></div>";
    if (input.attempts.size() > count)
        out += element("p", std::to_string(input.attempts.size() - count) + " more are left out.");
    return out;
}

std::string peer_table(const ReportInput& input) {
    std::string out = "<div class=\"wide\"><table><thead><tr><th>Address</th><th>Role</th>"
                      "<th>Vendor</th><th>IKE fragmentation</th><th>Transition</th>"
                      "<th class=\"number\">OK</th><th class=\"number\">Failed</th></tr></thead>"
                      "<tbody>";
    std::size_t count = 0;
    for (const auto& peer : input.peers) {
        if (count++ == max_rows) break;
        const bool mask = input.mask && peer.role == PeerRole::client;
        out += "<tr>" + element("td", shown_address(peer.address, mask)) +
               element("td", peer.role == PeerRole::client ? "client" : "server") +
               element("td", peer.vendor.empty() ? "-" : peer.vendor) +
               element("td", to_string(peer.capability.fragmentation)) +
               element("td", to_string(peer.transition)) +
               element("td", std::to_string(peer.handshakes_ok), "number") +
               element("td", std::to_string(peer.handshakes_failed), "number") + "</tr>";
    }
    return out + "</tbody></table></div>";
}

std::string other_findings(const ReportInput& input) {
    std::string out;
    for (const auto& finding : input.other_findings)
        out += "<article class=\"card\">" + finding_html(finding, input.mask) + "</article>";
    return out;
}

std::string head() {
    const auto style = report_style();
    return "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
           "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
           "'sha256-" +
           sha256_base64(style) +
           "'; base-uri 'none'; form-action 'none'\">"
           "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
           "<meta name=\"referrer\" content=\"no-referrer\">"
           "<title>IKE handshake report</title><style>" +
           std::string(style) + "</style></head><body>";
}

} // namespace

std::string render_report(const ReportInput& input) {
    std::string out = head();
    out += "<header><h1>IKE handshake report</h1>" +
           element("p",
                   input.source + (input.range.empty() ? "" : ", " + input.range) + ", made " +
                       short_time(input.made) + " by ikefragd " IKEFRAG_VERSION,
                   "dim") +
           "</header><main>";
    out += summary(input);
    out += "<h2>What was found</h2>" + causes(input);
    out += "<h2>Capability and transport</h2>" + charts(input);
    out += "<h2>The attempts that failed or call for advice</h2>" + stories(input);
    if (!input.other_findings.empty())
        out += "<h2>Findings of no single attempt</h2>" + other_findings(input);
    out += "<h2>All handshakes</h2>" + attempt_table(input);
    if (!input.peers.empty()) out += "<h2>Peers</h2>" + peer_table(input);
    out += "</main><footer>whole: in one packet. ip: in IP fragments. skf: in IKE fragments (RFC "
           "7383). v1: in IKEv1 fragments. Times are UTC, offsets from the first message.";
    if (input.mask) out += " Client addresses are shortened.";
    return out + "</footer></body></html>\n";
}

} // namespace ikefrag
