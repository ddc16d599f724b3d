// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/daemon.hpp"

#include "daemon/asio.hpp"
#include "daemon/clock.hpp"
#include "daemon/counted.hpp"
#include "daemon/events/event_writer.hpp"
#include "daemon/kernel/links.hpp"
#include "daemon/log.hpp"
#include "daemon/observer/borrowed.hpp"
#include "daemon/observer/observer.hpp"
#include "daemon/observer/service_manager.hpp"
#include "daemon/observer/table_keeper.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/recorder.hpp"
#include "daemon/state/peer_store.hpp"

#include <csignal>
#include <stdexcept>

namespace ikefrag {
namespace {

constexpr auto housekeeping_every = std::chrono::seconds(1);
constexpr Duration interfaces_every = std::chrono::seconds(10);
constexpr Duration forget_every = std::chrono::hours(1);
/// Workers turn at least once a second.
constexpr Duration worker_hangs_after = std::chrono::milliseconds(2500);

PolicyPointer with_rows(const PolicyPointer& policy, RuleRows& rows) {
    auto copy = std::make_shared<Policy>(*policy);
    rows.assign(*copy);
    return copy;
}

PolicyPointer with_mode(const PolicyPointer& policy, Mode mode) {
    auto copy = std::make_shared<Policy>(*policy);
    copy->mode = mode;
    return copy;
}

std::string first_line_of(const Diagnostics& diagnostics) {
    auto text = first_line(diagnostics.front());
    if (diagnostics.size() > 1)
        text += " (and " + std::to_string(diagnostics.size() - 1) + " more)";
    return text;
}

} // namespace

struct Daemon::Timers {
    Timers(asio::io_context& io, int table_watch)
        : signals(io, SIGTERM, SIGINT, SIGHUP), housekeeping(io), repair(io),
          table(io, table_watch) {}
    asio::signal_set signals;
    asio::steady_timer housekeeping;
    asio::steady_timer repair;
    Borrowed table;
};

Daemon::Daemon(Parts parts, Paths paths, Config config)
    : parts_(parts), paths_(std::move(paths)), config_(std::move(config)),
      timers_(std::make_unique<Timers>(parts.io, parts.table.descriptor())),
      started_(parts.clock.now()), configured_(started_) {
    config_.policy = with_rows(config_.policy, parts_.rows);
}

Daemon::~Daemon() = default;

void Daemon::start() {
    read_interfaces();
    parts_.observer.set_policy(config_.policy);
    parts_.observer.start();
    parts_.tracker.set_live_since(started_);
    parts_.table.count_from_now();
    if (policy().mode != Mode::observe) {
        parts_.pool.start(config_.policy);
        parts_.observer.watch_workers();
    }
    // Queues first, so that no fragment meets a rule without a listener.
    if (const auto error = parts_.table.load()) {
        if (config_.settings.queue.manage_nft)
            throw std::runtime_error("the kernel table cannot be loaded: " + *error);
        log_warning("the kernel table is not as expected (manage_nft is off): " + *error);
    }
    ready_ = true;
    wait_for_signals();
    wait_for_table();
    housekeep();
    const auto text = "mode " + std::string(to_string(policy().mode)) + ", " +
                      counted(policy().servers.size(), "server") + ", " +
                      counted(policy().rules.size(), "rule");
    log_info("ikefragd " IKEFRAG_VERSION " runs: " + text);
    parts_.events.daemon_changed("start", true, text, started_);
    tell_service_manager("READY=1");
}

void Daemon::wait_for_signals() {
    timers_->signals.async_wait([this](ErrorCode error, int signal) {
        if (error) return;
        if (signal != SIGHUP) return stop();
        tell_reloading();
        (void)reload();
        tell_service_manager("READY=1");
        wait_for_signals();
    });
}

void Daemon::wait_for_table() {
    timers_->table.wait([this](ErrorCode error) {
        if (error) return;
        keep_table();
        wait_for_table();
    });
}

void Daemon::keep_table() {
    const auto now = parts_.clock.now();
    parts_.table.look();
    const auto again = parts_.table.keep(now);
    parts_.tracker.set_fragment_drops(fragment_drops_behind_us(parts_.table.conntrack()));
    if (!again) return;
    timers_->repair.expires_after(std::max<Duration>(*again - now, std::chrono::milliseconds(1)));
    timers_->repair.async_wait([this](ErrorCode error) {
        if (!error) keep_table();
    });
}

void Daemon::catch_up() { parts_.observer.catch_up(); }

void Daemon::housekeep() {
    const auto now = parts_.clock.now();
    catch_up();
    keep_table();
    parts_.events.tick(now);
    mend_workers();
    if (look_) look_(now);
    if (now - interfaces_read_ >= interfaces_every) read_interfaces();
    if (now - forgot_ >= forget_every) {
        forgot_ = now;
        const auto oldest = now - std::chrono::hours(24) * config_.settings.keep_days;
        parts_.tracker.forget_peers_before(oldest);
        parts_.store.forget_before(oldest);
    }
    feed_watchdog(now);
    timers_->housekeeping.expires_after(housekeeping_every);
    timers_->housekeeping.async_wait([this](ErrorCode error) {
        if (!error) housekeep();
    });
}

void Daemon::feed_watchdog(TimePoint now) {
    const auto pause = parts_.pool.longest_pause(now);
    if (pause > worker_hangs_after) {
        if (!hang_told_) log_error("a queue worker has not turned for seconds: watchdog not fed");
        hang_told_ = true;
        return;
    }
    hang_told_ = false;
    std::uint64_t held = 0;
    for (const auto& queue : parts_.pool.totals()) held += queue.held_packets;
    tell_service_manager("WATCHDOG=1\nSTATUS=mode " + std::string(to_string(policy().mode)) + ", " +
                         counted(parts_.tracker.handshakes_in_progress(), "handshake") +
                         " in progress, " + counted(held, "fragment") + " held");
}

/// A worker whose socket broke is replaced; what it held is gone with its queue.
void Daemon::mend_workers() {
    const auto failure = parts_.pool.failure();
    if (failure.empty()) return;
    log_error("a queue worker ended (" + failure + "): starting it again");
    parts_.observer.leave_workers();
    parts_.pool.stop();
    try {
        parts_.pool.start(config_.policy);
        parts_.observer.watch_workers();
        read_interfaces();
    } catch (const std::exception& error) {
        log_error(error.what());
    }
}

void Daemon::read_interfaces() {
    interfaces_read_ = parts_.clock.now();
    try {
        const auto links = read_links();
        std::vector<InterfaceName> names;
        names.reserve(links.size());
        for (const auto& link : links) names.push_back({link.index, link.name});
        parts_.observer.set_interfaces(names);
        parts_.pool.set_interfaces(names);
        parts_.pool.set_domains(std::make_shared<const InterfaceDomains>(links));
    } catch (const std::exception& error) {
        log_warning(std::string("interfaces cannot be read: ") + error.what());
    }
}

/// When no datagram that was on its way at a change of mode can still be so.
TimePoint Daemon::until_halves_have_met(const Policy& policy) const {
    return parts_.clock.now() + std::chrono::seconds(policy.limits.hold_seconds);
}

std::optional<std::string> Daemon::begin_queueing(const PolicyPointer& policy) {
    try {
        parts_.pool.start(policy);
    } catch (const std::exception& error) {
        return error.what();
    }
    parts_.observer.watch_workers();
    read_interfaces();
    // Of a datagram whose first half has gone on already the second must follow it.
    parts_.pool.accept_headless_until(until_halves_have_met(*policy));
    if (auto error = parts_.table.change(*policy, config_.settings)) {
        parts_.observer.leave_workers();
        parts_.pool.stop();
        return error;
    }
    parts_.observer.forget_fragments();
    return std::nullopt;
}

std::optional<std::string> Daemon::end_queueing(const PolicyPointer& policy) {
    if (auto error = parts_.table.change(*policy, config_.settings)) return error;
    parts_.observer.accept_headless_until(until_halves_have_met(*policy));
    // From here on nothing more comes into the queues: let go what they hold.
    parts_.pool.release();
    parts_.observer.leave_workers();
    parts_.pool.stop();
    return std::nullopt;
}

/// Puts a policy into force everywhere, or nowhere.
std::optional<std::string> Daemon::apply(const PolicyPointer& policy) {
    const bool queued = parts_.pool.running();
    const bool queues = policy->mode != Mode::observe;
    std::optional<std::string> error;
    if (queues && !queued)
        error = begin_queueing(policy);
    else if (!queues && queued)
        error = end_queueing(policy);
    else
        error = parts_.table.change(*policy, config_.settings);
    if (error) return error;
    parts_.pool.set_policy(policy);
    parts_.observer.set_policy(policy);
    config_.policy = policy;
    return std::nullopt;
}

std::optional<std::string> Daemon::change_mode(Mode mode) {
    const auto before = policy().mode;
    if (before == mode) return std::nullopt;
    auto error = apply(with_mode(config_.policy, mode));
    const auto text =
        error ? *error
              : "from " + std::string(to_string(before)) + " to " + std::string(to_string(mode));
    if (error)
        log_error("mode " + std::string(to_string(mode)) + " cannot be set: " + *error);
    else
        log_info("mode changed " + text);
    parts_.events.daemon_changed("mode", !error, text, parts_.clock.now());
    return error;
}

/// Settings that only a start can change keep their old values. Out: the keys of those that differ
std::vector<std::string> Daemon::keep_until_restart(Settings& fresh) const {
    const auto& old = config_.settings;
    std::vector<std::string> keys;
    const auto keep = [&](auto& now, const auto& before, const char* key) {
        if (now == before) return;
        now = before;
        keys.emplace_back(key);
    };
    keep(fresh.queue.first, old.queue.first, "queue.first");
    keep(fresh.queue.count, old.queue.count, "queue.count");
    keep(fresh.queue.manage_nft, old.queue.manage_nft, "queue.manage_nft");
    keep(fresh.copy_group, old.copy_group, "copy.group");
    keep(fresh.metrics_listen, old.metrics_listen, "metrics.listen");
    keep(fresh.control_socket, old.control_socket, "control.socket");
    keep(fresh.state_directory, old.state_directory, "state.directory");
    return keys;
}

Result<Reloaded, ReloadFault> Daemon::take(Config fresh) {
    Reloaded reloaded;
    auto waiting = keep_until_restart(fresh.settings);
    for (const auto& key : waiting) reloaded.notes.push_back(key + " changes at the next restart");
    reloaded.hash = fresh.hash;
    const auto before = config_.settings;
    config_.settings = fresh.settings;
    parts_.pool.change(config_.settings);
    if (auto error = apply(with_rows(fresh.policy, parts_.rows))) {
        config_.settings = before;
        parts_.pool.change(config_.settings);
        return fail(ReloadFault(std::move(*error)));
    }
    config_.hash = fresh.hash;
    waiting_ = std::move(waiting);
    config_.rules_directory = fresh.rules_directory;
    config_.notes = fresh.notes;
    for (const auto& note : config_.notes) reloaded.notes.push_back(first_line(note));
    configured_ = parts_.clock.now();
    parts_.events.change(config_.settings.events, config_.settings.mask_addresses);
    parts_.recorder.change(config_.settings);
    reloaded.rules = policy().rules.size();
    reloaded.servers = policy().servers.size();
    reloaded.mode = policy().mode;
    return reloaded;
}

Result<Reloaded, ReloadFault> Daemon::reload() {
    ++reloads_;
    auto fresh = read_config(paths_.config, paths_.rules, Ownership::strict);
    // A file system that is not mounted must not take the rules away; without any is a restart's.
    if (fresh && fresh->rules_directory.empty() && !config_.rules_directory.empty())
        fresh = fail(Diagnostics{
            {config_.rules_directory,
             {},
             "the rules directory is gone; only a restart goes without it", {}}
        });
    auto result = fresh
                      ? take(std::move(*fresh))
                      : Result<Reloaded, ReloadFault>(fail(ReloadFault(std::move(fresh).error())));
    last_reload_successful_ = result.has_value();
    reload_fault_.clear();
    std::string text;
    if (result) {
        text = counted(result->rules, "rule") + ", " + counted(result->servers, "server") +
               ", mode " + std::string(to_string(result->mode));
        for (const auto& note : result->notes) text += "; " + note;
        log_info("configuration read again: " + text);
    } else {
        const auto* mistakes = std::get_if<Diagnostics>(&result.error());
        reload_fault_ =
            mistakes != nullptr ? to_string(*mistakes) : std::get<std::string>(result.error());
        text = mistakes != nullptr ? first_line_of(*mistakes) : reload_fault_;
        log_error("configuration refused, the old one stays: " + text);
    }
    parts_.events.daemon_changed("reload", result.has_value(), text, parts_.clock.now());
    return result;
}

bool Daemon::forget(const IpAddress& address) {
    parts_.store.forget(address);
    const bool known = parts_.tracker.forget_peer(address);
    const auto captures = parts_.recorder.store().forget(address);
    catch_up();
    return known || captures > 0;
}

void Daemon::stop() {
    if (stopping_) return;
    stopping_ = true;
    ready_ = false;
    tell_service_manager("STOPPING=1");
    if (const auto error = parts_.table.stop_queueing())
        log_warning("the kernel still queues: " + *error);
    parts_.pool.release();
    catch_up();
    parts_.observer.leave_workers();
    parts_.pool.stop();
    if (const auto error = parts_.table.remove())
        log_warning("the kernel table cannot be removed: " + *error);
    parts_.events.daemon_changed("stop", true, "on request", parts_.clock.now());
    log_info("ikefragd ends: all that was held was answered, the kernel table is gone");
    parts_.io.stop();
}

} // namespace ikefrag
