// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/remedy.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <set>

// What the ends can do and how they use it: D01, D02, D03, D13, D14, D15, D17, D33.
namespace ikefrag {
namespace {

constexpr std::size_t offer_clients = 3;
constexpr Duration offer_pause = std::chrono::hours(24);
constexpr std::size_t max_lines = 6;

Actor side(Direction from) noexcept {
    return from == Direction::to_server ? Actor::client : Actor::server;
}

std::string side_word(Direction from) { return from == Direction::to_server ? "client" : "server"; }

bool by_ip(const MessageRecord& message) noexcept {
    if (is_tail(message)) return false;
    return message.ip_fragments > 0 || !message.complete;
}

void cite(Draft& draft, const MessageRecord& message, const View& view) {
    if (draft.evidence.size() < max_lines)
        draft.evidence.push_back(evidence_text(message, view.start));
}

/// The first message after IKE_SA_INIT that came in IP fragments, or null.
const MessageRecord* first_by_ip(const View& view) {
    for (const auto& message : view.handshake.messages)
        if (!is_init(message.exchange) && by_ip(message) && message.skf_number == 0)
            return &message;
    return nullptr;
}

void find_offer_unanswered(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    const auto theirs = handshake.server_side.fragmentation;
    if (handshake.client_side.fragmentation != Fragmentation::ike ||
        !handshake.client_is_initiator || !handshake.init_answered || handshake.mid_stream ||
        (theirs != Fragmentation::none && theirs != Fragmentation::cisco))
        return;
    scene.server.mark(handshake.number, view.now).offer_unanswered = true;
    const auto* big = first_by_ip(view);
    const bool lost = out.has("D04") || out.has("D05");
    const bool by_number = big == nullptr && !lost;
    std::set<IpAddress> clients;
    if (by_number) {
        auto& told = scene.server.offer_told;
        if (!may_tell(told, handshake.number, view.now, offer_pause)) return;
        for (const auto& mark : scene.server.marks())
            if (mark.offer_unanswered) clients.insert(mark.client);
        if (clients.size() < offer_clients || !tell(told, handshake.number, view.now, offer_pause))
            return;
    }
    std::string consequence;
    if (lost)
        consequence = ", and those are lost";
    else if (big != nullptr)
        consequence = " (" + exchange_text(big->exchange) + ", " +
                      std::to_string(big->message_bytes) + " octets)";
    else
        consequence = "; so it was with " + number_text(clients.size(), "client");
    auto& draft = out.add("D01", Actor::server, confidence_of(view, Confidence::high))
                      .with("consequence", consequence);
    if (const auto* init = view.init(); init != nullptr)
        draft.evidence.push_back(evidence_text(init->best(), view.start) +
                                 ": with N(IKEV2_FRAGMENTATION_SUPPORTED)");
    if (view.init_answer != nullptr)
        draft.evidence.push_back(evidence_text(*view.init_answer, view.start) + ": without it");
    if (big != nullptr) cite(draft, *big, view);
}

void find_not_offered(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    if (handshake.version != 2 || !handshake.client_is_initiator ||
        handshake.client_side.fragmentation != Fragmentation::none || handshake.mid_stream)
        return;
    for (const auto& step : view.steps) {
        if (!step.auth || step.direction != Direction::to_server) continue;
        const auto& best = step.best();
        if (!by_ip(best)) continue;
        auto& draft =
            out.add("D02", Actor::client, confidence_of(view, Confidence::high))
                .with("exchange", exchange_text(step.exchange))
                .with("pieces",
                      best.complete ? std::to_string(best.ip_fragments) : std::string("several"))
                .with("size", std::to_string(best.message_bytes));
        if (const auto* init = view.init(); init != nullptr)
            draft.evidence.push_back(evidence_text(init->best(), view.start) +
                                     ": without N(IKEV2_FRAGMENTATION_SUPPORTED)");
        cite(draft, best, view);
        return;
    }
}

void report_unused(const Scene& scene,
                   const std::vector<const MessageRecord*>& plain,
                   Drafts& out) {
    const auto& view = scene.view;
    const auto& first = *plain.front();
    const MessageRecord* best = &first;
    for (const auto* message : plain)
        if (message->complete && !best->complete) best = message;
    auto& draft =
        out.add("D03", side(first.direction), confidence_of(view, Confidence::high))
            .with("sender", side_word(first.direction))
            .with("exchange", exchange_text(first.exchange))
            .with("count", count_text(plain.size()))
            .with("pieces",
                  best->complete ? std::to_string(best->ip_fragments) : std::string("several"))
            .with("size", std::to_string(best->message_bytes));
    for (const auto* message : plain) cite(draft, *message, view);
}

void find_agreed_not_used(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    if (handshake.client_side.fragmentation != Fragmentation::ike ||
        handshake.server_side.fragmentation != Fragmentation::ike)
        return;
    for (const auto& step : view.steps) {
        if (step.init) continue;
        std::vector<const MessageRecord*> plain;
        for (const auto* message : step.sent)
            if (message->skf_number == 0 && by_ip(*message)) plain.push_back(message);
        // One plain try is allowed, and so is one that is followed by IKE fragments.
        if (plain.size() >= 2 && step.set == nullptr) return report_unused(scene, plain, out);
        plain.clear();
        for (const auto* message : step.answered)
            if (message->skf_number == 0 && by_ip(*message)) plain.push_back(message);
        // A request in IKE fragments shows that the way needs them.
        if ((plain.size() >= 2 || (!plain.empty() && step.set != nullptr)) &&
            step.answer_set == nullptr)
            return report_unused(scene, plain, out);
    }
}

void find_set_too_big(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const MessageRecord* found = nullptr;
    for (const auto& message : view.handshake.messages)
        if (message.skf_number != 0 && message.exchange.version == 2 && by_ip(message) &&
            (found == nullptr || (message.complete && !found->complete)))
            found = &message;
    if (found == nullptr) return;
    const auto size = found->datagram_bytes != 0 ? found->datagram_bytes : found->message_bytes;
    auto& draft = out.add("D13", side(found->direction), confidence_of(view, Confidence::high))
                      .with("sender", side_word(found->direction))
                      .with("exchange", exchange_text(found->exchange))
                      .with("size", std::to_string(size))
                      .with("first", std::to_string(found->first_fragment_bytes))
                      .with("mtu", std::to_string(found->first_fragment_bytes));
    for (const auto& message : view.handshake.messages)
        if (message.skf_number != 0 && by_ip(message)) cite(draft, message, view);
}

void find_set_shrunk(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& set : view.handshake.sets) {
        if (set.transport != Transport::skf || set.previous_total == 0 ||
            set.total <= set.previous_total || set.largest_bytes >= set.previous_largest_bytes)
            continue;
        auto& draft = out.add("D14", side(set.direction), confidence_of(view, Confidence::high))
                          .with("sender", side_word(set.direction))
                          .with("exchange", exchange_text(set.exchange))
                          .with("before", pieces_text(set.previous_total, set.transport))
                          .with("before_size", std::to_string(set.previous_largest_bytes))
                          .with("total", std::to_string(set.total))
                          .with("size", std::to_string(set.largest_bytes))
                          .with("mtu", std::to_string(set.largest_bytes));
        draft.evidence.push_back(evidence_text(set, view.start));
        return;
    }
}

void find_late_switch(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& step : view.steps) {
        if (step.init) continue;
        for (const auto* messages : {&step.sent, &step.answered}) {
            const MessageRecord* plain = nullptr;
            const MessageRecord* piece = nullptr;
            for (const auto* message : *messages) {
                if (message->skf_number == 0 && plain == nullptr) plain = message;
                if (message->skf_number != 0 && plain != nullptr && piece == nullptr)
                    piece = message;
            }
            if (piece == nullptr) continue;
            auto& draft =
                out.add("D15", side(piece->direction), confidence_of(view, Confidence::high))
                    .with("sender", side_word(piece->direction))
                    .with("exchange", exchange_text(piece->exchange))
                    .with("kind", transport_text(piece->transport))
                    .with("delay", seconds_text(piece->time - plain->time));
            cite(draft, *plain, view);
            cite(draft, *piece, view);
            return;
        }
    }
}

void find_init_fragmented(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& message : view.handshake.messages) {
        if (!is_init(message.exchange) || !by_ip(message)) continue;
        auto& draft =
            out.add("D17", side(message.direction), confidence_of(view, Confidence::high))
                .with("sender", side_word(message.direction))
                .with("exchange", exchange_text(message.exchange))
                .with("size", std::to_string(message.message_bytes))
                .with("consequence", message.complete ? "" : ", of which a part never came");
        cite(draft, message, view);
        return;
    }
}

void find_v1_state(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    if (handshake.version != 1) return;
    const bool client = handshake.client_side.fragmentation == Fragmentation::v1;
    const bool server = handshake.server_side.fragmentation == Fragmentation::v1;
    const bool server_seen = handshake.server_side.fragmentation != Fragmentation::unknown;
    if (client && (server || !server_seen)) return;
    for (const auto& step : view.steps)
        for (const auto* messages : {&step.sent, &step.answered})
            for (const auto* message : *messages) {
                if (message->skf_number != 0 || !by_ip(*message)) continue;
                const auto lacking = client ? Direction::to_peer : Direction::to_server;
                const auto pieces =
                    message->complete ? std::to_string(message->ip_fragments) : "several";
                auto& draft = out.add("D33", side(lacking), confidence_of(view, Confidence::high))
                                  .with("detail",
                                        std::string(client   ? "only the client announces"
                                                    : server ? "only the server announces"
                                                             : "neither side announces") +
                                            " the FRAGMENTATION vendor ID")
                                  .with("exchange", exchange_text(message->exchange))
                                  .with("pieces", pieces)
                                  .with("size", std::to_string(message->message_bytes))
                                  .with("sender", side_word(lacking));
                cite(draft, *message, view);
                return;
            }
}

} // namespace

void find_capability(const Scene& scene, Drafts& out) {
    find_offer_unanswered(scene, out);
    find_not_offered(scene, out);
    find_agreed_not_used(scene, out);
    find_set_too_big(scene, out);
    find_set_shrunk(scene, out);
    find_late_switch(scene, out);
    find_init_fragmented(scene, out);
    find_v1_state(scene, out);
}

} // namespace ikefrag
