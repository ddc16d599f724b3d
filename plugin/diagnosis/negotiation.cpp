// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/wording.hpp"
#include "plugin/ike/notify.hpp"

#include <algorithm>

// The ends talk to each other and do not agree: D19 to D23.
namespace ikefrag {
namespace {

constexpr std::size_t max_lines = 8;
constexpr std::size_t max_offered = 24; ///< names of one type of transform
constexpr std::size_t cookie_rounds = 3;
constexpr std::uint32_t tiny_answer = 120;
constexpr Duration quiet_after_refusal = std::chrono::seconds(5);
constexpr Duration crossing = std::chrono::seconds(1);

void cite(Draft& draft, const std::vector<const MessageRecord*>& messages, TimePoint start) {
    for (const auto* message : messages)
        if (draft.evidence.size() < max_lines)
            draft.evidence.push_back(evidence_text(*message, start));
}

std::vector<const MessageRecord*> answers_with(const Step& step, Note note) {
    std::vector<const MessageRecord*> found;
    for (const auto* message : step.answered)
        if (message->complete && message->notes.has(note)) found.push_back(message);
    return found;
}

void find_cookie_loop(const Scene& scene, const Step& init, Drafts& out) {
    const auto& view = scene.view;
    const auto cookies = answers_with(init, Note::cookie);
    if (cookies.empty()) return;
    std::size_t without = 0;
    for (const auto* request : init.sent)
        if (request->time > cookies.front()->time && !request->notes.has(Note::cookie)) ++without;
    if (cookies.size() < cookie_rounds && without < 2) return;
    auto& draft =
        out.add("D19",
                without >= 2 ? Actor::client_network : Actor::server,
                confidence_of(view, Confidence::high))
            .with("count", count_text(cookies.size()))
            .with("times", offsets_text(times_of(cookies), view.start))
            .with("detail",
                  without >= 2
                      ? "the client repeats its request without the cookie, so the "
                        "server's answers do not reach it or it ignores them"
                      : std::string("the client sent the cookie back and was asked again"));
    cite(draft, cookies, view.start);
    for (const auto* request : init.sent)
        if (draft.evidence.size() < max_lines)
            draft.evidence.push_back(
                evidence_text(*request, view.start) +
                (request->notes.has(Note::cookie) ? ", with the cookie" : ", without a cookie"));
}

void find_group_loop(const Scene& scene, const Step& init, Drafts& out) {
    const auto& view = scene.view;
    const auto refusals = answers_with(init, Note::invalid_ke);
    if (refusals.empty()) return;
    const auto wanted = refusals.front()->wanted_group;
    std::vector<const MessageRecord*> same;
    bool went_along = false;
    for (const auto* request : init.sent) {
        if (request->time < refusals.front()->time) continue;
        if (request->key_group == wanted)
            went_along = true;
        else if (!request->retransmit)
            same.push_back(request);
        else if (request->time - refusals.front()->time > crossing)
            same.push_back(request);
    }
    const bool loop = refusals.size() >= 2 && !same.empty();
    const bool given_up = view.handshake.ended && view.handshake.outcome == Outcome::failed &&
                          !went_along && same.empty();
    if (!loop && !given_up) return;
    const auto offered = init.sent.front()->key_group;
    auto& draft =
        out.add("D20",
                Actor::client,
                confidence_of(view, loop ? Confidence::high : Confidence::medium))
            .with("wanted", key_group_text(wanted))
            .with("offered", "group " + key_group_text(offered))
            .with("detail",
                  loop ? "keeps offering group " + key_group_text(offered)
                       : "offered group " + key_group_text(offered) + " and did not try again")
            .with("times", offsets_text(times_of(refusals), view.start));
    cite(draft, refusals, view.start);
    cite(draft, same, view.start);
}

/// What the initiator offered, by type of transform. Groups first: of all it is mostly they that
/// two ends do not have in common.
std::string offered_text(const Handshake& handshake) {
    std::vector<std::uint8_t> types;
    for (const auto& transform : handshake.offered)
        if (std::ranges::find(types, transform.type) == types.end())
            types.push_back(transform.type);
    std::stable_partition(types.begin(), types.end(), is_key_exchange);
    std::string text;
    for (const auto type : types) {
        std::size_t count = 0;
        for (const auto& transform : handshake.offered) {
            if (transform.type != type || ++count > max_offered) continue;
            const auto name = to_string(transform);
            text += count > 1      ? "/" + name.substr(name.find('=') + 1)
                    : text.empty() ? "; offered: " + name
                                   : ", " + name;
        }
        if (count > max_offered) text += " and " + std::to_string(count - max_offered) + " more";
    }
    if (handshake.offered_truncated) text += ", and more than were kept";
    return text;
}

void find_refused_proposal(const Scene& scene, const Step& init, Drafts& out) {
    const auto& view = scene.view;
    auto refusals = answers_with(init, Note::no_proposal);
    // IKEv1 says it in an INFORMATIONAL exchange of its own.
    if (view.handshake.version == 1)
        for (const auto& message : view.handshake.messages)
            if (message.notes.has(Note::no_proposal) && message.direction == Direction::to_peer &&
                !message.notes.has(Note::encrypted))
                refusals.push_back(&message);
    if (refusals.empty() || view.init_answer != nullptr || !view.real_client) return;
    auto& draft = out.add("D21", Actor::client, confidence_of(view, Confidence::high))
                      .with("times", offsets_text(times_of(refusals), view.start))
                      .with("offered", offered_text(view.handshake));
    cite(draft, {init.sent.front()}, view.start);
    cite(draft, refusals, view.start);
}

void find_rejected_auth(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    if (!view.silence_known || handshake.version != 2 || handshake.esp_seen || view.steps.empty())
        return;
    const Step* last = nullptr;
    for (const auto& step : view.steps) {
        if (step.auth && step.direction == Direction::to_server)
            last = &step;
        else if (!step.init && last != nullptr && !step.tries.empty() &&
                 step.tries.front() > last->tries.front())
            return;
    }
    if (last == nullptr || !last->is_answered() || last->answer_set != nullptr) return;
    const auto& answer = *last->answered.back();
    if (!answer.complete || answer.message_bytes > tiny_answer ||
        view.now - answer.time < quiet_after_refusal || last->tries.back() > answer.time)
        return;
    auto& draft =
        out.add("D22", Actor::server, confidence_of(view, Confidence::medium))
            .with("size", std::to_string(answer.message_bytes))
            .with("detail",
                  answer.error_notify == 0
                      ? std::string(" and nothing followed: authentication or "
                                    "authorisation failed, probably")
                      : ", in clear, and nothing followed: it says " + notifies_text(answer))
            .with("delay", seconds_text(answer.time - last->tries.front()));
    cite(draft, {&last->best(), &answer}, view.start);
    draft.evidence.push_back("no ESP and no later exchange for " +
                             seconds_text(view.now - answer.time));
}

bool find_clear_error(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& message : view.handshake.messages) {
        const bool version = message.notes.has(Note::invalid_major_version);
        if (!version && !message.notes.has(Note::invalid_spi)) continue;
        if (message.notes.has(Note::encrypted)) continue;
        auto& draft =
            out.add("D23", Actor::server, confidence_of(view, Confidence::medium))
                .with("detail",
                      std::string(message.direction == Direction::to_peer ? "The server"
                                                                          : "The client") +
                          " says in clear " +
                          std::string(notify_name(message.exchange.version,
                                                  version ? notify::invalid_major_version
                                                          : notify::invalid_ike_spi)) +
                          (version ? ": it does not speak this version of IKE"
                                   : ": it does not know this handshake"));
        cite(draft, {&message}, view.start);
        return true;
    }
    return false;
}

void find_unheard_answers(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const Step* last = nullptr;
    for (const auto& step : view.steps)
        if (step.direction == Direction::to_server && step.answer_expected) last = &step;
    if (last == nullptr || !last->is_answered()) return;
    for (const auto* answer : last->answered)
        if (answer->skf_number != 0 || answer->ip_fragments > 0 || !answer->complete ||
            answer->notes.has(Note::cookie) || answer->notes.has(Note::invalid_ke) ||
            answer->notes.has(Note::no_proposal))
            return;
    std::vector<TimePoint> late;
    for (const auto time : last->tries) {
        std::optional<TimePoint> answer;
        for (const auto answered : last->answer_times)
            if (answered <= time) answer = answered;
        if (answer && time - *answer > crossing) late.push_back(time);
    }
    if (late.size() < 2) return;
    auto& draft = out.add("D23", Actor::server_network, confidence_of(view, Confidence::medium))
                      .with("detail",
                            "The client repeated " + exchange_text(last->exchange) + " " +
                                count_text(late.size()) + " (" + offsets_text(late, view.start) +
                                ") although each was answered in one packet: the answers do not "
                                "reach it, or it "
                                "rejects them");
    cite(draft, {last->sent.front(), last->answered.front()}, view.start);
    draft.evidence.push_back("answered at " + offsets_text(last->answer_times, view.start) +
                             ", asked again at " + offsets_text(late, view.start));
}

} // namespace

void find_negotiation(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    if (view.established || view.handshake.mid_stream) return;
    if (const auto* init = view.init();
        init != nullptr && init->direction == Direction::to_server) {
        if (view.init_answer == nullptr) {
            find_cookie_loop(scene, *init, out);
            find_group_loop(scene, *init, out);
        }
        find_refused_proposal(scene, *init, out);
    }
    find_rejected_auth(scene, out);
    if (!find_clear_error(scene, out) && view.silence_known) find_unheard_answers(scene, out);
}

} // namespace ikefrag
