// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/clock.hpp"
#include "daemon/control/asked.hpp"
#include "daemon/control/status.hpp"
#include "daemon/explain/explain.hpp"
#include "daemon/json/json.hpp"
#include "daemon/recorder/attempt_file.hpp"
#include "daemon/recorder/recorder.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace ikefrag {
namespace {

namespace json = boost::json;

json::array captures_json(const CaptureStore& store) {
    json::array list;
    for (const auto& file : store.list()) {
        const auto name = parse_capture_name(file.name);
        if (!name) continue;
        list.push_back({
            {"name",          file.name          },
            {"bytes",         file.bytes         },
            {"time",          name->time         },
            {"client",        name->client       },
            {"initiator_spi", name->initiator_spi},
            {"diagnosis",     name->diagnosis    }
        });
    }
    return list;
}

std::string hex(std::string_view bytes) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    text.reserve(2 * bytes.size());
    for (const char c : bytes) {
        const auto byte = static_cast<std::uint8_t>(c);
        (text += digits[byte >> 4]) += digits[byte & 15];
    }
    return text;
}

ControlResult capture_content(const std::string& name, std::string_view content) {
    return json::object{
        {"name",    json_text(name)},
        {"content", hex(content)   }
    };
}

ControlResult get_capture(Asked& asked, const std::string& name) {
    const auto content = asked.daemon.parts().recorder.store().read(name);
    if (!content) return refuse(ControlFault::not_found, "there is no capture of that name");
    return capture_content(name, *content);
}

/// The latest attempt of an address or SPI, as far as its packets are kept.
ControlResult take_capture(Asked& asked, const std::string& text) {
    auto& recorder = asked.daemon.parts().recorder;
    if (!recorder.enabled())
        return refuse(ControlFault::failure, "captures are switched off: ikefragctl capture on");
    const auto target = parse_explain_target(text);
    if (!target)
        return refuse(ControlFault::usage,
                      "argument target: expected an address or an SPI of 16 hex digits");
    const auto attempts = find_attempts(asked.tracker(), asked.daemon.policy(), *target);
    const auto newest = std::ranges::max_element(
        attempts, {}, [](const Attempt& attempt) { return attempt.handshake.first_time; });
    if (newest == attempts.end())
        return refuse(ControlFault::not_found, "no handshake of that address or SPI is known");
    const auto* cause = headline_finding(*newest);
    const auto content = recorder.file_of(
        newest->handshake, cause, newest->server_name, asked.daemon.parts().clock.now());
    if (content.empty())
        return refuse(ControlFault::not_found, "no packet of that handshake is kept any more");
    return capture_content(attempt_file_name(newest->handshake, cause, recorder.masks()), content);
}

} // namespace

ControlResult answer_capture(Asked& asked) {
    auto& recorder = asked.daemon.parts().recorder;
    const auto action = asked.arguments.text("action").value_or("list");
    const auto name = asked.arguments.text("name");
    const auto target = asked.arguments.text("target");
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    if (action == "get" || action == "take") {
        const auto& what = action == "get" ? name : target;
        if (!what)
            return refuse(ControlFault::usage,
                          action == "get" ? "argument name is missing"
                                          : "argument target is missing");
        return action == "get" ? get_capture(asked, *what) : take_capture(asked, *what);
    }
    if (action == "on" || action == "off")
        recorder.enable(action == "on");
    else if (action != "list")
        return refuse(ControlFault::usage, "argument action: expected list, get, take, on or off");
    auto result = capture_json(recorder);
    result["format"] = 1;
    result["captures"] = captures_json(recorder.store());
    return result;
}

} // namespace ikefrag
