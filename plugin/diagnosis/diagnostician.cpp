// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/diagnostician.hpp"

#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/finding_store.hpp"
#include "plugin/diagnosis/groups.hpp"
#include "plugin/diagnosis/strays.hpp"
#include "plugin/diagnosis/sums.hpp"
#include "plugin/diagnosis/view.hpp"

#include <algorithm>
#include <array>
#include <utility>

namespace ikefrag {
namespace {

/// A full look at one handshake costs microseconds. After a first burst not more often than this,
/// so that a flood of repeats on one SPI costs no more than a few.
constexpr Duration look_pause = std::chrono::milliseconds(250);
constexpr Duration look_burst = 12 * look_pause;

constexpr std::array<Duration, 7> rungs_open{std::chrono::seconds(1),
                                             std::chrono::seconds(2),
                                             std::chrono::seconds(3),
                                             std::chrono::seconds(5),
                                             std::chrono::seconds(10),
                                             std::chrono::seconds(20),
                                             std::chrono::seconds(60)};
constexpr std::array<Duration, 5> rungs_answered{std::chrono::seconds(5),
                                                 std::chrono::seconds(10),
                                                 std::chrono::seconds(15),
                                                 std::chrono::seconds(20),
                                                 std::chrono::seconds(60)};

bool is_odd(const MessageRecord& message) noexcept {
    for (const auto note : {Note::cookie,
                            Note::invalid_ke,
                            Note::no_proposal,
                            Note::invalid_spi,
                            Note::invalid_major_version,
                            Note::other_error})
        if (message.notes.has(note)) return true;
    return !message.complete || message.refused || message.reordered || message.retransmit ||
           message.ip_fragments > 0;
}

/// Whether there may be something to find at all: most messages of most handshakes end here.
bool is_worth_a_look(const Handshake& handshake, TimePoint now) noexcept {
    if (handshake.messages.empty()) return false;
    return is_odd(handshake.messages.back()) || !handshake.icmp.empty() ||
           now - handshake.last_time >= rungs_open.front();
}

template <std::size_t N>
std::optional<TimePoint>
next_rung(const std::array<Duration, N>& rungs, TimePoint base, TimePoint now) noexcept {
    for (const auto rung : rungs)
        if (base + rung > now) return base + rung;
    return std::nullopt;
}

} // namespace

class Diagnostician::State {
public:
    State(PolicyPointer rules, std::size_t max_findings)
        : policy(std::move(rules)), store(max_findings) {}

    void look(const Handshake& handshake, TimePoint now);
    static void keep_sums(const View& view, ServerSums& server);
    void apply(const View& view, Drafts& drafts);
    void take(const View& view, Draft& draft);
    void withdraw_missing(const View& view, const Drafts& drafts);
    void note(Change change, const Finding& finding, TimePoint time) {
        steps.push_back({change, finding, time});
    }
    Strays::Tell tell_stray() {
        return [this](Strays::Change change, const Finding& finding, TimePoint time) {
            note(static_cast<Change>(change), finding, time);
        };
    }

    PolicyPointer policy;
    FindingStore store;
    Sums sums;
    Strays strays;
    std::vector<Step> steps;
    SpareSteps spare;
};

Diagnostician::Diagnostician(PolicyPointer policy, std::size_t max_findings)
    : state_(std::make_unique<State>(std::move(policy), max_findings)) {}
Diagnostician::~Diagnostician() = default;
Diagnostician::Diagnostician(Diagnostician&&) noexcept = default;
Diagnostician& Diagnostician::operator=(Diagnostician&&) noexcept = default;

void Diagnostician::State::keep_sums(const View& view, ServerSums& server) {
    const auto& handshake = view.handshake;
    for (const auto& message : handshake.messages)
        if (message.left_time) {
            auto& left = server.left[index(message.direction)];
            if (!left || *left < *message.left_time) left = *message.left_time;
        }
    if (handshake.mid_stream) return;
    auto& mark = server.mark(handshake.number, view.now);
    mark.time = handshake.first_time;
    mark.client = handshake.client.address;
    mark.port = handshake.client.port;
    mark.real = view.real_client;
    mark.established = view.established;
    mark.failed = handshake.outcome == Outcome::failed;
    mark.never_arrived = mark.never_arrived && !view.went_on();
    if (handshake.ended && !mark.over) {
        mark.over = true;
        if (view.real_client && (mark.established || mark.failed))
            server.count_outcome(group_of(mark.client, view.policy), mark.failed);
    }
}

void Diagnostician::State::look(const Handshake& handshake, TimePoint now) {
    const View view(handshake, *policy, now, spare);
    auto& server = sums.server(handshake.server_index, handshake.server.address, now);
    keep_sums(view, server);
    Drafts drafts;
    const Scene scene{view, sums, server};
    find_here(scene, drafts);
    find_lost_on_path(scene, drafts);
    find_icmp(scene, drafts);
    find_sharing(scene, drafts);
    find_silence(scene, drafts);
    find_negotiation(scene, drafts);
    find_capability(scene, drafts);
    find_facts(scene, drafts);
    settle(scene, drafts);
    apply(view, drafts);
}

void Diagnostician::State::take(const View& view, Draft& draft) {
    const auto& handshake = view.handshake;
    auto* finding = store.find(handshake.number, *draft.diagnosis);
    const bool fresh = finding == nullptr;
    Finding made;
    made.diagnosis = draft.diagnosis;
    made.severity = draft.diagnosis->severity;
    made.confidence = draft.confidence;
    made.actor = draft.actor;
    made.handshake = handshake.number;
    made.initiator_spi = handshake.initiator_spi;
    made.client = handshake.client.address;
    made.server = handshake.server.address;
    made.server_index = handshake.server_index;
    made.opened = fresh ? view.now : finding->opened;
    made.updated = view.now;
    made.sentence = phrase(draft.diagnosis->sentence, draft, view);
    made.remedy = phrase(draft.diagnosis->remedy, draft, view);
    made.evidence = SharedList<std::string>(std::move(draft.evidence));
    if (fresh) {
        note(Change::opened, store.add(std::move(made)), view.now);
        return;
    }
    if (made.sentence == finding->sentence && made.evidence == finding->evidence &&
        made.actor == finding->actor && made.confidence == finding->confidence)
        return;
    *finding = std::move(made);
    note(Change::updated, *finding, view.now);
}

void Diagnostician::State::withdraw_missing(const View& view, const Drafts& drafts) {
    for (auto* finding : store.of(view.handshake.number)) {
        if (drafts.has(finding->diagnosis->id)) continue;
        finding->closed = true;
        finding->withdrawn = true;
        finding->updated = view.now;
        note(Change::closed, *finding, view.now);
        store.remove(view.handshake.number, *finding->diagnosis);
    }
}

void Diagnostician::State::apply(const View& view, Drafts& drafts) {
    withdraw_missing(view, drafts);
    if (drafts.all().size() > 1)
        std::ranges::sort(drafts.all(), {}, [](const Draft& draft) { return draft.diagnosis; });
    for (auto& draft : drafts.all()) take(view, draft);
    if (!view.handshake.ended) return;
    for (auto* finding : store.of(view.handshake.number)) {
        if (finding->closed) continue;
        finding->closed = true;
        note(Change::closed, *finding, view.now);
    }
}

void Diagnostician::review(const Handshake& handshake, LookPace& pace, TimePoint now) {
    auto& state = *state_;
    state.strays.expire(now, state.tell_stray());
    if (handshake.probe) return;
    if (handshake.ended) {
        state.look(handshake, now);
        pace = {};
        return;
    }
    if (!is_worth_a_look(handshake, now) && !pace.trouble) return;
    pace.paid = std::max(pace.paid, now - look_burst);
    pace.pending = pace.paid + look_pause > now;
    if (pace.pending) return;
    pace.paid += look_pause;
    state.look(handshake, now);
    pace.trouble = cause_of(handshake.number) != nullptr;
}

void Diagnostician::stray(const DatagramLost& lost, TimePoint now) {
    auto& state = *state_;
    state.strays.expire(now, state.tell_stray());
    if (!lost.first_seen && (lost.reason == Reason::timeout || lost.reason == Reason::none)) {
        state.sums.tails_seen(lost, now);
        return;
    }
    state.strays.take(lost, *state.policy, now, state.tell_stray());
}

std::optional<TimePoint>
Diagnostician::review_at(const Handshake& handshake, const LookPace& pace, TimePoint now) {
    if (handshake.ended || handshake.probe || handshake.messages.empty() ||
        handshake.outcome == Outcome::established)
        return std::nullopt;
    if (pace.pending) return pace.paid + look_pause;
    const auto& last = handshake.messages.back();
    const bool open = last.role == Role::request || last.skf_number != 0 || is_odd(last);
    return open ? next_rung(rungs_open, handshake.last_time, now)
                : next_rung(rungs_answered, handshake.last_time, now);
}

void Diagnostician::set_policy(PolicyPointer policy) { state_->policy = std::move(policy); }

void Diagnostician::set_fragment_drops(const FragmentDrops& drops) {
    state_->sums.fragment_drops = drops;
}

void Diagnostician::take_steps(std::vector<Step>& steps) {
    steps.clear();
    std::swap(state_->steps, steps);
}

void Diagnostician::for_each(const std::function<void(const Finding&)>& visit) const {
    state_->store.for_each(visit);
    state_->strays.for_each(visit);
}

std::size_t Diagnostician::evicted() const noexcept { return state_->store.evicted(); }

const Finding* Diagnostician::cause_of(std::uint64_t handshake) const {
    const Finding* cause = nullptr;
    for (const auto* finding : state_->store.of(handshake))
        if (finding->diagnosis->kind == FindingKind::failure &&
            (cause == nullptr || rank_of(*finding->diagnosis) < rank_of(*cause->diagnosis)))
            cause = finding;
    return cause;
}

} // namespace ikefrag
