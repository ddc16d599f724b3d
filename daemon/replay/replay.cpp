// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replay/replay.hpp"

#include "daemon/capture/link.hpp"

#include <algorithm>
#include <cassert>
#include <random>
#include <utility>

namespace ikefrag {

namespace {

using namespace std::chrono_literals;

/// Longer than every timer of gate and tracker.
constexpr Duration run_on = 120s;
/// How often the gate learns which sources have proven themselves; the daemon's own interval.
constexpr Duration proven_interval = 1s;

/// A capture of a busy gateway has more handshakes than a firewall sees at once.
constexpr TrackerLimits limits{.handshakes = 500'000, .findings = 100'000};

std::array<std::uint8_t, 16> random_seed() {
    std::random_device random;
    std::array<std::uint8_t, 16> seed{};
    for (auto& byte : seed) byte = static_cast<std::uint8_t>(random());
    return seed;
}

/// Whether a snap length took more from the packet than link-layer padding.
bool is_cut(const Record& record, Bytes packet) noexcept {
    if (record.bytes.size() >= record.original_bytes) return false;
    if (packet.size() < 6) return true;
    const bool v4 = packet[0] >> 4 == 4;
    const std::size_t field = v4 ? 2 : 4;
    const std::size_t length =
        static_cast<std::size_t>(packet[field] << 8 | packet[field + 1]) + (v4 ? 0 : 40);
    return packet.size() < length;
}

} // namespace

Replay::Replay(const ReplayOptions& options)
    : policy_(options.policy), gate_(policy_, random_seed()),
      tracker_(policy_, limits, options.vendor_ids), keep_packets_(options.keep_packets) {}

void Replay::run(CaptureReader& reader) {
    Record record;
    while (reader.next(record)) feed(record);
    facts_.truncated = reader.truncated();
    const TimePoint end = now_ + run_on;
    advance(end);
    now_ = end;
    gate_.expire(now_, out_);
    drain();
    tracker_.expire(now_);
}

void Replay::feed(const Record& record) {
    const TimePoint time = facts_.packets == 0 ? record.time : std::max(now_, record.time);
    if (facts_.packets == 0) {
        facts_.first_time = time;
        now_ = proven_at_ = time;
    }
    advance(time);
    now_ = time;
    facts_.last_time = time;
    ++facts_.packets;
    facts_.bytes += record.bytes.size();
    if (keep_packets_) packets_.emplace_back();

    const auto id = PacketId{static_cast<std::uint32_t>(facts_.packets)};
    const Unwrapped frame = unwrap_link(record.link_type, record.bytes);
    if (frame.content != LinkContent::ip) {
        Decision decision;
        decision.packet = id;
        if (frame.content == LinkContent::unreadable) decision.reason = Reason::unreadable;
        decide(decision);
        return;
    }
    Packet packet;
    packet.id = id;
    packet.bytes = frame.packet;
    packet.domain = frame.domain;
    packet.truncated = is_cut(record, frame.packet);
    gate_.feed(packet, now_, out_);
    drain();
}

std::optional<TimePoint> Replay::next_deadline() const {
    const auto gate = gate_.next_deadline();
    if (!gate || !tracker_deadline_) return gate ? gate : tracker_deadline_;
    return std::min(*gate, *tracker_deadline_);
}

/// Lets both do what is due until then, each at its own time.
void Replay::advance(TimePoint to) {
    for (auto due = next_deadline(); due && *due <= to;) {
        now_ = std::max(now_, *due);
        gate_.expire(now_, out_);
        drain();
        tracker_.expire(now_);
        tracker_deadline_ = tracker_.next_deadline();
        const auto next = next_deadline();
        // A deadline that stays although it was served would be a bug; it must not hang us.
        if (next && *next <= *due) break;
        due = next;
    }
    if (to - proven_at_ < proven_interval) return;
    proven_at_ = to;
    gate_.set_proven_sources(tracker_.proven_sources());
}

void Replay::drain() {
    for (const auto& decision : out_.decisions) decide(decision);
    for (const auto& observation : out_.observations) tracker_.feed(observation);
    if (!out_.observations.empty()) {
        tracker_deadline_ = tracker_.next_deadline();
        (void)tracker_.take_events();
    }
    out_.clear();
}

void Replay::decide(Decision decision) {
    verdicts_.add(decision);
    if (decision.fragment) ++fragments_;
    if (decision.reason == Reason::unreadable) ++facts_.unreadable;
    if (!keep_packets_) return;
    decision.replacement = {};
    // A record's number is its id as long as 32 bits suffice for both.
    assert(decision.packet.value >= 1 && decision.packet.value <= packets_.size());
    packets_[decision.packet.value - 1] = decision;
}

} // namespace ikefrag
