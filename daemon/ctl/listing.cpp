// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/listing.hpp"

#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"
#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t text_columns = 96;

std::string text_of(const json::value& value) {
    switch (value.kind()) {
    case json::kind::null: return "-";
    case json::kind::string: return escape_terminal(value.get_string());
    case json::kind::bool_: return value.get_bool() ? "yes" : "no";
    default: return json::serialize(value);
    }
}

const json::object* object_of(const json::value& value) { return value.if_object(); }

std::string paint_outcome(const Terminal& terminal, const std::string& outcome) {
    if (outcome == "established") return terminal.paint(Colour::green, outcome);
    if (outcome == "failed") return terminal.paint(Colour::red, outcome);
    return outcome;
}

/// "ip/ip", "skf/-": how IKE_AUTH went there and back.
std::string auth_transport(const json::object& handshake) {
    const auto* transport = handshake.if_contains("auth_transport");
    if (transport == nullptr || !transport->is_object()) return "-";
    const auto& both = transport->get_object();
    return shown(both, "request") + '/' + shown(both, "response");
}

std::string more(std::size_t total, std::size_t max) {
    if (total <= max) return "";
    return "  … and " + std::to_string(total - max) + " more (see --json)\n";
}

/// The last `max` elements: what is newest.
template <class Visit>
void newest(const json::array& array, std::size_t max, Visit visit) {
    const std::size_t first = array.size() > max ? array.size() - max : 0;
    for (std::size_t i = first; i < array.size(); ++i)
        if (const auto* object = object_of(array[i])) visit(*object);
}

Colour severity_colour(const std::string& severity) {
    if (severity == "critical") return Colour::red;
    if (severity == "warning") return Colour::yellow;
    return Colour::dim;
}

/// With the IPv4 address a transition address embeds: "6to4 of 192.0.2.7".
std::string transition_text(const json::object& peer) {
    auto text = shown(peer, "transition");
    if (const auto embedded = shown(peer, "embedded"); embedded != "-") text += " of " + embedded;
    return text;
}

} // namespace

std::string shown(const json::value& value) { return text_of(value); }

std::string shown(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value == nullptr ? "-" : text_of(*value);
}

std::string shown_time(const json::object& object, std::string_view key) {
    std::string text = shown(object, key);
    if (text.size() < 19) return text;
    text.resize(19);
    text[10] = ' ';
    return text;
}

std::string counted(const json::object& object, std::string_view key, std::string_view noun) {
    const auto count = shown(object, key);
    return count + ' ' + std::string(noun) + (count == "1" ? "" : "s");
}

std::string
list_handshakes(const json::array& handshakes, const Terminal& terminal, std::size_t max) {
    if (handshakes.empty()) return "  none seen\n";
    TextTable table({"first seen (UTC)",
                     "client",
                     "outcome",
                     "server",
                     "initiator SPI",
                     "v",
                     "IKE_AUTH",
                     "16430 c/s",
                     "resent"});
    newest(handshakes, max, [&](const json::object& h) {
        table.add({shown_time(h, "first_time"),
                   shown(h, "client"),
                   paint_outcome(terminal, shown(h, "outcome")) + " (" + shown(h, "basis") + ')',
                   shown(h, "server"),
                   shown(h, "initiator_spi"),
                   shown(h, "version"),
                   auth_transport(h),
                   shown(h, "client_fragmentation") + '/' + shown(h, "server_fragmentation"),
                   shown(h, "retransmits")});
    });
    return table.text("  ") + more(handshakes.size(), max);
}

std::string list_peers(const json::array& peers, const Terminal& terminal, std::size_t max) {
    if (peers.empty()) return "  none known (a peer is kept once it has shown that it receives)\n";
    TextTable table({"address",
                     "role",
                     "fragmentation",
                     "intermediate",
                     "vendor",
                     "transition",
                     "ok",
                     "failed",
                     "path MTU",
                     "last seen (UTC)"});
    newest(peers, max, [&](const json::object& peer) {
        const std::string fragmentation = shown(peer, "fragmentation");
        table.add({shown(peer, "address"),
                   shown(peer, "role"),
                   fragmentation == "none" ? terminal.paint(Colour::yellow, "none") : fragmentation,
                   shown(peer, "intermediate"),
                   shown(peer, "vendor"),
                   transition_text(peer),
                   shown(peer, "handshakes_ok"),
                   shown(peer, "handshakes_failed"),
                   shown(peer, "path_mtu_bytes"),
                   shown_time(peer, "last_seen")});
    });
    return table.text("  ") + more(peers.size(), max);
}

std::string
list_diagnoses(const json::array& diagnoses, const Terminal& terminal, std::size_t max) {
    if (diagnoses.empty()) return "  none\n";
    std::string text;
    newest(diagnoses, max, [&](const json::object& finding) {
        const std::string severity = shown(finding, "severity");
        text += "  " + terminal.paint(severity_colour(severity),
                                      shown(finding, "id") + ' ' + shown(finding, "slug"));
        text += "  " + shown(finding, "kind") + ", " + severity + ", confidence " +
                shown(finding, "confidence") + ", to act: " + shown(finding, "actor") + '\n';
        text += "    client " + shown(finding, "client") + ", server " + shown(finding, "server");
        if (shown(finding, "initiator_spi") != "-")
            text += ", initiator SPI " + shown(finding, "initiator_spi");
        text += '\n';
        text += wrapped(shown(finding, "sentence"), text_columns, "    ");
        const std::string remedy = shown(finding, "remedy");
        if (remedy != "-" && !remedy.empty())
            text += wrapped("Remedy: " + remedy, text_columns, "    ");
        if (const auto* evidence = finding.if_contains("evidence");
            evidence != nullptr && evidence->is_array())
            for (const auto& line : evidence->get_array())
                text += terminal.paint(Colour::dim, "      - " + shown(line)) + '\n';
    });
    return text + more(diagnoses.size(), max);
}

std::string peers_csv(const json::array& peers) {
    static constexpr std::string_view columns[] = {"address",
                                                   "role",
                                                   "fragmentation",
                                                   "vendor",
                                                   "transition",
                                                   "embedded",
                                                   "first_seen",
                                                   "last_seen",
                                                   "fragmentation_changed",
                                                   "handshakes_ok",
                                                   "handshakes_failed",
                                                   "path_mtu_bytes",
                                                   "intermediate",
                                                   "intermediate_changed"};
    std::string text;
    for (const auto column : columns) {
        if (!text.empty()) text += ',';
        text += column;
    }
    text += "\r\n";
    for (const auto& peer : peers) {
        const auto* object = object_of(peer);
        if (object == nullptr) continue;
        bool first = true;
        for (const auto column : columns) {
            if (!first) text += ',';
            first = false;
            const auto* value = object->if_contains(column);
            if (value == nullptr || value->is_null()) continue;
            text += escape_csv(value->is_string() ? std::string(value->get_string())
                                                  : json::serialize(*value));
        }
        text += "\r\n";
    }
    return text;
}

} // namespace ikefrag::ctl
