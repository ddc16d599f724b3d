// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/gate.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

/// The messages of nfnetlink_queue as bytes, by libmnl and libnetfilter_queue: no socket in here.
namespace ikefrag {

/// A packet that waits for our verdict.
struct QueuedPacket {
    PacketId id;
    Bytes bytes;                    ///< from the IP header on; a view into the message
    std::uint32_t packet_bytes = 0; ///< its real length; more than `bytes` if the copy is cut
    std::uint32_t interface = 0;    ///< where it came in; 0 unknown
    std::uint32_t mark = 0;
    std::uint16_t vlan = 0; ///< VLAN id, 0 none
};

/// The kernel would not take a verdict; `id` is the packet it was for, the last one of a run.
struct VerdictRefused {
    PacketId id;
    int error = 0; ///< errno, positive; ENOENT: the packet is gone
    /// What the verdict was: the kernel sends our own message back. False if it was cut.
    bool accepted = false;
    std::uint32_t packets = 1; ///< it was for: more than one for a run
};

/// Neither of the two, or not whole.
struct UnknownMessage {};

using QueueMessage = std::variant<UnknownMessage, QueuedPacket, VerdictRefused>;

/// Parses one datagram of the queue socket; it carries one message.
///
/// Out:     views into `datagram`
/// Errors:  UnknownMessage: no packet header, or the message is not whole
[[nodiscard]] QueueMessage parse_queue_message(Bytes datagram) noexcept;

/// Bytes of the first message of a batch we wrote, padding included.
[[nodiscard]] std::size_t message_bytes(Bytes batch) noexcept;
/// Packets it answers.
[[nodiscard]] std::size_t message_packets(Bytes batch) noexcept;

/// Verdicts of one batch, to be sent in one go, in the order given: one message each, or one for a
/// run of packets let through (NFQNL_MSG_VERDICT_BATCH, where VerdictRuns allows it).
///
/// A message carries its packet id as sequence number, so that a refusal names the packet; that of
/// a run carries the number of its packets.
class VerdictBatch {
public:
    /// Room that is never outgrown: a batch is full when the next verdict might not fit.
    static constexpr std::size_t room = std::size_t{192} << 10;
    /// An attribute's length has 16 bits, its header included.
    static constexpr std::size_t max_replacement = 65531;

    explicit VerdictBatch(std::uint16_t queue);

    /// In: verdict as Decision's; `mark` is put on the packet; `replacement` for Verdict::replace,
    /// at most max_replacement bytes
    /// Out: false if there is no room: send what is there, clear, and add again
    [[nodiscard]] bool
    add(PacketId id, Verdict verdict, std::optional<std::uint32_t> mark, Bytes replacement);
    /// Lets through every packet the kernel still has up to this id. In: how many these are
    /// Out: as add()
    [[nodiscard]] bool
    add_run(PacketId last, std::uint32_t packets, std::optional<std::uint32_t> mark);

    [[nodiscard]] Bytes bytes() const noexcept { return Bytes(buffer_).first(used_); }
    /// Packets answered.
    [[nodiscard]] std::size_t count() const noexcept { return count_; }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    void clear() noexcept {
        used_ = 0;
        count_ = 0;
    }

private:
    std::uint16_t queue_;
    std::vector<std::uint8_t> buffer_;
    std::size_t used_ = 0;
    std::size_t count_ = 0;
};

/// Configuration requests, each one message that asks for an acknowledgement.
[[nodiscard]] std::vector<std::uint8_t> encode_queue_bind(std::uint16_t queue);
[[nodiscard]] std::vector<std::uint8_t> encode_queue_unbind(std::uint16_t queue);
/// Whole packets are copied, `max_length` of them wait at most.
[[nodiscard]] std::vector<std::uint8_t> encode_queue_limits(std::uint16_t queue,
                                                            std::uint32_t max_length);
/// What a full queue or socket means: the packet passes, or is dropped.
enum class WhenFull : std::uint8_t { drop, pass };
[[nodiscard]] std::vector<std::uint8_t> encode_queue_when_full(std::uint16_t queue, WhenFull full);
/// A configuration request that the kernel answers only to refuse it, as it does verdicts: for a
/// socket that packets are read from.
[[nodiscard]] std::vector<std::uint8_t> unacknowledged(std::vector<std::uint8_t> request);

} // namespace ikefrag
