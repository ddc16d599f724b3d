// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/status_text.hpp"

#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/terminal.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <string_view>
#include <utility>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

constexpr int max_depth = 8;

std::string label(std::string_view key) {
    std::string text(key);
    std::replace(text.begin(), text.end(), '_', ' ');
    return shown(json::value(text));
}

bool is_plain(const json::value& value) { return !value.is_object() && !value.is_array(); }

/// "name vpn1, addresses 203.0.113.5 2001:db8::5": an object of plain members on one line.
std::string line_of(const json::object& object) {
    std::string text;
    for (const auto& member : object) {
        if (!text.empty()) text += ", ";
        text += label(member.key()) + ' ';
        if (const auto* list = member.value().if_array()) {
            std::string items;
            for (const auto& item : *list) items += (items.empty() ? "" : " ") + shown(item);
            text += items.empty() ? "-" : items;
        } else if (const auto* inner = member.value().if_object()) {
            std::string items;
            for (const auto& item : *inner)
                items += (items.empty() ? "" : " ") + label(item.key()) + ' ' + shown(item.value());
            text += '(' + items + ')';
        } else {
            text += shown(member.value());
        }
    }
    return text;
}

void append(std::string& text,
            const json::object& object,
            const std::string& indent,
            const Terminal& terminal,
            int depth) {
    std::size_t width = 0;
    for (const auto& member : object)
        if (is_plain(member.value())) width = std::max(width, member.key().size());
    for (const auto& member : object) {
        const json::value& value = member.value();
        std::string name = label(member.key());
        if (is_plain(value)) {
            name.append(width - std::min(width, name.size()), ' ');
            text += indent + name + "  " + shown(value) + '\n';
            continue;
        }
        text += indent + terminal.paint(Colour::bold, name) + '\n';
        if (const auto* inner = value.if_object()) {
            if (depth < max_depth) append(text, *inner, indent + "  ", terminal, depth + 1);
            continue;
        }
        for (const auto& item : value.get_array())
            text += indent + "  " + (item.is_object() ? line_of(item.get_object()) : shown(item)) +
                    '\n';
        if (value.get_array().empty()) text += indent + "  -\n";
    }
}

/// Those of which the kernel gave other than was asked; nothing where it gave all.
void keep_refused(json::object& status) {
    auto* list = status.if_contains("kernel_settings");
    if (list == nullptr || !list->is_array()) return;
    json::array refused;
    for (const auto& setting : list->get_array())
        if (const auto* row = setting.if_object();
            row != nullptr && row->if_contains("asked") != nullptr &&
            row->if_contains("got") != nullptr && row->at("asked") != row->at("got"))
            refused.push_back(setting);
    if (refused.empty())
        status.stable_erase("kernel_settings");
    else
        *list = std::move(refused);
}

} // namespace

std::string status_text(const json::object& status, const Terminal& terminal) {
    json::object rest = status;
    rest.stable_erase("format");
    keep_refused(rest);
    std::string text;
    append(text, rest, "", terminal, 0);
    return text;
}

} // namespace ikefrag::ctl
