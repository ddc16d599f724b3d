// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/groups.hpp"
#include "plugin/diagnosis/remedy.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <utility>

// How it went, and what many attempts say together: D31, D32, D35.
namespace ikefrag {
namespace {

constexpr std::size_t min_gaps = 3;
constexpr std::size_t usual_way = 128;
constexpr std::uint32_t group_attempts = 20;
constexpr Duration group_pause = std::chrono::hours(24);

std::vector<TimePoint> repeat_times(const Step& step) {
    std::vector<TimePoint> times;
    if (step.sent.size() <= min_gaps) return times;
    // Repeats with a cookie or another group are new messages, not repeats.
    for (const auto* message : step.sent) {
        if (!step.is_try(*message)) continue;
        if (times.empty() || message->retransmit || !message->complete)
            times.push_back(message->time);
        else
            times.assign(1, message->time);
    }
    return times;
}

void find_pattern(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& step : view.steps) {
        const auto times = repeat_times(step);
        if (times.size() < min_gaps + 1) continue;
        std::vector<Duration> gaps;
        for (std::size_t i = 1; i < times.size(); ++i) gaps.push_back(times[i] - times[i - 1]);
        const auto stack = timing_of(gaps);
        auto& draft =
            out.add("D31",
                    Actor::unknown,
                    confidence_of(view, stack.empty() ? Confidence::low : Confidence::medium))
                .with("client", view.side_text(step.direction))
                .with("exchange", exchange_text(step.exchange))
                .with("count", count_text(times.size()))
                .with("times", offsets_text(times, view.start))
                .with("stack",
                      stack.empty() ? std::string(", a timing of no stack known here")
                                    : ": the timing of " + std::string(stack));
        std::string line = exchange_text(step.exchange) + " gaps";
        for (std::size_t i = 0; i < gaps.size() && i < 8; ++i) line += " " + seconds_text(gaps[i]);
        draft.evidence.push_back(line);
        return;
    }
}

void append_way(std::string& text,
                const FragmentSet* set,
                const std::vector<const MessageRecord*>& messages) {
    if (set != nullptr) {
        text.append(pieces_text(std::max(set->total, set->seen), set->transport)).append(", ");
        text.append(std::to_string(set->bytes)).append(" octets");
        return;
    }
    const auto message = std::ranges::find_if(
        messages, [](const MessageRecord* candidate) { return candidate->complete; });
    if (message == messages.end()) {
        text += "not seen";
        return;
    }
    if ((*message)->ip_fragments > 0)
        text.append(pieces_text((*message)->ip_fragments, Transport::ip)).append(", ");
    text.append(std::to_string((*message)->message_bytes)).append(" octets");
}

std::string way_text(const Step& step) {
    std::string text;
    text.reserve(usual_way);
    text.append(exchange_text(step.exchange)).append(" ");
    append_way(text, step.set, step.sent);
    if (step.answer_expected) append_way(text += ", answer ", step.answer_set, step.answered);
    return text;
}

void find_success(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    if (!view.established || handshake.mid_stream || !handshake.init_answered) return;
    const Step* first = nullptr;
    const Step* last = nullptr;
    std::size_t rounds = 0;
    for (const auto& step : view.steps) {
        if (!step.auth) continue;
        if (first == nullptr) first = &step;
        last = &step;
        ++rounds;
    }
    if (first == nullptr) return;
    const auto end = last->answer_times.empty() ? last->tries.back() : last->answer_times.front();
    std::string how = way_text(*first);
    if (rounds > 1) how.append("; ").append(std::to_string(rounds)).append(" rounds");
    if (handshake.retransmits == 0)
        how += "; no repeats";
    else
        how.append("; ").append(number_text(handshake.retransmits, "repeat"));
    how += handshake.esp_seen ? "; ESP seen" : "; a later exchange seen";
    auto& draft = out.add("D32", Actor::unknown, Confidence::high)
                      .with("version", std::to_string(handshake.version))
                      .with("duration", seconds_text(end - view.start))
                      .with("how", std::move(how));
    draft.evidence.reserve(2);
    draft.evidence.push_back(evidence_text(first->best(), view.start));
    if (!last->answered.empty())
        draft.evidence.push_back(evidence_text(*last->answered.front(), view.start));
}

void find_group(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    if (!view.handshake.ended || view.handshake.outcome != Outcome::failed) return;
    const auto group = group_of(view.handshake.client.address, view.policy);
    const auto& groups = scene.server.groups();
    const auto at = groups.find(group);
    if (at == groups.end() || at->second.total < group_attempts) return;
    GroupCount others;
    for (const auto& [other, count] : groups) {
        if (other == group) continue;
        others.total += count.total;
        others.failed += count.failed;
    }
    if (others.total < group_attempts || at->second.failed * 2 < at->second.total ||
        others.failed * 10 > others.total ||
        !tell(scene.server.group_told, view.handshake.number, view.now, group_pause))
        return;
    const auto name = to_string(group);
    auto& draft = out.add("D35", Actor::client_network, confidence_of(view, Confidence::medium))
                      .with("failed", std::to_string(at->second.failed))
                      .with("total", std::to_string(at->second.total))
                      .with("group", name)
                      .with("other_failed", std::to_string(others.failed))
                      .with("other_total", std::to_string(others.total))
                      .with("hint", group_hint(view.handshake.client.address, view.policy));
    draft.evidence.push_back(name + ": " + draft.values[0].second + " of " +
                             draft.values[1].second + " failed");
    draft.evidence.push_back("all others: " + draft.values[3].second + " of " +
                             draft.values[4].second + " failed");
}

} // namespace

void find_facts(const Scene& scene, Drafts& out) {
    find_pattern(scene, out);
    find_success(scene, out);
    find_group(scene, out);
}

} // namespace ikefrag
