// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/remedy.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>

// Pieces that were sent and did not come: D04, D05, D10, D11, D12.
namespace ikefrag {
namespace {

constexpr Duration crossing = std::chrono::seconds(1);
constexpr Duration set_quiet = std::chrono::seconds(5);
constexpr Duration partial_window = std::chrono::minutes(10);
constexpr std::size_t max_lines = 8;
constexpr std::uint8_t intermediate = 43;

void cite(Draft& draft, const std::vector<const MessageRecord*>& messages, TimePoint start) {
    for (const auto* message : messages)
        if (draft.evidence.size() < max_lines)
            draft.evidence.push_back(evidence_text(*message, start));
}

/// What any path takes: RFC 791's 576 octets, RFC 8200's 1280.
std::size_t safe_mtu(const View& view) noexcept {
    return view.handshake.client.address.family == Family::ipv4 ? 576 : 1280;
}

void cite_init(Draft& draft, const View& view) {
    if (view.init_answer != nullptr)
        draft.evidence.push_back(evidence_text(*view.init_answer, view.start));
}

/// Incomplete because pieces never came: not because we refused it.
std::vector<const MessageRecord*> timed_out(const std::vector<const MessageRecord*>& messages) {
    std::vector<const MessageRecord*> result;
    for (const auto* message : messages)
        if (message->reason == Reason::timeout || message->reason == Reason::none)
            result.push_back(message);
    return result;
}

bool partial_before(const Scene& scene) {
    const auto& handshake = scene.view.handshake;
    return std::ranges::any_of(scene.server.marks(), [&](const AttemptMark& mark) {
        return mark.partial && mark.number != handshake.number &&
               mark.client == handshake.client.address &&
               scene.view.now - mark.time < partial_window;
    });
}

void find_partial_request(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& step : view.steps) {
        if (!step.auth || step.direction != Direction::to_server || step.arrived()) continue;
        if (step.is_answered() || !step.answered.empty()) continue;
        auto lost = timed_out(step.partial);
        std::erase_if(lost, [](const MessageRecord* message) { return !message->first_seen; });
        if (lost.empty()) continue;
        scene.server.mark(view.handshake.number, view.now).partial = true;
        const bool again = lost.size() == 1 && partial_before(scene);
        if (lost.size() < 2 && !again) continue;
        auto& draft =
            out.add("D04",
                    Actor::client_network,
                    confidence_of(view,
                                  lost.size() > 2 || again ? Confidence::high : Confidence::medium))
                .with("exchange", exchange_text(step.exchange))
                .with("count", count_text(lost.size()))
                .with("times", offsets_text(times_of(lost), view.start))
                .with("first", std::to_string(lost.front()->first_fragment_bytes));
        cite_init(draft, view);
        cite(draft, lost, view.start);
        return;
    }
}

/// Trailing fragments alone: of the timeline, and those that were told before it began to wait.
struct LoneTails {
    std::vector<TimePoint> times;
    std::uint64_t bytes = 0;
};

LoneTails lone_tails(const std::vector<const MessageRecord*>& messages, const Tails* strays) {
    LoneTails tails;
    for (const auto* message : messages) {
        tails.times.push_back(message->time);
        tails.bytes += message->datagram_bytes;
    }
    if (strays == nullptr) return tails;
    tails.times.insert(tails.times.end(), strays->times.begin(), strays->times.end());
    tails.bytes += strays->bytes;
    std::ranges::sort(tails.times);
    return tails;
}

std::string tails_text(const LoneTails& tails, TimePoint start) {
    auto text = "trailing IP fragments of " + number_text(tails.times.size(), "datagram") + " at " +
                offsets_text(tails.times, start);
    if (tails.bytes != 0) text += ", " + std::to_string(tails.bytes) + " octets";
    return text + "; the first fragments never came";
}

void find_tails(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    if (view.init_answer == nullptr || view.went_on()) return;
    const auto* strays =
        scene.sums.tails(view.handshake.client.address, view.handshake.server.address, view.now);
    auto tails = lone_tails(view.tails, strays);
    std::erase_if(tails.times, [&](TimePoint time) { return time < view.init_answer->time; });
    if (tails.times.size() < 2) return;
    auto& draft =
        out.add("D05",
                Actor::client_network,
                confidence_of(view, tails.times.size() > 2 ? Confidence::high : Confidence::medium))
            .with("count", number_text(tails.times.size(), "datagram"))
            .with("times", offsets_text(tails.times, view.start));
    cite_init(draft, view);
    draft.evidence.push_back(tails_text(tails, view.start));
}

void find_partial_answer(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    for (const auto& step : view.steps) {
        if (step.init || step.direction != Direction::to_server || step.is_answered()) continue;
        const auto lost = timed_out(step.answer_partial);
        auto tails =
            lone_tails(view.answer_tails,
                       scene.sums.tails(handshake.server_inside.value_or(handshake.server.address),
                                        handshake.client.address,
                                        view.now));
        std::erase_if(tails.times, [&](TimePoint time) {
            return step.tries.empty() || time < step.tries.front();
        });
        const bool only_tails = lost.empty() && tails.times.size() >= 2 && step.arrived();
        if (lost.size() < 2 && !only_tails) continue;
        const auto times = only_tails ? tails.times : times_of(lost);
        auto& draft = out.add("D11", Actor::server_network, confidence_of(view, Confidence::high))
                          .with("exchange", exchange_text(step.exchange))
                          .with("part", only_tails ? "trailing fragments" : "the first fragment")
                          .with("count", count_text(times.size()))
                          .with("times", offsets_text(times, view.start));
        draft.evidence.push_back(evidence_text(step.best(), view.start));
        cite(draft, lost, view.start);
        if (only_tails) draft.evidence.push_back(tails_text(tails, view.start));
        return;
    }
}

/// Tries that came when the client must have had the whole answer for long.
std::vector<TimePoint> tries_after_answer(const View& view, const Step& step) {
    std::vector<TimePoint> late;
    for (const auto time : step.tries) {
        std::optional<TimePoint> answer;
        for (const auto answered : step.answer_times)
            if (answered <= time) answer = answered;
        if (answer && time - *answer > view.client_round_trip() + crossing) late.push_back(time);
    }
    return late;
}

void find_lost_answer(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (std::size_t i = 0; i < view.steps.size(); ++i) {
        const auto& step = view.steps[i];
        if (step.init || step.direction != Direction::to_server || !step.is_answered()) continue;
        const MessageRecord* answer = nullptr;
        for (const auto* message : step.answered)
            if (message->complete && (message->skf_number != 0 || message->ip_fragments > 0))
                answer = message;
        if (answer == nullptr) continue;
        const bool progressed =
            std::any_of(view.steps.begin() + static_cast<std::ptrdiff_t>(i) + 1,
                        view.steps.end(),
                        [](const Step& later) { return later.direction == Direction::to_server; });
        const auto late = tries_after_answer(view, step);
        if (progressed || late.size() < 2) continue;
        const bool by_ike = step.answer_set != nullptr && answer->skf_number != 0;
        const bool left = std::ranges::any_of(step.answered, [](const MessageRecord* message) {
            return message->left_time.has_value();
        });
        const auto& handshake = view.handshake;
        auto& draft =
            out.add("D10",
                    by_ike ? Actor::client_network : Actor::server,
                    confidence_of(view,
                                  left || late.size() > 2 ? Confidence::high : Confidence::medium))
                .with("exchange", exchange_text(step.exchange))
                .with("pieces",
                      by_ike ? pieces_text(step.answer_set->total, step.answer_set->transport)
                             : pieces_text(answer->ip_fragments, Transport::ip))
                .with("size",
                      std::to_string(by_ike ? step.answer_set->bytes : answer->message_bytes))
                .with("passed", left ? "seen leaving this firewall" : "passed on by this firewall")
                .with("count", count_text(late.size()))
                .with("times", offsets_text(late, view.start))
                .with("server_fix",
                      by_ike ? size_text(handshake.server_side.vendor, safe_mtu(view))
                             : server_on_text(handshake.server_side.vendor,
                                              handshake.client_side.vendor));
        if (by_ike)
            draft.evidence.push_back(evidence_text(*step.answer_set, view.start));
        else
            cite(draft, step.answered, view.start);
        for (const auto* message : step.sent)
            if (step.is_try(*message) && draft.evidence.size() < max_lines)
                draft.evidence.push_back(evidence_text(*message, view.start));
        return;
    }
}

/// Times the lowest piece that was seen came.
std::size_t passes_of(const std::vector<const MessageRecord*>& messages) {
    std::uint16_t lead = 0;
    for (const auto* message : messages)
        if (message->skf_number != 0 && (lead == 0 || message->skf_number < lead))
            lead = message->skf_number;
    return static_cast<std::size_t>(std::ranges::count_if(
        messages, [lead](const MessageRecord* message) { return message->skf_number == lead; }));
}

bool set_is_over(const View& view, const Step& step, const FragmentSet& set) {
    const auto quiet = view.now - set.last_time;
    const bool sent_again =
        &set == step.set ? step.tries.size() >= 2 : passes_of(step.answered) >= 2;
    if (sent_again && quiet >= crossing) return true;
    Duration limit = set_quiet;
    if (step.tries.size() >= 2)
        limit = std::max(limit, 3 * (step.tries.back() - step.tries[step.tries.size() - 2]));
    return quiet >= limit;
}

void find_partial_set(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& step : view.steps) {
        if (step.init || step.exchange.type == intermediate) continue;
        const auto* set = step.set != nullptr && !step.set->complete ? step.set : step.answer_set;
        if (set == nullptr || set->complete || set->is_too_large() || set->seen == 0 ||
            !set_is_over(view, step, *set))
            continue;
        if (set == step.set && (step.is_answered() || !step.whole_tries.empty())) continue;
        if (set == step.answer_set && step.is_answered()) continue;
        const bool to_server = set->direction == Direction::to_server;
        const auto sendings = set == step.set ? step.tries.size() : passes_of(step.answered);
        // All pieces but the last have the same, full size.
        const bool only_last =
            set->total > 1 && set->seen == 1 &&
            missing_text(*set).find(std::to_string(set->total)) == std::string::npos;
        const auto lost =
            set->total > set->seen ? 100u * (set->total - set->seen) / set->total : 0u;
        auto& draft =
            out.add("D12",
                    to_server ? Actor::client_network : Actor::server_network,
                    confidence_of(view, sendings > 1 ? Confidence::high : Confidence::medium))
                .with("exchange", exchange_text(set->exchange))
                .with("sender", view.side_text(set->direction))
                .with("total",
                      set->total == 0 ? std::string("several") : std::to_string(set->total))
                .with("size", std::to_string(set->largest_bytes))
                .with("seen", std::to_string(set->seen))
                .with("count",
                      sendings > 1 ? number_text(sendings, "sending") : std::string("one sending"))
                .with("missing", missing_text(*set))
                .with("size_hint",
                      only_last
                          ? std::string("Only the small last piece arrives: the full-size ones are "
                                        "too large for the path, so lower the fragment size.")
                          : "Pieces are lost on the way" +
                                (lost > 0 ? " (" + std::to_string(lost) + " %)" : std::string()) +
                                ": a filter or policer on the path; smaller fragments may help.");
        // The actor is the network, the setting is the sender's.
        draft.values.emplace_back("sender_size",
                                  size_text(view.sender(set->direction).vendor, safe_mtu(view)));
        draft.evidence.push_back(evidence_text(*set, view.start));
        for (const auto* message : set == step.set ? step.sent : step.answered)
            if (draft.evidence.size() < max_lines)
                draft.evidence.push_back(evidence_text(*message, view.start));
        return;
    }
}

} // namespace

void find_lost_on_path(const Scene& scene, Drafts& out) {
    if (scene.view.established || !scene.view.silence_known) return;
    find_partial_request(scene, out);
    find_tails(scene, out);
    find_partial_answer(scene, out);
    find_lost_answer(scene, out);
    find_partial_set(scene, out);
}

} // namespace ikefrag
