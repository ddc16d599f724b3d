// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis/diagnostician.hpp"
#include "plugin/handshake.hpp"
#include "plugin/time.hpp"
#include "plugin/tracker/slab.hpp"

#include <array>
#include <cstdint>
#include <utility>

namespace ikefrag {

/// The latest exchange one side began.
struct Asked {
    std::uint32_t message_id = 0;
    std::uint8_t type = 0;
    bool any : 1 = false;
    bool complete : 1 = false;    ///< the request came whole
    bool answered : 1 = false;    ///< by a complete answer from where it was sent to
    bool answer_part : 1 = false; ///< something of an answer was seen
};

/// What the latest answer to the initiator was.
enum class Answer : std::uint8_t { none, real, cookie, refusal, redirect };

/// How far a handshake has come; the metric's word (OPERATIONS §5.2).
enum class Stage : std::uint8_t { init, intermediate, auth, eap };
inline constexpr std::size_t stage_count = 4;

/// A handshake and what following it needs. As Handshake: members of one size stand together.
struct Entry {
    Handshake handshake;
    std::uint64_t pair = 0; ///< hash of the two addresses, in no order
    LookPace pace;
    TimePoint review_due; ///< while review_place names one
    Links created;        ///< in order of the first message
    Links used;           ///< in order of the latest message
    Links same_pair;      ///< `after`: the next older of the pair, proven or not as this
    Links running;        ///< of those not ended, in order of the latest message
    /// Among those to be reviewed; no_index: it is not.
    std::uint32_t review_place = no_index;
    std::uint32_t answer_bytes = 0; ///< of the last IKE_AUTH answer
    std::uint32_t first_auth_id = 0;
    std::uint32_t client_address = 0;  ///< hash of the client's latest address
    std::uint32_t client_endpoint = 0; ///< hash of its latest address and port
    std::uint32_t server_endpoint = 0;
    std::uint32_t other_spi = 0;               ///< hash of another real answer's; 0: none came
    std::array<Asked, 2> asked;                ///< [began by the original responder]
    std::array<std::uint8_t, 2> v1_messages{}; ///< distinct whole ones, [from the responder]
    Answer answer = Answer::none;
    Basis evidence = Basis::none; ///< why it counts as established; none: it does not
    Stage stage = Stage::init;
    Fragmentation other_fragmentation = Fragmentation::unknown; ///< by that other answer
    /// How its end is in the totals; in_progress: not yet.
    Outcome counted = Outcome::in_progress;
    bool other_intermediate : 1 = false; ///< as other_fragmentation
    bool running_now : 1 = false;
    bool after_answer : 1 = false; ///< something followed the last IKE_AUTH answer
    /// Something of a message that is not whole yet came after the last answer: tails of an unknown
    /// one, IKEv1 fragments, or the first IP fragment of IKEv1's phase 1 or of another IKE_SA_INIT.
    bool tail_pending : 1 = false;
    bool has_findings : 1 = false;
    bool strong : 1 = false; ///< in the list of those whose client showed itself

    /// In which order handshakes are reviewed.
    [[nodiscard]] std::pair<TimePoint, std::uint64_t> review_order() const noexcept {
        return {review_due, handshake.number};
    }
};

/// The end that opened a handshake.
[[nodiscard]] inline const Endpoint& opener_of(const Handshake& handshake) noexcept {
    return handshake.client_is_initiator ? handshake.client : handshake.server;
}

} // namespace ikefrag
