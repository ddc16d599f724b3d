// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/toml.hpp"

#include "daemon/escape.hpp"

#define TOML_ENABLE_FORMATTERS 0
// Version 3.3 asserts before it tells some mistakes ("[=]"); without, it tells them.
#define TOML_ASSERT(expression) static_assert(true)
#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

namespace ikefrag {
namespace {

constexpr std::size_t max_dots = 64;
constexpr std::size_t max_text = 48;

Position position_of(const toml::source_position& position) {
    return {position.line, position.column};
}

TomlNode convert(const toml::node& node);

TomlNode::Table convert_table(const toml::table& table) {
    TomlNode::Table members;
    for (const auto& [key, value] : table)
        members.push_back(
            {std::string(key.str()), position_of(key.source().begin), convert(value)});
    return members;
}

TomlNode::List convert_list(const toml::array& array) {
    TomlNode::List list;
    for (const auto& value : array) list.push_back(convert(value));
    return list;
}

TomlNode convert(const toml::node& node) {
    TomlNode out;
    out.position = position_of(node.source().begin);
    if (const auto* table = node.as_table())
        out.value = convert_table(*table);
    else if (const auto* array = node.as_array())
        out.value = convert_list(*array);
    else if (const auto* text = node.as_string())
        out.value = text->get();
    else if (const auto* integer = node.as_integer())
        out.value = integer->get();
    else if (const auto* real = node.as_floating_point())
        out.value = real->get();
    else if (const auto* boolean = node.as_boolean())
        out.value = boolean->get();
    else
        out.value = TomlNode::DateTime{};
    return out;
}

struct Screened {
    std::string text;         ///< comments without their non-ASCII bytes
    Position refused;         ///< line 0: nothing
    std::string_view because; ///< of a refusal
};

/// Keeps from toml++ what it cannot take: nesting that costs the stack, and non-ASCII letters
/// outside of strings, on which version 3.3 runs into undefined behaviour. No word of ours needs
/// them in strings either, so that only comments may have them.
Screened screen(std::string_view text) {
    Screened out{std::string(text), {}, {}};
    Position place{1, 0};
    std::size_t dots = 0;
    char quote = 0;
    bool comment = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = text[i];
        ++place.column;
        if (c == '\n') {
            place = {place.line + 1, 0};
            dots = 0;
            quote = 0;
            comment = false;
        } else if (static_cast<unsigned char>(c) >= 0x80) {
            if (!comment) return {{}, place, "a letter that is not ASCII outside of a comment"};
            out.text[i] = '?';
        } else if (comment)
            continue;
        else if (quote == '"' && c == '\\' && i + 1 < text.size() && text[i + 1] == '"') {
            ++i;
            ++place.column;
        } else if (quote != 0)
            quote = c == quote ? '\0' : quote;
        else if (c == '"' || c == '\'')
            quote = c;
        else if (c == '#')
            comment = true;
        else if (c == '.' && ++dots > max_dots)
            return {
                { },
                { place.line, 1},
                "more than 64 dots in a line: no key nests so deep"
            };
    }
    return out;
}

std::string quoted(const std::string& text) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (const auto c : text.substr(0, max_text)) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\';
        if (byte >= 0x20 && byte < 0x7f)
            out += c;
        else {
            out += "\\x";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return out + (text.size() > max_text ? "…\"" : "\"");
}

std::string number_text(double value) {
    std::ostringstream out;
    out << value;
    return out.str();
}

} // namespace

std::string_view TomlNode::kind() const noexcept {
    static constexpr std::string_view kinds[] = {"a boolean",
                                                 "an integer",
                                                 "a decimal number",
                                                 "a string",
                                                 "a list",
                                                 "a table",
                                                 "a date or time"};
    return kinds[value.index()];
}

std::string TomlNode::text() const {
    if (const auto* boolean = std::get_if<bool>(&value)) return *boolean ? "true" : "false";
    if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
    if (const auto* real = std::get_if<double>(&value)) return number_text(*real);
    if (const auto* string = std::get_if<std::string>(&value)) return quoted(*string);
    return std::string(kind());
}

Result<TomlNode, Diagnostic> parse_toml(const TextFile& file) {
    const auto refuse = [&](Position position, std::string message) {
        const auto line = std::string(line_of(file.text, position.line));
        return fail(Diagnostic{file.name, position, std::move(message), line});
    };
    const auto screened = screen(file.text);
    if (screened.refused.line != 0) return refuse(screened.refused, std::string(screened.because));
    const auto parsed = toml::parse(std::string_view(screened.text));
    if (!parsed)
        return refuse(position_of(parsed.error().source().begin),
                      "not TOML: " + escape_terminal(parsed.error().description()));
    return convert(parsed.table());
}

std::string_view line_of(std::string_view text, std::size_t line) {
    for (std::size_t number = 1; !text.empty() || number == 1; ++number) {
        const auto end = text.find('\n');
        auto current = text.substr(0, end);
        if (number == line) {
            if (current.ends_with('\r')) current.remove_suffix(1);
            return current;
        }
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return {};
}

} // namespace ikefrag
