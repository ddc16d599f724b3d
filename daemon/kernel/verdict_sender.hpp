// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/queue_message.hpp"
#include "daemon/kernel/verdict_runs.hpp"
#include "plugin/gate.hpp"

#include <cstdint>
#include <optional>
#include <unordered_map>

namespace ikefrag {

class NetlinkSocket;
struct QueueCounters;

/// A packet mark: `mask` says which bits are ours.
struct PacketMark {
    std::uint32_t value = 0;
    std::uint32_t mask = 0xffffffff;
    bool operator==(const PacketMark&) const = default;
};

/// Turns the gate's decisions into verdicts and sends them, a batch at a time.
///
/// Not thread-safe; one per queue.
class VerdictSender {
public:
    /// In: socket and counters outlive this; `mark` is put on IKE that is let through in order
    VerdictSender(const NetlinkSocket& socket,
                  std::uint16_t queue,
                  std::optional<PacketMark> mark,
                  QueueCounters& counters);

    /// From now on this mark, or none. What is held already and came before there was any keeps the
    /// mark it has, which was not looked at.
    void set_mark(std::optional<PacketMark> mark);

    /// The loop reads anew: what was read before is older than all that comes.
    void begin_turn() { runs_.begin_turn(); }
    /// In: packets as they were read
    void read(const QueuedPacket& packet);
    /// What the kernel sent could not be read, or it refused a verdict for a reason we do not know:
    /// from now on every packet has a verdict of its own.
    void distrust() noexcept { runs_.stop(); }

    /// Each packet read gets one, at once or later, in the order they are to leave.
    void add(const Decision& decision);
    /// Sends what was added.
    void flush();

private:
    void end_run();
    void send();
    [[nodiscard]] std::optional<std::uint32_t> mark_of(const Decision& decision);

    /// Verdicts that go out as one message.
    struct Run {
        std::uint32_t packets = 0;
        PacketId last;
        std::optional<std::uint32_t> mark;
    };

    const NetlinkSocket& socket_;
    std::optional<PacketMark> mark_;
    QueueCounters& counters_;
    VerdictBatch batch_;
    VerdictRuns runs_;
    Run run_;
    /// Marks of waiting packets that came with one; empty where no mark is configured.
    std::unordered_map<std::uint32_t, std::uint32_t> marks_;
    PacketId last_read_{};
    std::optional<PacketId> unmarked_until_; ///< what was read up to it is not marked
};

} // namespace ikefrag
