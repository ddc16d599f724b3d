// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/request.hpp"

#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace ikefrag {
namespace {

namespace json = boost::json;

constexpr std::size_t max_request_depth = 8;

Failure<ControlError> refuse(ControlFault fault, std::string message) {
    return fail(ControlError{fault, std::move(message), {}});
}

/// 1e999 is read as infinity, which JSON cannot say again.
bool is_finite(const json::value& value) {
    if (const auto* number = value.if_double()) return std::isfinite(*number);
    if (const auto* list = value.if_array()) return std::ranges::all_of(*list, is_finite);
    if (const auto* object = value.if_object())
        return std::ranges::all_of(*object,
                                   [](const auto& pair) { return is_finite(pair.value()); });
    return true;
}

json::array encode_diagnostics(const Diagnostics& diagnostics) {
    json::array list;
    for (const auto& diagnostic : diagnostics)
        list.push_back({
            {"file",        escape_json(diagnostic.file)       },
            {"line",        diagnostic.position.line           },
            {"column",      diagnostic.position.column         },
            {"message",     escape_json(diagnostic.message)    },
            {"source_line", escape_json(diagnostic.source_line)}
        });
    return list;
}

} // namespace

Result<ControlRequest, ControlError> parse_request(std::string_view line) {
    json::parse_options options;
    options.max_depth = max_request_depth;
    json::error_code error;
    auto value = json::parse(json::string_view(line.data(), line.size()), error, {}, options);
    if (error) return refuse(ControlFault::usage, "the request is not JSON: " + error.message());
    auto* object = value.if_object();
    if (object == nullptr) return refuse(ControlFault::usage, "the request is no JSON object");
    if (!is_finite(value)) return refuse(ControlFault::usage, "the request has a number too large");
    const auto* command = object->if_contains("command");
    if (command == nullptr || !command->is_string())
        return refuse(ControlFault::usage, "the request names no command");
    ControlRequest request{std::string(command->get_string()), {}};
    object->erase("command");
    request.arguments = std::move(*object);
    return request;
}

std::string encode_result(const ControlResult& result) {
    if (result) return "{\"ok\":true,\"result\":" + json::serialize(*result) + "}\n";
    const auto& error = result.error();
    const json::object told{
        {"kind",        to_string(error.fault)               },
        {"message",     escape_json(error.message)           },
        {"diagnostics", encode_diagnostics(error.diagnostics)}
    };
    return "{\"ok\":false,\"error\":" + json::serialize(told) + "}\n";
}

} // namespace ikefrag
