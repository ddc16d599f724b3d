// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/recorder.hpp"

#include "daemon/events/event_writer.hpp"
#include "daemon/kernel/log_message.hpp"
#include "daemon/kernel/log_reader.hpp"
#include "daemon/kernel/packet_tap.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/attempt_file.hpp"

#include <algorithm>

namespace ikefrag {

namespace {

/// Planes do not arrive in order, and a first tail may come before what counts as the attempt's
/// beginning.
constexpr Duration before = std::chrono::seconds(2);
/// A worker may write as fast as we read.
constexpr int packets_a_turn = 4096;
constexpr Duration tidy_every = std::chrono::hours(1);

Suppressor::Limits rate_limits() {
    return {.per_key = 2, .window = std::chrono::minutes(10), .per_second = 1, .burst = 20};
}

CaptureStore::Limits store_limits(const CaptureOptions& options) {
    return {.files = options.files, .keep_days = options.keep_days};
}

} // namespace

Recorder::Recorder(WorkerPool& pool, const Settings& settings)
    : pool_(pool), options_(settings.capture), mask_(settings.mask_addresses),
      store_(settings.state_directory + "/captures", store_limits(options_)), rate_(rate_limits()) {
    enable(options_.enabled);
}

void Recorder::change(const Settings& settings) {
    const bool other_ring = settings.capture.ring_bytes != options_.ring_bytes ||
                            settings.capture.ring_seconds != options_.ring_seconds;
    options_ = settings.capture;
    mask_ = settings.mask_addresses;
    store_.set_limits(store_limits(options_));
    if (other_ring) enable(false);
    enable(options_.enabled);
}

void Recorder::enable(bool wanted) {
    if (wanted == enabled()) return;
    for (const auto& tap : pool_.taps()) taps_lost_ += tap->lost().get();
    pool_.tap(wanted);
    ring_.reset();
    if (wanted) ring_.emplace(options_.ring_bytes, std::chrono::seconds(options_.ring_seconds));
}

void Recorder::add(const Copy& copy) {
    if (!ring_) return;
    const auto size = packet_length(copy.bytes).value_or(0);
    const auto got = static_cast<std::uint32_t>(copy.bytes.size());
    if (!ring_->add({copy.time, copy.leg, copy.bytes, std::max(size, got)})) ++left_out_;
}

void Recorder::drain() {
    if (!ring_) return;
    for (const auto& tap : pool_.taps()) {
        for (int i = 0; i < packets_a_turn; ++i) {
            const auto packet = tap->pop();
            if (!packet) break;
            if (!ring_->add({packet->time, Leg::prerouting, packet->bytes, packet->packet_bytes}))
                ++left_out_;
        }
    }
}

void Recorder::handshake_ended(const Handshake& handshake,
                               const Finding* cause,
                               std::string_view server_name,
                               TimePoint now) {
    const bool failed = handshake.outcome == Outcome::failed ||
                        (handshake.outcome == Outcome::unknown && cause != nullptr);
    if (!ring_ || !failed || handshake.probe) return;
    (void)rate_.take_suppressed(now); // windows that are over begin anew
    if (!rate_.allows(rate_limit_prefix(handshake.client.address), now)) {
        ++suppressed_;
        return;
    }
    auto file = file_of(handshake, cause, server_name, now);
    if (!file.empty()) store_.add(attempt_file_name(handshake, cause, mask_), std::move(file));
}

std::string Recorder::file_of(const Handshake& handshake,
                              const Finding* cause,
                              std::string_view server_name,
                              TimePoint now) {
    drain();
    if (!ring_) return {};
    const auto packets = ring_->select(pairs_of(handshake), handshake.first_time - before, now);
    if (packets.empty()) return {};
    return attempt_file(handshake, cause, server_name, packets, options_.file_bytes, mask_);
}

void Recorder::expire(TimePoint now) {
    drain();
    if (ring_) ring_->expire(now);
    if (tidied_ && now - *tidied_ < tidy_every) return;
    tidied_ = now;
    store_.tidy();
}

std::uint64_t Recorder::packets_lost() const noexcept {
    auto lost = left_out_ + taps_lost_;
    for (const auto& tap : pool_.taps()) lost += tap->lost().get();
    return lost;
}

} // namespace ikefrag
