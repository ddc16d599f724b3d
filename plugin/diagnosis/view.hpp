// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/handshake.hpp"
#include "plugin/policy.hpp"
#include "plugin/time.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// One step of a handshake as detectors see it: a request with all its tries, and its answers.
struct Step {
    Exchange exchange;
    Direction direction = Direction::to_server; ///< of the request
    bool init = false;                          ///< IKE_SA_INIT, or what stands for it
    bool auth = false;                          ///< the step that carries identities
    bool answer_expected = true;                ///< false: third message of aggressive mode
    bool marked = false;                        ///< some try came behind the non-ESP marker

    std::vector<const MessageRecord*> sent;     ///< all records of the request
    std::vector<const MessageRecord*> answered; ///< all records of its answer
    const FragmentSet* set = nullptr;           ///< of the request, latest
    const FragmentSet* answer_set = nullptr;

    std::uint16_t lead = 0;       ///< lowest IKE fragment number seen; its sightings are tries
    std::vector<TimePoint> tries; ///< each time it was begun
    std::vector<TimePoint> whole_tries;               ///< of these, complete in one packet or by IP
    std::vector<const MessageRecord*> partial;        ///< IP fragments that never became whole
    std::vector<const MessageRecord*> answer_partial; ///< the answer's
    std::vector<const MessageRecord*> refused;        ///< dropped by our gate, either way
    std::vector<TimePoint> answer_times;              ///< each time a complete answer had gone by

    /// The request came complete at least once.
    [[nodiscard]] bool arrived() const noexcept {
        return !whole_tries.empty() || (set != nullptr && set->complete);
    }
    [[nodiscard]] bool is_answered() const noexcept { return !answer_times.empty(); }
    /// Whether a record of the request stands for one try.
    [[nodiscard]] bool is_try(const MessageRecord& message) const noexcept {
        return message.skf_number == 0 || message.skf_number == lead;
    }
    [[nodiscard]] std::size_t repeats() const noexcept {
        return tries.empty() ? 0 : tries.size() - 1;
    }
    /// A record that tells the request's size best; never null.
    [[nodiscard]] const MessageRecord& best() const noexcept;
};

/// Room of steps that went, for those to come: a look allocates little in steady state.
using SpareSteps = std::vector<Step>;

/// A handshake with the facts detectors share, worked out once a review.
struct View {
    View(const Handshake& attempt, const Policy& rules, TimePoint time, SpareSteps& spare);
    ~View();
    View(const View&) = delete;
    View& operator=(const View&) = delete;

    const Handshake& handshake;
    const Policy& policy;
    TimePoint now;
    TimePoint start;
    std::vector<Step> steps; ///< in order of the first try; the responder's own requests last
    std::vector<const MessageRecord*> tails;        ///< trailing IP fragments alone, to the server
    std::vector<const MessageRecord*> answer_tails; ///< the same, to the client
    const MessageRecord* init_answer = nullptr;     ///< with SA, KE and Nonce
    bool real_client = false; ///< shows a VPN client: NAT detection, 16430 or a known vendor ID
    bool established = false;
    bool silence_known = false; ///< what we did not see, was not there

    [[nodiscard]] std::string client() const; ///< "203.0.113.7 (Windows)"
    [[nodiscard]] std::string server() const; ///< "vpn1 (203.0.113.5)"
    [[nodiscard]] const Step* init() const noexcept;
    /// The last step of the client that is not answered, or null.
    [[nodiscard]] const Step* open_step() const noexcept;
    /// Whether anything beyond IKE_SA_INIT was seen, of either side: an answer to what was not seen
    /// shows that its request took another way.
    [[nodiscard]] bool went_on() const noexcept;
    /// Whether any message of the handshake was seen leaving this firewall in that direction.
    [[nodiscard]] bool seen_leaving(Direction direction) const noexcept;
    [[nodiscard]] Duration silence() const noexcept { return now - handshake.last_time; }
    /// Time from our passing on the IKE_SA_INIT answer to the next request: the round trip to the
    /// client with its thinking; at most 2 s.
    [[nodiscard]] Duration client_round_trip() const noexcept;
    [[nodiscard]] std::string side_text(Direction direction) const;
    [[nodiscard]] const SideFacts& sender(Direction direction) const noexcept;

private:
    Step& new_step(const MessageRecord& request);

    SpareSteps& spare_;
};

[[nodiscard]] bool is_init(const Exchange& exchange) noexcept;
/// Trailing IP fragments whose first never came: no header tells what they were.
[[nodiscard]] bool is_tail(const MessageRecord& message) noexcept;

} // namespace ikefrag
