// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/verdict_sender.hpp"

#include "daemon/kernel/netlink_socket.hpp"
#include "daemon/kernel/queue_counters.hpp"

#include <cassert>

namespace ikefrag {
namespace {

/// Packets between two ids, from which on the first of them is long answered.
constexpr std::uint32_t far_ahead = 1u << 30;

/// Whether a packet was queued later than another; 32 bits come round.
bool is_behind(PacketId packet, PacketId other) noexcept {
    return static_cast<std::int32_t>(packet.value - other.value) > 0;
}

} // namespace

VerdictSender::VerdictSender(const NetlinkSocket& socket,
                             std::uint16_t queue,
                             std::optional<PacketMark> mark,
                             QueueCounters& counters)
    : socket_(socket), mark_(mark), counters_(counters), batch_(queue) {}

void VerdictSender::set_mark(std::optional<PacketMark> mark) {
    if (!mark_ && mark) unmarked_until_ = last_read_;
    mark_ = mark;
    if (!mark_) marks_.clear();
}

void VerdictSender::read(const QueuedPacket& packet) {
    runs_.read(packet.id);
    last_read_ = packet.id;
    // Ids come round: long before that nothing is held any more that is as old.
    if (unmarked_until_ && is_behind(packet.id, *unmarked_until_) &&
        packet.id.value - unmarked_until_->value > far_ahead)
        unmarked_until_.reset();
    if (mark_ && packet.mark != 0) marks_[packet.id.value] = packet.mark;
}

std::optional<std::uint32_t> VerdictSender::mark_of(const Decision& decision) {
    if (!mark_) return std::nullopt;
    std::uint32_t old = 0;
    if (const auto known = marks_.find(decision.packet.value); known != marks_.end()) {
        old = known->second;
        marks_.erase(known);
    }
    if (decision.verdict != Verdict::accept && decision.verdict != Verdict::replace)
        return std::nullopt;
    if (unmarked_until_ && !is_behind(decision.packet, *unmarked_until_)) return std::nullopt;
    // The mark exempts from the firewall's own rules: it is for IKE that was found in order alone.
    if (decision.packet_class != PacketClass::ike || decision.reason != Reason::none)
        return std::nullopt;
    return (old & ~mark_->mask) | (mark_->value & mark_->mask);
}

void VerdictSender::add(const Decision& decision) {
    Verdict verdict = decision.verdict;
    if (decision.replacement.size() > VerdictBatch::max_replacement) {
        // An attribute cannot carry it. The carrier alone would be a torn datagram.
        counters_.send_failures.add();
        verdict = Verdict::drop;
    }
    const auto mark = mark_of(decision);
    const bool joins = runs_.answered(decision.packet) && verdict == Verdict::accept;
    if (run_.packets > 0 && (!joins || run_.mark != mark)) end_run();
    if (joins) {
        run_ = {run_.packets + 1, decision.packet, mark};
        return;
    }
    const Bytes replacement = verdict == Verdict::replace ? decision.replacement : Bytes{};
    if (batch_.add(decision.packet, verdict, mark, replacement)) return;
    send();
    const bool added = batch_.add(decision.packet, verdict, mark, replacement);
    assert(added);
}

void VerdictSender::end_run() {
    const auto add = [this] {
        return run_.packets == 1 ? batch_.add(run_.last, Verdict::accept, run_.mark, {})
                                 : batch_.add_run(run_.last, run_.packets, run_.mark);
    };
    if (run_.packets == 0) return;
    if (!add()) {
        send();
        const bool added = add();
        assert(added);
    }
    run_ = {};
}

void VerdictSender::send() {
    counters_.verdict_sends.add();
    if (const auto error = socket_.send(batch_.bytes())) {
        // The kernel took none of them: each by itself, so that none waits for ever. Behind one
        // that it would not take no run may follow: it would answer that one, too.
        Bytes left = batch_.bytes();
        bool failed = false;
        while (!left.empty()) {
            const std::size_t size = message_bytes(left);
            const std::size_t packets = message_packets(left);
            counters_.verdict_sends.add();
            if ((failed && packets > 1) || socket_.send(left.first(size))) {
                counters_.send_failures.add(packets);
                failed = true;
                runs_.stop();
            } else {
                counters_.verdicts_sent.add(packets);
            }
            left = left.subspan(size);
        }
    } else {
        counters_.verdicts_sent.add(batch_.count());
    }
    batch_.clear();
}

void VerdictSender::flush() {
    end_run();
    if (!batch_.empty()) send();
}

} // namespace ikefrag
