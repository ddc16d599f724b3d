// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/arguments.hpp"

#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace ikefrag {
namespace {

constexpr std::uint64_t default_limit = 1000;
constexpr std::uint64_t max_limit = 100'000;

} // namespace

const boost::json::value* ControlArguments::find(std::string_view name) {
    known_.emplace_back(name);
    const auto* value = arguments_.if_contains(name);
    return value == nullptr || value->is_null() ? nullptr : value;
}

void ControlArguments::wrong(std::string_view name, std::string_view expected) {
    if (message_.empty())
        message_ = "argument " + std::string(name) + ": expected " + std::string(expected);
}

std::optional<std::string> ControlArguments::text(std::string_view name) {
    const auto* value = find(name);
    if (value == nullptr) return std::nullopt;
    if (value->is_string()) return std::string(value->get_string());
    wrong(name, "a string");
    return std::nullopt;
}

std::string ControlArguments::required_text(std::string_view name) {
    auto value = text(name);
    if (!value) wrong(name, "a string; it is required");
    return value.value_or(std::string());
}

bool ControlArguments::flag(std::string_view name) {
    const auto* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_bool()) wrong(name, "true or false");
    return value->is_bool() && value->get_bool();
}

std::optional<std::uint64_t> ControlArguments::number(std::string_view name) {
    const auto* value = find(name);
    if (value == nullptr) return std::nullopt;
    boost::json::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    if (!error) return number;
    wrong(name, "a whole number");
    return std::nullopt;
}

std::size_t ControlArguments::limit() {
    const auto value = number("limit").value_or(default_limit);
    if (value == 0 || value > max_limit) wrong("limit", "1..100000");
    return static_cast<std::size_t>(std::min(value, max_limit));
}

std::optional<IpAddress> ControlArguments::address(std::string_view name) {
    const auto value = text(name);
    if (!value) return std::nullopt;
    const auto parsed = parse_address(*value);
    if (!parsed) wrong(name, "an IPv4 or IPv6 address");
    return parsed;
}

std::optional<ControlError> ControlArguments::error() {
    for (const auto& member : arguments_)
        if (message_.empty() &&
            std::find(known_.begin(), known_.end(), member.key()) == known_.end())
            message_ = "unknown argument " + escape_terminal(member.key());
    if (message_.empty()) return std::nullopt;
    return ControlError{ControlFault::usage, message_, {}};
}

} // namespace ikefrag
