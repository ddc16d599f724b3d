// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/diagnostics.hpp"
#include "daemon/ctl/check.hpp"
#include "daemon/ctl/command.hpp"
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/escape.hpp"

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

namespace ikefrag::ctl {

bool Arguments::has(std::string_view name) const { return values.find(name) != values.end(); }

std::optional<std::string> Arguments::value(std::string_view name) const {
    const auto found = values.find(name);
    if (found == values.end() || found->second.empty()) return std::nullopt;
    return found->second.back();
}

std::vector<std::string> Arguments::all(std::string_view name) const {
    const auto found = values.find(name);
    return found == values.end() ? std::vector<std::string>{} : found->second;
}

std::string_view to_string(Needs needs) noexcept {
    switch (needs) {
    case Needs::nothing: return "nothing";
    case Needs::daemon: return "a running daemon";
    case Needs::daemon_or_capture: return "a running daemon or a capture";
    case Needs::root: return "root";
    }
    return "";
}

namespace {

/// What CLI11 fills in: stable addresses, one slot for each declared name.
struct Slots {
    std::map<std::string, std::vector<std::string>, std::less<>> texts;
    std::map<std::string, bool, std::less<>> flags;

    [[nodiscard]] Arguments arguments() const {
        Arguments arguments;
        for (const auto& [name, values] : texts)
            if (!values.empty()) arguments.values[name] = values;
        for (const auto& [name, set] : flags)
            if (set) arguments.values[name] = {};
        return arguments;
    }
};

void declare(CLI::App& app, Slots& slots, const Option& option) {
    std::string names(option.name);
    if (option.name == "--json") names = "-j,--json";
    if (option.name == "--quiet") names = "-q,--quiet";
    if (option.name == "--output") names = "-o,--output";
    const std::string key(option.name);
    const std::string help(option.help);
    if (option.value.empty()) {
        app.add_flag(names, slots.flags[key], help);
        return;
    }
    app.add_option(names, slots.texts[key], help)
        ->type_name(std::string(option.value))
        ->expected(1) // each time it is given: help shows no "FILE ..."
        ->allow_extra_args(false)
        ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void declare(CLI::App& app, Slots& slots, const Positional& positional) {
    const std::string key(positional.name);
    auto* option = app.add_option(key, slots.texts[key], std::string(positional.help));
    option->type_name("")->option_text(" ");
    if (positional.many)
        option->expected(positional.required ? 1 : 0, CLI::detail::expected_max_vector_size);
    else
        option->expected(positional.required ? 1 : 0, 1);
    if (positional.required) option->required();
}

/// The parser of one command, beneath `root`: "rules check" is `check` in `rules`.
CLI::App& place_of(CLI::App& root, const Command& command) {
    const auto space = command.name.find(' ');
    if (space == std::string_view::npos) {
        auto* app = root.add_subcommand(std::string(command.name), std::string(command.help));
        app->require_subcommand(0, 1);
        return *app;
    }
    const std::string group(command.name.substr(0, space));
    const auto found =
        root.get_subcommands([&](CLI::App* app) { return app->get_name() == group; });
    CLI::App* parent = found.empty() ? nullptr : found.front();
    if (parent == nullptr) {
        parent = root.add_subcommand(group);
        parent->require_subcommand(0, 1);
        parent->fallthrough();
    }
    return *parent->add_subcommand(std::string(command.name.substr(space + 1)),
                                   std::string(command.help));
}

bool wants_colour(const Terminal& terminal, const Arguments& arguments) {
    const char* no_colour = std::getenv("NO_COLOR");
    return !terminal.json && !arguments.has("--no-color") &&
           (no_colour == nullptr || *no_colour == '\0') && isatty(fileno(terminal.out())) != 0;
}

ExitCode run(const Command& command, const Arguments& arguments, Terminal& terminal) {
    terminal.json = arguments.has("--json");
    terminal.quiet = arguments.has("--quiet");
    terminal.colour = wants_colour(terminal, arguments);
    const ExitCode code = command.run(arguments, terminal);
    if (terminal.flush()) return code;
    terminal.complain("the output could not be written");
    return code == ExitCode::ok ? ExitCode::failure : code;
}

/// The parser that was chosen last: of "rules check" that of `check`; the root where none was.
const CLI::App& chosen_of(const CLI::App& root) {
    const auto* app = &root;
    while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
    return *app;
}

/// "rules check"; empty for the root.
std::string name_of(const CLI::App& app) {
    if (app.get_parent() == nullptr) return {};
    auto name = name_of(*app.get_parent());
    return name.empty() ? app.get_name() : name + ' ' + app.get_name();
}

/// "`ikefragctl rules --help` lists them"
std::string help_lists(std::string_view name) {
    return "`ikefragctl " + std::string(name) + (name.empty() ? "" : " ") + "--help` lists them";
}

/// The words that may follow a command's first ones; of the empty name: first words.
std::vector<std::string_view> next_words(std::string_view name) {
    std::vector<std::string_view> words;
    for (const auto* command : commands()) {
        auto rest = command->name;
        if (!name.empty()) {
            if (!rest.starts_with(name) || rest.substr(name.size(), 1) != " ") continue;
            rest.remove_prefix(name.size() + 1);
        }
        words.push_back(rest.substr(0, rest.find(' ')));
    }
    return words;
}

/// "did you mean X?" where a word is near, else how to see all.
std::string advice(const std::string& word,
                   const std::vector<std::string_view>& words,
                   std::string_view name,
                   const std::string& before) {
    const auto nearest = nearest_word(word, words);
    return nearest.empty() ? help_lists(name)
                           : "did you mean " + before + std::string(nearest) + '?';
}

/// A row of the command's own, or of those all commands have; null: none of that name.
const Option* find_option(const Command* command, std::string_view name) {
    const auto is_it = [&](const Option& option) { return option.name == name; };
    for (const auto& options :
         {command == nullptr ? std::span<const Option>() : command->options, common_options()})
        if (const auto found = std::ranges::find_if(options, is_it); found != options.end())
            return &*found;
    return nullptr;
}

/// What to say of the first word that nobody takes.
std::string unexpected(const std::string& word, const Command* command, const std::string& name) {
    const auto quoted = '\'' + escape_terminal(word) + '\'';
    if (word.starts_with('-')) {
        std::vector<std::string_view> options;
        if (command != nullptr)
            for (const auto& option : command->options) options.push_back(option.name);
        for (const auto& option : common_options()) options.push_back(option.name);
        return "there is no option " + quoted + "; " + advice(word, options, name, "");
    }
    const auto words = next_words(name);
    if (words.empty())
        return quoted + " is a word too many; `ikefragctl " + name + " --help` tells what it takes";
    const auto before = name.empty() ? name : name + ' ';
    return "there is no command '" + before + quoted.substr(1) + "; " +
           advice(word, words, name, before);
}

/// A mistake of the command line in words: the parser's own are for programmers.
std::string words_of(const CLI::ParseError& mistake, const CLI::App& root) {
    const auto name = name_of(chosen_of(root));
    const auto found = std::ranges::find(commands(), name, &Command::name);
    const Command* command = found == commands().end() ? nullptr : *found;
    if (dynamic_cast<const CLI::ExtrasError*>(&mistake) != nullptr)
        if (const auto left = root.remaining(true); !left.empty())
            return unexpected(left.front(), command, name);
    const std::string text = mistake.what();
    const auto subject = text.substr(0, text.find_first_of(": "));
    if (dynamic_cast<const CLI::ArgumentMismatch*>(&mistake) != nullptr) {
        const auto* option = find_option(command, subject);
        return option == nullptr ? name + " takes one " + subject
                                 : subject + ": " + std::string(option->value) + " is missing";
    }
    if (dynamic_cast<const CLI::RequiredError*>(&mistake) != nullptr && command != nullptr)
        for (const auto& positional : command->positionals)
            if (positional.name == subject)
                return name + ": " + subject + " is missing: " + std::string(positional.help);
    return escape_terminal(text);
}

/// One command's parser and what it fills in.
struct Parsed {
    const Command* command;
    CLI::App* app;
    std::unique_ptr<Slots> slots;
};

} // namespace

int run_command_line(const std::vector<std::string>& arguments, std::FILE* out, std::FILE* err) {
    Terminal terminal(out, err);
    CLI::App root("Tells what ikefragd sees and did, live or from a capture; see ikefragctl(8).",
                  "ikefragctl");
    root.require_subcommand(0, 1);
    root.fallthrough();
    root.set_version_flag("--version", "ikefragctl " IKEFRAG_VERSION);
    Slots common;
    for (const auto& option : common_options()) declare(root, common, option);
    std::vector<Parsed> parsed;
    for (const Command* row : commands()) {
        const Command& command = *row;
        CLI::App& app = place_of(root, command);
        app.fallthrough();
        app.footer("Needs " + std::string(to_string(command.needs)) +
                   ". As every command it takes --json, --no-color, --quiet and --socket PATH.");
        auto slots = std::make_unique<Slots>();
        for (const auto& positional : command.positionals) declare(app, *slots, positional);
        for (const auto& option : command.options) declare(app, *slots, option);
        parsed.push_back({&command, &app, std::move(slots)});
    }
    try {
        std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());
        root.parse(std::move(reversed));
        for (auto& [command, app, slots] : parsed) {
            if (!app->parsed() || !app->get_subcommands().empty()) continue;
            Arguments all = slots->arguments();
            for (auto& [name, values] : common.arguments().values) all.values[name] = values;
            return static_cast<int>(run(*command, all, terminal));
        }
        // No command, or only the first word of one.
        terminal.complain("a command is missing; " + help_lists(name_of(chosen_of(root))));
        return static_cast<int>(ExitCode::usage);
    } catch (const CLI::Success& success) {
        terminal.write(dynamic_cast<const CLI::CallForVersion*>(&success) != nullptr
                           ? std::string(success.what()) + '\n'
                           : root.help()); // of the command chosen, under its whole name
        return static_cast<int>(terminal.flush() ? ExitCode::ok : ExitCode::failure);
    } catch (const CLI::ParseError& mistake) {
        const auto chosen = root.get_subcommands();
        if (!chosen.empty() && chosen.front()->get_name() == check_command.name) {
            // Monitoring takes 2 for "critical": a mistake on its command line is "unknown".
            Health health;
            health.state = State::unknown;
            health.remarks.push_back(words_of(mistake, root));
            terminal.write(line_of(health) + '\n');
            (void)terminal.flush();
            return static_cast<int>(health.state);
        }
        terminal.complain(words_of(mistake, root));
        return static_cast<int>(ExitCode::usage);
    } catch (const std::system_error& error) {
        terminal.complain(escape_terminal(error.what()));
        const bool denied = error.code() == std::errc::permission_denied ||
                            error.code() == std::errc::operation_not_permitted;
        return static_cast<int>(denied ? ExitCode::permission : ExitCode::failure);
    } catch (const std::exception& error) {
        terminal.complain(escape_terminal(error.what()));
        return static_cast<int>(ExitCode::failure);
    }
}

} // namespace ikefrag::ctl
