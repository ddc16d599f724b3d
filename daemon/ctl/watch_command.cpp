// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/live.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/watch_screen.hpp"

#include <boost/json.hpp>
#include <sys/ioctl.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <thread>

namespace ikefrag::ctl {

namespace {

constexpr std::uint32_t rows_asked = 100;

std::optional<unsigned> positive(const std::optional<std::string>& text, unsigned otherwise) {
    if (!text) return otherwise;
    unsigned number = 0;
    const auto* end = text->data() + text->size();
    const auto parsed = std::from_chars(text->data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number == 0 || number > 3600)
        return std::nullopt;
    return number;
}

/// All that one look needs; or why there is none.
Result<Look, ControlError> look(const Arguments& arguments) {
    auto status = ask(arguments, "status", {});
    if (!status) return fail(status.error());
    auto handshakes = ask(arguments,
                          "handshakes",
                          {
                              {"limit", rows_asked}
    });
    if (!handshakes) return fail(handshakes.error());
    auto diagnoses = ask(arguments,
                         "diagnoses",
                         {
                             {"limit", rows_asked},
                             {"kind",  "failure" }
    });
    if (!diagnoses) return fail(diagnoses.error());
    Look look;
    look.handshakes = oldest_first(*handshakes, "handshakes");
    look.failures = oldest_first(*diagnoses, "diagnoses");
    look.status = *std::move(status);
    return look;
}

ScreenSize screen_size(const Terminal& terminal) {
    winsize size{};
    if (::ioctl(fileno(terminal.out()), TIOCGWINSZ, &size) != 0 || size.ws_row == 0) return {};
    return {size.ws_row, size.ws_col};
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const auto interval = positive(arguments.value("--interval"), 2);
    const auto count = positive(arguments.value("--count"), 0);
    if (!interval || !count) {
        terminal.complain("--interval and --count take a number from 1 to 3600");
        return ExitCode::usage;
    }
    const bool screen = ::isatty(fileno(terminal.out())) != 0 && !terminal.json;
    std::optional<Look> before;
    for (unsigned round = 0; *count == 0 || round < *count; ++round) {
        if (round != 0) std::this_thread::sleep_for(std::chrono::seconds(*interval));
        auto seen = look(arguments);
        // A daemon that restarts comes back; one that was never there does not.
        if (!seen && (!screen || !before)) return refuse(seen.error(), terminal);
        if (!seen) {
            terminal.write(clear_screen() + "ikefragd: " + seen.error().message + '\n');
        } else {
            if (terminal.json)
                terminal.write(look_json(*seen) + '\n');
            else if (screen)
                terminal.write(clear_screen() + draw(*seen,
                                                     before ? &*before : nullptr,
                                                     *interval,
                                                     screen_size(terminal),
                                                     terminal));
            else
                terminal.write(look_line(*seen) + '\n');
            before = *std::move(seen);
        }
        if (!terminal.flush()) return ExitCode::failure;
    }
    return ExitCode::ok;
}

constexpr Option options[] = {
    {"--interval", "SECONDS", "look so often (2)"                      },
    {"--count",    "N",       "look so many times, then end (for ever)"},
};

} // namespace

const Command watch_command{
    .name = "watch",
    .needs = Needs::daemon,
    .help = "Follow the daemon, refreshed like top; one line a look when not on a terminal",
    .positionals = {},
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
