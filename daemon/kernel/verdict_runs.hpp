// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate.hpp"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace ikefrag {

/// Knows which verdicts may be said by one NFQNL_MSG_VERDICT_BATCH message.
///
/// Such a message answers every packet the kernel still has with an id up to its own, those we hold
/// included, and in the order of their ids. So a verdict may join only if no older packet waits, it
/// is the next of those read in this turn, and all of them before it were answered. The packets of
/// a turn alone are joined: what was held longer may have vanished meanwhile, and only a verdict of
/// its own tells.
///
/// Not thread-safe; one per queue.
class VerdictRuns {
public:
    /// The loop reads anew.
    void begin_turn();
    /// In: ids as they were read
    void read(PacketId id);

    /// Each packet's answer, in the order in which they are sent.
    /// Out: it may be sent together with those before it that may, and those behind it
    [[nodiscard]] bool answered(PacketId id);

    /// A verdict could not be sent, or what the kernel sent could not be read: that packet waits in
    /// the kernel for ever, and must not be let through by a later message.
    void stop() noexcept { stopped_ = true; }

    [[nodiscard]] std::size_t waiting() const noexcept { return waiting_; }

private:
    std::vector<std::uint32_t> turn_; ///< ids read, ascending
    std::size_t next_ = 0;            ///< the first of them that is not answered
    std::size_t waiting_ = 0;         ///< read and not answered, in all
    std::size_t older_ = 0;           ///< of these, read before this turn
    bool in_order_ = true;
    bool stopped_ = false;
};

} // namespace ikefrag
