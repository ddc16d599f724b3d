// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/offline.hpp"

#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "daemon/config/vendor_files.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"
#include "daemon/sandbox/privileges.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace ikefrag::ctl {

namespace {

ExitCode refuse(const Diagnostics& mistakes, const Terminal& terminal) {
    std::fputs(to_string(mistakes).c_str(), terminal.err());
    return ExitCode::invalid;
}

/// rules.d beside a configuration file; empty where there is none.
std::string rules_beside(const std::string& config) {
    const auto slash = config.rfind('/');
    auto path = (slash == std::string::npos ? "." : config.substr(0, slash)) + "/rules.d";
    if (::access(path.c_str(), F_OK) != 0) path.clear();
    return path;
}

/// In: config and rules: paths to take, where they are given
std::variant<ReplayOptions, ExitCode> choose(const Arguments& arguments,
                                             const Terminal& terminal,
                                             const std::optional<std::string>& config_path,
                                             const std::optional<std::string>& rules_path) {
    const auto mode_word = arguments.value("--mode");
    const auto mode = mode_word ? parse_word<Mode>(*mode_word) : std::optional<Mode>();
    if (mode_word && !mode) {
        terminal.complain("--mode " + escape_terminal(*mode_word) +
                          " is none of observe, guard, exclusive");
        return ExitCode::usage;
    }
    ReplayOptions options;
    options.vendor_ids = default_vendor_ids();
    TextFile config{"built-in", "mode = \"exclusive\"\n"};
    if (config_path) {
        auto read = read_config_file(*config_path, Ownership::lenient);
        if (!read) return refuse(read.error(), terminal);
        config = *std::move(read);
        auto vendor_ids = read_vendor_ids(*config_path, Ownership::lenient);
        if (!vendor_ids) return refuse(vendor_ids.error(), terminal);
        options.vendor_ids = *std::move(vendor_ids);
    }
    std::vector<TextFile> rules{shipped_rule_file()};
    if (rules_path) {
        auto read = read_rule_files(*rules_path, Ownership::lenient);
        if (!read) return refuse(read.error(), terminal);
        rules = *std::move(read);
    }
    auto parsed = parse_config(config, rules);
    if (!parsed) return refuse(parsed.error(), terminal);
    options.policy = parsed->policy;
    if (mode) {
        auto policy = std::make_shared<Policy>(*parsed->policy);
        policy->mode = *mode;
        options.policy = std::move(policy);
    }
    return options;
}

} // namespace

std::variant<ReplayOptions, ExitCode> choose_options(const Arguments& arguments,
                                                     const Terminal& terminal) {
    return choose(arguments, terminal, arguments.value("--config"), arguments.value("--rules"));
}

std::optional<std::string> config_in_use(const Arguments& arguments) {
    auto path = arguments.value("--config");
    if (!path && ::access(installed_config, R_OK) == 0) path = installed_config;
    return path;
}

std::variant<ReplayOptions, ExitCode> choose_options_in_use(const Arguments& arguments,
                                                            const Terminal& terminal,
                                                            std::string& rules_from) {
    const auto config = config_in_use(arguments);
    auto rules = arguments.value("--rules");
    if (!rules && config)
        if (auto beside = rules_beside(*config); !beside.empty()) rules = std::move(beside);
    rules_from = rules.value_or("00-default.toml, as shipped");
    return choose(arguments, terminal, config, rules);
}

std::vector<OpenedCapture> open_captures(const std::vector<std::string>& names,
                                         const Terminal& terminal,
                                         std::size_t& failed) {
    std::vector<OpenedCapture> opened;
    for (const auto& name : names) {
        const int descriptor = name == "-" ? ::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3)
                                           : ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (descriptor >= 0) {
            opened.push_back({name, descriptor});
            continue;
        }
        terminal.complain(escape_terminal(name) + ": " + std::strerror(errno));
        ++failed;
    }
    give_up_all_privileges();
    return opened;
}

std::unique_ptr<Replay> replay_capture(const OpenedCapture& capture,
                                       const ReplayOptions& options_of_replay,
                                       const Terminal& terminal) {
    auto reader = CaptureReader::open(capture.descriptor);
    if (!reader) {
        terminal.complain(escape_terminal(capture.name) + ": " + reader.error().text);
        return nullptr;
    }
    auto replay = std::make_unique<Replay>(options_of_replay);
    replay->run(*reader);
    if (replay->facts().truncated)
        terminal.complain(escape_terminal(capture.name) + ": truncated or damaged after record " +
                          std::to_string(replay->facts().packets) + "; what was readable is given");
    return replay;
}

} // namespace ikefrag::ctl
