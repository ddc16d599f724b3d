// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/reasons.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>

// What this firewall itself did, or prevented: D29, D30, D34.
namespace ikefrag {
namespace {

constexpr Duration leaving_time = std::chrono::seconds(1);
constexpr Duration leaving_memory = std::chrono::hours(1);
constexpr Duration order_pause = std::chrono::hours(1);
constexpr std::size_t max_lines = 6;
constexpr std::size_t max_rule_text = 200;
constexpr auto not_left_hint =
    "Look for a rule of this host that drops it (nft list ruleset, iptables-save): rules on "
    "fragments, on packet length, on UDP 4500, or rate limits. 'ikefragctl doctor' names the usual "
    "ones.";
constexpr auto turned_away_hint =
    "Look for what of this host drops the sender: a blocklist or rate limit (nft list ruleset, "
    "iptables-save, ipset list), or reverse path filtering (sysctl -a -r rp_filter; nstat -az "
    "TcpExtIPReversePathFilter counts its drops). If it is to be blocked, all is well.";

void cite(Draft& draft, const std::vector<const MessageRecord*>& messages, TimePoint start) {
    for (const auto* message : messages)
        if (draft.evidence.size() < max_lines)
            draft.evidence.push_back(evidence_text(*message, start));
}

void find_refused(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& step : view.steps) {
        if (step.is_answered()) continue;
        std::vector<const MessageRecord*> by_policy;
        std::vector<const MessageRecord*> attacks;
        for (const auto* message : step.refused) {
            if (is_own_limit(message->reason))
                by_policy.push_back(message);
            else if (is_attack(message->reason))
                attacks.push_back(message);
        }
        if (!by_policy.empty() && !out.has("D29")) {
            const auto& first = *by_policy.front();
            auto& draft = out.add("D29", Actor::this_firewall, Confidence::high)
                              .with("exchange", exchange_text(first.exchange))
                              .with("sender", view.side_text(first.direction))
                              .with("detail", std::string(limit_text(first.reason)))
                              .with("count", count_text(by_policy.size()))
                              .with("times", offsets_text(times_of(by_policy), view.start))
                              .with("hint", limit_hint(first.reason));
            cite(draft, by_policy, view.start);
        }
        if (!attacks.empty() && !out.has("D30")) {
            const auto& first = *attacks.front();
            auto& draft =
                out.add("D30", Actor::unknown, confidence_of(view, Confidence::medium))
                    .with("source", view.side_text(first.direction))
                    .with("destination",
                          first.direction == Direction::to_server ? view.server() : view.client())
                    .with("detail", std::string(attack_text(first.reason)))
                    .with("done", std::string(done_text(first.refused)))
                    .with("count", count_text(attacks.size()));
            cite(draft, attacks, view.start);
        }
    }
}

/// Messages that came in and should have gone out by now. A lost copy looks the same: the caller
/// asks only while none were lost.
std::vector<const MessageRecord*> not_left(const View& view,
                                           const std::vector<const MessageRecord*>& messages) {
    std::vector<const MessageRecord*> stuck;
    for (const auto* message : messages)
        if (message->complete && !message->refused && message->leg == Leg::prerouting &&
            !message->left_time && view.now - message->time >= leaving_time)
            stuck.push_back(message);
    return stuck;
}

void find_not_left(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    if (view.handshake.muted || view.established || out.has("D29")) return;
    const auto watched = [&](Direction direction) {
        const auto& left = scene.server.left[index(direction)];
        return view.seen_leaving(direction) || (left && view.now - *left < leaving_memory);
    };
    for (const auto& step : view.steps) {
        const auto way_back =
            step.direction == Direction::to_server ? Direction::to_peer : Direction::to_server;
        auto stuck = watched(step.direction) && !step.is_answered() ? not_left(view, step.sent)
                                                                    : decltype(step.sent){};
        bool some_left = std::ranges::any_of(
            step.sent, [](const MessageRecord* message) { return message->left_time.has_value(); });
        if (stuck.empty() && watched(way_back) && step.repeats() > 0) {
            stuck = not_left(view, step.answered);
            some_left = std::ranges::any_of(step.answered, [](const MessageRecord* message) {
                return message->left_time.has_value();
            });
        }
        // Dropped on arrival: anybody can send an opening, and a firewall does well to drop many.
        const bool turned_away = step.init && !view.seen_leaving(Direction::to_server) &&
                                 !view.seen_leaving(Direction::to_peer) && step.answered.empty();
        if (turned_away && !view.real_client) continue;
        // One of many that is missing may be a copy we did not get; two are not.
        const bool sure = !some_left && !turned_away;
        if (stuck.empty() || (!sure && stuck.size() < 2)) continue;
        const auto& first = *stuck.front();
        auto& draft =
            out.add("D29",
                    Actor::this_firewall,
                    confidence_of(view, sure ? Confidence::high : Confidence::medium))
                .with("exchange", exchange_text(first.exchange))
                .with("sender", view.side_text(first.direction))
                .with("detail",
                      std::string(
                          "it came in and did not go out within 1 s, though other messages did") +
                          (first.ip_fragments > 0 ? " (it came in IP fragments)" : ""))
                .with("count", count_text(stuck.size()))
                .with("times", offsets_text(times_of(stuck), view.start))
                .with("hint", turned_away ? turned_away_hint : not_left_hint);
        cite(draft, stuck, view.start);
        return;
    }
}

/// First fragments that went out and are not answered, while a rule of this host drops the others:
/// no copy shows the drop, the ruleset does.
void find_tails_dropped(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& rule = scene.sums.fragment_drops[index(view.handshake.client.address.family)];
    if (rule.empty() || out.has("D29") || view.established || !view.silence_known) return;
    for (const auto& step : view.steps) {
        if (step.direction != Direction::to_server || !step.answered.empty()) continue;
        std::vector<const MessageRecord*> passed;
        for (const auto* message : step.sent)
            if (message->complete && !message->refused && message->ip_fragments > 0)
                passed.push_back(message);
        if (passed.size() < 2) continue;
        auto& draft =
            out.add("D29", Actor::this_firewall, confidence_of(view, Confidence::medium))
                .with("exchange", exchange_text(step.exchange))
                .with("sender", view.side_text(step.direction))
                .with("detail",
                      "a rule of this host drops all but the first of its IP fragments, and the "
                      "server never answers it")
                .with("count", count_text(passed.size()))
                .with("times", offsets_text(times_of(passed), view.start))
                .with(
                    "hint",
                    "Exempt IKE in that rule (" + rule.substr(0, max_rule_text) +
                        "): set mark in ikefragd.toml and let the rule pass that mark; or turn on "
                        "IKE fragmentation at both ends. 'ikefragctl doctor' shows such rules.");
        cite(draft, passed, view.start);
        draft.evidence.push_back("rule of this host: " + rule.substr(0, max_rule_text));
        return;
    }
}

void find_reordered(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    std::vector<const MessageRecord*> reordered;
    for (const auto& message : view.handshake.messages)
        if (message.reordered && message.complete && !message.refused)
            reordered.push_back(&message);
    if (reordered.empty() ||
        !tell(scene.server.order_told, view.handshake.number, view.now, order_pause))
        return;
    auto& draft = out.add("D34", Actor::unknown, Confidence::high)
                      .with("destination",
                            reordered.front()->direction == Direction::to_server ? view.server()
                                                                                 : view.client())
                      .with("count", count_text(reordered.size()));
    cite(draft, reordered, view.start);
}

} // namespace

void find_here(const Scene& scene, Drafts& out) {
    find_refused(scene, out);
    find_not_left(scene, out);
    find_tails_dropped(scene, out);
    find_reordered(scene, out);
}

} // namespace ikefrag
