// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/commands.hpp"

#include "daemon/clock.hpp"
#include "daemon/control/arguments.hpp"
#include "daemon/control/status.hpp"
#include "daemon/explain/explain.hpp"
#include "daemon/json/json.hpp"
#include "daemon/metrics/collector.hpp"
#include "daemon/observer/daemon.hpp"
#include "daemon/recorder/attempt_file.hpp"
#include "daemon/recorder/recorder.hpp"
#include "daemon/report/report.hpp"
#include "daemon/state/peer_store.hpp"
#include "daemon/version.hpp"
#include "plugin/tracker.hpp"

#include <boost/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <functional>

namespace ikefrag {
namespace {

namespace json = boost::json;

struct Asked {
    Daemon& daemon;
    const MetricsCollector& metrics;
    ControlArguments arguments;

    [[nodiscard]] const Tracker& tracker() const { return daemon.parts().tracker; }
    /// Index of a server's name; `policy.servers.size()`: unlisted.
    [[nodiscard]] std::optional<std::size_t> find_server(const std::string& name) const {
        const auto& servers = daemon.policy().servers;
        for (std::size_t i = 0; i < servers.size(); ++i)
            if (servers[i].name == name) return i;
        if (name == "unlisted") return servers.size();
        return std::nullopt;
    }
};

Failure<ControlError> refuse(ControlFault fault, std::string message) {
    return fail(ControlError{fault, std::move(message), {}});
}

/// The newest `limit` rows of those that fit, newest first.
class Newest {
public:
    explicit Newest(std::size_t limit) : limit_(limit) {}
    void add(json::object row) {
        rows_.push_front(std::move(row));
        if (rows_.size() <= limit_) return;
        rows_.pop_back();
        ++more_;
    }
    /// Counts a row that is not worth being made into JSON: older than all of a full list.
    [[nodiscard]] json::object take(std::string_view name) {
        json::array list;
        for (auto& row : rows_) list.push_back(std::move(row));
        json::object out;
        out["format"] = 1;
        out[name] = std::move(list);
        out["more"] = more_;
        return out;
    }

private:
    std::size_t limit_;
    std::uint64_t more_ = 0;
    std::deque<json::object> rows_;
};

/// Index of the server asked for, or what is wrong with the name.
Result<std::optional<std::size_t>, ControlError>
wanted_server(const Asked& asked, const std::optional<std::string>& name) {
    if (!name) return std::optional<std::size_t>();
    const auto found = asked.find_server(*name);
    if (!found) return refuse(ControlFault::not_found, "there is no server of that name");
    return std::optional<std::size_t>(found);
}

bool is_of_server(const Asked& asked,
                  const std::optional<std::size_t>& wanted,
                  const std::optional<std::size_t>& index) {
    return !wanted || *wanted == index.value_or(asked.daemon.policy().servers.size());
}

ControlResult answer_version(Asked& asked) {
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    return json::object{
        {"version",  build_version() },
        {"revision", build_revision()},
        {"compiler", build_compiler()}
    };
}

ControlResult answer_status(Asked& asked) {
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    return status_json(asked.daemon, asked.metrics);
}

ControlResult answer_facts(Asked& asked) {
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    return facts_json(asked.daemon);
}

ControlResult answer_handshakes(Asked& asked) {
    auto& arguments = asked.arguments;
    const auto address = arguments.address("address");
    const auto server = wanted_server(asked, arguments.text("server"));
    const auto outcome = arguments.word<Outcome>("outcome");
    const auto limit = arguments.limit();
    if (auto error = arguments.error()) return fail(std::move(*error));
    if (!server) return fail(server.error());
    // Two walks: only the newest are made into JSON.
    std::size_t count = 0;
    const auto fits = [&](const Handshake& handshake) {
        return (!address || handshake.client.address == *address ||
                handshake.server.address == *address) &&
               is_of_server(asked, *server, handshake.server_index) &&
               (!outcome || handshake.outcome == *outcome);
    };
    asked.tracker().for_each_handshake([&](const Handshake& handshake) {
        if (fits(handshake)) ++count;
    });
    const auto skipped = count > limit ? count - limit : 0;
    Newest rows(limit);
    std::size_t position = 0;
    asked.tracker().for_each_handshake([&](const Handshake& handshake) {
        if (fits(handshake) && position++ >= skipped) rows.add(to_json(handshake));
    });
    auto result = rows.take("handshakes");
    result["more"] = skipped;
    return result;
}

ControlResult answer_peers(Asked& asked) {
    auto& arguments = asked.arguments;
    const auto address = arguments.address("address");
    const auto role = arguments.text("role");
    const bool missing = arguments.flag("missing_fragmentation");
    const auto limit = arguments.limit();
    if (auto error = arguments.error()) return fail(std::move(*error));
    if (role && *role != "client" && *role != "server")
        return refuse(ControlFault::usage, "argument role: expected client or server");
    // The tracker shows each peer for the length of the call: what is kept is copied, and never
    // many more than are asked for.
    std::vector<Peer> peers;
    std::size_t count = 0;
    const auto drop_the_oldest = [&] {
        const auto kept = std::min(limit, peers.size());
        std::ranges::partial_sort(peers,
                                  peers.begin() + static_cast<std::ptrdiff_t>(kept),
                                  std::ranges::greater(),
                                  &Peer::last_seen);
        peers.resize(kept);
    };
    asked.tracker().for_each_peer([&](const Peer& peer) {
        const bool lacks = peer.fragmentation == Fragmentation::none;
        if ((address && peer.address != *address) || (role && to_string(peer.role) != *role) ||
            (missing && !lacks))
            return;
        ++count;
        peers.push_back(peer);
        if (peers.size() > 2 * limit + 1000) drop_the_oldest();
    });
    drop_the_oldest();
    json::array list;
    for (const auto& peer : peers) list.push_back(to_json(peer));
    return json::object{
        {"format", 1                   },
        {"peers",  std::move(list)     },
        {"more",   count - peers.size()}
    };
}

ControlResult answer_history(Asked& asked) {
    const auto text = asked.arguments.required_text("address");
    const auto address = asked.arguments.address("address");
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    const auto history = asked.daemon.parts().store.history(*address);
    if (!history) return refuse(ControlFault::failure, history.error());
    json::array list;
    for (const auto& [time, fragmentation] : *history)
        list.push_back({
            {"time",          to_json(time)           },
            {"fragmentation", to_string(fragmentation)}
        });
    return json::object{
        {"format",  1                  },
        {"address", to_string(*address)},
        {"history", std::move(list)    }
    };
}

ControlResult answer_diagnoses(Asked& asked) {
    auto& arguments = asked.arguments;
    const auto address = arguments.address("address");
    const auto server = wanted_server(asked, arguments.text("server"));
    const auto kind = arguments.word<FindingKind>("kind");
    const bool open = arguments.flag("open");
    const auto limit = arguments.limit();
    if (auto error = arguments.error()) return fail(std::move(*error));
    if (!server) return fail(server.error());
    Newest rows(limit);
    asked.tracker().for_each_finding([&](const Finding& finding) {
        const bool fits =
            (!address || finding.client == *address || finding.server == *address) &&
            is_of_server(asked, *server, finding.server_index) &&
            (!kind || (finding.diagnosis != nullptr && finding.diagnosis->kind == *kind)) &&
            (!open || !finding.closed);
        if (fits) rows.add(to_json(finding));
    });
    return rows.take("diagnoses");
}

ControlResult answer_explain(Asked& asked) {
    auto& arguments = asked.arguments;
    const auto wanted = arguments.required_text("target");
    const auto form = arguments.text("form").value_or("text");
    ExplainOptions options;
    options.colour = arguments.flag("colour");
    options.mask = arguments.flag("mask");
    if (auto error = arguments.error()) return fail(std::move(*error));
    const auto target = parse_explain_target(wanted);
    if (!target)
        return refuse(ControlFault::usage,
                      "argument target: expected an address or an SPI of 16 hex digits");
    const auto attempts = find_attempts(asked.tracker(), asked.daemon.policy(), *target);
    if (attempts.empty())
        return refuse(ControlFault::not_found, "no handshake of that address or SPI is known");
    if (form == "text")
        return json::object{
            {"text", explain_text(attempts, options)}
        };
    if (form != "json") return refuse(ControlFault::usage, "argument form: expected text or json");
    auto explained = json::parse(explain_json(attempts, options));
    return std::move(explained.as_object());
}

ControlResult answer_report(Asked& asked) {
    auto& arguments = asked.arguments;
    const auto server = arguments.text("server");
    const auto since = arguments.number("since_seconds");
    ReportInput input;
    input.mask = arguments.flag("mask");
    if (auto error = arguments.error()) return fail(std::move(*error));
    if (server && !asked.find_server(*server))
        return refuse(ControlFault::not_found, "there is no server of that name");
    const auto now = asked.daemon.parts().clock.now();
    std::optional<TimePoint> from;
    constexpr std::uint64_t longest = std::uint64_t{10} * 365 * 86400;
    if (since) from = now - std::chrono::seconds(std::min(*since, longest));
    char host[256] = {};
    (void)::gethostname(host, sizeof host - 1);
    input.source = host;
    input.made = now;
    input.attempts =
        collect_attempts(asked.tracker(), asked.daemon.policy(), from, server.value_or(""));
    asked.tracker().for_each_finding([&](const Finding& finding) {
        if (finding.handshake == 0 && (!from || finding.updated >= *from))
            input.other_findings.push_back(finding);
    });
    asked.tracker().for_each_peer([&](const Peer& peer) {
        if (!from || peer.last_seen >= *from) input.peers.push_back(peer);
    });
    return json::object{
        {"html", render_report(input)}
    };
}

ControlResult answer_metrics(Asked& asked) {
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    return json::object{
        {"format", 1                   },
        {"text",   asked.metrics.text()}
    };
}

ControlResult answer_reload(Asked& asked) {
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    const auto reloaded = asked.daemon.reload();
    if (!reloaded) {
        if (const auto* mistakes = std::get_if<Diagnostics>(&reloaded.error()))
            return fail(ControlError{ControlFault::config,
                                     "the configuration has mistakes; the old one stays",
                                     *mistakes});
        return refuse(ControlFault::failure, std::get<std::string>(reloaded.error()));
    }
    json::array notes;
    for (const auto& note : reloaded->notes) notes.push_back(json_text(note));
    return json::object{
        {"format",  1                                     },
        {"hash",    reloaded->hash                        },
        {"rules",   reloaded->rules                       },
        {"servers", reloaded->servers                     },
        {"mode",    std::string(to_string(reloaded->mode))},
        {"notes",   std::move(notes)                      }
    };
}

ControlResult answer_mode(Asked& asked) {
    const auto text = asked.arguments.required_text("mode");
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    const auto mode = parse_word<Mode>(text);
    if (!mode)
        return refuse(ControlFault::usage, "argument mode: expected observe, guard or exclusive");
    const auto before = asked.daemon.policy().mode;
    if (auto error = asked.daemon.change_mode(*mode))
        return refuse(ControlFault::failure, std::move(*error));
    return json::object{
        {"format", 1                             },
        {"mode",   std::string(to_string(*mode)) },
        {"before", std::string(to_string(before))}
    };
}

ControlResult answer_forget(Asked& asked) {
    const auto text = asked.arguments.required_text("address");
    const auto address = asked.arguments.address("address");
    if (auto error = asked.arguments.error()) return fail(std::move(*error));
    return json::object{
        {"format",    1                            },
        {"forgotten", asked.daemon.forget(*address)}
    };
}

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

struct Command {
    std::string_view name;
    bool root_only;
    ControlResult (*answer)(Asked&);
};
constexpr Command commands[] = {
    {"version",    false, answer_version   },
    {"status",     false, answer_status    },
    {"handshakes", false, answer_handshakes},
    {"peers",      false, answer_peers     },
    {"history",    false, answer_history   },
    {"diagnoses",  false, answer_diagnoses },
    {"explain",    false, answer_explain   },
    {"report",     false, answer_report    },
    {"metrics",    false, answer_metrics   },
    {"facts",      false, answer_facts     },
    {"reload",     true,  answer_reload    },
    {"mode",       true,  answer_mode      },
    {"forget",     true,  answer_forget    },
    {"capture",    true,  answer_capture   },
};

} // namespace

ControlResult answer_control(Daemon& daemon,
                             const MetricsCollector& metrics,
                             const ControlRequest& request,
                             const Caller& caller) {
    for (const auto& command : commands) {
        if (command.name != request.command) continue;
        if (command.root_only && caller.user != 0)
            return refuse(ControlFault::permission, request.command + ": only root may");
        daemon.catch_up();
        Asked asked{daemon, metrics, ControlArguments(request.arguments)};
        return command.answer(asked);
    }
    return refuse(ControlFault::usage, "unknown command");
}

} // namespace ikefrag
