// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/clock.hpp"
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/offline.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/file_output.hpp"
#include "daemon/report/report.hpp"
#include "daemon/timestamp.hpp"

#include <boost/json.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <exception>
#include <optional>
#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// "24h", "30m", "7d", "90s" or bare seconds. Errors: empty; more than ten years
std::optional<std::uint64_t> parse_seconds(std::string_view text) {
    std::uint64_t number = 0;
    const auto* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || number > 315'360'000) return std::nullopt;
    const std::string_view unit(parsed.ptr, static_cast<std::size_t>(end - parsed.ptr));
    std::uint64_t factor = 0;
    if (unit.empty() || unit == "s") factor = 1;
    if (unit == "m") factor = 60;
    if (unit == "h") factor = 3600;
    if (unit == "d") factor = 86'400;
    if (factor == 0 || number * factor > 315'360'000) return std::nullopt;
    return number * factor;
}

void add(const Replay& replay, ReportInput& input, const Arguments& arguments) {
    const Tracker& tracker = replay.tracker();
    std::optional<TimePoint> since;
    if (const auto age = arguments.value("--since"); age && replay.facts().last_time)
        since = *replay.facts().last_time - std::chrono::seconds(*parse_seconds(*age));
    for (auto& attempt : collect_attempts(
             tracker, replay.policy(), since, arguments.value("--server").value_or("")))
        input.attempts.push_back(std::move(attempt));
    tracker.for_each_finding([&](const Finding& finding) {
        if (finding.handshake == 0 && !finding.withdrawn) input.other_findings.push_back(finding);
    });
    tracker.for_each_peer([&](const Peer& peer) { input.peers.push_back(peer); });
}

/// Reads the captures and writes the page; runs without privileges.
ExitCode render(const Arguments& arguments,
                const ReplayOptions& options,
                const Terminal& terminal,
                FileOutput& file) {
    std::size_t failed = 0;
    ReportInput input;
    input.made = Clock().now();
    input.mask = arguments.has("--mask");
    if (const auto age = arguments.value("--since")) input.range = "the last " + *age;
    for (const auto& capture : open_captures(arguments.all("--capture"), terminal, failed)) {
        const auto replay = replay_capture(capture, options, terminal);
        if (!replay) {
            ++failed;
            continue;
        }
        input.source += (input.source.empty() ? "capture " : ", ") + capture.name;
        add(*replay, input, arguments);
    }
    if (failed != 0) return ExitCode::failure;
    file.write(render_report(input));
    return ExitCode::ok;
}

/// The page is made by a child without privileges; this process only gives the file its name.
ExitCode from_capture(const Arguments& arguments, const Terminal& terminal, FileOutput& file) {
    const auto chosen = choose_options(arguments, terminal);
    if (const auto* code = std::get_if<ExitCode>(&chosen)) return *code;
    const pid_t child = ::fork();
    if (child < 0) {
        terminal.complain("cannot start a process");
        return ExitCode::failure;
    }
    if (child == 0) {
        ExitCode code = ExitCode::failure;
        try {
            code = render(arguments, std::get<ReplayOptions>(chosen), terminal, file);
        } catch (const std::exception& error) {
            terminal.complain(error.what());
        }
        std::fflush(terminal.err());
        ::_exit(static_cast<int>(code));
    }
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) ? static_cast<ExitCode>(WEXITSTATUS(status)) : ExitCode::failure;
}

ExitCode from_daemon(const Arguments& arguments, const Terminal& terminal, FileOutput& file) {
    json::object request;
    copy_text(arguments, "--server", request, "server");
    if (const auto age = arguments.value("--since"))
        request["since_seconds"] = *parse_seconds(*age);
    if (arguments.has("--mask")) request["mask"] = true;
    const auto result = ask(arguments, "report", request);
    if (!result) return refuse(result.error(), terminal);
    const auto* html = result->if_contains("html");
    if (html == nullptr || !html->is_string()) {
        terminal.complain("the daemon's answer is no report");
        return ExitCode::failure;
    }
    file.write(html->get_string());
    return ExitCode::ok;
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const auto path = arguments.value("--output");
    if (!path) {
        terminal.complain("--output FILE is missing");
        return ExitCode::usage;
    }
    if (const auto age = arguments.value("--since"); age && !parse_seconds(*age)) {
        terminal.complain("--since takes a time like 90s, 30m, 24h or 7d");
        return ExitCode::usage;
    }
    FileOutput file(*path);
    const ExitCode code = arguments.has("--capture") ? from_capture(arguments, terminal, file)
                                                     : from_daemon(arguments, terminal, file);
    if (code != ExitCode::ok) return code;
    file.commit();
    if (terminal.json)
        terminal.write(json::serialize(json::object{
                           {"format", 1                 },
                           {"file",   escape_json(*path)}
        }) +
                       '\n');
    else
        terminal.say("written: " + escape_terminal(*path) + '\n');
    return code;
}

constexpr Option options[] = {
    {"--output",  "FILE", "write the page here"                                               },
    {"--capture", "FILE", "report on a capture instead of the running daemon; may be repeated"},
    {"--since",   "TIME", "only attempts of this last time: 90s, 30m, 24h, 7d"                },
    {"--server",  "NAME", "only attempts at this configured server"                           },
    {"--mask",    "",     "shorten client addresses"                                          },
    mode_option,
    config_option,
    rules_option,
};

} // namespace

const Command report_command{
    .name = "report",
    .needs = Needs::daemon_or_capture,
    .help = "Write one HTML page to send to whoever owns the other side",
    .positionals = {},
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
