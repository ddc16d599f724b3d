// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/outcome.hpp"

namespace ikefrag {

namespace {

constexpr std::uint8_t base = 1;
constexpr std::uint8_t main_mode = 2;
constexpr std::uint8_t auth_only = 3;
constexpr std::uint8_t aggressive = 4;
constexpr std::uint8_t informational = 5;
constexpr std::uint8_t transaction = 6;
constexpr std::uint8_t quick_mode = 32;
/// Microsoft's AuthIP, in IKEv1's header: main, quick, extended mode and its notify.
constexpr std::uint8_t authip_first = 243;
constexpr std::uint8_t authip_last = 246;
constexpr std::uint8_t ike_sa_init = 34;
constexpr std::uint8_t ike_auth = 35;
constexpr std::uint8_t ike_session_resume = 38;
constexpr std::uint8_t gsa_auth = 39;
constexpr std::uint8_t ike_intermediate = 43;

/// AuthIP's messages are not followed one by one: an answer is all we know of it.
bool is_authip(const Handshake& handshake) noexcept {
    if (handshake.messages.empty()) return false;
    const auto type = handshake.messages.front().exchange.type;
    return type >= authip_first && type <= authip_last;
}

Conclusion conclude_v1(const Entry& entry) noexcept {
    if (is_phase1_complete(entry)) return {Outcome::unknown, Basis::answered};
    if (entry.answer == Answer::refusal) return {Outcome::failed, Basis::refused};
    const auto& asked = entry.asked[0];
    if (!asked.any && is_authip(entry.handshake))
        return is_zero(entry.handshake.responder_spi)
                   ? Conclusion{Outcome::failed, Basis::unanswered}
                   : Conclusion{Outcome::unknown, Basis::answered};
    if (!asked.any) return {Outcome::unknown, Basis::half_view};
    if (!asked.answered || entry.tail_pending) return {Outcome::failed, Basis::unanswered};
    return {Outcome::unknown, Basis::answered};
}

Conclusion conclude_v2(const Entry& entry) noexcept {
    const auto& asked = entry.asked[0];
    if (!asked.any) return {Outcome::unknown, Basis::half_view};
    if (!asked.answered || entry.tail_pending) return {Outcome::failed, Basis::unanswered};
    if (entry.answer == Answer::refusal) return {Outcome::failed, Basis::refused};
    // A request for a cookie is no answer: the client never came back with it.
    if (entry.answer == Answer::cookie) return {Outcome::failed, Basis::unanswered};
    const bool refused = is_auth_exchange(asked.type) && entry.answer_bytes <= refusal_bytes &&
                         !entry.after_answer && !entry.handshake.esp_seen;
    if (refused) return {Outcome::failed, Basis::refused};
    return {Outcome::unknown, Basis::answered};
}

} // namespace

bool is_opening_exchange(std::uint8_t version, std::uint8_t type) noexcept {
    if (version == 1) return type >= base && type <= aggressive;
    return type == ike_sa_init || type == ike_session_resume;
}

bool is_auth_exchange(std::uint8_t type) noexcept { return type == ike_auth || type == gsa_auth; }

bool is_later_exchange(std::uint8_t version, std::uint8_t type) noexcept {
    if (version == 1) return type == informational || type == transaction || type == quick_mode;
    return !is_opening_exchange(2, type) && !is_auth_exchange(type) && type != ike_intermediate;
}

bool is_phase1_complete(const Entry& entry) noexcept {
    const auto initiator = entry.v1_messages[0];
    const auto responder = entry.v1_messages[1];
    switch (entry.asked[0].type) {
    case base: return initiator >= 2 && responder >= 2;
    case main_mode: return initiator >= 3 && responder >= 3;
    case auth_only:
    case aggressive: return initiator >= 2 && responder >= 1;
    default: return false;
    }
}

Conclusion conclude(const Entry& entry) noexcept {
    if (entry.evidence != Basis::none) return {Outcome::established, entry.evidence};
    if (entry.answer == Answer::redirect) return {Outcome::unknown, Basis::redirected};
    if (entry.handshake.half_view) return {Outcome::unknown, Basis::half_view};
    if (entry.handshake.mid_stream) return {Outcome::unknown, Basis::mid_stream};
    return entry.handshake.version == 1 ? conclude_v1(entry) : conclude_v2(entry);
}

} // namespace ikefrag
