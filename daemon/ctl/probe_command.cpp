// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"
#include "daemon/escape.hpp"
#include "daemon/probe/run_probe.hpp"
#include "daemon/probe/verdict.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t text_columns = 92;

/// "500,4500": every port but 500 has IKE behind the non-ESP marker.
std::optional<std::vector<probe::Port>> parse_ports(std::string_view text) {
    std::vector<probe::Port> ports;
    while (!text.empty()) {
        const auto comma = std::min(text.find(','), text.size());
        std::uint16_t number = 0;
        const auto* end = text.data() + comma;
        const auto parsed = std::from_chars(text.data(), end, number);
        if (parsed.ec != std::errc() || parsed.ptr != end || number == 0) return std::nullopt;
        for (const auto& port : ports)
            if (port.number == number) return std::nullopt;
        ports.push_back({number, number != 500});
        text.remove_prefix(std::min(comma + 1, text.size()));
    }
    if (ports.empty() || ports.size() > 4) return std::nullopt;
    return ports;
}

std::string milliseconds(const Duration& duration) {
    char text[32];
    std::snprintf(
        text, sizeof text, "%.1f ms", std::chrono::duration<double, std::milli>(duration).count());
    return text;
}

std::string
ports_text(const probe::Facts& facts, const IpAddress& server, const Terminal& terminal) {
    std::string text;
    for (const auto& port : facts.ports) {
        std::string line = "  UDP " + std::to_string(port.port.number);
        line.append(12 - std::min<std::size_t>(line.size(), 12), ' ');
        if (port.answers) {
            line += terminal.paint(Colour::green, "answers");
            if (port.round_trip) line += " after " + milliseconds(*port.round_trip);
        } else if (port.icmp) {
            line += terminal.paint(Colour::red, "refused") + ": ICMP '" +
                    probe::icmp_text(*port.icmp, server.family) + '\'';
            if (port.icmp->reporter) line += " from " + to_string(*port.icmp->reporter);
        } else {
            line += port.asked ? terminal.paint(Colour::red, "silent") : "not asked";
        }
        text += line + '\n';
    }
    return text;
}

std::string path_text(const probe::Facts& facts) {
    if (facts.path.bytes == 0) return "not known";
    std::string text =
        (facts.path.exact ? "" : "at least ") + std::to_string(facts.path.bytes) + " octets";
    if (facts.path.told_by_icmp) text += ", as a router says too";
    if (facts.path.silent_loss) text += "; larger packets vanish without an ICMP error";
    if (facts.largest_answer_bytes != 0)
        text += "; answers of " + std::to_string(facts.largest_answer_bytes) + " octets came back";
    return text;
}

std::string fragments_text(const probe::Facts& facts, const Terminal& terminal) {
    const auto& test = facts.fragments;
    if (!test.tested) return "not tried";
    const std::string what = " (" + std::to_string(test.bytes) + " octets in " +
                             std::to_string(test.fragments) + " fragments)";
    if (!test.pass) return "could not be told" + what;
    return (*test.pass ? terminal.paint(Colour::green, "pass")
                       : terminal.paint(Colour::red, "lost")) +
           what;
}

std::string server_text(const probe::ServerFacts& server) {
    std::string text = "IKE fragmentation ";
    if (!server.fragmentation)
        text += "not told";
    else
        text += *server.fragmentation ? "offered" : "not offered";
    if (server.cookie) text += "; wants a cookie first";
    if (server.group) text += "; wants group " + std::to_string(*server.group);
    if (server.no_proposal) text += "; takes none of our proposals";
    if (server.redirect) text += "; redirects";
    if (server.intermediate == true) text += "; offers IKE_INTERMEDIATE";
    std::string notifies;
    for (const auto type : server.notifies)
        notifies += (notifies.empty() ? "" : " ") + probe::notify_text(type);
    if (!notifies.empty()) text += "; says " + notifies;
    std::string vendors;
    for (const auto& name : server.vendors)
        vendors += (vendors.empty() ? "" : ", ") + escape_terminal(name);
    if (!vendors.empty()) text += "; vendor IDs " + vendors;
    return text;
}

std::string summary(const probe::Facts& facts,
                    const probe::Verdict& verdict,
                    const IpAddress& server,
                    const std::string& host,
                    const Terminal& terminal) {
    std::string text = terminal.paint(Colour::bold, escape_terminal(host)) + " (" +
                       to_string(server) + "), " + counted(facts.packets, "packet") + " sent\n";
    text += ports_text(facts, server, terminal);
    if (facts.any_port_answers()) {
        text += "  path MTU  " + path_text(facts) + '\n';
        text += "  fragments " + fragments_text(facts, terminal) + '\n';
        text += wrapped("server    " + server_text(facts.server), text_columns, "  ");
    }
    text += wrapped(
        terminal.paint(Colour::bold, "Verdict:") + ' ' + verdict.sentence, text_columns, "");
    if (!verdict.remedy.empty()) text += wrapped("Remedy: " + verdict.remedy, text_columns, "");
    for (const auto& found : verdict.findings)
        if (found.sentence != verdict.sentence)
            text += wrapped("Also: " + found.sentence + ' ' + found.remedy, text_columns, "");
    return text;
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const std::string host = *arguments.value("HOST");
    std::optional<Family> family;
    if (arguments.has("--ipv4")) family = Family::ipv4;
    if (arguments.has("--ipv6")) family = Family::ipv6;
    if (arguments.has("--ipv4") && arguments.has("--ipv6")) {
        terminal.complain("--ipv4 and --ipv6 exclude each other: one address is probed");
        return ExitCode::usage;
    }
    probe::Settings settings;
    if (const auto text = arguments.value("--ports")) {
        const auto ports = parse_ports(*text);
        if (!ports) {
            terminal.complain("--ports takes one to four different ports, like 500,4500");
            return ExitCode::usage;
        }
        settings.ports = *ports;
    }
    settings.vendor_ids = default_vendor_ids();
    const auto target = probe::resolve(host, family);
    if (!target) {
        terminal.complain(escape_terminal(host) + ": " + target.error());
        return ExitCode::failure;
    }
    const auto facts = probe::run_probe(*target, std::move(settings));
    const auto verdict = probe::judge(facts, target->address);
    if (terminal.json)
        terminal.write(json::serialize(probe::to_json(facts, verdict, target->address, host)) +
                       '\n');
    else
        terminal.say(summary(facts, verdict, target->address, host, terminal));
    return probe::has_finding(verdict) ? ExitCode::failure : ExitCode::ok;
}

constexpr Positional positionals[] = {
    {"HOST", "the VPN server's name or address"},
};
constexpr Option options[] = {
    {"--ports", "LIST", "ports to ask, with commas between (500,4500)"},
    {"--ipv4",  "",     "its IPv4 address"                            },
    {"--ipv6",  "",     "its IPv6 address"                            },
};

} // namespace

const Command probe_command{
    .name = "probe",
    .needs = Needs::nothing,
    .help = "Ask a VPN server, from a client's place: ports, path MTU, fragments, 16430",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
