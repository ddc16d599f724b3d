// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_shape.hpp"

#include "daemon/json/members.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace ikefrag {
namespace {

namespace json = boost::json;

std::optional<std::uint16_t> number_of(const json::value* value) {
    if (value == nullptr || !value->is_int64() || value->get_int64() < 0 ||
        value->get_int64() > 65535)
        return std::nullopt;
    return static_cast<std::uint16_t>(value->get_int64());
}

void read_queue(const json::value& queue, TableShape& shape) {
    const auto* numbers = member(queue, "num");
    const auto* range = numbers != nullptr ? member(*numbers, "range") : nullptr;
    if (range != nullptr && range->is_array() && range->get_array().size() == 2) {
        shape.queue_first = number_of(range->get_array().data());
        const auto last = number_of(&range->get_array()[1]);
        if (shape.queue_first && last)
            shape.queue_count = static_cast<std::uint16_t>(*last - *shape.queue_first + 1);
    } else {
        shape.queue_first = number_of(numbers);
    }
    // One flag is a text, several are a list of them.
    const auto* flags = member(queue, "flags");
    shape.bypass =
        flags != nullptr &&
        (text_of(flags) == "bypass" ||
         (flags->is_array() && std::ranges::any_of(flags->get_array(), [](const json::value& flag) {
              return text_of(&flag) == "bypass";
          })));
}

void read_rule(const json::value& rule, TableShape& shape) {
    const auto chain = text_of(member(rule, "chain"));
    if (chain == "leave_head") shape.mode = Mode::exclusive;
    if (chain == "to_queue") shape.mode = std::max(shape.mode, Mode::guard);
    const auto* statements = member(rule, "expr");
    if (statements == nullptr || !statements->is_array()) return;
    for (const auto& statement : statements->get_array()) {
        if (const auto* queue = member(statement, "queue")) read_queue(*queue, shape);
        if (const auto* log = member(statement, "log"))
            if (const auto group = number_of(member(*log, "group"))) shape.log_group = group;
    }
}

std::string queues(std::uint16_t first, std::uint16_t count, bool bypass) {
    auto text = "queue " + std::to_string(first);
    if (count > 1) text += "-" + std::to_string(first + count - 1);
    return text + (bypass ? "" : " without bypass");
}

} // namespace

std::optional<TableShape> read_table_shape(std::string_view text) {
    json::error_code error;
    const auto value = json::parse(text, error);
    const auto* list = error ? nullptr : member(value, "nftables");
    if (list == nullptr || !list->is_array()) return std::nullopt;
    std::optional<TableShape> shape;
    for (const auto& entry : list->get_array()) {
        const auto* rule = member(entry, "rule");
        if (rule == nullptr || text_of(member(*rule, "table")) != table_name) continue;
        if (!shape) shape.emplace();
        read_rule(*rule, *shape);
    }
    return shape;
}

std::string what_differs(const TableShape& shape, const TableSettings& settings) {
    std::string is;
    std::string wanted;
    const auto differs = [&](const std::string& one, const std::string& other) {
        is += (is.empty() ? "" : ", ") + one;
        wanted += (wanted.empty() ? "" : ", ") + other;
    };
    if (shape.mode != settings.mode)
        differs("mode " + std::string(to_string(shape.mode)),
                "mode " + std::string(to_string(settings.mode)));
    if (shape.queue_first && settings.mode != Mode::observe) {
        const auto one = queues(*shape.queue_first, shape.queue_count, shape.bypass);
        const auto other = queues(settings.queue_first, settings.queue_count, settings.bypass);
        if (one != other) differs(one, other);
    }
    if (shape.log_group && *shape.log_group != settings.log_group)
        differs("log group " + std::to_string(*shape.log_group),
                "log group " + std::to_string(settings.log_group));
    if (is.empty()) return {};
    return "table inet " + std::string(table_name) + " was made for " + is + ", not for " + wanted +
           ": load what 'ikefragctl nft --mode " + std::string(to_string(settings.mode)) +
           "' prints";
}

} // namespace ikefrag
