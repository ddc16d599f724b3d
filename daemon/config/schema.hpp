// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The language of the configuration: one row for each key. The same rows read a value, check it,
/// and print the help.
namespace ikefrag::config {

/// Reading one file: collects its mistakes and where things stood, for checks across keys.
class Reading {
public:
    explicit Reading(const TextFile& file) : file_(file) {}

    void mistake(Position position, std::string message);
    /// "KEY is FOUND, expected EXPECTED".
    void unexpected(const TomlNode& node, std::string_view expected);
    /// As unexpected, for a word: names the nearest of `words`, too.
    void unknown_word(const TomlNode& node, const std::vector<std::string_view>& words);

    [[nodiscard]] const TextFile& file() const noexcept { return file_; }
    Diagnostics diagnostics;
    /// What messages call the value being read: "hold_seconds", "match.peer".
    std::string key;
    /// Where a key's value was written, by its path ("queue.max_length"); absent: default.
    std::map<std::string, Position, std::less<>> places;

private:
    const TextFile& file_;
};

/// One key of a table.
template <class Target>
struct Field {
    std::string_view key;
    std::string type;
    std::string_view doc;
    std::function<void(const TomlNode&, Target&, Reading&)> read;
    std::function<std::string(const Target&)> show; ///< the value as TOML; empty: absent
};

/// What an integer may be, both ends included.
struct Range {
    std::int64_t low;
    std::int64_t high;
};

// Readers of one value: empty after telling the mistake.
std::optional<std::int64_t> read_integer(const TomlNode& node, Range range, Reading& reading);
std::optional<bool> read_boolean(const TomlNode& node, Reading& reading);
std::optional<std::string> read_string(const TomlNode& node, Reading& reading);
/// A metric label: 1 to 64 letters, digits, '.', '_', '-'.
std::optional<std::string> read_name(const TomlNode& node, Reading& reading);
/// "stderr" or an absolute path without "..", at most `max_bytes` long.
std::optional<std::string> read_path(const TomlNode& node, std::size_t max_bytes, Reading& reading);
std::optional<Prefix> read_prefix(const TomlNode& node, Reading& reading);
std::optional<Endpoint> read_endpoint(const TomlNode& node, Reading& reading);

/// Whether a key may be left out.
enum class Presence : std::uint8_t { optional, required };

/// A list of what `read_one` reads: not empty, no value twice.
template <class T, class ReadOne>
std::vector<T> read_list(const TomlNode& node,
                         Reading& reading,
                         ReadOne read_one,
                         Presence presence = Presence::optional) {
    std::vector<T> out;
    const auto* list = std::get_if<TomlNode::List>(&node.value);
    if (list == nullptr) {
        reading.unexpected(node, "a list");
        return out;
    }
    if (list->empty())
        reading.unexpected(node,
                           presence == Presence::required
                               ? "at least one value"
                               : "at least one value (or leave the key out)");
    for (const auto& item : *list) {
        auto value = read_one(item, reading);
        if (!value) continue;
        for (const auto& other : out)
            if (other == *value) {
                reading.mistake(item.position, reading.key + " lists " + item.text() + " twice");
                value.reset();
                break;
            }
        if (value) out.push_back(std::move(*value));
    }
    return out;
}

template <class E>
std::optional<E> read_word(const TomlNode& node, Reading& reading) {
    std::vector<std::string_view> known;
    for (const auto& word : words<E>()) known.push_back(word.text);
    if (const auto* text = std::get_if<std::string>(&node.value))
        if (const auto value = parse_word<E>(*text)) return value;
    reading.unknown_word(node, known);
    return std::nullopt;
}

/// `"a" | "b" | "c"`.
template <class E>
std::string word_list() {
    std::string text;
    for (const auto& word : words<E>())
        text += (text.empty() ? "\"" : " | \"") + std::string(word.text) + '"';
    return text;
}

/// As TOML writes it: quotes, backslashes and control characters escaped, so that none reaches a
/// terminal.
std::string quote(std::string_view text);

// Rows. Each takes the member of Target that holds the value; an optional one may be absent.

/// T, or what an optional T holds.
template <class T>
struct PlainType {
    using Type = T;
};
template <class T>
struct PlainType<std::optional<T>> {
    using Type = T;
};
template <class T>
using Plain = typename PlainType<T>::Type;

/// A value as TOML; empty where it is absent.
template <class T, class Show>
std::string show_value(const T& value, Show show) {
    return show(value);
}
template <class T, class Show>
std::string show_value(const std::optional<T>& value, Show show) {
    return value ? show(*value) : std::string();
}

template <class Target, class Value>
Field<Target>
integer_field(std::string_view key, Value Target::*member, Range range, std::string_view doc) {
    auto type = "integer " + std::to_string(range.low) + ".." + std::to_string(range.high);
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        if (const auto value = read_integer(node, range, reading))
            target.*member = static_cast<Plain<Value>>(*value);
    };
    auto show = [=](const Target& target) {
        return show_value(target.*member, [](auto value) { return std::to_string(value); });
    };
    return {key, std::move(type), doc, std::move(read), std::move(show)};
}

template <class Target>
Field<Target> boolean_field(std::string_view key, bool Target::*member, std::string_view doc) {
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        if (const auto value = read_boolean(node, reading)) target.*member = *value;
    };
    auto show = [=](const Target& target) -> std::string {
        return target.*member ? "true" : "false";
    };
    return {key, "true | false", doc, std::move(read), std::move(show)};
}

/// A word of one of the closed vocabularies.
template <class Target, class Value>
Field<Target> word_field(std::string_view key, Value Target::*member, std::string_view doc) {
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        if (const auto value = read_word<Plain<Value>>(node, reading)) target.*member = *value;
    };
    auto show = [=](const Target& target) {
        return show_value(target.*member, [](auto value) { return quote(to_string(value)); });
    };
    return {key, word_list<Plain<Value>>(), doc, std::move(read), std::move(show)};
}

/// A row of an inner part, as one of the whole.
template <class Target, class Inner>
Field<Target> within(Inner Target::*member, Field<Inner> field) {
    auto read = [member, read_inner = std::move(field.read)](
                    const TomlNode& node, Target& target, Reading& reading) {
        read_inner(node, target.*member, reading);
    };
    auto show = [member, show_inner = std::move(field.show)](const Target& target) {
        return show_inner(target.*member);
    };
    return {field.key, std::move(field.type), field.doc, std::move(read), std::move(show)};
}

/// Reads a table by its rows: each known key at most once (TOML sees to that), no unknown one.
/// `path` names the table in messages and places: "queue", "match", or empty.
template <class Target>
void read_table(const TomlNode& node,
                const std::vector<Field<Target>>& fields,
                std::string_view path,
                Target& target,
                Reading& reading);

/// Tells an unknown key with the nearest known one.
void unknown_key(const TomlMember& member,
                 std::string_view path,
                 const std::vector<std::string_view>& known,
                 Reading& reading);

template <class Target>
void read_table(const TomlNode& node,
                const std::vector<Field<Target>>& fields,
                std::string_view path,
                Target& target,
                Reading& reading) {
    const auto* table = std::get_if<TomlNode::Table>(&node.value);
    const auto name = [&](std::string_view key) {
        return path.empty() ? std::string(key) : std::string(path) + '.' + std::string(key);
    };
    if (table == nullptr) {
        reading.key = path;
        reading.unexpected(node, "a table");
        return;
    }
    for (const auto& member : *table) {
        const Field<Target>* known = nullptr;
        std::vector<std::string_view> keys;
        for (const auto& field : fields) {
            keys.push_back(field.key);
            if (field.key == member.key) known = &field;
        }
        if (known == nullptr) {
            unknown_key(member, path, keys, reading);
            continue;
        }
        reading.key = name(member.key);
        reading.places[reading.key] = member.value.position;
        known->read(member.value, target, reading);
    }
}

/// A key whose value is a table with rows of its own.
template <class Target, class Inner>
Field<Target> table_field(std::string_view key,
                          Inner Target::*member,
                          const std::vector<Field<Inner>>& fields,
                          std::string_view doc) {
    auto read = [=, &fields](const TomlNode& node, Target& target, Reading& reading) {
        read_table(node, fields, key, target.*member, reading);
    };
    return {key, "table", doc, std::move(read), [](const Target&) { return std::string(); }};
}

/// The limits of one datagram: Limits has them for all, RuleLimits for a rule's own.
template <class Target>
std::vector<Field<Target>> datagram_limit_fields() {
    return {
        integer_field(
            "hold_seconds",
            &Target::hold_seconds,
            {1, 30},
            "How long the fragments of a datagram wait for the missing ones, from the first seen."),
        integer_field("max_datagram_bytes",
                      &Target::max_datagram_bytes,
                      {1280, 65535},
                      "Largest IP payload of a datagram out of fragments."),
        integer_field(
            "max_fragments", &Target::max_fragments, {2, 8192}, "Most fragments of a datagram."),
        integer_field("min_first_bytes",
                      &Target::min_first_bytes,
                      {8, 1280},
                      "Least IP payload of a first fragment; 40 hold UDP, marker and IKE header."),
        integer_field("min_nonlast_bytes",
                      &Target::min_nonlast_bytes,
                      {8, 1280},
                      "Least IP payload of any fragment but the last. Above 8 it refuses what a "
                      "second router has cut again."),
    };
}

template <class Target>
void append_help(std::vector<FieldHelp>& help,
                 std::string_view section,
                 const std::vector<Field<Target>>& fields) {
    const Target defaults{};
    for (const auto& field : fields)
        help.push_back({std::string(section),
                        std::string(field.key),
                        field.type,
                        field.show(defaults),
                        std::string(field.doc)});
}

/// A rule as written, with its place.
struct WrittenRule {
    Rule rule;
    std::string file;
    Position position; ///< of its [[rule]]
    std::string source_line;
    bool named = false;
    bool acts = false; ///< has an action
    /// Where its keys were written, and those lines: "name", "match.server".
    struct Place {
        Position position;
        std::string source_line;
    };
    std::map<std::string, Place, std::less<>> places{};
};

/// ikefragd.toml as written.
struct WrittenConfig {
    Policy policy; ///< without rules
    Settings settings;
    std::vector<Position> servers;
    std::vector<Position> server_names; ///< where each one's name stands
};

void read_config_text(const TomlNode& document, WrittenConfig& config, Reading& reading);
void read_rules_text(const TomlNode& document, std::vector<WrittenRule>& rules, Reading& reading);

/// Names used twice, servers that overlap, limits that contradict each other or the queue.
void check_config(const WrittenConfig& config, Reading& reading);

/// Whether packets of this IP version can match, as far as family, peer, server and transition
/// tell.
[[nodiscard]] bool may_match(const Match& match, const Policy& policy, Family family);

/// Rules that can never match, names used twice, servers there are none of.
void check_rules(const std::vector<WrittenRule>& rules,
                 const Policy& policy,
                 Diagnostics& diagnostics);

} // namespace ikefrag::config
