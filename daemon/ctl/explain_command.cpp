// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/offline.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/explain/explain.hpp"

#include <boost/json.hpp>

#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

constexpr std::size_t max_attempts = 3;

ExitCode from_capture(const Arguments& arguments, const ExplainTarget& target, Terminal& terminal) {
    const auto chosen = choose_options(arguments, terminal);
    if (const auto* code = std::get_if<ExitCode>(&chosen)) return *code;
    const auto& judged = std::get<ReplayOptions>(chosen);
    std::size_t failed = 0;
    const auto captures = open_captures(arguments.all("--capture"), terminal, failed);
    std::vector<Attempt> attempts;
    for (const auto& capture : captures) {
        const auto replay = replay_capture(capture, judged, terminal);
        if (!replay) {
            ++failed;
            continue;
        }
        for (auto& attempt : find_attempts(replay->tracker(), *judged.policy, target, max_attempts))
            attempts.push_back(std::move(attempt));
    }
    if (attempts.empty()) {
        if (failed == 0)
            terminal.complain("no handshake of " + escape_terminal(*arguments.value("TARGET")) +
                              " in the capture");
        return ExitCode::failure;
    }
    const ExplainOptions options{.colour = terminal.colour, .mask = arguments.has("--mask")};
    if (terminal.json)
        terminal.write(explain_json(attempts, options) + '\n');
    else
        terminal.write(explain_text(attempts, options));
    return failed == 0 ? ExitCode::ok : ExitCode::failure;
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const std::string text = *arguments.value("TARGET");
    const auto target = parse_explain_target(text);
    if (!target) {
        terminal.complain('\'' + escape_terminal(text) +
                          "' is neither an IP address nor an SPI (16 hex digits)");
        return ExitCode::usage;
    }
    if (arguments.has("--capture")) return from_capture(arguments, *target, terminal);
    json::object request{
        {"target", text                           },
        {"form",   terminal.json ? "json" : "text"}
    };
    if (terminal.colour) request["colour"] = true;
    if (arguments.has("--mask")) request["mask"] = true;
    const auto result = ask(arguments, "explain", request);
    if (!result) return refuse(result.error(), terminal);
    if (terminal.json)
        terminal.write(json::serialize(*result) + '\n');
    else if (const auto* story = result->if_contains("text");
             story != nullptr && story->is_string())
        terminal.write(story->get_string());
    return ExitCode::ok;
}

constexpr Positional positionals[] = {
    {"TARGET", "a client's or server's address, or an initiator SPI"},
};
constexpr Option options[] = {
    {"--capture", "FILE", "explain from a capture instead of the running daemon; may be repeated"},
    {"--mask",    "",     "shorten client addresses"                                             },
    mode_option,
    config_option,
    rules_option,
};

} // namespace

const Command explain_command{
    .name = "explain",
    .needs = Needs::daemon_or_capture,
    .help = "Tell the story of the latest attempts: what was lost where, who must act",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
