// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/kernel/conntrack_probe.hpp"
#include "daemon/kernel/kernel_table.hpp"
#include "daemon/kernel/table_watch.hpp"
#include "plugin/time.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace ikefrag {

/// Puts the kernel table in and keeps it in: loads it again when another tool took it away, at most
/// once a second; finds out what else in this namespace decides about fragments.
class TableKeeper {
public:
    TableKeeper(const Policy& policy, const Settings& settings);

    /// Before the queues are bound, which a table left by a killed daemon already sends packets to.
    void count_from_now() { table_.count_from_now(); }
    /// Loads the table. Errors: why it cannot be.
    std::optional<std::string> load();
    /// Puts changed policy, settings or mode into the table in place. Errors: nothing has changed.
    std::optional<std::string> change(const Policy& policy, const Settings& settings);
    std::optional<std::string> stop_queueing();
    std::optional<std::string> remove();

    /// Readable when the ruleset changed.
    [[nodiscard]] int descriptor() const noexcept { return watch_.descriptor(); }
    /// Reads what changed.
    void look();
    /// Repairs what look() found to be broken, when the last repair is a second ago; looks at the
    /// other rulesets again when they have changed. At least once a second.
    ///
    /// Out: when to call again earlier than that: a repair waits for its second
    std::optional<TimePoint> keep(TimePoint now);

    [[nodiscard]] bool present() const noexcept { return present_; }
    /// A sentence; empty when all is well.
    [[nodiscard]] const std::string& fault() const noexcept { return fault_; }
    [[nodiscard]] QueueVia via() const noexcept { return table_.via(); }
    [[nodiscard]] const TableSettings& settings() const noexcept { return table_.settings(); }
    /// The table's named counters; those last read where it is gone.
    [[nodiscard]] const TableCounts& counts();
    [[nodiscard]] const ConntrackFacts& conntrack() const noexcept { return conntrack_; }
    [[nodiscard]] std::uint64_t repairs() const noexcept { return repairs_; }
    /// Times another tool deleted a base chain: what was held then has vanished.
    [[nodiscard]] std::uint64_t emptied() const noexcept { return emptied_; }

private:
    void check();

    KernelTable table_;
    TableWatch watch_;
    IkeTraffic traffic_;
    ConntrackFacts conntrack_;
    TableCounts counts_{};
    TimePoint repaired_{};
    TimePoint probed_{};
    bool managed_;
    bool present_ = false;
    bool doubted_ = false;         ///< something changed: check before the next use
    bool rulesets_changed_ = true; ///< others': probe again
    bool leaving_ = false;         ///< stop_queueing was called: repair nothing
    std::string fault_;
    std::uint64_t repairs_ = 0;
    std::uint64_t emptied_ = 0;
};

/// What `pass` comes to in this network namespace, in one sentence.
[[nodiscard]] std::string what_pass_does(const ConntrackFacts& facts);

/// IKE as others' rules meet it: in `observe` without our mark.
[[nodiscard]] IkeTraffic ike_traffic(const Policy& policy, const Settings& settings);

/// What shapes the table, out of what the admin wrote.
[[nodiscard]] TableSettings table_settings(const Policy& policy, const Settings& settings);

} // namespace ikefrag
