// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct nlmsghdr;

/// The messages of nf_tables we read and write ourselves, as bytes: looking at a table costs less
/// than a listing by libnftables, and the xt target no nft text can say.
namespace ikefrag {

/// What a message of nf_tables is about.
enum class TableObject : std::uint8_t {
    table,
    chain,
    rule,
    set,
    element,
    object,
    generation,
    other
};
enum class TableChange : std::uint8_t { added, removed };

/// One message of a dump or of the notification group.
struct TableMessage {
    TableObject object = TableObject::other;
    TableChange change = TableChange::added;
    std::uint8_t family = 0;
    std::string_view table;
    std::string_view name;   ///< of the chain, set or object; a rule's chain
    bool base_chain = false; ///< a chain with a hook
    std::uint32_t hook = 0;
    std::int32_t priority = 0;
    std::uint64_t handle = 0;               ///< a rule's
    std::optional<std::uint64_t> packets;   ///< a counter object's
    std::optional<std::uint32_t> hash_seed; ///< of a rule with a jhash expression
    std::string_view process;               ///< generation: who committed
    std::uint32_t pid = 0;
};

/// Out: views into the message; empty for what is not nf_tables'
[[nodiscard]] std::optional<TableMessage> parse_table_message(const nlmsghdr& message) noexcept;

enum class TableFamily : std::uint8_t { inet, any };

/// A dump request for everything of a kind in one table (the kernel gives all chains of all tables:
/// filter by name). In: chain, rule, set or object (its counters); table: empty for all
[[nodiscard]] std::vector<std::uint8_t>
encode_table_dump(TableObject what, std::string_view table, TableFamily family = TableFamily::inet);

/// The xt target NFQUEUE for a chain.
struct QueueTarget {
    std::uint16_t first = 0;
    std::uint16_t count = 1;
    bool bypass = true;
};

/// A transaction after which `chain` of the inet `table` (both made if they are not there) holds
/// exactly one rule, the queue target, or none.
///
/// Out:     a netlink batch that is acknowledged `queue_target_acknowledgements` times
std::vector<std::uint8_t> encode_queue_target(std::string_view table,
                                              std::string_view chain,
                                              const std::optional<QueueTarget>& target);
/// Of a batch with and without a target.
[[nodiscard]] constexpr std::size_t
queue_target_acknowledgements(const std::optional<QueueTarget>& target) noexcept {
    return target ? 4 : 3;
}

} // namespace ikefrag
