// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/ctl/command.hpp"
#include "daemon/replay/replay.hpp"

#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

/// What the commands that read captures share.
namespace ikefrag::ctl {

/// The options choose_options() reads.
inline constexpr Option mode_option{
    "--mode", "MODE", "judge in this mode: observe, guard or exclusive (the default)"};
inline constexpr Option config_option{
    "--config", "FILE", "take servers, limits and mode from this ikefragd.toml"};
inline constexpr Option rules_option{
    "--rules", "PATH", "take the rules from this file, or this directory of *.toml"};

/// What a capture is judged by: the shipped rules in mode `exclusive` and the built-in vendor IDs,
/// unless the command line names others (vendor-ids.txt beside the configuration file is read as
/// the daemon reads it). Out: or the exit code, its mistakes told
[[nodiscard]] std::variant<ReplayOptions, ExitCode> choose_options(const Arguments& arguments,
                                                                   const Terminal& terminal);

/// --config, else the installed ikefragd.toml where there is one we may read.
[[nodiscard]] std::optional<std::string> config_in_use(const Arguments& arguments);
/// As choose_options, by config_in_use() and the rules.d beside it where the command line names
/// none. Out: rules_from: where the rules are from, for people
[[nodiscard]] std::variant<ReplayOptions, ExitCode> choose_options_in_use(
    const Arguments& arguments, const Terminal& terminal, std::string& rules_from);

/// An opened capture: read only after give_up_all_privileges().
struct OpenedCapture {
    std::string name;
    int descriptor = -1;
};

/// Opens all captures ("-": standard input), then gives up all privileges.
/// Out: those that could be opened; a failure is told, and counted in `failed`
[[nodiscard]] std::vector<OpenedCapture>
open_captures(const std::vector<std::string>& names, const Terminal& terminal, std::size_t& failed);

/// Runs one capture. Out: null where it is no capture, told on standard error, as is truncation
[[nodiscard]] std::unique_ptr<Replay> replay_capture(const OpenedCapture& capture,
                                                     const ReplayOptions& options,
                                                     const Terminal& terminal);

} // namespace ikefrag::ctl
