// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/asio.hpp"
#include "daemon/clock.hpp"
#include "daemon/config/config.hpp"
#include "daemon/config/vendor_files.hpp"
#include "daemon/control/commands.hpp"
#include "daemon/control/server.hpp"
#include "daemon/events/event_writer.hpp"
#include "daemon/kernel/log_reader.hpp"
#include "daemon/log.hpp"
#include "daemon/metrics/collector.hpp"
#include "daemon/metrics/http_server.hpp"
#include "daemon/metrics/kept_text.hpp"
#include "daemon/observer/daemon.hpp"
#include "daemon/observer/observer.hpp"
#include "daemon/observer/service_manager.hpp"
#include "daemon/observer/table_keeper.hpp"
#include "daemon/observer/troubles.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/recorder.hpp"
#include "daemon/sandbox/confine.hpp"
#include "daemon/state/peer_store.hpp"
#include "daemon/version.hpp"
#include "plugin/tracker.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <system_error>
#include <thread>

using namespace ikefrag;

namespace {

enum ExitCode : int { ok = 0, failure = 1, usage = 2, invalid = 4, permission = 5 };

struct Options {
    std::string config = "/etc/ikefragd/ikefragd.toml";
    std::string rules;
    std::string log_format = "text";
    std::string user = "ikefragd";
    bool check = false;
    bool version = false;
    bool confined = true;
    bool foreground = true;
};

/// Empty: the process ends with `code`.
bool read_command_line(int argc, char** argv, Options& options, int& code) {
    CLI::App app("Lets the IP fragments of IKE through this firewall, safely, and tells why VPN "
                 "handshakes fail.",
                 "ikefragd");
    app.add_option("--config", options.config, "Configuration file")->capture_default_str();
    app.add_option("--rules", options.rules, "Rules directory [rules.d beside the configuration]");
    app.add_flag(
        "--check,--check-config", options.check, "Check configuration and rules, then end");
    app.add_option("--log-format", options.log_format, "Lines of the daemon's own log")
        ->check(CLI::IsMember({"text", "json"}))
        ->capture_default_str();
    app.add_option("--user", options.user, "User to run as, if started by root and it exists")
        ->capture_default_str();
    app.add_flag("--foreground", options.foreground, "Stay in the foreground; it always does");
    app.add_flag("!--no-sandbox", options.confined, "Keep all privileges (for debugging)");
    app.add_flag("--version", options.version, "Print the version, then end");
    app.footer("Exit codes: 0 ended on request, 1 failure, 2 usage, 4 invalid configuration, 5 no "
               "permission.\nSignals: SIGHUP reads the configuration again, SIGTERM ends.");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        code = app.exit(error) == 0 ? ok : usage;
        return false;
    }
    return true;
}

int refuse(const Diagnostics& mistakes) {
    std::fputs(to_string(mistakes).c_str(), stderr);
    return invalid;
}

std::unique_ptr<HttpPage>
make_page(std::string_view path, const Daemon& daemon, KeptText& metrics) {
    if (path == "/metrics")
        return std::make_unique<HttpPage>(
            HttpPage{200, "text/plain; version=0.0.4; charset=utf-8", metrics.get()});
    if (path == "/-/healthy") return std::make_unique<HttpPage>(HttpPage{.body = "healthy\n"});
    if (path == "/-/ready") {
        if (daemon.ready()) return std::make_unique<HttpPage>(HttpPage{.body = "ready\n"});
        return std::make_unique<HttpPage>(HttpPage{.status = 503, .body = "not ready\n"});
    }
    return nullptr;
}

PeerStore::Settings store_settings(const Settings& settings, const TrackerLimits& limits) {
    return {.path = settings.state_directory + "/peers.db", .max_peers = limits.peers};
}

/// In: newest first. The tracker takes what comes last for what was seen last.
void restore(Tracker& tracker, const std::vector<Peer>& peers) {
    std::for_each(
        peers.rbegin(), peers.rend(), [&](const Peer& peer) { tracker.restore_peer(peer); });
}

TrackerLimits tracker_limits() {
    TrackerLimits limits;
    limits.seed = random_seed();
    return limits;
}

TroubleFacts trouble_facts(const Daemon& daemon, const MetricsCollector& metrics) {
    const auto& parts = daemon.parts();
    TroubleFacts facts;
    for (const auto& queue : metrics.queues()) {
        facts.unseen += queue.unseen;
        facts.vanished += queue.totals.vanished;
        facts.observations_lost += queue.totals.observations_lost;
    }
    facts.copies_lost = parts.log.counters().lost.get();
    const auto& events = parts.events.counters();
    facts.events_lost = events.lost.get() + events.failures.get();
    facts.fail_open = daemon.config().settings.queue.fail_open;
    facts.peers_set_aside = parts.store.notice();
    facts.peers_database = parts.store.trouble();
    facts.pass = what_pass_does(parts.table.conntrack());
    facts.wall_clock_drift = parts.clock.drift();
    return facts;
}

/// The wiring: every part is made here, in the order the parts need each other.
int run(const Options& options, Config config, std::vector<VendorId> vendor_ids, bool& started) {
    const auto settings = config.settings;
    const Clock clock;
    asio::io_context io(1);
    RuleRows rows;
    TableKeeper table(*config.policy, settings);
    LogReader copies({.group = settings.copy_group}, clock);
    Daemon* daemon_to_ask = nullptr;
    MetricsCollector* metrics_to_ask = nullptr;
    const ControlServer control(io,
                                settings.control_socket,
                                options.user,
                                [&](const ControlRequest& request, const Caller& caller) {
                                    return answer_control(
                                        *daemon_to_ask, *metrics_to_ask, request, caller);
                                });
    // Until here alone, and as root: threads are started by what follows.
    if (options.confined) confine(options.user, options.config, options.rules, settings);

    const auto limits = tracker_limits();
    PeerStore store(store_settings(settings, limits));
    EventWriter events(settings.events, settings.mask_addresses);
    Tracker tracker(config.policy, limits, std::move(vendor_ids));
    restore(tracker, store.load(clock.now() - std::chrono::hours(24) * settings.keep_days));
    WorkerPool pool(settings, clock);
    Recorder recorder(pool, settings);
    Observer observer(io, clock, copies, pool, tracker, events, store, recorder, config.policy);
    Daemon daemon({.io = io,
                   .clock = clock,
                   .log = copies,
                   .pool = pool,
                   .table = table,
                   .tracker = tracker,
                   .observer = observer,
                   .events = events,
                   .store = store,
                   .recorder = recorder,
                   .rows = rows},
                  {.config = options.config, .rules = options.rules},
                  std::move(config));
    MetricsCollector metrics(daemon);
    daemon_to_ask = &daemon;
    metrics_to_ask = &metrics;
    KeptText metrics_text(
        [&metrics] { return metrics.text(); },
        [] { return Duration(std::chrono::steady_clock::now().time_since_epoch()); });
    const HttpServer http(io, settings.metrics_listen, [&](std::string_view path) {
        return make_page(path, daemon, metrics_text);
    });
    Troubles troubles;
    daemon.each_second([&](TimePoint now) {
        restore(tracker, store.take_late());
        for (const auto& line : troubles.look(trouble_facts(daemon, metrics), now))
            log(line.level, line.text);
    });
    for (const auto& note : daemon.config().notes) log_warning(first_line(note));
    daemon.start();
    started = true;
    io.run();
    return ok;
}

/// The unit brings a daemon back 0.1 s after a crash, so that little passes unseen. A start that
/// fails would fail again as fast, for hours: it waits before it ends.
int end_failed(const std::exception& error, bool started, ExitCode code) {
    log_error(error.what());
    if (started || std::getenv("NOTIFY_SOCKET") == nullptr) return code;
    log_error("ikefragd could not start; it will be tried again in 5 seconds");
    tell_service_manager("STATUS=could not start: " + std::string(error.what()));
    std::this_thread::sleep_for(std::chrono::seconds(5));
    return code;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    int code = ok;
    bool started = false;
    if (!read_command_line(argc, argv, options, code)) return code;
    if (options.version) {
        std::printf("ikefragd %s (%s, %s)\n",
                    std::string(build_version()).c_str(),
                    std::string(build_revision()).c_str(),
                    std::string(build_compiler()).c_str());
        return ok;
    }
    try {
        auto config = read_config(options.config, options.rules, Ownership::strict);
        if (!config) return refuse(config.error());
        auto vendor_ids = read_vendor_ids(options.config, Ownership::strict);
        if (!vendor_ids) return refuse(vendor_ids.error());
        if (options.check) {
            for (const auto& note : config->notes)
                std::fputs(("note: " + to_string(note)).c_str(), stdout);
            std::printf("right: mode %s, %zu servers, %zu rules\n",
                        std::string(to_string(config->policy->mode)).c_str(),
                        config->policy->servers.size(),
                        config->policy->rules.size());
            return ok;
        }
        set_log_format(options.log_format == "json" ? LogFormat::json : LogFormat::text);
        return run(options, std::move(*config), std::move(*vendor_ids), started);
    } catch (const std::system_error& error) {
        const auto& reason = error.code();
        const bool refused =
            reason == std::errc::operation_not_permitted || reason == std::errc::permission_denied;
        return end_failed(error, started, refused ? permission : failure);
    } catch (const std::exception& error) {
        return end_failed(error, started, failure);
    }
}
