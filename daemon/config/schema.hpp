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
#include <type_traits>
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

// Readers of one value: empty after telling the mistake.
std::optional<std::int64_t>
read_integer(const TomlNode& node, std::int64_t low, std::int64_t high, Reading& reading);
std::optional<bool> read_boolean(const TomlNode& node, Reading& reading);
std::optional<std::string> read_string(const TomlNode& node, Reading& reading);
/// A metric label: 1 to 64 letters, digits, '.', '_', '-'.
std::optional<std::string> read_name(const TomlNode& node, Reading& reading);
/// "stderr" or an absolute path without "..", at most `max_bytes` long.
std::optional<std::string> read_path(const TomlNode& node, std::size_t max_bytes, Reading& reading);
std::optional<Prefix> read_prefix(const TomlNode& node, Reading& reading);
std::optional<Endpoint> read_endpoint(const TomlNode& node, Reading& reading);

/// A list of what `read_one` reads: not empty, no value twice.
template <class T, class ReadOne>
std::vector<T> read_list(const TomlNode& node, Reading& reading, ReadOne read_one) {
    std::vector<T> out;
    const auto* list = std::get_if<TomlNode::List>(&node.value);
    if (list == nullptr) {
        reading.unexpected(node, "a list");
        return out;
    }
    if (list->empty()) reading.unexpected(node, "at least one value (or leave the key out)");
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

std::string quote(std::string_view text);

// Rows. Each takes where the value lives in Target.

template <class Target, class Access>
Field<Target> integer_field(std::string_view key,
                            Access access,
                            std::int64_t low,
                            std::int64_t high,
                            std::string_view doc) {
    using Value = std::remove_reference_t<decltype(access(std::declval<Target&>()))>;
    auto type = "integer " + std::to_string(low) + ".." + std::to_string(high);
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        const auto value = read_integer(node, low, high, reading);
        if (!value) return;
        if constexpr (requires(Value v) { v.has_value(); })
            access(target) = static_cast<typename Value::value_type>(*value);
        else
            access(target) = static_cast<Value>(*value);
    };
    auto show = [=](const Target& target) -> std::string {
        const auto& value = access(const_cast<Target&>(target));
        if constexpr (requires(Value v) { v.has_value(); })
            return value ? std::to_string(*value) : std::string();
        else
            return std::to_string(value);
    };
    return {key, std::move(type), doc, std::move(read), std::move(show)};
}

template <class Target, class Access>
Field<Target> boolean_field(std::string_view key, Access access, std::string_view doc) {
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        if (const auto value = read_boolean(node, reading)) access(target) = *value;
    };
    auto show = [=](const Target& target) -> std::string {
        return access(const_cast<Target&>(target)) ? "true" : "false";
    };
    return {key, "true | false", doc, std::move(read), std::move(show)};
}

/// A word of one of the closed vocabularies; the member is E or std::optional<E>.
template <class E, class Target, class Access>
Field<Target> word_field(std::string_view key, Access access, std::string_view doc) {
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        if (const auto value = read_word<E>(node, reading)) access(target) = *value;
    };
    auto show = [=](const Target& target) -> std::string {
        const auto& value = access(const_cast<Target&>(target));
        if constexpr (requires { value.has_value(); })
            return value ? quote(to_string(*value)) : std::string();
        else
            return quote(to_string(value));
    };
    return {key, word_list<E>(), doc, std::move(read), std::move(show)};
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
template <class Target, class Inner, class Access>
Field<Target> table_field(std::string_view key,
                          Access access,
                          const std::vector<Field<Inner>>& fields,
                          std::string_view doc) {
    auto read = [key, access, &fields](const TomlNode& node, Target& target, Reading& reading) {
        read_table(node, fields, key, access(target), reading);
    };
    return {key, "table", doc, std::move(read), [](const Target&) { return std::string(); }};
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
};

/// ikefragd.toml as written.
struct WrittenConfig {
    Policy policy; ///< without rules
    Settings settings;
    std::vector<Position> servers;
};

void read_config_text(const TomlNode& document, WrittenConfig& config, Reading& reading);
void read_rules_text(const TomlNode& document, std::vector<WrittenRule>& rules, Reading& reading);

/// Names used twice, servers that overlap, limits that contradict each other or the queue.
void check_config(const WrittenConfig& config, Reading& reading);

/// Rules that can never match, names used twice, servers there are none of.
void check_rules(const std::vector<WrittenRule>& rules,
                 const Policy& policy,
                 Diagnostics& diagnostics);

} // namespace ikefrag::config
