// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/live.hpp"

#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/json/json.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <cstdio>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// [control] socket of the installed configuration, where that can be read and is right.
std::string installed_socket() {
    const auto file = read_config_file(installed_config, Ownership::lenient);
    if (!file) return std::string(default_control_socket);
    const auto config = parse_config(*file, {});
    return config ? config->settings.control_socket : std::string(default_control_socket);
}

} // namespace

Result<json::object, ControlError> ask(const Arguments& arguments,
                                       std::string_view command,
                                       const json::object& request,
                                       std::chrono::seconds patience) {
    const auto socket = arguments.value("--socket");
    return ask_daemon(socket ? *socket : installed_socket(), command, request, patience);
}

ExitCode refuse(const ControlError& error, const Terminal& terminal) {
    if (terminal.json) {
        json::object object{
            {"format", 1                                            },
            {"error",
             {{"kind", json::string(to_string(error.fault))},
              {"message", json::string(escape_json(error.message))}}}
        };
        if (error.fault == ControlFault::config)
            object["mistakes"] = mistakes_json(error.diagnostics);
        terminal.write(json::serialize(object) + '\n');
    }
    terminal.complain(escape_terminal(error.message));
    if (!error.diagnostics.empty())
        std::fputs(to_string(error.diagnostics).c_str(), terminal.err());
    return static_cast<ExitCode>(exit_code(error.fault));
}

void copy_text(const Arguments& arguments,
               std::string_view from,
               json::object& request,
               std::string_view to) {
    if (const auto value = arguments.value(from)) request[to] = escape_json(*value);
}

bool copy_limit(const Arguments& arguments, json::object& request, const Terminal& terminal) {
    const auto text = arguments.value("--limit");
    if (!text) return true;
    std::uint32_t limit = 0;
    const auto* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, limit);
    if (parsed.ec != std::errc() || parsed.ptr != end || limit == 0 || limit > 100'000) {
        terminal.complain("--limit takes a number from 1 to 100000");
        return false;
    }
    request["limit"] = limit;
    return true;
}

json::array mistakes_json(const Diagnostics& mistakes) {
    json::array list;
    for (const auto& mistake : mistakes)
        list.push_back({
            {"file",    json_text(mistake.file)   },
            {"line",    mistake.position.line     },
            {"column",  mistake.position.column   },
            {"message", json_text(mistake.message)}
        });
    return list;
}

json::array oldest_first(const json::object& result, std::string_view key) {
    const auto* list = result.if_contains(key);
    if (list == nullptr || !list->is_array()) return {};
    json::array array = list->get_array();
    std::reverse(array.begin(), array.end());
    return array;
}

} // namespace ikefrag::ctl
