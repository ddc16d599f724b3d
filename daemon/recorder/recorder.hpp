// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/events/suppressor.hpp"
#include "daemon/recorder/capture_store.hpp"
#include "daemon/recorder/packet_ring.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ikefrag {

struct Copy;
struct Finding;
struct Handshake;
class WorkerPool;

/// Keeps the latest packets while [capture] is enabled, and makes a file of each attempt that
/// fails: everything the daemon was shown of it, all fragments included, and the diagnosis.
///
/// Runs on the observation thread. Switched off it costs one comparison a copy, and the queue
/// workers the same a packet; switched on, the workers copy what they read into a bounded ring
/// each.
///
/// Bounds: [capture] ring_bytes; two files in ten minutes of one client's network, one a second in
/// all.
class Recorder {
public:
    Recorder(WorkerPool& pool, const Settings& settings);

    /// After a reload.
    void change(const Settings& settings);
    /// Until the next reload or restart.
    void enable(bool wanted);

    void add(const Copy& copy);
    /// Takes what the workers have seen; before handshakes are judged, and before workers go.
    void drain();
    /// Writes a file if the attempt failed, or nothing tells that it went well and `cause` is a
    /// failure. In: cause: null if nothing explains it
    void handshake_ended(const Handshake& handshake,
                         const Finding* cause,
                         std::string_view server_name,
                         TimePoint now);
    /// What is kept of an attempt now, failed or not, as a file; not written. Empty: nothing is.
    [[nodiscard]] std::string file_of(const Handshake& handshake,
                                      const Finding* cause,
                                      std::string_view server_name,
                                      TimePoint now);
    /// Forgets what is too old, in memory and on disk; once a second, any more often does no harm.
    void expire(TimePoint now);

    [[nodiscard]] bool masks() const noexcept { return mask_; }
    [[nodiscard]] bool enabled() const noexcept { return ring_.has_value(); }
    [[nodiscard]] CaptureStore& store() noexcept { return store_; }
    [[nodiscard]] const CaptureStore& store() const noexcept { return store_; }
    /// Empty while switched off.
    [[nodiscard]] const std::optional<PacketRing>& ring() const noexcept { return ring_; }
    /// Packets the ring did not get: a worker's ring was full, or their pair's share.
    [[nodiscard]] std::uint64_t packets_lost() const noexcept;
    /// Failed attempts of which no file was made: too many of one network, or at once.
    [[nodiscard]] std::uint64_t suppressed() const noexcept { return suppressed_; }

private:
    WorkerPool& pool_;
    CaptureOptions options_;
    bool mask_ = false;
    std::optional<PacketRing> ring_;
    CaptureStore store_;
    Suppressor rate_;
    std::uint64_t left_out_ = 0;
    std::uint64_t taps_lost_ = 0; ///< of taps that are gone
    std::uint64_t suppressed_ = 0;
    std::optional<TimePoint> tidied_;
};

} // namespace ikefrag
