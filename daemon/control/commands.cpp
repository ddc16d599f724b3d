// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/commands.hpp"

#include "daemon/clock.hpp"
#include "daemon/control/asked.hpp"
#include "daemon/control/status.hpp"
#include "daemon/explain/explain.hpp"
#include "daemon/json/json.hpp"
#include "daemon/metrics/collector.hpp"
#include "daemon/report/report.hpp"
#include "daemon/state/peer_store.hpp"
#include "daemon/version.hpp"
#include "plugin/tracker.hpp"

#include <boost/json.hpp>
#include <unistd.h>

#include <algorithm>
#include <functional>
#include <vector>

namespace ikefrag {
namespace {

namespace json = boost::json;

/// Index of a server's name; as many as there are servers: unlisted.
std::optional<std::size_t> find_server(const Asked& asked, const std::string& name) {
    const auto& servers = asked.daemon.policy().servers;
    for (std::size_t i = 0; i < servers.size(); ++i)
        if (servers[i].name == name) return i;
    if (name == "unlisted") return servers.size();
    return std::nullopt;
}

/// The newest `limit` of those that fit, newest first. Two walks, oldest first: only what is shown
/// is made into JSON.
template <class Walk, class Fits>
json::object newest(std::string_view name, std::size_t limit, Walk walk, Fits fits) {
    std::size_t count = 0;
    walk([&](const auto& row) { count += fits(row) ? 1u : 0u; });
    const auto skipped = count > limit ? count - limit : 0;
    std::vector<json::value> rows;
    std::size_t position = 0;
    walk([&](const auto& row) {
        if (fits(row) && position++ >= skipped) rows.push_back(to_json(row));
    });
    json::object out;
    out["format"] = 1;
    out[name] = json::array(rows.rbegin(), rows.rend());
    out["more"] = skipped;
    return out;
}

/// Index of the server asked for, or what is wrong with the name.
Result<std::optional<std::size_t>, ControlError>
wanted_server(const Asked& asked, const std::optional<std::string>& name) {
    if (!name) return std::optional<std::size_t>();
    const auto found = find_server(asked, *name);
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
    return newest(
        "handshakes",
        limit,
        [&](const auto& take) { asked.tracker().for_each_handshake(take); },
        [&](const Handshake& handshake) {
            return (!address || handshake.client.address == *address ||
                    handshake.server.address == *address) &&
                   is_of_server(asked, *server, handshake.server_index) &&
                   (!outcome || handshake.outcome == *outcome);
        });
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
        const bool lacks = peer.capability.fragmentation == Fragmentation::none;
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
    for (const auto& [time, capability] : *history)
        list.push_back({
            {"time",          to_json(time)                        },
            {"fragmentation", to_string(capability.fragmentation)  },
            {"intermediate",  bool_or_null(capability.intermediate)}
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
    return newest(
        "diagnoses",
        limit,
        [&](const auto& take) { asked.tracker().for_each_finding(take); },
        [&](const Finding& finding) {
            return (!address || finding.client == *address || finding.server == *address) &&
                   is_of_server(asked, *server, finding.server_index) &&
                   (!kind || (finding.diagnosis != nullptr && finding.diagnosis->kind == *kind)) &&
                   (!open || !finding.closed);
        });
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
    if (server && !find_server(asked, *server))
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
