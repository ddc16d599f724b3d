// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/clock.hpp"
#include "daemon/ctl/check.hpp"
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/timestamp.hpp"

#include <boost/json.hpp>

#include <charconv>
#include <optional>
#include <string>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

std::optional<unsigned>
number_option(const Arguments& arguments, std::string_view name, unsigned otherwise, unsigned max) {
    const auto text = arguments.value(name);
    if (!text) return otherwise;
    unsigned number = 0;
    const auto* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number > max) return std::nullopt;
    return number;
}

/// The answer is one line whatever happens, on standard output: monitoring reads nothing else.
ExitCode tell(const Health& health, const Terminal& terminal) {
    if (terminal.json)
        terminal.write(json::serialize(to_json(health)) + '\n');
    else
        terminal.write(line_of(health) + '\n');
    return static_cast<ExitCode>(static_cast<int>(health.state));
}

ExitCode trouble(State state, const std::string& text, const Terminal& terminal) {
    Health health;
    health.state = state;
    health.remarks.push_back(escape_terminal(text));
    return tell(health, terminal);
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const auto warning = number_option(arguments, "--warning", 20, 100);
    const auto critical = number_option(arguments, "--critical", 50, 100);
    const auto minutes = number_option(arguments, "--minutes", 15, 100'000);
    const auto least = number_option(arguments, "--least", 5, 100'000);
    if (!warning || !critical || !minutes || !least)
        return trouble(State::unknown, "an option's value is no number in its range", terminal);
    const auto no_answer = [&](const ControlError& error) {
        const bool gone =
            error.fault == ControlFault::not_running || error.fault == ControlFault::silent;
        return trouble(gone ? State::critical : State::unknown, error.message, terminal);
    };
    const auto status = ask(arguments, "status", {}, short_control_patience);
    if (!status) return no_answer(status.error());
    json::object request{
        {"limit", 10'000}
    };
    copy_text(arguments, "--server", request, "server");
    const auto handshakes = ask(arguments, "handshakes", request, short_control_patience);
    if (!handshakes) return no_answer(handshakes.error());
    const HealthLimits limits{.warning_percent = *warning,
                              .critical_percent = *critical,
                              .least = *least,
                              .since = rfc3339(Clock().now() - std::chrono::minutes(*minutes)),
                              .minutes = *minutes};
    return tell(judge(*status, oldest_first(*handshakes, "handshakes"), limits), terminal);
}

constexpr Option options[] = {
    {"--warning",  "PERCENT", "warn from this share of failed handshakes on (20)"},
    {"--critical", "PERCENT", "critical from this share on (50)"                 },
    {"--minutes",  "N",       "look at handshakes of the last N minutes (15)"    },
    {"--least",    "N",       "judge the share from N ended handshakes on (5)"   },
    {"--server",   "NAME",    "only handshakes with this configured server"      },
};

} // namespace

const Command check_command{
    .name = "check",
    .needs = Needs::daemon,
    .help = "Answer a monitoring system: one line, exit code 0, 1, 2 or 3 as Nagios has it",
    .positionals = {},
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
