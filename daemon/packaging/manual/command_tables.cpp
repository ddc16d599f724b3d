// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/packaging/manual/command_tables.hpp"

#include "daemon/ctl/command.hpp"
#include "daemon/packaging/manual/roff.hpp"

namespace ikefrag::manual {
namespace {

std::string option_item(const ctl::Option& option) {
    std::string text = ".TP\n.B " + roff_text(option.name);
    if (!option.value.empty()) text += " \\fI" + roff_text(option.value) + "\\fR";
    return text + '\n' + roff_text(option.help) + '\n';
}

std::string positional_word(const ctl::Positional& positional) {
    std::string word = "\\fI" + roff_text(positional.name) + "\\fR";
    if (positional.many) word += "...";
    return positional.required ? word : '[' + word + ']';
}

} // namespace

std::string common_options() {
    std::string text;
    for (const auto& option : ctl::common_options()) text += option_item(option);
    return text;
}

std::string commands() {
    std::string text;
    for (const ctl::Command* command : ctl::commands()) {
        text +=
            ".SS " + roff_argument(command->name) + "\n.B ikefragctl " + roff_text(command->name);
        text += '\n';
        if (!command->options.empty()) text += "[options]\n";
        for (const auto& positional : command->positionals)
            text += positional_word(positional) + '\n';
        text += ".PP\n" + roff_text(command->help) + ".\nNeeds " +
                roff_text(to_string(command->needs)) + ".\n";
        for (const auto& positional : command->positionals)
            text +=
                ".TP\n.I " + roff_text(positional.name) + '\n' + roff_text(positional.help) + '\n';
        for (const auto& option : command->options) text += option_item(option);
    }
    return text;
}

namespace {

/// A line of the completion script: what a name of the table offers.
std::string completion_entry(std::string_view name, std::string_view words) {
    return "    ['" + std::string(name) + "']='" + std::string(words) + "'\n";
}

} // namespace

std::string completion() {
    std::string names;
    std::string options;
    std::string values;
    std::string positionals;
    std::string common;
    const auto value_of = [&values](std::string_view command, const ctl::Option& option) {
        if (option.value.empty()) return;
        values +=
            completion_entry(std::string(command) + ' ' + std::string(option.name), option.value);
    };
    for (const auto& option : ctl::common_options()) {
        common += std::string(option.name) + ' ';
        value_of("", option);
    }
    for (const ctl::Command* command : ctl::commands()) {
        names += completion_entry(command->name, "");
        std::string words;
        for (const auto& option : command->options) {
            words += std::string(option.name) + ' ';
            value_of(command->name, option);
        }
        options += completion_entry(command->name, words + common + "--help");
        if (!command->positionals.empty())
            positionals += completion_entry(command->name, command->positionals.front().name);
    }
    return "declare -gA _ikefragctl_commands=(\n" + names + ")\n" +
           "declare -gA _ikefragctl_options=(\n" + options + ")\n" +
           "declare -gA _ikefragctl_values=(\n" + values + ")\n" +
           "declare -gA _ikefragctl_positionals=(\n" + positionals + ")\n";
}

} // namespace ikefrag::manual
