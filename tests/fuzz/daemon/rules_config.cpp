// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: every mistake has a place in the text and a sentence without control bytes; what is
// taken is taken again, the same, and with a comment more; one unknown key more and it is not.
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"

#include "tests/fuzz/choices.hpp"

#include <algorithm>
#include <string>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

std::size_t lines_of(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

bool is_plain(std::string_view text) {
    return std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

void check_mistakes(const Diagnostics& diagnostics, const TextFile& config, const TextFile& rules) {
    must(!diagnostics.empty());
    for (const auto& one : diagnostics) {
        must(one.file == config.name || one.file == rules.name);
        const auto& text = one.file == config.name ? config.text : rules.text;
        must(one.position.line <= lines_of(text));
        must(!one.message.empty() && one.message.find('\n') == std::string::npos);
        auto shown = to_string(one);
        must(!shown.empty() && shown.back() == '\n');
        std::replace(shown.begin(), shown.end(), '\n', ' ');
        must(is_plain(shown));
    }
}

std::string with_key(const std::string& text) { return "no_such_key = 1\n" + text; }

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string input(data, data + size);
    // The configuration, a line of "%%", the rules.
    const auto border = input.find("%%\n");
    const TextFile config{"ikefragd.toml", input.substr(0, border)};
    const TextFile rules{"rules.toml", border == std::string::npos ? "" : input.substr(border + 3)};
    const auto parsed = parse_config(config, {&rules, 1});
    if (!parsed) {
        check_mistakes(parsed.error(), config, rules);
        return 0;
    }
    const auto again = parse_config(config, {&rules, 1});
    must(again && again->hash == parsed->hash);
    const TextFile commented{config.name, config.text + "\n# said twice\n"};
    const auto with_comment = parse_config(commented, {&rules, 1});
    must(with_comment && with_comment->hash != parsed->hash);
    must(with_comment->policy->rules.size() == parsed->policy->rules.size() &&
         with_comment->policy->servers.size() == parsed->policy->servers.size() &&
         with_comment->policy->mode == parsed->policy->mode);
    const TextFile odd_config{config.name, with_key(config.text)};
    must(!parse_config(odd_config, {&rules, 1}));
    const TextFile odd_rules{rules.name, with_key(rules.text)};
    must(!parse_config(config, {&odd_rules, 1}));
    for (const auto& rule : parsed->policy->rules) must(!rule.name.empty());
    return 0;
}
