// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// ikefragctl's commands are rows of a table: help, manual and completion come from it.
namespace ikefrag::ctl {

class Terminal;

/// What ikefragctl returns (DESIGN §6). `check` alone uses Nagios' 0, 1, 2, 3.
enum class ExitCode : int {
    ok = 0,
    failure = 1, ///< or a finding in doctor, probe, rules test
    usage = 2,
    no_daemon = 3,
    invalid = 4, ///< config or rules
    permission = 5,
};

/// What must be there for a command to work.
enum class Needs : std::uint8_t { nothing, daemon, daemon_or_capture, root };
[[nodiscard]] std::string_view to_string(Needs needs) noexcept;

struct Option {
    std::string_view name;  ///< "--capture"
    std::string_view value; ///< "FILE"; empty: a flag
    std::string_view help;
};

struct Positional {
    std::string_view name; ///< "CAPTURE"
    std::string_view help;
    bool required = true;
    bool many = false; ///< takes all that follow
};

/// A parsed command line.
class Arguments {
public:
    std::map<std::string, std::vector<std::string>, std::less<>> values; ///< by name as declared

    [[nodiscard]] bool has(std::string_view name) const;
    /// The last value given; empty where none was.
    [[nodiscard]] std::optional<std::string> value(std::string_view name) const;
    [[nodiscard]] std::vector<std::string> all(std::string_view name) const;
};

struct Command {
    std::string_view name; ///< one word, or two: "rules check"
    Needs needs = Needs::nothing;
    std::string_view help; ///< one line, present tense
    std::span<const Positional> positionals;
    std::span<const Option> options;
    ExitCode (*run)(const Arguments& arguments, Terminal& terminal);
};

/// Every command, in the order help shows them.
[[nodiscard]] std::span<const Command* const> commands() noexcept;
/// Options every command takes.
[[nodiscard]] std::span<const Option> common_options() noexcept;

/// Parses a command line and runs the command. In: without the program's name
/// Out: the process's exit code; messages are on the terminal
int run_command_line(const std::vector<std::string>& arguments, std::FILE* out, std::FILE* err);

} // namespace ikefrag::ctl
