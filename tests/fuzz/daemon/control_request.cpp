// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: a request that is taken says the same when written anew; one that is not gets an
// answer of one line that is JSON; an argument nobody asked for is a mistake, and so is one of
// another type; whatever the arguments hold, the answer that tells them is one line of JSON.
#include "daemon/control/arguments.hpp"
#include "daemon/control/request.hpp"

#include "tests/fuzz/choices.hpp"

#include <boost/json.hpp>

using namespace ikefrag;
using namespace ikefrag::test;
namespace json = boost::json;

namespace {

json::object read_line(const std::string& line) {
    must(!line.empty() && line.find('\n') == line.size() - 1);
    json::error_code error;
    const auto value = json::parse(line, error);
    must(!error && value.is_object());
    return value.get_object();
}

/// Decimal numbers are not read to the last bit, so they need not be the same when written anew.
bool has_decimals(const json::value& value) {
    if (value.is_double()) return true;
    if (const auto* const array = value.if_array())
        return std::any_of(array->begin(), array->end(), has_decimals);
    if (const auto* const object = value.if_object())
        return std::any_of(object->begin(), object->end(), [](const auto& member) {
            return has_decimals(member.value());
        });
    return false;
}

void check_arguments(const ControlRequest& request) {
    ControlArguments arguments(request.arguments);
    const auto address = arguments.text("address");
    (void)arguments.word<Outcome>("outcome");
    (void)arguments.flag("open");
    const auto limit = arguments.limit();
    (void)arguments.number("since_seconds");
    (void)arguments.address("target");
    must(limit <= 100'000);
    std::size_t known = 0;
    for (const auto* const name :
         {"address", "outcome", "open", "limit", "since_seconds", "target"})
        known += request.arguments.contains(name) ? 1u : 0u;
    const auto error = arguments.error();
    if (known != request.arguments.size()) must(error.has_value());
    if (error) must(error->fault == ControlFault::usage && !error->message.empty());
    if (!error && address) must(request.arguments.at("address").is_string());
    if (error) {
        const auto told = read_line(encode_result(fail(*error)));
        must(!told.at("ok").as_bool());
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string line(data, data + size);
    const auto request = parse_request(line);
    if (!request) {
        must(request.error().fault == ControlFault::usage);
        const auto told = read_line(encode_result(fail(request.error())));
        must(!told.at("ok").as_bool() && told.at("error").as_object().at("kind") == "usage");
        return 0;
    }
    auto object = request->arguments;
    object["command"] = request->command;
    const auto again = parse_request(json::serialize(object));
    const bool exact = !has_decimals(object);
    must(again && again->command == request->command);
    must(!exact || again->arguments == request->arguments);
    check_arguments(*request);
    const auto answer = read_line(encode_result(ControlResult(request->arguments)));
    must(answer.at("ok").as_bool());
    must(!exact || answer.at("result") == request->arguments);
    return 0;
}
