// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/ike/message.hpp"
#include "plugin/observation.hpp"
#include "plugin/time.hpp"
#include "plugin/tracker/slab.hpp"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <variant>

namespace ikefrag {

/// A message as it waits to be followed: read, its bytes gone.
struct MessageItem {
    std::optional<MessageFacts> facts; ///< empty: its header could not be read
    std::uint32_t opening = no_index;  ///< into the openings, if it has any
    MessageSeen seen;                  ///< `message` is not to be touched
};

/// A datagram that was lost, as it waits.
struct LostItem {
    std::optional<MessageFacts> facts; ///< of the first fragment, if it came and shows a header
    std::uint32_t opening = no_index;
    DatagramLost lost; ///< `message` is not to be touched
};

struct IcmpItem {
    IcmpSeen seen;
    std::optional<Spi> quoted_spi; ///< initiator SPI, if so much was quoted
};

struct Item {
    TimePoint time;
    Leg leg = Leg::prerouting;
    std::variant<MessageItem, LostItem, IcmpItem, EspSeen, TcpFallbackSeen, OuterSeen, CopiesLost>
        what;
    bool at_latest = false; ///< as Observation's
};

/// Puts observations in the order of their time: they wait until nothing older can come. A response
/// that bears no stamp (`at_latest`) comes before the request that could only follow it.
///
/// Bounds: holds at most `max_items`; the oldest then leaves early. Work for an item: a binary
/// search, a look at 1024 others, a shift of the places behind it.
class ReorderWindow {
public:
    static constexpr std::size_t max_items = 65'536;

    void add(Item item);
    /// The oldest, if it is not after `until` or there are too many.
    [[nodiscard]] const Item* oldest(TimePoint until) const noexcept;
    void remove_oldest();
    [[nodiscard]] std::optional<TimePoint> oldest_time() const noexcept;

private:
    struct Waiting {
        TimePoint order;
        std::uint32_t item;
    };
    Slab<Item> items_;
    std::deque<Waiting> order_; ///< by `order`, equals as they came
    std::size_t unstamped_ = 0; ///< of these
};

} // namespace ikefrag
