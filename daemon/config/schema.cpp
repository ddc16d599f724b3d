// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/schema.hpp"

#include "plugin/hex.hpp"

#include <algorithm>
#include <charconv>

namespace ikefrag::config {
namespace {

constexpr std::size_t max_name = 64;

bool is_name_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

std::string one_of(const std::vector<std::string_view>& words) {
    std::string text;
    for (const auto word : words) text += (text.empty() ? "" : ", ") + quote(word);
    return text;
}

} // namespace

std::string quote(std::string_view text) {
    std::string out = "\"";
    for (const auto c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') out += '\\';
        if (byte >= 0x20 && byte != 0x7f)
            out += c;
        else
            out += "\\u00" + to_hex({&byte, 1});
    }
    return out + '"';
}

void Reading::mistake(Position position, std::string message) {
    const auto line = line_of(file_.text, position.line);
    diagnostics.push_back({file_.name, position, std::move(message), std::string(line)});
}

void Reading::unexpected(const TomlNode& node, std::string_view expected) {
    const bool composed = std::holds_alternative<TomlNode::List>(node.value) ||
                          std::holds_alternative<TomlNode::Table>(node.value) ||
                          std::holds_alternative<TomlNode::DateTime>(node.value);
    auto found = composed ? std::string(node.kind()) : node.text();
    if (const auto* list = std::get_if<TomlNode::List>(&node.value);
        list != nullptr && list->empty())
        found = "an empty list";
    mistake(node.position, key + " is " + found + ", expected " + std::string(expected));
}

void Reading::unknown_word(const TomlNode& node, const std::vector<std::string_view>& words) {
    auto expected = "one of " + one_of(words);
    if (const auto* text = std::get_if<std::string>(&node.value))
        if (const auto nearest = nearest_word(*text, words); !nearest.empty())
            expected += "; did you mean " + quote(nearest) + '?';
    unexpected(node, expected);
}

std::optional<std::int64_t> read_integer(const TomlNode& node, Range range, Reading& reading) {
    const auto* value = std::get_if<std::int64_t>(&node.value);
    if (value != nullptr && *value >= range.low && *value <= range.high) return *value;
    reading.unexpected(
        node, "an integer " + std::to_string(range.low) + ".." + std::to_string(range.high));
    return std::nullopt;
}

std::optional<bool> read_boolean(const TomlNode& node, Reading& reading) {
    if (const auto* value = std::get_if<bool>(&node.value)) return *value;
    reading.unexpected(node, "true or false");
    return std::nullopt;
}

std::optional<std::string> read_string(const TomlNode& node, Reading& reading) {
    if (const auto* value = std::get_if<std::string>(&node.value)) return *value;
    reading.unexpected(node, "a string");
    return std::nullopt;
}

std::optional<std::string> read_name(const TomlNode& node, Reading& reading) {
    const auto* value = std::get_if<std::string>(&node.value);
    if (value != nullptr && !value->empty() && value->size() <= max_name &&
        std::all_of(value->begin(), value->end(), is_name_letter))
        return *value;
    reading.unexpected(node, "a name of 1 to 64 letters, digits, '.', '_' or '-'");
    return std::nullopt;
}

std::optional<std::string>
read_path(const TomlNode& node, std::size_t max_bytes, Reading& reading) {
    const auto* value = std::get_if<std::string>(&node.value);
    const auto is_plain = [](char c) { return c > 0x20 && c < 0x7f; };
    if (value != nullptr && value->size() > 1 && value->front() == '/' && value->back() != '/' &&
        value->size() <= max_bytes && std::all_of(value->begin(), value->end(), is_plain) &&
        (*value + '/').find("/../") == std::string::npos)
        return *value;
    reading.unexpected(node,
                       "an absolute path of at most " + std::to_string(max_bytes) +
                           " letters, without spaces and \"..\"");
    return std::nullopt;
}

std::optional<Prefix> read_prefix(const TomlNode& node, Reading& reading) {
    const auto* text = std::get_if<std::string>(&node.value);
    if (text != nullptr)
        if (const auto prefix = parse_prefix(*text)) return prefix;
    if (text != nullptr && text->find('/') != std::string::npos) {
        const auto address = parse_address(text->substr(0, text->find('/')));
        unsigned length = 0;
        const auto* end = text->data() + text->size();
        const auto* begin = text->data() + text->find('/') + 1;
        const auto [last, error] = std::from_chars(begin, end, length);
        const unsigned most = address && address->family == Family::ipv4 ? 32 : 128;
        if (address && error == std::errc() && last == end && begin != end && length <= most) {
            const auto meant = prefix_of(*address, static_cast<std::uint8_t>(length));
            reading.unexpected(node,
                               "no bits set behind the length; did you mean " +
                                   quote(to_string(meant)) + '?');
            return std::nullopt;
        }
    }
    reading.unexpected(node, "an address or a prefix, like \"203.0.113.5\" or \"2001:db8::/32\"");
    return std::nullopt;
}

std::optional<Endpoint> read_endpoint(const TomlNode& node, Reading& reading) {
    if (const auto* text = std::get_if<std::string>(&node.value)) {
        const auto colon = text->rfind(':');
        if (colon != std::string::npos) {
            auto host = text->substr(0, colon);
            const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
            if (bracketed) host = host.substr(1, host.size() - 2);
            const auto address = parse_address(host);
            std::uint16_t port = 0;
            const auto* end = text->data() + text->size();
            const auto [last, error] = std::from_chars(text->data() + colon + 1, end, port);
            if (address && (address->family == Family::ipv6) == bracketed && error == std::errc() &&
                last == end && port != 0)
                return Endpoint{*address, port};
        }
    }
    reading.unexpected(node, "an address and a port, like \"127.0.0.1:9786\" or \"[::1]:9786\"");
    return std::nullopt;
}

void unknown_key(const TomlMember& member,
                 std::string_view path,
                 const std::vector<std::string_view>& known,
                 Reading& reading) {
    auto message = "unknown key " + quote(member.key.substr(0, max_name));
    if (!path.empty()) message += " in " + std::string(path);
    const auto nearest = nearest_word(member.key, known);
    message += nearest.empty() ? "; expected one of " + one_of(known)
                               : "; did you mean " + quote(nearest) + '?';
    reading.mistake(member.position, std::move(message));
}

} // namespace ikefrag::config
