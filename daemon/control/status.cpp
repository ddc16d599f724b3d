// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/status.hpp"

#include "daemon/clock.hpp"
#include "daemon/events/event_writer.hpp"
#include "daemon/json/json.hpp"
#include "daemon/kernel/log_reader.hpp"
#include "daemon/metrics/collector.hpp"
#include "daemon/observer/daemon.hpp"
#include "daemon/observer/table_keeper.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/recorder.hpp"
#include "daemon/state/peer_store.hpp"
#include "daemon/version.hpp"
#include "plugin/tracker.hpp"

#include <boost/json.hpp>
#include <unistd.h>

namespace ikefrag {
namespace {

namespace json = boost::json;

json::object queue_json(const QueueMetrics& queue) {
    json::object verdicts;
    for (const auto& verdict : words<Verdict>())
        verdicts[verdict.text] = queue.totals.verdicts[index(verdict.value)];
    return {
        {"queue",             queue.totals.number           },
        {"packets",           queue.packets                 },
        {"verdicts",          std::move(verdicts)           },
        {"waiting",           queue.waiting                 },
        {"vanished",          queue.totals.vanished         },
        {"unseen",            queue.unseen                  },
        {"held_packets",      queue.totals.held_packets     },
        {"held_bytes",        queue.totals.held_bytes       },
        {"observations_lost", queue.totals.observations_lost}
    };
}

json::object table_json(TableKeeper& table) {
    json::object counters;
    const auto& counts = table.counts();
    for (const auto counter : table_counters())
        counters[to_string(counter)] = counts[static_cast<std::size_t>(counter)];
    return {
        {"present",  table.present()                                                        },
        {"via",      to_string(table.via())                                                 },
        {"fault",    table.fault().empty() ? json::value(nullptr) : json_text(table.fault())},
        {"repairs",  table.repairs()                                                        },
        {"counters", std::move(counters)                                                    }
    };
}

json::array rules_json(const std::vector<RuleFound>& rules) {
    json::array list;
    for (const auto& rule : rules)
        list.push_back({
            {"where", json_text(rule.where)},
            {"rule",  json_text(rule.text) }
        });
    return list;
}

json::array drops_json(const std::vector<RuleFound>& rules) {
    auto list = rules_json(rules);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        auto& row = list[i].get_object();
        row["ipv4"] = rules[i].ipv4;
        row["ipv6"] = rules[i].ipv6;
        row["surely"] = rules[i].surely;
        row["by_default"] = rules[i].by_default;
        row["bites"] = rules[i].bites;
    }
    return list;
}

json::array texts_json(const std::vector<std::string>& texts) {
    json::array list;
    for (const auto& text : texts) list.push_back(json_text(text));
    return list;
}

json::object conntrack_json(const ConntrackFacts& facts) {
    return {
        {"active",         facts.conntrack_active           },
        {"users",          rules_json(facts.conntrack_users)},
        {"fragment_drops", drops_json(facts.fragment_drops) },
        {"earlier_hooks",  rules_json(facts.earlier_hooks)  },
        {"not_judged",     texts_json(facts.not_judged)     },
        {"unread",         texts_json(facts.unread)         }
    };
}

/// What the daemon asked of the kernel, and what it got: read back, or, of `max_length` and
/// `fail_open`, which the kernel does not show, what it took without an error.
json::array kernel_settings_json(const Daemon& daemon) {
    json::array list;
    const auto add = [&](const std::string& of, const char* setting, auto asked, auto got) {
        list.push_back({
            {"of",      of     },
            {"setting", setting},
            {"asked",   asked  },
            {"got",     got    }
        });
    };
    const auto& parts = daemon.parts();
    const auto& asked = daemon.config().settings.queue;
    for (const auto& worker : parts.pool.workers()) {
        const auto& got = worker->bound();
        const auto of = "queue " + std::to_string(worker->number());
        add(of, "max_length", asked.max_length, got.max_length);
        add(of, "fail_open", asked.fail_open, got.fail_open);
        add(of, "receive_buffer_bytes", QueueSettings{}.receive_buffer_bytes, got.receive_buffer);
        add(of, "copy_range_bytes", queue_copy_range, got.copy_range);
    }
    add("log group " + std::to_string(daemon.config().settings.copy_group),
        "receive_buffer_bytes",
        LogSettings{}.receive_buffer_bytes,
        parts.log.receive_buffer());
    return list;
}

json::array servers_json(const Daemon& daemon) {
    json::array list;
    const auto& servers = daemon.policy().servers;
    const auto& totals = daemon.parts().tracker.server_totals();
    for (std::size_t i = 0; i < totals.size(); ++i) {
        const auto& total = totals[i];
        std::uint64_t failed = 0;
        for (const auto& [slug, count] : total.failed) failed += count;
        list.push_back({
            {"name",                    i < servers.size() ? servers[i].name : "unlisted"},
            {"started",                 total.started[1] + total.started[2]              },
            {"completed",               total.completed[1] + total.completed[2]          },
            {"failed",                  failed                                           },
            {"fragmentation_supported",
             total.fragmentation_supported ? json::value(*total.fragmentation_supported)
                                           : json::value(nullptr)                        }
        });
    }
    return list;
}

} // namespace

json::object capture_json(const Recorder& recorder) {
    const auto& ring = recorder.ring();
    const auto& counters = recorder.store().counters();
    return {
        {"enabled",          recorder.enabled()                                                      },
        {"folder",           json_text(recorder.store().folder())                                    },
        {"ring_packets",     ring ? ring->packets() : 0                                              },
        {"ring_bytes",       ring ? ring->bytes() : 0                                                },
        {"oldest_packet",    ring && ring->oldest() ? to_json(*ring->oldest()) : json::value(nullptr)},
        {"packets_lost",     recorder.packets_lost()                                                 },
        {"files_written",    counters.written.get()                                                  },
        {"files_failed",     counters.failures.get() + counters.lost.get()                           },
        {"files_suppressed", recorder.suppressed()                                                   }
    };
}

json::object status_json(const Daemon& daemon, const MetricsCollector& metrics) {
    const auto& parts = daemon.parts();
    const auto now = parts.clock.now();
    json::array queues;
    for (const auto& queue : metrics.queues()) queues.push_back(queue_json(queue));
    json::object status;
    status["format"] = 1;
    status["version"] = build_version();
    status["revision"] = build_revision();
    status["process"] = ::getpid();
    status["mode"] = to_string(daemon.policy().mode);
    status["ready"] = daemon.ready();
    status["started"] = to_json(daemon.started());
    status["uptime_seconds"] =
        std::chrono::duration_cast<std::chrono::seconds>(now - daemon.started()).count();
    status["clock_step_seconds"] =
        std::chrono::round<std::chrono::seconds>(parts.clock.drift()).count();
    status["config_hash"] = daemon.config().hash;
    status["config_read"] = to_json(daemon.configured());
    status["last_reload_successful"] = daemon.last_reload_successful();
    status["last_reload_fault"] = daemon.last_reload_fault().empty()
                                      ? json::value(nullptr)
                                      : json_text(daemon.last_reload_fault());
    status["waits_for_restart"] = texts_json(daemon.waits_for_restart());
    status["rules"] = daemon.policy().rules.size();
    status["servers"] = servers_json(daemon);
    status["queues"] = std::move(queues);
    status["kernel_settings"] = kernel_settings_json(daemon);
    status["table"] = table_json(parts.table);
    status["conntrack_active"] = parts.table.conntrack().conntrack_active;
    status["pass"] = what_pass_does(parts.table.conntrack());
    status["copies"] = {
        {"read", parts.log.counters().copies.get()},
        {"lost", parts.log.counters().lost.get()  }
    };
    status["handshakes"] = {
        {"known",       parts.tracker.handshake_count()       },
        {"in_progress", parts.tracker.handshakes_in_progress()}
    };
    status["peers"] = parts.tracker.peer_count();
    const auto complaint = parts.store.complaint();
    status["peers_database"] = complaint.empty() ? json::value(nullptr) : json_text(complaint);
    const auto& events = parts.events.counters();
    status["events"] = {
        {"written", events.written.get()                     },
        {"lost",    events.lost.get() + events.failures.get()}
    };
    status["capture"] = capture_json(parts.recorder);
    return status;
}

json::object facts_json(const Daemon& daemon) {
    const auto& parts = daemon.parts();
    return {
        {"format",             1                                      },
        {"mode",               to_string(daemon.policy().mode)        },
        {"kernel_settings",    kernel_settings_json(daemon)           },
        {"table",              table_json(parts.table)                },
        {"conntrack",          conntrack_json(parts.table.conntrack())},
        {"pass",               what_pass_does(parts.table.conntrack())},
        {"config_age_seconds",
         std::chrono::duration_cast<std::chrono::seconds>(parts.clock.now() - daemon.configured())
             .count()                                                 }
    };
}

} // namespace ikefrag
