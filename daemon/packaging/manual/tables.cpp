// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/packaging/manual/tables.hpp"

#include "daemon/config/config.hpp"
#include "daemon/metrics/metric_table.hpp"
#include "daemon/packaging/manual/command_tables.hpp"
#include "daemon/packaging/manual/roff.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/words.hpp"

#include <vector>

namespace ikefrag::manual {
namespace {

/// One key with its type, default and meaning.
std::string item(const FieldHelp& field) {
    std::string text = ".TP\n.B " + roff_argument(field.key) + '\n' + roff_text(field.type);
    if (!field.default_value.empty()) text += "; default " + roff_text(field.default_value);
    text += '\n';
    if (!field.doc.empty()) text += ".br\n" + roff_text(field.doc) + '\n';
    return text;
}

/// In: titles of sections whose name says little; {name, title}
std::string fields(const std::vector<FieldHelp>& all) {
    std::string text;
    const std::string* section = nullptr;
    for (const auto& field : all) {
        if (section == nullptr || *section != field.section) {
            section = &field.section;
            text += ".SS " + roff_argument(section->empty() ? "At the top" : *section) + '\n';
        }
        text += item(field);
    }
    return text;
}

std::string config_keys() { return fields(config_fields()); }
std::string rule_keys() { return fields(rule_fields()); }

/// What each reason means. A switch, so that a new one cannot be forgotten.
std::string_view meaning(Reason reason) noexcept {
    switch (reason) {
    case Reason::none: return "";
    case Reason::overlap:
        return "Two fragments cover the same octets. The datagram is dropped whole.";
    case Reason::inconsistent_last: return "Fragments disagree where the datagram ends.";
    case Reason::bad_length:
        return "Empty, or ends past 65535; or not the last, and no multiple of 8.";
    case Reason::tiny_first:
        return "The first fragment does not hold the UDP and the IKE header (RFC 1858, RFC 3128).";
    case Reason::tiny_nonlast: return "A fragment is smaller than min_nonlast_bytes of the rule.";
    case Reason::too_many: return "More fragments than max_fragments.";
    case Reason::too_big: return "Longer than max_datagram_bytes.";
    case Reason::timeout: return "A fragment did not come within hold_seconds of the first.";
    case Reason::source_limit: return "One source had more in hold than its share.";
    case Reason::table_full: return "The hold table was full.";
    case Reason::evicted: return "Made room for others: its source held the most.";
    case Reason::duplicate: return "A copy of a fragment that was there; only the copy is dropped.";
    case Reason::checksum:
        return "The checksum of the IP header, or of the whole datagram, is wrong.";
    case Reason::udp_length: return "The UDP length is not that of the whole datagram.";
    case Reason::header_chain:
        return "IPv6: the headers do not end in the first fragment (RFC 7112), there is more than "
               "one Fragment header, or a routing header of type 0.";
    case Reason::ip_options: return "IPv4 options are malformed, or ask for source routing.";
    case Reason::ike_malformed: return "Not an IKE message, though on an IKE port.";
    case Reason::unreadable: return "The IP packet could not be read.";
    case Reason::poisoned: return "A fragment of a datagram that was refused before.";
    case Reason::policy: return "A rule, or the mode, says so.";
    }
    return "";
}

std::string reasons() {
    std::string text;
    for (const auto& word : words<Reason>())
        if (word.value != Reason::none)
            text +=
                ".TP\n.B " + roff_text(word.text) + '\n' + roff_text(meaning(word.value)) + '\n';
    return text;
}

/// Facts of an attempt stand in braces in the catalogue; a manual shows them as <fact>. Outside of
/// braces `_` is part of a name, such as that of an option.
std::string with_placeholders(std::string_view text) {
    std::string out;
    bool inside = false;
    for (const char letter : text) {
        if (letter == '{' || letter == '}') {
            inside = letter == '{';
            out += inside ? '<' : '>';
        } else {
            out += inside && letter == '_' ? ' ' : letter;
        }
    }
    return roff_text(out);
}

std::string diagnoses() {
    std::string text;
    for (const auto& row : catalogue()) {
        std::string actors;
        for (const auto actor : row.actors)
            actors += (actors.empty() ? "" : " or ") + std::string(to_string(actor));
        text += ".SS " + roff_argument(std::string(row.id) + "  " + std::string(row.slug)) + '\n' +
                roff_text(row.says) + ".\n.br\n.I " +
                roff_argument(std::string(to_string(row.kind)) + ", " +
                              std::string(to_string(row.severity)) + "; must act: " + actors) +
                "\n.PP\n" + roff_text(row.meaning) + '\n';
        if (!row.not_when.empty()) text += ".PP\nNot when: " + roff_text(row.not_when) + '\n';
        if (!row.remedy.empty()) text += ".TP\n.B Remedy\n" + with_placeholders(row.remedy) + '\n';
    }
    return text;
}

std::string metrics() {
    std::string text;
    for (const auto& row : metric_table()) {
        std::string labels;
        for (const auto label : row.labels)
            labels += (labels.empty() ? "; labels " : ", ") + std::string(label);
        text += ".TP\n.B " + roff_text(row.name) + '\n' + roff_text(to_string(row.kind)) +
                roff_text(labels) + "\n.br\n" + roff_text(row.help) + '\n';
    }
    return text;
}

constexpr Table tables[] = {
    {"config_keys",    config_keys   },
    {"rule_keys",      rule_keys     },
    {"reasons",        reasons       },
    {"diagnoses",      diagnoses     },
    {"metrics",        metrics       },
    {"common_options", common_options},
    {"commands",       commands      },
    {"completion",     completion    },
};

} // namespace

const Table* find_table(std::string_view name) noexcept {
    for (const auto& table : tables)
        if (table.name == name) return &table;
    return nullptr;
}

} // namespace ikefrag::manual
