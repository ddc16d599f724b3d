// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/tracker.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag::test {

using namespace std::chrono_literals;

/// When scripts begin; times in them are offsets from it.
inline constexpr TimePoint script_start{std::chrono::seconds(1'795'420'800)};

/// How a message is shown to the tracker, where it is not a whole packet on prerouting.
struct Shown {
    Leg leg = Leg::prerouting;
    std::uint16_t ip_fragments = 0;
    std::uint32_t first_fragment_bytes = 0;
    bool refused = false;
    Reason reason = Reason::none;
    std::size_t copy_bytes = 65'535; ///< the copy is cut here
    std::uint32_t interface = 0;
};

/// Feeds a tracker by script: who sends what to whom, and when.
class TrackerScript {
public:
    explicit TrackerScript(Policy policy = {}, TrackerLimits limits = {});

    /// The time of what follows, from script_start.
    TrackerScript& at(Duration offset);
    /// A message between two endpoints; port 4500 means behind the marker.
    TrackerScript& send(const Endpoint& source,
                        const Endpoint& destination,
                        const ByteVector& message,
                        const Shown& shown = {});
    TrackerScript& from_client(const ByteVector& message, const Shown& shown = {});
    TrackerScript& from_server(const ByteVector& message, const Shown& shown = {});
    TrackerScript& from_client(const std::vector<ByteVector>& messages);
    TrackerScript& from_server(const std::vector<ByteVector>& messages);
    TrackerScript& lost(DatagramLost what);
    TrackerScript& icmp(const IcmpSeen& what);
    TrackerScript& esp(const Endpoint& source, const Endpoint& destination);
    TrackerScript& copies_lost();
    /// Both ends move to port 4500.
    TrackerScript& float_ports();
    /// Lets 120 s pass.
    TrackerScript& end();
    /// Lets the clock run to this offset.
    TrackerScript& expire(Duration offset);

    [[nodiscard]] std::vector<Handshake> handshakes() const;
    /// The only handshake.
    [[nodiscard]] Handshake handshake() const;

    Endpoint client{address("198.51.100.7"), 500};
    Endpoint server{address("203.0.113.5"), 500};
    Tracker tracker;

private:
    void feed(Leg leg, decltype(Observation::what) what);

    TimePoint now_ = script_start;
};

/// A message as the gate would show it.
[[nodiscard]] MessageSeen seen(const Endpoint& source,
                               const Endpoint& destination,
                               const ByteVector& message,
                               const Shown& shown = {});

/// The first fragment of a client's message that never became whole; `message` outlives the call to
/// lost().
[[nodiscard]] DatagramLost first_only(const TrackerScript& script, const ByteVector& message);

} // namespace ikefrag::test
