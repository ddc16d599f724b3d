// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/table_text.hpp"
#include "plugin/result.hpp"

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// How fragments get to the queue: nftables' own statement, or the iptables target inside an nft
/// rule where the kernel has no CONFIG_NFT_QUEUE (KERNEL §2b).
enum class QueueVia : std::uint8_t { nft_queue, xt_target };
[[nodiscard]] std::string_view to_string(QueueVia via) noexcept;

/// Whether the table is ours to change (`manage_nft`).
enum class TableOwnership : std::uint8_t { managed, only_checked };

/// What went wrong, in the kernel's or libnftables' words.
struct TableError {
    std::string text;
};

/// What start found and did.
struct TableApplied {
    QueueVia via = QueueVia::nft_queue;
    bool adopted = false;  ///< a table was there; its sets and counters were kept
    bool reshaped = false; ///< it was another version's: its sets were made anew
    bool replaced = false; ///< it could not be adopted: deleted and made anew
};

struct TableState {
    bool present = false; ///< the table and its base chains are there
    bool intact = false;  ///< and its rules are those we put in
    std::string fault;    ///< a sentence; empty when intact
};

/// Packets by named counter since this object applied the table, what a flushed table had counted
/// included.
using TableCounts = std::array<std::uint64_t, table_counter_count>;

/// The table `inet ikefragd` in this network namespace, owned by us alone.
///
/// Lives across reloads: chains are flushed and filled in one transaction, a base chain is never
/// deleted (that empties every NFQUEUE of the namespace). The object's end does not remove the
/// table: after a crash it must stay, so stop() is explicit. One thread.
class KernelTable {
public:
    KernelTable(TableSettings settings, TableOwnership ownership);
    ~KernelTable();
    KernelTable(const KernelTable&) = delete;
    KernelTable& operator=(const KernelTable&) = delete;

    /// What a table that is there already has counted is not this daemon's. Before the first
    /// apply(), and before queues are bound: from then on the old rules send packets to us.
    void count_from_now();

    /// Loads the table: at start, and again when another tool removed or changed it. A table left
    /// by a killed daemon is adopted. Where it is only checked: says whether it is there.
    Result<TableApplied, TableError> apply();

    /// Takes new settings in place: mode, ports, queues, limits. Held packets, sets and counters
    /// stay. Errors: nothing has changed.
    Result<TableApplied, TableError> reload(TableSettings settings);

    /// Changes the server sets only.
    std::optional<TableError> set_servers(std::vector<Prefix> servers);

    /// From here on nothing more is queued: before the workers stop. Until the next apply().
    std::optional<TableError> stop_queueing();

    /// Removes the table. First answer all that is held.
    std::optional<TableError> remove();

    /// Compares what is in the kernel with what we put there.
    [[nodiscard]] TableState check();

    /// Errors: empty where the table is gone.
    [[nodiscard]] std::optional<TableCounts> read_counts();

    /// What a table had counted when another tool deleted it (TableWatch tells).
    void keep_counts(const TableCounts& lost);

    /// Packets by named counter before count_from_now(), if a table was adopted.
    [[nodiscard]] const TableCounts& counts_before() const noexcept;

    [[nodiscard]] const TableSettings& settings() const noexcept;
    [[nodiscard]] QueueVia via() const noexcept;

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace ikefrag
