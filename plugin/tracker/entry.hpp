// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/handshake.hpp"
#include "plugin/time.hpp"
#include "plugin/tracker/slab.hpp"

#include <array>
#include <cstdint>

namespace ikefrag {

/// The latest exchange one side began.
struct Asked {
    std::uint32_t message_id = 0;
    std::uint8_t type = 0;
    bool any = false;
    bool complete = false;    ///< the request came whole
    bool answered = false;    ///< by a complete answer from where it was sent to
    bool answer_part = false; ///< something of an answer was seen
};

/// What the latest answer to the initiator was.
enum class Answer : std::uint8_t { none, real, cookie, refusal, redirect };

/// How far a handshake has come; the metric's word (OPERATIONS §5.2).
enum class Stage : std::uint8_t { init, intermediate, auth, eap };
inline constexpr std::size_t stage_count = 4;

/// A handshake and what following it needs.
struct Entry {
    Handshake handshake;
    std::array<Asked, 2> asked;                ///< [began by the original responder]
    std::array<std::uint8_t, 2> v1_messages{}; ///< distinct whole ones, [from the responder]
    Answer answer = Answer::none;
    Basis evidence = Basis::none; ///< why it counts as established; none: it does not
    Stage stage = Stage::init;
    bool running_now = false;
    bool after_answer = false; ///< something followed the last IKE_AUTH answer
    bool tail_pending = false; ///< tails of an unknown message came after the last answer
    bool has_findings = false;
    bool strong = false; ///< in the list of those whose client showed itself
    bool server_muted = false;
    /// How its end is in the totals; in_progress: not yet.
    Outcome counted = Outcome::in_progress;
    std::uint32_t answer_bytes = 0; ///< of the last IKE_AUTH answer
    std::uint32_t first_auth_id = 0;
    std::uint32_t client_address = 0;  ///< hash of the client's latest address
    std::uint32_t client_endpoint = 0; ///< hash of its latest address and port
    std::uint32_t server_endpoint = 0;
    std::uint64_t pair = 0; ///< hash of the two addresses, in no order
    Links created;          ///< in order of the first message
    Links used;             ///< in order of the latest message
    Links same_pair;        ///< `after`: the next older of the pair
    Links running;          ///< of those not ended, in order of the latest message
    TimePoint review_due;   ///< zero: none
};

} // namespace ikefrag
