// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/verdict.hpp"

#include "daemon/json/json.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cassert>
#include <utility>

namespace ikefrag::probe {

namespace json = boost::json;

namespace {

/// Paths of at least this size carry everything an Ethernet host sends whole.
constexpr std::uint32_t usual_mtu = 1500;

std::string port_name(const Port& port) { return "UDP " + std::to_string(port.number); }

/// One diagnosis of the catalogue in a probe's words.
Finding finding(std::string_view id, Actor actor, const IpAddress& server) {
    Finding found;
    found.diagnosis = find_diagnosis(id);
    assert(found.diagnosis != nullptr);
    found.severity = found.diagnosis->severity;
    found.confidence = Confidence::high;
    found.actor = actor;
    found.server = server;
    found.closed = true;
    return found;
}

std::string ports_text(const std::vector<PortFacts>& ports, bool answering) {
    std::string text;
    for (const auto& port : ports) {
        if (!port.asked || port.answers != answering) continue;
        text += (text.empty() ? "" : " and ") + port_name(port.port);
    }
    return text;
}

void judge_ports(const Facts& facts, const IpAddress& server, std::vector<Finding>& findings) {
    for (const auto& port : facts.ports) {
        if (!port.icmp || port.answers) continue;
        Finding found = finding("D28", Actor::server, server);
        const bool by_host = port.icmp->reporter == server;
        if (!by_host) found.actor = Actor::server_network;
        found.sentence = port_name(port.port) + " of " + to_string(server) + " is refused: " +
                         (port.icmp->reporter ? to_string(*port.icmp->reporter) : "a router") +
                         " answers with ICMP '" + icmp_text(*port.icmp, server.family) + "'.";
        found.remedy =
            by_host
                ? "Start the IKE service on the server, or let " + port_name(port.port) +
                      " through its own firewall."
                : "Let " + port_name(port.port) + " to the server through at " +
                      (port.icmp->reporter ? to_string(*port.icmp->reporter) : "that router") + '.';
        findings.push_back(std::move(found));
    }
    const bool any = facts.any_port_answers();
    for (const auto& port : facts.ports) {
        if (!port.asked || port.answers || port.icmp) continue;
        const bool dead_beside_living = any && port.port.marked;
        Finding found = finding(dead_beside_living ? "D08" : "D09", Actor::server_network, server);
        found.confidence = any ? Confidence::high : Confidence::medium;
        found.sentence = to_string(server) + " does not answer IKE on " + port_name(port.port) +
                         (any ? ", while " + ports_text(facts.ports, true) + " answers" : "") + '.';
        found.remedy = "Forward " + port_name(port.port) +
                       " to the server (DNAT rule, host firewall) and see that the IKE service "
                       "runs; from here, see that " +
                       port_name(port.port) + " may go out.";
        findings.push_back(std::move(found));
    }
}

void judge_fragments(const Facts& facts, const IpAddress& server, std::vector<Finding>& findings) {
    const auto& test = facts.fragments;
    const bool offered = facts.server.fragmentation == true;
    if (test.pass == false) {
        Finding found = finding("D04", Actor::client_network, server);
        found.sentence =
            "IP fragments do not get through to " + to_string(server) + ": a message of " +
            std::to_string(test.bytes) + " octets in " + std::to_string(test.fragments) +
            " fragments is lost each time, small ones are answered" +
            (offered ? "; the server offers IKE fragmentation, which avoids them." : ".");
        found.remedy =
            offered ? "Turn on IKE fragmentation at the clients as well; the server has it. Else "
                      "let IP fragments for the VPN server through: switch off 'block fragmented "
                      "packets' on the routers in between."
                    : "Turn on IKE fragmentation at both ends. Server: " +
                          server_fragmentation_switch(facts.server.vendor) +
                          " Else let IP fragments for the VPN server through: switch off 'block "
                          "fragmented packets' on the routers in between.";
        findings.push_back(std::move(found));
    }
    if (facts.server.fragmentation == false) {
        Finding found = finding("D01", Actor::server, server);
        found.sentence = to_string(server) +
                         " does not offer IKE fragmentation (16430): large messages must travel "
                         "as IP fragments.";
        found.remedy = "Turn on IKE fragmentation at the server: " +
                       server_fragmentation_switch(facts.server.vendor);
        findings.push_back(std::move(found));
    }
}

void judge_rest(const Facts& facts, const IpAddress& server, std::vector<Finding>& findings) {
    if (facts.server.cookie_again) {
        Finding found = finding("D19", Actor::server, server);
        found.sentence =
            to_string(server) +
            " asks for a cookie again although it was repeated twice: it is under load, "
            "or a NAT changes our address.";
        found.remedy = std::string(found.diagnosis->remedy.find('{') == std::string_view::npos
                                       ? found.diagnosis->remedy
                                       : "");
        findings.push_back(std::move(found));
    }
    if (facts.path.bytes == 0 || facts.path.bytes >= usual_mtu || !facts.path.exact) return;
    Finding found = finding("D26", Actor::unknown, server);
    found.sentence =
        "The path towards " + to_string(server) + " takes " + std::to_string(facts.path.bytes) +
        " octets" +
        (facts.path.silent_loss ? "; larger packets vanish without an ICMP error." : ".");
    found.remedy = "Keep IKE fragments at " + std::to_string(facts.path.bytes) +
                   " octets or less. " +
                   fragment_size_switch(facts.server.vendor, facts.path.bytes);
    findings.push_back(std::move(found));
}

/// All went well, as far as it could be told.
std::string good_sentence(const Facts& facts, const IpAddress& server) {
    std::string text = to_string(server) + " answers on " + ports_text(facts.ports, true);
    if (facts.fragments.pass == true) text += ", the path carries IP fragments to it";
    if (facts.path.exact)
        text += ", packets of up to " + std::to_string(facts.path.bytes) + " octets pass";
    if (facts.server.fragmentation == true) text += ", and it offers IKE fragmentation";
    return text + '.';
}

json::value icmp_json(const std::optional<IcmpError>& error, Family family) {
    if (!error) return nullptr;
    json::value reporter = nullptr;
    if (error->reporter) reporter = json::string(to_string(*error->reporter));
    json::object object;
    object["type"] = error->type;
    object["code"] = error->code;
    object["text"] = icmp_text(*error, family);
    object["reporter"] = std::move(reporter);
    return object;
}

template <class T>
json::value or_null(const std::optional<T>& value) {
    if (!value) return nullptr;
    return *value;
}

json::array ports_json(const Facts& facts, Family family) {
    json::array ports;
    for (const auto& port : facts.ports) {
        json::value milliseconds = nullptr;
        if (port.round_trip)
            milliseconds = std::chrono::duration<double, std::milli>(*port.round_trip).count();
        json::object object;
        object["port"] = port.port.number;
        object["asked"] = port.asked;
        object["answers"] = port.answers;
        object["round_trip_ms"] = std::move(milliseconds);
        object["icmp"] = icmp_json(port.icmp, family);
        ports.push_back(std::move(object));
    }
    return ports;
}

json::object server_json(const ServerFacts& server) {
    json::array notifies;
    for (const auto type : server.notifies) notifies.push_back(json::string(notify_text(type)));
    json::array vendors;
    for (const auto& name : server.vendors) vendors.push_back(json_text(name));
    json::value vendor = nullptr;
    if (!server.vendor.empty()) vendor = json_text(server.vendor);
    json::object object;
    object["fragmentation"] = or_null(server.fragmentation);
    object["intermediate"] = or_null(server.intermediate);
    object["cookie"] = server.cookie;
    object["wanted_group"] = or_null(server.group);
    object["no_proposal"] = server.no_proposal;
    object["redirect"] = server.redirect;
    object["refuses_version3"] = server.refuses_version3;
    object["notifies"] = std::move(notifies);
    object["vendor"] = std::move(vendor);
    object["vendor_ids"] = std::move(vendors);
    return object;
}

json::value positive(std::uint32_t number) {
    if (number == 0) return nullptr;
    return number;
}

json::object fragments_json(const FragmentFacts& facts) {
    json::object object;
    object["tested"] = facts.tested;
    object["pass"] = or_null(facts.pass);
    object["bytes"] = positive(facts.bytes);
    object["fragments"] = positive(facts.fragments);
    return object;
}

json::object path_json(const Facts& facts) {
    json::object object;
    object["to_server"] = positive(facts.path.bytes);
    object["exact"] = facts.path.exact;
    object["told_by_icmp"] = facts.path.told_by_icmp;
    object["silent_loss"] = facts.path.silent_loss;
    object["from_server_at_least"] = positive(facts.largest_answer_bytes);
    object["from_server_fragment"] = positive(facts.answer_fragment_bytes);
    return object;
}

} // namespace

std::string icmp_text(const IcmpError& error, Family family) {
    struct Row {
        Family family;
        int type;
        int code;
        const char* text;
    };
    static constexpr Row rows[] = {
        {Family::ipv4, 3,  0,  "network unreachable"                },
        {Family::ipv4, 3,  1,  "host unreachable"                   },
        {Family::ipv4, 3,  2,  "protocol unreachable"               },
        {Family::ipv4, 3,  3,  "port unreachable"                   },
        {Family::ipv4, 3,  9,  "network administratively prohibited"},
        {Family::ipv4, 3,  10, "host administratively prohibited"   },
        {Family::ipv4, 3,  13, "administratively prohibited"        },
        {Family::ipv4, 11, 0,  "time to live exceeded"              },
        {Family::ipv4, 11, 1,  "fragment reassembly time exceeded"  },
        {Family::ipv6, 1,  0,  "no route to destination"            },
        {Family::ipv6, 1,  1,  "administratively prohibited"        },
        {Family::ipv6, 1,  3,  "address unreachable"                },
        {Family::ipv6, 1,  4,  "port unreachable"                   },
        {Family::ipv6, 3,  0,  "hop limit exceeded"                 },
        {Family::ipv6, 3,  1,  "fragment reassembly time exceeded"  },
    };
    for (const auto& row : rows)
        if (row.family == family && row.type == error.type && row.code == error.code)
            return row.text;
    return "type " + std::to_string(error.type) + " code " + std::to_string(error.code);
}

std::string notify_text(std::uint16_t type) {
    const auto name = notify_name(2, type);
    return name.empty() ? std::to_string(type) : std::string(name);
}

Verdict judge(const Facts& facts, const IpAddress& server) {
    Verdict verdict;
    judge_ports(facts, server, verdict.findings);
    if (facts.any_port_answers()) {
        judge_fragments(facts, server, verdict.findings);
        judge_rest(facts, server, verdict.findings);
    }
    const auto first =
        std::find_if(verdict.findings.begin(), verdict.findings.end(), [](const Finding& found) {
            return found.diagnosis->kind != FindingKind::fact;
        });
    if (first != verdict.findings.end()) {
        verdict.sentence = first->sentence;
        verdict.remedy = first->remedy;
    } else {
        verdict.sentence = good_sentence(facts, server);
    }
    return verdict;
}

bool has_finding(const Verdict& verdict) noexcept {
    return std::any_of(verdict.findings.begin(), verdict.findings.end(), [](const auto& found) {
        return found.diagnosis->kind != FindingKind::fact;
    });
}

json::object to_json(const Facts& facts,
                     const Verdict& verdict,
                     const IpAddress& server,
                     std::string_view host) {
    json::array diagnoses;
    for (const auto& found : verdict.findings) {
        json::object object = ikefrag::to_json(found);
        // Nobody's handshake: what would be its is absent.
        for (const char* key : {"client", "opened", "updated"}) object[key] = nullptr;
        diagnoses.push_back(std::move(object));
    }
    json::object object{
        {"format", 1              },
        {"host",   json_text(host)}
    };
    object["address"] = to_string(server);
    object["family"] = json::string(to_string(server.family));
    object["ports"] = ports_json(facts, server.family);
    object["fragments"] = fragments_json(facts.fragments);
    object["path_mtu"] = path_json(facts);
    object["server"] = server_json(facts.server);
    object["packets_sent"] = facts.packets;
    object["out_of_packets"] = facts.out_of_packets;
    json::object& short_verdict = object["verdict"].emplace_object();
    short_verdict["sentence"] = json_text(verdict.sentence);
    short_verdict["remedy"] = nullptr;
    if (!verdict.remedy.empty()) short_verdict["remedy"] = json_text(verdict.remedy);
    object["diagnoses"] = std::move(diagnoses);
    return object;
}

} // namespace ikefrag::probe
