// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/state.hpp"

#include "plugin/diagnosis/sums.hpp"

#include <algorithm>
#include <cassert>
#include <chrono>
#include <type_traits>
#include <utility>

namespace ikefrag {

namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

/// A handshake is reviewed so long after a message, so that a burst is reviewed once.
constexpr auto review_delay = milliseconds(200);
/// Losses of copies mute what was going on then, and what begins this soon after.
constexpr auto loss_mutes = seconds(10);
constexpr auto start_mutes = seconds(60);
/// Source: DIAGNOSES §1.6, precondition (a).
constexpr auto half_view_mutes = minutes(10);
constexpr std::size_t max_spare_timelines = 256;
/// Room is made ready for as many as were taken the last time, but not for more than these.
constexpr std::size_t usual_events = 256;
constexpr std::size_t max_half_view_servers = 4'096;

std::vector<ServerTally> make_tallies(const Policy& policy) {
    std::vector<ServerTally> tallies(policy.servers.size() + 1);
    for (std::size_t i = 0; i < policy.servers.size(); ++i)
        tallies[i].name = policy.servers[i].name;
    for (auto& tally : tallies) tally.counts.duration.resize(duration_bounds.size() + 1);
    return tallies;
}

} // namespace

Tracker::State::State(PolicyPointer initial,
                      const TrackerLimits& bounds,
                      std::vector<VendorId> vendor_ids)
    : policy(std::move(initial)), limits(bounds), keys(bounds.seed), handshakes(keys),
      peers(keys, bounds.peers), diagnostician(policy, bounds.findings),
      vendors_(std::move(vendor_ids)), tallies_(make_tallies(*policy)) {}

// Time ------------------------------------------------------------------------------------------

void Tracker::State::feed(const Observation& observation) {
    auto item = read(observation);
    item.at_latest = observation.at_latest;
    window_.add(item);
    // What is late to be read is still in time: only expire() says that nothing older can come. A
    // full window lets its oldest go.
    drain(TimePoint::min());
}

void Tracker::State::expire(TimePoint now) {
    latest_ = std::max(latest_, now);
    const auto until = latest_ - limits.reorder_window;
    drain(until);
    run_deadlines(until);
}

void Tracker::State::drain(TimePoint until) {
    while (const auto* item = window_.oldest(until)) {
        run_deadlines(item->time);
        follow(*item);
        window_.remove_oldest();
    }
}

void Tracker::State::run_deadlines(TimePoint until) {
    for (;;) {
        const auto end = next_end();
        const auto due = next_review();
        if (due && (!end || *due <= *end)) {
            if (*due > until) break;
            now_ = std::max(now_, *due);
            review(handshakes.first_review(), *due);
        } else {
            if (!end || *end > until) break;
            now_ = std::max(now_, *end);
            const auto index = handshakes.most_silent();
            settle(index, conclude(handshakes.at(index)), now_);
        }
    }
    now_ = std::max(now_, until);
}

/// When the handshake that was silent for longest ends.
std::optional<TimePoint> Tracker::State::next_end() const {
    const auto index = handshakes.most_silent();
    if (index == no_index) return std::nullopt;
    return handshakes.at(index).handshake.last_time + idle_end;
}

std::optional<TimePoint> Tracker::State::next_review() const {
    const auto index = handshakes.first_review();
    if (index == no_index) return std::nullopt;
    return handshakes.at(index).review_due;
}

std::optional<TimePoint> Tracker::State::next_deadline() const {
    auto next = window_.oldest_time();
    if (const auto due = next_review(); due && (!next || *due < *next)) next = due;
    if (const auto end = next_end(); end && (!next || *end < *next)) next = end;
    if (next) *next += limits.reorder_window;
    return next;
}

// Observations ----------------------------------------------------------------------------------

Item Tracker::State::read(const Observation& observation) {
    return std::visit(
        [&](const auto& what) -> Item {
            using What = std::decay_t<decltype(what)>;
            if constexpr (std::is_same_v<What, MessageSeen>) {
                return read_message(observation, what);
            } else if constexpr (std::is_same_v<What, DatagramLost>) {
                return read_lost(observation, what);
            } else if constexpr (std::is_same_v<What, IcmpSeen>) {
                IcmpItem item{what, std::nullopt};
                item.seen.quoted_message = {};
                Spi spi{};
                if (what.quoted_message.size() >= spi.size()) {
                    std::copy_n(what.quoted_message.begin(), spi.size(), spi.begin());
                    item.quoted_spi = spi;
                }
                return {observation.time, observation.leg, item};
            } else {
                return {observation.time, observation.leg, what};
            }
        },
        observation.what);
}

Item Tracker::State::read_message(const Observation& observation, const MessageSeen& seen) {
    MessageItem item;
    item.seen = seen;
    item.seen.message = {};
    if (spare_opening_ == no_index) spare_opening_ = openings_.make();
    auto& opening = openings_.at(spare_opening_);
    const auto facts = parse_message(
        seen.message, seen.message_bytes, seen.source, seen.destination, vendors_, opening);
    if (facts) {
        item.facts = *facts;
        if (facts->opening) item.opening = std::exchange(spare_opening_, no_index);
    }
    return {observation.time, observation.leg, item};
}

Item Tracker::State::read_lost(const Observation& observation, const DatagramLost& lost) {
    LostItem item;
    item.lost = lost;
    item.lost.message = {};
    if (!lost.message.empty()) {
        OpeningFacts opening;
        const auto facts = parse_message(lost.message,
                                         lost.message_bytes,
                                         {lost.source, lost.source_port},
                                         {lost.destination, lost.destination_port},
                                         vendors_,
                                         opening);
        if (facts) item.facts = *facts;
    }
    return {observation.time, observation.leg, item};
}

void Tracker::State::follow(const Item& item) {
    now_ = std::max(now_, item.time);
    if (const auto* message = std::get_if<MessageItem>(&item.what)) {
        follow_message(*message, item.time, item.leg);
        if (message->opening != no_index) openings_.destroy(message->opening);
    } else if (const auto* lost = std::get_if<LostItem>(&item.what)) {
        follow_lost(*lost, item.time, item.leg);
    } else if (const auto* icmp = std::get_if<IcmpItem>(&item.what)) {
        follow_icmp(*icmp, item.time);
    } else if (const auto* esp = std::get_if<EspSeen>(&item.what)) {
        follow_esp(*esp, item.time);
    } else if (std::holds_alternative<TcpFallbackSeen>(item.what)) {
        ++totals_.tcp_fallbacks;
    } else if (const auto* outer = std::get_if<OuterSeen>(&item.what)) {
        auto& counts = totals_.outer_seen[index(outer->transition)];
        ++(outer->matches ? counts.matched : counts.mismatched);
    } else if (const auto* copies = std::get_if<CopiesLost>(&item.what)) {
        totals_.copies_lost += copies->count;
        copies_lost_at_ = item.time;
    }
}

// Handshakes ------------------------------------------------------------------------------------

void Tracker::State::request_review(std::uint32_t index, TimePoint time) {
    const auto& entry = handshakes.at(index);
    const auto due = time + review_delay;
    if (entry.review_place == no_index || entry.review_due > due) handshakes.set_review(index, due);
}

void Tracker::State::review(std::uint32_t index, TimePoint time) {
    auto& entry = handshakes.at(index);
    mute_where_unsure(entry);
    diagnostician.review(entry.handshake, entry.pace, time);
    take_steps();
    handshakes.clear_review(index);
    if (entry.handshake.ended) return;
    const auto again = Diagnostician::review_at(entry.handshake, entry.pace, time);
    // A deadline that is no later than now would keep us here for ever.
    if (again) request_review(index, std::max(*again - review_delay, time));
}

void Tracker::State::take_steps() {
    diagnostician.take_steps(steps_);
    for (auto& step : steps_) {
        const auto& finding = step.finding;
        if (const auto index = handshakes.find_number(finding.handshake); index != no_index)
            handshakes.at(index).has_findings = true;
        switch (step.change) {
        case Diagnostician::Change::opened: {
            const auto server = finding.server_index.value_or(tallies_.size() - 1);
            tallies_[std::min(server, tallies_.size() - 1)].count_diagnosis(*finding.diagnosis,
                                                                            finding.actor);
            emit(step.time, FindingOpened{std::move(step.finding)});
            break;
        }
        case Diagnostician::Change::updated:
            emit(step.time, FindingUpdated{std::move(step.finding)});
            break;
        case Diagnostician::Change::closed:
            emit(step.time, FindingClosed{std::move(step.finding)});
            break;
        }
    }
}

void Tracker::State::emit(TimePoint time, decltype(Event::what) what) {
    if (events_.size() < limits.events) {
        events_.push_back({time, std::move(what)});
        return;
    }
    ++totals_.events_lost;
    if (events_.empty()) return;
    events_[oldest_event_] = {time, std::move(what)};
    oldest_event_ = (oldest_event_ + 1) % events_.size();
}

std::vector<Event> Tracker::State::take_events() {
    if (events_.empty()) return {};
    const auto oldest = events_.begin() + static_cast<std::ptrdiff_t>(oldest_event_);
    std::rotate(events_.begin(), oldest, events_.end());
    oldest_event_ = 0;
    std::vector<Event> next;
    next.reserve(std::min(events_.size(), usual_events));
    return std::exchange(events_, std::move(next));
}

void Tracker::State::evict() {
    while (handshakes.size() > limits.handshakes || message_count_ > limits.messages) {
        const auto index = handshakes.least_useful();
        if (index == no_index) return;
        auto& entry = handshakes.at(index);
        if (!entry.handshake.ended) {
            set_running(index, false);
            entry.handshake.ended = true;
            const auto [outcome, basis] = conclude(entry);
            entry.handshake.outcome = outcome;
            entry.handshake.basis = basis;
            if (entry.has_findings) review(index, now_);
        }
        auto& messages = entry.handshake.messages;
        message_count_ -= messages.size();
        if (messages.capacity() > 1 && spare_timelines_.size() < max_spare_timelines) {
            messages.clear();
            spare_timelines_.push_back(std::move(messages));
        }
        handshakes.remove(index);
        ++totals_.evicted_handshakes;
    }
}

void Tracker::State::establish(std::uint32_t index, Basis basis, TimePoint time) {
    auto& entry = handshakes.at(index);
    if (entry.evidence != Basis::none || entry.handshake.half_view) return;
    entry.evidence = basis;
    settle(index, {Outcome::established, basis}, time);
}

void Tracker::State::settle(std::uint32_t index, Conclusion conclusion, TimePoint time) {
    set_running(index, false);
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    handshake.outcome = conclusion.outcome;
    handshake.basis = conclusion.basis;
    handshake.ended = true;
    // A handshake may go on after its end and end again: each set counts once.
    for (auto& set : handshake.sets) {
        if (set.transport != Transport::skf || set.complete || set.given_up || set.is_too_large())
            continue;
        set.given_up = true;
        const auto& [version, type, message_id] = set.exchange;
        ++tally_of(handshake).row(version, type, set.role).skf_incomplete;
    }
    review(index, time);
    const bool counted = note_end(entry, time);
    emit(time, HandshakeEnded{handshake.number, counted});
}

/// Something new came after the end: the client took long, or we were wrong.
void Tracker::State::reopen(std::uint32_t index) {
    auto& handshake = handshakes.at(index).handshake;
    if (!handshake.ended || handshake.outcome == Outcome::established) return;
    handshake.ended = false;
    handshake.outcome = Outcome::in_progress;
    handshake.basis = Basis::none;
    set_running(index, true);
}

void Tracker::State::set_running(std::uint32_t index, bool is_running) {
    const auto& entry = handshakes.at(index);
    const bool was_running = entry.running_now;
    if (was_running == is_running) return;
    handshakes.set_running(index, is_running);
    count_stage(entry, is_running);
}

void Tracker::State::count_stage(const Entry& entry, bool add) {
    auto& count =
        tally_of(entry.handshake).counts.in_progress[static_cast<std::size_t>(entry.stage)];
    if (add) {
        ++count;
        ++in_progress;
    } else {
        --count;
        --in_progress;
    }
}

void Tracker::State::set_stage(Entry& entry, Stage stage) {
    if (entry.stage == stage) return;
    if (entry.running_now) count_stage(entry, false);
    entry.stage = stage;
    if (entry.running_now) count_stage(entry, true);
}

std::uint64_t Tracker::State::server_key(const Handshake& handshake) const {
    return handshake.server_index ? std::uint64_t{*handshake.server_index}
                                  : keys.of(handshake.server.address);
}

TimePoint Tracker::State::server_muted_until(const Handshake& handshake) const {
    if (half_views_.empty()) return {};
    const auto found = half_views_.find(server_key(handshake));
    if (found == half_views_.end()) return {};
    const auto [oldest, newest] =
        std::ranges::minmax_element(found->second, {}, &HalfViewSign::time);
    const bool enough =
        oldest->time != TimePoint{} && newest->time - oldest->time <= half_view_mutes;
    return enough ? newest->time + half_view_mutes : TimePoint{};
}

/// Asked anew at each review: a server's mute goes when an answer of it is seen.
void Tracker::State::mute_where_unsure(Entry& entry) {
    auto& handshake = entry.handshake;
    const auto began = handshake.first_time;
    const bool just_started = live_since && began < *live_since + start_mutes;
    const bool copies_lost = copies_lost_at_ && *copies_lost_at_ + loss_mutes >= began;
    handshake.muted = just_started || copies_lost || server_muted_until(handshake) > began;
}

/// A request presupposes an answer to the one before it. If we saw nothing of that, answers take
/// another way, for this server maybe all of them. Once IKE_AUTH was answered, several requests
/// may be on their way at once (RFC 7296 §2.3), and what came before mid-stream we cannot know.
///
/// Anyone can send such a request, from any address, with a responder SPI of his own making. So
/// one of them speaks for its own handshake alone. For its server speak three from different
/// client networks, and only as long as no answer of that server is seen (note_answer): whoever
/// forges them against a server whose answers pass here has nothing of it, since the server
/// answers their IKE_SA_INIT, and the next one of anybody else.
void Tracker::State::doubt_view(Entry& entry, const Asked& before, TimePoint time) {
    auto& handshake = entry.handshake;
    const bool unseen = before.any && !before.answered && !before.answer_part;
    if (!unseen || handshake.mid_stream || handshake.auth_answered) return;
    handshake.half_view = true;
    if (half_views_.size() >= max_half_view_servers) half_views_.clear();
    auto& signs = half_views_[server_key(handshake)];
    const auto network = keys.of(client_network_of(handshake.client.address).address);
    auto* sign = std::ranges::find(signs, network, &HalfViewSign::network);
    if (sign == signs.end()) sign = std::ranges::min_element(signs, {}, &HalfViewSign::time);
    *sign = {network, time};
}

/// A server of which we see an answer does not answer another way.
void Tracker::State::note_answer(const Handshake& handshake) {
    if (!half_views_.empty()) half_views_.erase(server_key(handshake));
}

// What others ask -------------------------------------------------------------------------------

void Tracker::State::set_policy(PolicyPointer next) {
    auto tallies = make_tallies(*next);
    for (auto& old : tallies_) {
        const auto same = std::ranges::find(tallies, old.name, &ServerTally::name);
        if (same != tallies.end()) *same = std::move(old);
    }
    for (auto& tally : tallies) tally.counts.in_progress = {};
    const auto unlisted_before = tallies_.size() - 1;
    std::vector<std::uint16_t> moved(tallies_.size(), static_cast<std::uint16_t>(tallies.size()));
    for (std::size_t i = 0; i < policy->servers.size(); ++i)
        for (std::size_t k = 0; k < next->servers.size(); ++k)
            if (policy->servers[i].name == next->servers[k].name)
                moved[i] = static_cast<std::uint16_t>(k);
    moved[unlisted_before] = static_cast<std::uint16_t>(tallies.size() - 1);
    tallies_ = std::move(tallies);
    policy = std::move(next);
    for (auto& tally : tallies_) {
        tally.counts.peers_by_fragmentation = {};
        tally.counts.peers_by_transition = {};
        tally.counts.peers_by_vendor.clear();
    }
    peers.for_each([&](PeerEntry& entry) {
        entry.server = moved[std::min<std::size_t>(entry.server, unlisted_before)];
        const auto facts = transition_of(entry.peer.address, *policy);
        entry.peer.transition = facts.transition;
        entry.peer.embedded = facts.embedded;
        count_peer(entry, true);
    });
    half_views_.clear();
    for (auto i = handshakes.first(); i != no_index; i = handshakes.at(i).created.after) {
        auto& entry = handshakes.at(i);
        entry.handshake.server_index = policy->server_of(entry.handshake.server.address);
        if (!entry.running_now) continue;
        ++tally_of(entry.handshake).counts.in_progress[static_cast<std::size_t>(entry.stage)];
    }
    diagnostician.set_policy(policy);
}

const Handshake* Tracker::State::find_handshake(std::uint64_t number) const {
    const auto index = handshakes.find_number(number);
    return index == no_index ? nullptr : &handshakes.at(index).handshake;
}

const TrackerTotals& Tracker::State::totals() const {
    add_rows(totals_, tallies_);
    totals_.evicted_findings = diagnostician.evicted();
    return totals_;
}

const std::vector<ExchangeTotals>& Tracker::State::server_totals() const {
    server_totals_.clear();
    for (const auto& tally : tallies_) server_totals_.push_back(tally.totals(now_));
    return server_totals_;
}

} // namespace ikefrag
