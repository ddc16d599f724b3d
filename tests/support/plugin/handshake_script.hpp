// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis/diagnostician.hpp"
#include "plugin/handshake.hpp"
#include "plugin/policy.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag::testing {

/// The server side that several hand-made handshakes share: one diagnostician, one clock.
struct Firewall {
    Firewall();
    explicit Firewall(Policy policy);
    Diagnostician diagnostician;
    std::uint64_t next_number = 1;
    std::vector<Diagnostician::Step> steps; ///< all that were taken so far
    void take();
};

/// A hand-made handshake, written as a script of messages at times; the diagnostician is asked
/// after each message and at each deadline it named. Times are seconds from the first one.
class HandshakeScript {
public:
    explicit HandshakeScript(std::shared_ptr<Firewall> firewall = std::make_shared<Firewall>());

    Handshake handshake; ///< may be changed by hand

    HandshakeScript& at(double seconds);
    HandshakeScript& client(const std::string& address, std::uint16_t port = 500);
    HandshakeScript& version(std::uint8_t major);
    HandshakeScript& offers(Fragmentation client, Fragmentation server);

    /// Any message; `change` sets what is special.
    using Change = std::function<void(MessageRecord&)>;
    HandshakeScript& message(std::uint8_t type,
                             std::uint32_t id,
                             Direction direction,
                             Role role,
                             std::uint32_t bytes,
                             const Change& change = {});
    HandshakeScript& sa_init(const Change& change = {});
    HandshakeScript& sa_answer(const Change& change = {});
    /// An answer with one notify and nothing else.
    HandshakeScript& sa_refusal(Note note, std::uint16_t group = 0);
    HandshakeScript&
    auth(std::uint32_t bytes, std::uint16_t ip_fragments = 0, std::uint32_t id = 1);
    /// The first IP fragment alone; told when the hold time is over.
    HandshakeScript& auth_partial(std::uint32_t first_bytes = 1500,
                                  Reason reason = Reason::timeout);
    HandshakeScript&
    answer(std::uint32_t bytes, std::uint16_t ip_fragments = 0, std::uint32_t id = 1);
    HandshakeScript& answer_partial(std::uint32_t first_bytes = 1500);
    /// One SKF (or payload-132) message.
    HandshakeScript& piece(Direction direction,
                           std::uint16_t number,
                           std::uint16_t total,
                           std::uint32_t bytes = 1248,
                           std::uint8_t type = 35,
                           std::uint32_t id = 1,
                           const Change& change = {});
    HandshakeScript& icmp(std::uint8_t type,
                          std::uint8_t code,
                          Direction direction,
                          const std::string& reporter,
                          std::uint32_t mtu = 0);
    HandshakeScript& tails(std::uint32_t bytes = 742);
    HandshakeScript& ends(Outcome outcome, Basis basis);
    /// All messages from now on are seen leaving (or not).
    HandshakeScript& leaving(bool seen);

    /// Ids of the findings of this handshake that stand, in order: "D01 D04".
    [[nodiscard]] std::string ids() const;
    [[nodiscard]] std::string failures() const;
    [[nodiscard]] const Finding* finding(const std::string& id) const;
    [[nodiscard]] Firewall& firewall() { return *firewall_; }
    [[nodiscard]] TimePoint now() const { return now_; }
    /// When it should be reviewed again.
    [[nodiscard]] std::optional<TimePoint> due() const {
        return Diagnostician::review_at(handshake, pace_, now_);
    }

private:
    void review();
    void add(MessageRecord message);

    std::shared_ptr<Firewall> firewall_;
    TimePoint now_;
    LookPace pace_;
    bool leaving_ = false;
    mutable std::vector<Finding> kept_;
};

/// SA_INIT both ways with 16430, 0.05 s apart.
HandshakeScript agreed(std::shared_ptr<Firewall> firewall = std::make_shared<Firewall>());
/// SA_INIT both ways, 16430 on neither side.
HandshakeScript plain(std::shared_ptr<Firewall> firewall = std::make_shared<Firewall>());

} // namespace ikefrag::testing
