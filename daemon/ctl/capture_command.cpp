// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"
#include "daemon/escape.hpp"
#include "daemon/file_output.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <optional>
#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

std::string describe(const json::object& result) {
    const auto* enabled = result.if_contains("enabled");
    if (enabled == nullptr || *enabled != json::value(true))
        return "switched off: `ikefragctl capture on`, or enabled = true in [capture]\n";
    return "switched on: " + counted(result, "ring_packets", "packet") + " kept since " +
           shown_time(result, "oldest_packet") + ", " + counted(result, "files_written", "file") +
           " written\n";
}

ExitCode show(const Arguments& arguments, std::string_view action, const Terminal& terminal) {
    const auto result = ask(arguments,
                            "capture",
                            {
                                {"action", action}
    });
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json) {
        terminal.write(json::serialize(*result) + '\n');
        return ExitCode::ok;
    }
    terminal.say(describe(*result));
    if (action != "list") return ExitCode::ok;
    TextTable table({"time", "client", "diagnosis", "octets", "name"});
    const auto captures = oldest_first(*result, "captures");
    for (const auto& row : captures)
        if (const auto* capture = row.if_object())
            table.add({shown_time(*capture, "time"),
                       shown(*capture, "client"),
                       shown(*capture, "diagnosis"),
                       shown(*capture, "bytes"),
                       shown(*capture, "name")});
    if (!captures.empty())
        terminal.say(table.text() + "in " + shown(*result, "folder") +
                     "; fetch one: ikefragctl capture get NAME\n");
    return ExitCode::ok;
}

ExitCode list(const Arguments& arguments, Terminal& terminal) {
    return show(arguments, "list", terminal);
}
ExitCode switch_on(const Arguments& arguments, Terminal& terminal) {
    return show(arguments, "on", terminal);
}
ExitCode switch_off(const Arguments& arguments, Terminal& terminal) {
    return show(arguments, "off", terminal);
}

/// Errors: empty: not an even number of hex digits
std::optional<std::string> from_hex(std::string_view text) {
    std::string bytes;
    if (text.size() % 2 != 0) return std::nullopt;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        unsigned byte = 0;
        const auto* end = text.data() + i + 2;
        if (std::from_chars(text.data() + i, end, byte, 16).ptr != end) return std::nullopt;
        bytes += static_cast<char>(byte);
    }
    return bytes;
}

ExitCode fetch(const Arguments& arguments, const json::object& request, const Terminal& terminal) {
    const auto result = ask(arguments, "capture", request);
    if (!result) return refuse(result.error(), terminal);
    const auto name = shown(*result, "name");
    if (name.find('/') != std::string::npos) {
        terminal.complain("the daemon's answer is no capture");
        return ExitCode::failure;
    }
    const auto path = arguments.value("--output").value_or(name);
    const auto* content = result->if_contains("content");
    const auto bytes =
        content != nullptr && content->is_string() ? from_hex(content->get_string()) : std::nullopt;
    if (!bytes) {
        terminal.complain("the daemon's answer is no capture");
        return ExitCode::failure;
    }
    FileOutput file(path);
    file.write(*bytes);
    file.commit();
    if (terminal.json)
        terminal.write(json::serialize(json::object{
                           {"format", 1                },
                           {"file",   escape_json(path)}
        }) +
                       '\n');
    else
        terminal.say("written: " + escape_terminal(path) + '\n');
    return ExitCode::ok;
}

ExitCode get(const Arguments& arguments, Terminal& terminal) {
    return fetch(arguments,
                 {
                     {"action", "get"                                },
                     {"name",   escape_json(*arguments.value("NAME"))}
    },
                 terminal);
}

ExitCode take(const Arguments& arguments, Terminal& terminal) {
    return fetch(arguments,
                 {
                     {"action", "take"                                 },
                     {"target", escape_json(*arguments.value("TARGET"))}
    },
                 terminal);
}

constexpr Positional take_positionals[] = {
    {"TARGET", "an address or an SPI: its latest attempt"},
};
constexpr Positional get_positionals[] = {
    {"NAME", "as the list shows it"},
};
constexpr Option get_options[] = {
    {"--output", "FILE", "write it here [its name, in the current directory]"},
};

} // namespace

const Command capture_command{
    .name = "capture",
    .needs = Needs::root,
    .help = "List the captures of failed handshakes, all fragments included",
    .positionals = {},
    .options = {},
    .run = list,
};

const Command capture_get_command{
    .name = "capture get",
    .needs = Needs::root,
    .help = "Fetch one as a pcapng file, for Wireshark or ikefragctl replay",
    .positionals = get_positionals,
    .options = get_options,
    .run = get,
};

const Command capture_take_command{
    .name = "capture take",
    .needs = Needs::root,
    .help = "Fetch what is kept of the latest attempt now, failed or not",
    .positionals = take_positionals,
    .options = get_options,
    .run = take,
};

const Command capture_on_command{
    .name = "capture on",
    .needs = Needs::root,
    .help = "Keep packets and capture failed handshakes, until the next restart or reload",
    .positionals = {},
    .options = {},
    .run = switch_on,
};

const Command capture_off_command{
    .name = "capture off",
    .needs = Needs::root,
    .help = "Keep no packets, until the next restart or reload; files stay",
    .positionals = {},
    .options = {},
    .run = switch_off,
};

} // namespace ikefrag::ctl
