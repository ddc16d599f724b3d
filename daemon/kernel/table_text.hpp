// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The kernel table `inet ikefragd` as nft text: pure, nothing here touches the kernel. What the
/// table does and why stands at the head of table_template.hpp.
namespace ikefrag {

inline constexpr std::string_view table_name = "ikefragd";

/// All that shapes the table.
struct TableSettings {
    Mode mode = Mode::observe;
    std::vector<Prefix> servers; ///< addresses, outside and inside; empty: everybody is a server
    std::vector<std::uint16_t> plain_ports{500};
    std::vector<std::uint16_t> marked_ports{4500};
    std::uint16_t queue_first = 500;
    std::uint16_t queue_count = 1;
    bool bypass = true; ///< nobody listens: let pass; false: drop (fail-closed)
    std::uint16_t log_group = 500;
    /// IP protocols of which `exclusive` leaves fragments alone.
    std::vector<std::uint8_t> allowed_protocols{50, 51};
    bool allow_esp_in_udp = true; ///< fragments of ESP in UDP pass in `exclusive`

    /// Life of a datagram's key in seconds. IKE's, and that of a tail which came before its head,
    /// as long as any rule lets the gate hold it: forgotten sooner, another's first fragment of
    /// that id would open the way for tails that the gate has not seen. Another's no longer than
    /// its fragments need to arrive, for IP ids come round within seconds on a busy gateway.
    std::uint32_t hold_seconds = 5;
    std::uint32_t other_key_seconds = 1;
    /// How long after an IKE message the fragments of its address pair are looked at.
    std::uint32_t handshake_seconds = 60;

    /// A second; burst the same.
    std::uint32_t unknown_tails = 100000;      ///< tails without a head that are queued, in all
    std::uint32_t unknown_tails_source = 1000; ///< of one source (/32, /64)
    std::uint32_t stranger_messages = 1000;    ///< IKE of pairs without a server that buys care
    std::uint32_t icmp_copies = 100;           ///< ICMP errors that quote IKE
    std::uint32_t tcp_copies = 100;            ///< TCP SYNs to a server's marked port
    std::uint32_t esp_copies = 1000;           ///< ESP packets that show that a tunnel lives

    std::uint32_t seed = 0; ///< of the pair hash: random, kept while the table lives
};

/// The named counters of the table, each one way out of it. `queued` stands right before the queue
/// verdict, in all modes that have one; the word is the counter's name in the kernel.
enum class TableCounter : std::uint8_t {
    copied_whole, ///< whole IKE messages
    copied_icmp,  ///< ICMP errors that quote IKE
    copied_esp,   ///< ESP, one packet a pair and minute, while a handshake is on
    copied_tcp,   ///< TCP SYNs to a server's port 4500
    copied_out,   ///< beginnings of IKE messages on their way out
    copied_tail,  ///< observe: fragments copied instead of queued
    queued,       ///< sent to the queue
    ike_head,     ///< first fragments of IKE
    ike_tail,     ///< tails known to be IKE's
    maybe_tail,   ///< tails that may be IKE's
    late_head,    ///< others' first fragments of which the daemon may hold a tail
    kept_head,    ///< first fragments left to the kernel
    kept_tail,
    kept_proto,   ///< fragments of other protocols left to the kernel
    dropped_head, ///< exclusive: dropped by the table itself
    dropped_tail,
    dropped_proto,
    limited, ///< attention refused by a limit
};
inline constexpr std::size_t table_counter_count = 18;
[[nodiscard]] std::string_view to_string(TableCounter counter) noexcept;
[[nodiscard]] std::span<const TableCounter> table_counters() noexcept;

/// The whole table, ready for `nft -f`, with the kernel's own queue statement: what `ikefragctl
/// nft` prints for admins who load it themselves. Loading it again replaces it.
[[nodiscard]] std::string print_table(const TableSettings& settings);

/// Whether the text sets chain `to_queue` itself, or the xt target has been put there before.
enum class QueueStatement : std::uint8_t { native, left_alone };

/// Makes or fills the table in one transaction, whatever is there already: objects are kept, every
/// chain is flushed and filled, the server sets too. No base chain is deleted.
[[nodiscard]] std::string fill_table(const TableSettings& settings, QueueStatement statement);
/// Only the elements of the server sets.
[[nodiscard]] std::string fill_servers(const TableSettings& settings);
[[nodiscard]] std::string delete_table();
/// From now on fragments that would be queued pass instead.
[[nodiscard]] std::string fill_take_accept();
/// Before fill_table, in the same transaction: takes the sets away, so that they can be made anew
/// in another shape, and empties chains an older version left.
[[nodiscard]] std::string strip_table(std::span<const std::string> chains,
                                      std::span<const std::string> sets);

/// Names of the table's chains, the base chains first.
[[nodiscard]] std::span<const std::string_view> table_chains() noexcept;

} // namespace ikefrag
