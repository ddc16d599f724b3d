// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate.hpp"

#include <cstdint>
#include <utility>

namespace ikefrag {

/// Where verdicts go: the output of the call under way, and the counters.
class Answers {
public:
    explicit Answers(GateCounters& counters) noexcept : counters_(counters) {}

    /// In: null between calls: what is answered then has nobody left to hear it
    void set_output(GateOutput* out) noexcept { out_ = out; }
    [[nodiscard]] GateOutput& output() noexcept { return *out_; }

    void give(const Decision& decision, Family family) {
        if (out_ == nullptr) return;
        const auto kind =
            decision.packet_class ? index(*decision.packet_class) : count_of<PacketClass>;
        counters_.packets[index(family)][kind][decision.fragment ? 1 : 0].add();
        counters_.verdicts[index(decision.verdict)].add();
        if (decision.reason != Reason::none)
            counters_
                .refusals[index(family)][index(decision.reason)]
                         [decision.verdict == Verdict::drop ? 1 : 0]
                .add();
        out_->decisions.push_back(decision);
    }

private:
    GateCounters& counters_;
    GateOutput* out_ = nullptr;
};

/// The duty to answer one held fragment. Destroyed unanswered, it answers `accept`: no way through
/// the gate, and no mistake in it, can leave the kernel waiting.
class HeldPacket {
public:
    HeldPacket() noexcept = default;
    HeldPacket(Answers& answers, PacketId id, Family family, std::uint32_t offset) noexcept
        : answers_(&answers), id_(id), offset_(static_cast<std::uint16_t>(offset)),
          family_(family) {}
    HeldPacket(HeldPacket&& other) noexcept { *this = std::move(other); }
    HeldPacket& operator=(HeldPacket&& other) noexcept {
        std::swap(answers_, other.answers_);
        std::swap(id_, other.id_);
        std::swap(offset_, other.offset_);
        std::swap(family_, other.family_);
        std::swap(digest, other.digest);
        return *this;
    }
    HeldPacket(const HeldPacket&) = delete;
    HeldPacket& operator=(const HeldPacket&) = delete;
    ~HeldPacket() {
        if (answers_ == nullptr) return;
        Decision unasked;
        unasked.fragment = true;
        answer(unasked);
    }

    /// Gives the answer; all but `packet` is taken from `decision`.
    void answer(Decision decision) {
        decision.packet = id_;
        std::exchange(answers_, nullptr)->give(decision, family_);
    }

    [[nodiscard]] PacketId id() const noexcept { return id_; }
    [[nodiscard]] std::uint32_t offset() const noexcept { return offset_; }

    std::uint64_t digest = 0; ///< of offset, flag and bytes: knows a copy when it comes late

private:
    Answers* answers_ = nullptr;
    PacketId id_;
    std::uint16_t offset_ = 0; ///< in bytes
    Family family_ = Family::ipv4;
};

} // namespace ikefrag
