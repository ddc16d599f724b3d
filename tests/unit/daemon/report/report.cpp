// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report/report.hpp"

#include "daemon/report/catalogue_docs.hpp"
#include "daemon/report/drawing.hpp"
#include "daemon/report/sha256.hpp"
#include "daemon/report/style.hpp"
#include "plugin/diagnosis.hpp"

#include "tests/support/daemon/story.hpp"

#include <catch2/catch.hpp>

#include <cstdlib>
#include <fstream>
#include <string>

using namespace ikefrag;
using namespace ikefrag::testing;

namespace {

std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
}

ReportInput input() {
    ReportInput report;
    report.source = "capture test.pcap";
    report.attempts.push_back(partial_story());
    Peer peer;
    peer.address = *parse_address("203.0.113.7");
    peer.vendor = "windows";
    report.peers.push_back(peer);
    return report;
}

} // namespace

TEST_CASE("report: SHA-256 of FIPS 180-4's examples", "[report]") {
    CHECK(sha256_base64("") == "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
    CHECK(sha256_base64("abc") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    CHECK(sha256_base64("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
          "JI1qYdIGOLjlwCaTDD5gOaM85Flk/yFn9uzt1BnbBsE=");
    CHECK(sha256_base64(std::string(1'000'000, 'a')) ==
          "zcduXJkU+5KBocfihNc+Z/GAmkiklyAOBG05zMcRLNA=");
}

TEST_CASE("report: the page allows its own style and nothing else", "[report]") {
    const auto page = render_report(input());
    CHECK(page.starts_with("<!DOCTYPE html>"));
    CHECK(page.find("content=\"default-src 'none'; style-src 'sha256-" +
                    sha256_base64(report_style()) + "'") != std::string::npos);
    CHECK(count(page, "<style>") == 1);
    for (const auto* part : {"<script", " style=", " onload=", "javascript:", "http://", "src="})
        CHECK(page.find(part) == std::string::npos);
    CHECK(page.find("<style>" + std::string(report_style()) + "</style>") != std::string::npos);
}

TEST_CASE("report: summary, findings, a ladder for each story, charts", "[report]") {
    const auto page = render_report(input());
    CHECK(count(page, "<svg class=\"ladder\"") == 1);
    CHECK(count(page, "<svg class=\"chart\"") == 5);
    CHECK(page.find("What happened to 203.0.113.7, in one sentence.") != std::string::npos);
    CHECK(page.find("auth_partial_ipfrag") != std::string::npos);
    CHECK(page.find("the client&#39;s network") != std::string::npos);
    CHECK(page.find("<td>windows</td>") != std::string::npos);
    CHECK(count(page, "<article") == count(page, "</article>"));
    CHECK(count(page, "<div") == count(page, "</div>"));
    CHECK(count(page, "<section") == count(page, "</section>"));
}

TEST_CASE("report: nothing to tell is told", "[report]") {
    const auto page = render_report({});
    CHECK(page.find("No attempt failed and none calls for advice.") != std::string::npos);
    CHECK(page.find("Nothing to report") != std::string::npos);
}

TEST_CASE("report: hostile text stays text", "[report]") {
    auto report = input();
    const std::string nasty = "</script><script>alert(1)</script>'; DROP\x1b[2J\"><img onerror=x>";
    report.source = nasty;
    report.range = nasty;
    report.peers.front().vendor = nasty;
    auto& attempt = report.attempts.front();
    attempt.server_name = nasty;
    attempt.handshake.client_side.vendor = nasty;
    attempt.handshake.client_side.vendor_ids.add_name(nasty);
    attempt.findings.front().sentence = nasty;
    attempt.findings.front().remedy = nasty;
    attempt.findings.front().evidence = {nasty};
    report.other_findings.push_back(attempt.findings.front());
    const auto page = render_report(report);
    CHECK(page.find("<script") == std::string::npos);
    CHECK(page.find("<img") == std::string::npos);
    CHECK(page.find('\x1b') == std::string::npos);
    CHECK(count(page, "&lt;script&gt;") >= 8);
    // tests/system/report_browser.sh shows this page to a browser.
    if (const auto* path = std::getenv("IKEFRAG_REPORT"); path != nullptr)
        std::ofstream(path) << page;
}

TEST_CASE("report: masked, no whole client address is left", "[report]") {
    auto report = input();
    report.mask = true;
    report.other_findings.push_back(report.attempts.front().findings.front());
    const auto page = render_report(report);
    CHECK(page.find("203.0.113.7") == std::string::npos);
    CHECK(page.find("203.0.113.x") != std::string::npos);
    CHECK(page.find("198.51.100.5") != std::string::npos);
}

TEST_CASE("report: drawings are bounded", "[report]") {
    auto attempt = partial_story();
    for (int i = 0; i < 500; ++i)
        add_message(attempt, 2 + i, 35, Direction::to_server, Role::request, 900);
    const auto svg = ladder_svg(attempt, false);
    CHECK(svg.find("444 more are left out") != std::string::npos);
    CHECK(svg.size() < 40'000);
    CHECK(bar_chart_svg("t",
                        {
                            {"a", 0        },
                            {"b", 1'000'000}
    })
              .find("width=\"190\"") != std::string::npos);
}

TEST_CASE("docs: the manual and the Markdown have every diagnosis", "[report]") {
    const auto manual = diagnoses_manual();
    const auto markdown = diagnoses_markdown();
    CHECK(count(manual, "\n.SS ") == catalogue().size());
    CHECK(count(markdown, "\n## ") == catalogue().size());
    for (const auto& diagnosis : catalogue())
        CHECK(markdown.find("`" + std::string(diagnosis.slug) + "`") != std::string::npos);
    CHECK(manual.find('{') == std::string::npos);
    CHECK(markdown.find('{') == std::string::npos);
    CHECK(manual.find("HKLM:\\eSYSTEM") != std::string::npos);
}
