// SPDX-License-Identifier: GPL-2.0-or-later
// What the control socket tells of the daemon.
#include "daemon/doctor/facts.hpp"
#include "daemon/escape.hpp"
#include "daemon/json/members.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace ikefrag {
namespace {

std::string shown(const boost::json::value* value) {
    if (value == nullptr) return {};
    return value->is_string() ? escape_terminal(value->get_string())
                              : boost::json::serialize(*value);
}

std::vector<boost::json::value> list_of(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || !value->is_array()) return {};
    return {value->get_array().begin(), value->get_array().end()};
}

} // namespace

DaemonFacts read_daemon_facts(const boost::json::object& status) {
    const auto* step = status.if_contains("clock_step_seconds");
    const auto* table = status.if_contains("table");
    DaemonFacts facts{
        .mode = parse_word<Mode>(text_of(status.if_contains("mode"))).value_or(Mode::observe),
        .version = std::string(text_of(status.if_contains("version"))),
        .config_hash = std::string(text_of(status.if_contains("config_hash"))),
        .clock_step_seconds = step != nullptr && step->is_int64() ? step->get_int64() : 0,
    };
    for (const auto& key : list_of(status, "waits_for_restart"))
        if (key.is_string()) facts.waits_for_restart.push_back(shown(&key));
    if (table != nullptr) facts.table_fault = escape_terminal(text_of(member(*table, "fault")));
    for (const auto& row : list_of(status, "kernel_settings"))
        facts.kernel_settings.push_back({.of = shown(member(row, "of")),
                                         .name = shown(member(row, "setting")),
                                         .asked = shown(member(row, "asked")),
                                         .got = shown(member(row, "got"))});
    return facts;
}

std::vector<ServerSeen> read_servers_seen(const boost::json::object& handshakes) {
    std::vector<ServerSeen> seen;
    const auto* rows = handshakes.if_contains("handshakes");
    if (rows == nullptr || !rows->is_array()) return seen;
    for (const auto& row : rows->get_array()) {
        const auto* handshake = row.if_object();
        if (handshake == nullptr) continue;
        const auto address_of = [&](std::string_view key) -> std::optional<IpAddress> {
            const auto* text = handshake->if_contains(key);
            if (text == nullptr || !text->is_string()) return std::nullopt;
            return parse_address(text->get_string());
        };
        // Without the responder's SPI nobody answered.
        const auto* answered = handshake->if_contains("responder_spi");
        const auto address = address_of("server");
        if (!address || answered == nullptr || !answered->is_string()) continue;
        const ServerSeen server{*address, address_of("server_inside")};
        if (std::ranges::find(seen, server) == seen.end()) seen.push_back(server);
    }
    return seen;
}

} // namespace ikefrag
