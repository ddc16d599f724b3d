// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"

#include "daemon/config/schema.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

constexpr std::uint8_t udp = 17;

/// FNV-1a, 64 bits: tells configurations apart, no more.
class Hash {
public:
    void add(std::string_view text) {
        for (const auto c : text) value_ = (value_ ^ static_cast<unsigned char>(c)) * 0x100000001b3;
        value_ = (value_ ^ 0xff) * 0x100000001b3;
    }
    [[nodiscard]] std::string text() const {
        static constexpr std::string_view digits = "0123456789abcdef";
        std::string out;
        for (int shift = 60; shift >= 0; shift -= 4) out += digits[(value_ >> shift) & 15];
        return out;
    }

private:
    std::uint64_t value_ = 0xcbf29ce484222325;
};

/// Mistakes in the order an editor meets them; the order of files stays.
void sort_places(Diagnostics& diagnostics) {
    std::stable_sort(diagnostics.begin(), diagnostics.end(), [](const auto& a, const auto& b) {
        return a.position < b.position;
    });
}

/// The protocols beside UDP of which the kernel leaves fragments alone in `exclusive`: those some
/// rule lets through. The rule asked first decides; a rule that tests more than the kernel can
/// (peer, server, interface, transition, direction) opens its protocol to all.
std::vector<std::uint8_t> allowed_protocols(const std::vector<Rule>& rules) {
    std::vector<std::uint8_t> allowed;
    for (unsigned number = 0; number < 256; ++number) {
        const auto protocol = static_cast<std::uint8_t>(number);
        if (protocol == udp) continue;
        const auto packet_class =
            protocol == 50 || protocol == 51 ? PacketClass::esp : PacketClass::other;
        for (const auto& rule : rules) {
            const auto& match = rule.match;
            if (match.protocol && *match.protocol != protocol) continue;
            if (match.packet_class && *match.packet_class != packet_class) continue;
            const bool lets = rule.action != Action::drop || rule.dry_run;
            if (lets) allowed.push_back(protocol);
            const bool narrow = !match.server.empty() || !match.peer.empty() || match.direction ||
                                match.family || !match.interface.empty() ||
                                !match.transition.empty();
            if (lets || !narrow) break;
        }
    }
    return allowed;
}

} // namespace

Result<Config, Diagnostics> parse_config(const TextFile& file, std::span<const TextFile> rules) {
    Diagnostics diagnostics;
    Hash hash;
    hash.add(file.text);
    config::WrittenConfig written;
    config::Reading reading(file);
    const auto document = parse_toml(file);
    if (!document)
        diagnostics.push_back(document.error());
    else {
        config::read_config_text(*document, written, reading);
        if (reading.diagnostics.empty()) config::check_config(written, reading);
        sort_places(reading.diagnostics);
        diagnostics = std::move(reading.diagnostics);
    }
    const bool config_is_sound = diagnostics.empty();
    std::vector<config::WrittenRule> written_rules;
    for (const auto& rule_file : rules) {
        hash.add(rule_file.name);
        hash.add(rule_file.text);
        const auto rule_document = parse_toml(rule_file);
        if (!rule_document) {
            diagnostics.push_back(rule_document.error());
            continue;
        }
        config::Reading rule_reading(rule_file);
        config::read_rules_text(*rule_document, written_rules, rule_reading);
        sort_places(rule_reading.diagnostics);
        diagnostics.insert(
            diagnostics.end(), rule_reading.diagnostics.begin(), rule_reading.diagnostics.end());
    }
    // What rules mean depends on servers and prefixes: with those in doubt, more would be guesses.
    if (config_is_sound && diagnostics.empty())
        config::check_rules(written_rules, written.policy, diagnostics);
    if (!diagnostics.empty()) return fail(std::move(diagnostics));
    auto policy = std::make_shared<Policy>(std::move(written.policy));
    for (auto& rule : written_rules) policy->rules.push_back(std::move(rule.rule));
    if (!policy->rules.empty()) policy->allowed_protocols = allowed_protocols(policy->rules);
    return Config{std::move(policy), std::move(written.settings), hash.text()};
}

} // namespace ikefrag
