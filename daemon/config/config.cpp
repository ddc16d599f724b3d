// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"

#include "daemon/config/schema.hpp"

#include <algorithm>
#include <map>

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

bool tests_more_than_the_kernel(const Match& match) {
    return !match.server.empty() || !match.peer.empty() || match.direction || match.family ||
           !match.interface.empty() || !match.transition.empty();
}

/// What the kernel table makes of the rules for protocols beside UDP, which it never queues.
struct OtherProtocols {
    std::vector<std::uint8_t> allowed; ///< their fragments are left alone in `exclusive`
    /// Rules whose conditions it cannot test, and so takes as met (pass, leave) or unmet (drop);
    /// with the protocols they ask for.
    std::map<std::size_t, std::vector<std::uint8_t>> widened;
};

/// The rule asked first decides; a rule that tests more than the kernel can (peer, server,
/// interface, transition, direction, family) opens its protocol to all.
OtherProtocols other_protocols(const std::vector<Rule>& rules) {
    OtherProtocols out;
    for (unsigned number = 0; number < 256; ++number) {
        const auto protocol = static_cast<std::uint8_t>(number);
        if (protocol == udp) continue;
        const auto packet_class =
            protocol == 50 || protocol == 51 ? PacketClass::esp : PacketClass::other;
        std::vector<std::size_t> untested;
        for (std::size_t i = 0; i < rules.size(); ++i) {
            const auto& match = rules[i].match;
            if (match.protocol && *match.protocol != protocol) continue;
            if (match.packet_class && *match.packet_class != packet_class) continue;
            const bool lets = rules[i].action != Action::drop || rules[i].dry_run;
            const bool narrow = tests_more_than_the_kernel(match);
            if (narrow) untested.push_back(i);
            if (!lets && narrow) continue;
            if (lets) {
                out.allowed.push_back(protocol);
                for (const auto rule : untested) out.widened[rule].push_back(protocol);
            }
            break;
        }
    }
    return out;
}

std::string name_protocols(const std::vector<std::uint8_t>& protocols) {
    if (protocols.size() > 8) return "every protocol but UDP";
    std::string text = protocols.size() == 1 ? "IP protocol" : "IP protocols";
    for (std::size_t i = 0; i < protocols.size(); ++i)
        text += (i == 0 ? " " : ", ") + std::to_string(protocols[i]);
    return text;
}

/// Tells of rules that mean more in the kernel than they say.
Diagnostics widened_rules(const std::vector<config::WrittenRule>& written,
                          const OtherProtocols& others) {
    Diagnostics notes;
    for (const auto& [index, protocols] : others.widened) {
        const auto& rule = written[index].rule;
        const bool lets = rule.action != Action::drop || rule.dry_run;
        notes.push_back({written[index].file,
                         written[index].position,
                         "rule " + config::quote(rule.name) + ": in mode exclusive the kernel " +
                             "decides fragments of " + name_protocols(protocols) +
                             " by protocol alone; " +
                             (lets ? "this rule lets them through for everybody, whatever else it "
                                     "tests"
                                   : "this rule does not drop them, as another one lets them "
                                     "through"),
                         written[index].source_line});
    }
    return notes;
}

/// Whether there is anything of this IP version to protect: a server of it, or none configured.
bool protects(const std::vector<Server>& servers, Family family) {
    const auto is_of_it = [&](const Prefix& prefix) { return prefix.address.family == family; };
    return servers.empty() || std::ranges::any_of(servers, [&](const Server& server) {
               return std::ranges::any_of(server.addresses, is_of_it) ||
                      std::ranges::any_of(server.inside, is_of_it);
           });
}

/// Tells of rules whose action cannot be had, be it for a part of what they match.
Diagnostics unkept_actions(const std::vector<config::WrittenRule>& written, const Policy& policy) {
    Diagnostics notes;
    const bool expected = protects(policy.servers, Family::ipv6);
    for (const auto& one : written)
        if (one.rule.action == Action::reassemble &&
            (expected || one.rule.match.family == Family::ipv6) &&
            config::may_match(one.rule.match, policy, Family::ipv6))
            notes.push_back({one.file,
                             one.position,
                             "rule " + config::quote(one.rule.name) +
                                 ": IPv6 cannot be reassembled on the way; it is passed, "
                                 "fragments first to last",
                             one.source_line});
    return notes;
}

bool asks_for_udp(const Match& match, PacketClass packet_class) {
    return (!match.packet_class || *match.packet_class == packet_class) &&
           (!match.protocol || *match.protocol == udp);
}

/// Tells of rules for UDP that the kernel table carries out otherwise in `exclusive`: of what is
/// not IKE it lets ESP in UDP pass or drops it, by its ports alone, and drops the rest.
Diagnostics udp_notes(const std::vector<config::WrittenRule>& written) {
    Diagnostics notes;
    const auto tell = [&](const config::WrittenRule& rule, const std::string& text) {
        notes.push_back({rule.file,
                         rule.position,
                         "rule " + config::quote(rule.rule.name) + ": in mode exclusive the " +
                             "kernel " + text,
                         rule.source_line});
    };
    std::vector<std::size_t> narrow;
    bool esp_decided = false;
    for (std::size_t i = 0; i < written.size(); ++i) {
        const auto& rule = written[i].rule;
        const bool lets = rule.action != Action::drop || rule.dry_run;
        if (lets && asks_for_udp(rule.match, PacketClass::other))
            tell(written[i],
                 "drops fragments of UDP that is neither IKE nor ESP; this rule does not let "
                 "them through");
        if (esp_decided || !asks_for_udp(rule.match, PacketClass::esp_in_udp)) continue;
        if (tests_more_than_the_kernel(rule.match)) narrow.push_back(i);
        esp_decided = lets || narrow.empty() || narrow.back() != i;
        if (!lets) continue;
        for (const auto index : narrow)
            tell(written[index],
                 std::string("decides fragments of ESP in UDP by their ports alone; this rule ") +
                     (index == i ? "lets them through for everybody, whatever else it tests"
                                 : "does not drop them, as another one lets them through"));
    }
    return notes;
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
    for (const auto& rule : written_rules) policy->rules.push_back(rule.rule);
    Diagnostics notes = unkept_actions(written_rules, *policy);
    if (!policy->rules.empty()) {
        auto others = other_protocols(policy->rules);
        for (auto& note : widened_rules(written_rules, others)) notes.push_back(std::move(note));
        for (auto& note : udp_notes(written_rules)) notes.push_back(std::move(note));
        policy->allowed_protocols = std::move(others.allowed);
    }
    return Config{std::move(policy), std::move(written.settings), hash.text(), std::move(notes)};
}

} // namespace ikefrag
