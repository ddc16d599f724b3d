// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/daemon/story.hpp"

namespace ikefrag::testing {

MessageRecord& add_message(Attempt& attempt,
                           double seconds,
                           std::uint8_t type,
                           Direction direction,
                           Role role,
                           std::uint32_t bytes) {
    MessageRecord message;
    message.time = attempt.handshake.first_time +
                   std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
    message.exchange = {attempt.handshake.version, type, type == 34 ? 0u : 1u};
    message.direction = direction;
    message.role = role;
    message.message_bytes = bytes;
    message.first_fragment_bytes = message.datagram_bytes = bytes + 28;
    if (type == 34) message.notes.set(Note::sa);
    attempt.handshake.last_time = message.time;
    attempt.handshake.messages.push_back(message);
    return attempt.handshake.messages.back();
}

Finding& add_finding(Attempt& attempt, std::string_view id, Actor actor) {
    Finding finding;
    finding.diagnosis = find_diagnosis(id);
    finding.actor = actor;
    finding.handshake = attempt.handshake.number;
    finding.client = attempt.handshake.client.address;
    finding.server = attempt.handshake.server.address;
    finding.sentence = "What happened to 203.0.113.7, in one sentence.";
    finding.remedy = "What 203.0.113.7 must change.";
    finding.evidence = {"+0.100 s: seen of 203.0.113.7"};
    attempt.findings.push_back(finding);
    return attempt.findings.back();
}

Attempt partial_story() {
    Attempt attempt;
    auto& handshake = attempt.handshake;
    handshake.number = 1;
    handshake.initiator_spi = {0, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77};
    handshake.client = {*parse_address("203.0.113.7"), 500};
    handshake.server = {*parse_address("198.51.100.5"), 500};
    handshake.first_time = handshake.last_time = TimePoint(std::chrono::seconds(1'800'000'000));
    handshake.outcome = Outcome::failed;
    handshake.basis = Basis::unanswered;
    handshake.ended = true;
    handshake.client_side.vendor = "windows";
    handshake.client_side.fragmentation = Fragmentation::ike;
    handshake.server_side.fragmentation = Fragmentation::none;
    attempt.server_name = "vpn1";
    add_message(attempt, 0, 34, Direction::to_server, Role::request, 400);
    add_message(attempt, 0.05, 34, Direction::to_peer, Role::response, 440);
    for (const double seconds : {0.1, 1.1}) {
        auto& message =
            add_message(attempt, seconds, 35, Direction::to_server, Role::request, 2200);
        message.complete = false;
        message.last_seen = false;
        message.refused = true;
        message.reason = Reason::timeout;
        message.first_fragment_bytes = 1500;
    }
    add_finding(attempt, "D04", Actor::client_network);
    return attempt;
}

} // namespace ikefrag::testing
