// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/capture/reader.hpp"
#include "daemon/json/json.hpp"
#include "plugin/gate.hpp"
#include "plugin/policy.hpp"
#include "plugin/tracker.hpp"
#include "plugin/vendor_id.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace ikefrag {

struct ReplayOptions {
    PolicyPointer policy;
    std::vector<VendorId> vendor_ids;
    bool keep_packets = false; ///< remember each packet's verdict
};

/// What a capture file held. Times are the engine's: a record older than the one before counts as
/// of the same time.
struct CaptureFacts {
    std::uint64_t packets = 0; ///< every record, non-IP included
    std::uint64_t bytes = 0;   ///< captured
    std::optional<TimePoint> first_time;
    std::optional<TimePoint> last_time;
    std::uint64_t unreadable = 0; ///< records whose IP packet could not be read whole
    bool truncated = false;       ///< the file ends inside a record, or is damaged there
};

/// The daemon's main job over a capture file: the same gate and the same tracker, the capture's
/// clock. After the last record the clock runs on by 120 s, so that nothing stays held and no
/// handshake in progress.
class Replay {
public:
    explicit Replay(const ReplayOptions& options);

    /// Runs one capture from its first record to the end. Called once.
    void run(CaptureReader& reader);

    [[nodiscard]] const CaptureFacts& facts() const noexcept { return facts_; }
    [[nodiscard]] const VerdictTotals& verdicts() const noexcept { return verdicts_; }
    /// Records that are a fragment, of any protocol.
    [[nodiscard]] std::uint64_t fragments() const noexcept { return fragments_; }
    [[nodiscard]] const Gate& gate() const noexcept { return gate_; }
    [[nodiscard]] const Tracker& tracker() const noexcept { return tracker_; }
    [[nodiscard]] const Policy& policy() const noexcept { return *policy_; }
    /// In the order of the records, if ReplayOptions::keep_packets; else empty. Decision::packet is
    /// the record's number, from 1; no views in them.
    [[nodiscard]] const std::vector<Decision>& packets() const noexcept { return packets_; }
    [[nodiscard]] bool keeps_packets() const noexcept { return keep_packets_; }

private:
    void feed(const Record& record);
    void advance(TimePoint to);
    void drain();
    void decide(Decision decision);
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    PolicyPointer policy_;
    Gate gate_;
    Tracker tracker_;
    GateOutput out_;
    CaptureFacts facts_;
    VerdictTotals verdicts_;
    std::uint64_t fragments_ = 0;
    std::vector<Decision> packets_;
    bool keep_packets_;
    TimePoint now_;
    std::optional<TimePoint> tracker_deadline_;
    TimePoint proven_at_; ///< when the gate was last told the proven sources
};

} // namespace ikefrag
