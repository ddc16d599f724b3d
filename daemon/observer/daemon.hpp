// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "plugin/policy.hpp"
#include "plugin/result.hpp"
#include "plugin/time.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace boost::asio {
class io_context;
} // namespace boost::asio

namespace ikefrag {

class Clock;
class EventWriter;
class LogReader;
class Observer;
class PeerStore;
class Recorder;
class TableKeeper;
class Tracker;
class WorkerPool;

/// What a reload did.
struct Reloaded {
    std::string hash;
    std::size_t rules = 0;
    std::size_t servers = 0;
    Mode mode = Mode::observe;
    std::vector<std::string> notes; ///< what waits for a restart
};
/// Why it changed nothing: mistakes in the files, or what the kernel would not take.
using ReloadFault = std::variant<Diagnostics, std::string>;

/// The running daemon: what is decided once a second, at a signal or by an admin's word. The
/// packets' own ways are the workers' and the observer's.
///
/// Runs on the io_context's thread, as all it holds but the workers does.
class Daemon {
public:
    /// What it was started with.
    struct Paths {
        std::string config;
        std::string rules; ///< empty: rules.d beside config
    };
    /// Everything it drives; all outlive it.
    struct Parts {
        boost::asio::io_context& io;
        const Clock& clock;
        LogReader& log;
        WorkerPool& pool;
        TableKeeper& table;
        Tracker& tracker;
        Observer& observer;
        EventWriter& events;
        PeerStore& store;
        Recorder& recorder;
        RuleRows& rows;
    };

    Daemon(Parts parts, Paths paths, Config config);
    ~Daemon();
    Daemon(const Daemon&) = delete;
    Daemon& operator=(const Daemon&) = delete;

    /// Binds the queues and puts the table in, in this order. Errors: std::system_error,
    /// std::runtime_error.
    void start();
    /// Answers all that is held, removes the table, ends io.run(). In this order: nothing is queued
    /// any more, the workers let go, the table goes.
    void stop();

    /// Reads all, checks all, swaps at once; on any fault the old configuration stays.
    [[nodiscard]] Result<Reloaded, ReloadFault> reload();
    /// Until the next reload or restart. Errors: nothing has changed.
    [[nodiscard]] std::optional<std::string> change_mode(Mode mode);

    /// Calls this once a second, everything brought up to now.
    void each_second(std::function<void(TimePoint)> look) { look_ = std::move(look); }

    /// Forgets a peer everywhere, captures that name it included. Out: whether it was known
    bool forget(const IpAddress& address);

    [[nodiscard]] const Parts& parts() const noexcept { return parts_; }
    [[nodiscard]] const Config& config() const noexcept { return config_; }
    [[nodiscard]] const Policy& policy() const noexcept { return *config_.policy; }
    [[nodiscard]] TimePoint started() const noexcept { return started_; }
    [[nodiscard]] bool ready() const noexcept { return ready_; }

    /// Of the configuration in use.
    [[nodiscard]] TimePoint configured() const noexcept { return configured_; }
    [[nodiscard]] bool last_reload_successful() const noexcept { return last_reload_successful_; }
    /// The config reader's words for the last reload that failed; empty after one that did not.
    [[nodiscard]] const std::string& last_reload_fault() const noexcept { return reload_fault_; }
    /// Keys of the configuration in use that still have the value of the start: "queue.first".
    [[nodiscard]] const std::vector<std::string>& waits_for_restart() const noexcept {
        return waiting_;
    }
    [[nodiscard]] std::uint64_t reloads() const noexcept { return reloads_; }

    /// Brings everything up to now, as before showing it to somebody.
    void catch_up();

private:
    struct Timers;
    void wait_for_signals();
    void wait_for_table();
    void keep_table();
    void housekeep();
    void read_interfaces();
    void feed_watchdog(TimePoint now);
    void mend_workers();
    std::optional<std::string> apply(const PolicyPointer& policy);
    std::optional<std::string> begin_queueing(const PolicyPointer& policy);
    std::optional<std::string> end_queueing(const PolicyPointer& policy);
    [[nodiscard]] TimePoint until_halves_have_met(const Policy& policy) const;
    [[nodiscard]] std::vector<std::string> keep_until_restart(Settings& fresh) const;
    Result<Reloaded, ReloadFault> take(Config fresh);

    Parts parts_;
    Paths paths_;
    Config config_;
    std::unique_ptr<Timers> timers_;
    std::function<void(TimePoint)> look_;
    TimePoint started_;
    TimePoint configured_;
    TimePoint interfaces_read_{};
    TimePoint forgot_{};
    std::string reload_fault_;
    std::vector<std::string> waiting_; ///< keys that wait for a restart
    std::uint64_t reloads_ = 0;
    bool last_reload_successful_ = true;
    bool ready_ = false;
    bool stopping_ = false;
    bool hang_told_ = false;
};

} // namespace ikefrag
