// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/protocol.hpp"

#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <utility>

namespace ikefrag {
namespace {

namespace json = boost::json;

json::parse_options strict() {
    json::parse_options options;
    options.max_depth = max_request_depth;
    return options;
}

ControlError usage(std::string words) {
    return {.exit_code = ExitCode::usage, .error = std::move(words)};
}

} // namespace

std::variant<ControlRequest, ControlError> parse_request(std::string_view line) {
    boost::system::error_code error;
    json::value value = json::parse(line, error, {}, strict());
    if (error) return usage("request is not JSON: " + error.message());
    auto* object = value.if_object();
    if (object == nullptr) return usage("request is not a JSON object");
    ControlRequest request;
    for (auto& [key, member] : *object) {
        if (key == "command" && member.is_string())
            request.command = json::value_to<std::string>(member);
        else if (key == "arguments" && member.is_object())
            request.arguments = std::move(member.get_object());
        else
            return usage("request has an unknown or mistyped member '" + escape_terminal(key) +
                         "'; it takes command (string) and arguments (object)");
    }
    if (request.command.empty()) return usage("request names no command");
    return request;
}

std::string encode_request(const ControlRequest& request) {
    return json::serialize(json::object{
               {"command",   request.command  },
               {"arguments", request.arguments}
    }) +
           "\n";
}

std::string encode_answer(const ControlAnswer& answer) {
    if (const auto* failed = std::get_if<ControlError>(&answer))
        return json::serialize(json::object{
                   {"ok",        false                              },
                   {"exit_code", static_cast<int>(failed->exit_code)},
                   {"error",     escape_json(failed->error)         }
        }) +
               "\n";
    return json::serialize(json::object{
               {"ok",     true                         },
               {"result", std::get<json::value>(answer)}
    }) +
           "\n";
}

ControlAnswer parse_answer(std::string_view line) {
    const ControlError foreign{.exit_code = ExitCode::failure,
                               .error = "what listens on the control socket is not ikefragd"};
    boost::system::error_code error;
    json::value value = json::parse(line, error);
    auto* object = error ? nullptr : value.if_object();
    if (object == nullptr) return foreign;
    const auto* ok = object->if_contains("ok");
    if (ok == nullptr || !ok->is_bool()) return foreign;
    if (ok->get_bool()) {
        auto* result = object->if_contains("result");
        return result != nullptr ? ControlAnswer(std::move(*result)) : ControlAnswer(foreign);
    }
    const auto* code = object->if_contains("exit_code");
    const auto* words = object->if_contains("error");
    if (code == nullptr || !code->is_int64() || words == nullptr || !words->is_string() ||
        code->get_int64() < 1 || code->get_int64() > 5)
        return foreign;
    return ControlError{.exit_code = static_cast<ExitCode>(code->get_int64()),
                        .error = json::value_to<std::string>(*words)};
}

} // namespace ikefrag
