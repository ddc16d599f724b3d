// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/doctor/doctor.hpp"

#include <boost/json.hpp>

#include <string>

namespace ikefrag::ctl {
namespace {

std::string mark_of(const Terminal& terminal, Standing standing) {
    switch (standing) {
    case Standing::good: return terminal.paint(Colour::green, "good   ");
    case Standing::note: return terminal.paint(Colour::dim, "note   ");
    case Standing::warning: return terminal.paint(Colour::yellow, "warning");
    case Standing::wrong: return terminal.paint(Colour::red, "wrong  ");
    }
    return {};
}

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    const auto rows = examine(
        gather_host_facts(arguments.value("--config").value_or("/etc/ikefragd/ikefragd.toml"),
                          arguments.value("--socket").value_or("")));
    if (terminal.json) {
        terminal.write(boost::json::serialize(to_json(rows)) + '\n');
    } else {
        for (const auto& row : rows) {
            terminal.say(mark_of(terminal, row.standing) + "  " +
                         terminal.paint(Colour::bold, row.check) + ": " + row.found + '\n');
            if (!row.fix.empty()) terminal.say("         fix: " + row.fix + '\n');
        }
    }
    return has_finding(rows) ? ExitCode::failure : ExitCode::ok;
}

constexpr Option options[] = {
    {"--config", "FILE", "the configuration to look at (default /etc/ikefragd/ikefragd.toml)"},
};

} // namespace

const Command doctor_command{
    .name = "doctor",
    .needs = Needs::root,
    .help = "Examine this host: what stands in the way of IKE's fragments, and the fix",
    .positionals = {},
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
