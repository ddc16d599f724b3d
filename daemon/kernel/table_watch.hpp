// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/kernel_table.hpp"
#include "daemon/kernel/netlink_socket.hpp"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

struct nlmsghdr;

namespace ikefrag {

struct TableMessage;

/// What happened to nftables since the last look, our own changes included: KernelTable::check()
/// tells those from others'.
struct TableEvents {
    bool ours_deleted = false;       ///< table inet ikefragd is gone, or was
    bool ours_changed = false;       ///< a chain or rule of it came or went
    bool base_chain_deleted = false; ///< anybody's: all that was held in the kernel has vanished
    bool lost = false;               ///< events were lost: check everything
    bool rules_changed = false;      ///< anybody's: a chain or rule came or went
    std::string process; ///< who did the last of these; empty if the kernel does not say
    std::uint32_t pid = 0;
    std::optional<TableCounts> last_counts; ///< of our table, when deleted; if the kernel says
    bool unfinished = false;                ///< the end of a transaction has not been read
    [[nodiscard]] bool any() const noexcept {
        return ours_deleted || ours_changed || base_chain_deleted || lost;
    }
};

/// The base chains of this network namespace, anybody's. A deleted chain's message does not say
/// that it had a hook (since Linux 6.3), so one must have known it.
class BaseChains {
public:
    /// Takes one message of the group or of a dump. Out: true if a base chain has gone with it
    bool note(const TableMessage& message);
    void clear() { known_.clear(); }

private:
    std::set<std::tuple<std::uint8_t, std::string, std::string>> known_; ///< family, table, chain
};

/// Adds what one message of the group tells: pure.
void note_table_message(const nlmsghdr& message, BaseChains& chains, TableEvents& events);

/// Listens to nfnetlink's nftables group. One thread.
class TableWatch {
public:
    /// Errors: std::system_error
    TableWatch();

    /// Readable when something happened.
    [[nodiscard]] int descriptor() const noexcept;

    /// Reads all that is there, a transaction to its end: the kernel may still be writing it. Waits
    /// at most 50 ms for that.
    TableEvents read();

private:
    void list_base_chains();

    NetlinkSocket socket_;
    std::vector<std::uint8_t> buffer_;
    BaseChains chains_;
};

} // namespace ikefrag
