// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/view.hpp"

#include "plugin/diagnosis/remedy.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <map>
#include <utility>

namespace ikefrag {
namespace {

constexpr std::uint8_t sa_init = 34;
constexpr std::uint8_t auth = 35;
constexpr std::uint8_t session_resume = 38;
constexpr std::uint8_t main_mode = 2;
constexpr std::uint8_t aggressive = 4;
constexpr std::size_t usual_steps = 8;
/// A handshake's timeline has no more of them.
constexpr std::size_t max_spare_steps = 64;

/// IKEv1's phase 1 has message ID 0 throughout; its steps are told apart by what they carry.
std::uint32_t v1_step(const MessageRecord& message) noexcept {
    if (message.skf_number != 0 || message.notes.has(Note::encrypted)) return 2;
    if (message.notes.has(Note::sa)) return 0;
    if (message.notes.has(Note::ke)) return 1;
    return 2;
}

struct StepKey {
    Exchange exchange; ///< message ID: the step's number in IKEv1's phase 1
    Direction direction;
    auto operator<=>(const StepKey&) const = default;
};

Direction opposite(Direction direction) noexcept {
    return direction == Direction::to_server ? Direction::to_peer : Direction::to_server;
}

bool is_phase_one(const Exchange& exchange) noexcept {
    return exchange.version == 1 && (exchange.type == main_mode || exchange.type == aggressive);
}

StepKey key_of(const MessageRecord& message) noexcept {
    StepKey key{message.exchange, message.direction};
    if (is_phase_one(message.exchange)) {
        key.exchange.message_id = v1_step(message);
        if (!message.from_initiator) key.direction = opposite(message.direction);
    } else if (message.role == Role::response) {
        key.direction = opposite(message.direction);
    }
    return key;
}

/// Whether it is a request or an answer of the first step.
bool is_of_init(const MessageRecord& message) noexcept {
    return is_phase_one(message.exchange) ? v1_step(message) == 0 : is_init(message.exchange);
}

bool is_request(const MessageRecord& message) noexcept {
    return is_phase_one(message.exchange) ? message.from_initiator : message.role == Role::request;
}

void take_request(Step& step, const MessageRecord& message) {
    step.sent.push_back(&message);
    step.marked = step.marked || message.marked;
    if (message.refused) step.refused.push_back(&message);
    if (message.skf_number != 0) {
        if (step.lead == 0 || message.skf_number < step.lead) step.lead = message.skf_number;
        return;
    }
    // Refused in word only (observe, a dry-run rule) is passed on.
    const bool passed_on = !message.complete && !message.refused &&
                           message.reason != Reason::timeout && message.reason != Reason::none;
    if (!message.complete && !passed_on)
        step.partial.push_back(&message);
    else if (!message.refused)
        step.whole_tries.push_back(message.time);
}

void count_tries(Step& step) {
    for (const auto* message : step.sent)
        if (step.is_try(*message)) step.tries.push_back(message->time);
    // What the timeline no longer has, the set has counted.
    if (step.set != nullptr && step.tries.size() < step.set->attempts)
        step.tries.resize(step.set->attempts, step.set->last_time);
}

/// Counts an answer in fragments as complete at the record that completes it, and again at the last
/// record of each later pass.
class AnswerPasses {
public:
    void take(Step& step, const MessageRecord& message) {
        const auto number = std::min<std::size_t>(message.skf_number, seen_.size() - 1);
        if (number < seen_.size() && !seen_[number]) {
            seen_[number] = true;
            ++count_;
        }
        const bool complete = message.skf_total != 0 && count_ >= message.skf_total;
        const bool set_is_there = step.answer_set != nullptr &&
                                  (step.answer_set->complete || step.answer_set->is_too_large()) &&
                                  message.time >= step.answer_set->last_time;
        if (!complete && !set_is_there) return;
        if (message.skf_number == 1 || step.answer_times.empty())
            step.answer_times.push_back(message.time);
        else
            step.answer_times.back() = message.time;
    }

private:
    std::array<bool, 257> seen_{};
    std::size_t count_ = 0;
};

/// In: its passes are for answers in fragments only; most handshakes have none
void take_answer(Step& step,
                 const MessageRecord& message,
                 std::size_t at,
                 std::map<std::size_t, AnswerPasses>& passes) {
    step.answered.push_back(&message);
    if (message.refused) step.refused.push_back(&message);
    if (message.skf_number != 0) {
        passes[at].take(step, message);
        return;
    }
    if (!message.complete)
        step.answer_partial.push_back(&message);
    else if (!message.refused)
        step.answer_times.push_back(message.time);
}

const FragmentSet* find_set(const Handshake& handshake, const Step& step, Role role) noexcept {
    const auto direction = role == Role::request ? step.direction : opposite(step.direction);
    const FragmentSet* found = nullptr;
    for (const auto& set : handshake.sets) {
        const bool same = is_phase_one(set.exchange)
                              ? step.auth && set.exchange.type == step.exchange.type
                              : set.exchange == step.exchange && set.role == role;
        if (same && set.direction == direction) found = &set;
    }
    return found;
}

/// As new, but with the room its lists had.
void clear(Step& step) noexcept {
    for (auto* messages :
         {&step.sent, &step.answered, &step.partial, &step.answer_partial, &step.refused})
        messages->clear();
    for (auto* times : {&step.tries, &step.whole_tries, &step.answer_times}) times->clear();
    step.set = step.answer_set = nullptr;
    step.lead = 0;
    step.marked = false;
}

} // namespace

bool is_init(const Exchange& exchange) noexcept {
    return exchange.version == 2 && (exchange.type == sa_init || exchange.type == session_resume);
}

bool is_tail(const MessageRecord& message) noexcept {
    return !message.complete && !message.first_seen;
}

const MessageRecord& Step::best() const noexcept {
    assert(!sent.empty());
    const auto* best = sent.front();
    for (const auto* message : sent)
        if (message->complete && !best->complete) best = message;
    return *best;
}

Step& View::new_step(const MessageRecord& request) {
    if (spare_.empty()) {
        steps.emplace_back();
    } else {
        steps.push_back(std::move(spare_.back()));
        spare_.pop_back();
    }
    auto& step = steps.back();
    const auto key = key_of(request);
    const auto& exchange = request.exchange;
    const bool phase_one = is_phase_one(exchange);
    step.exchange = exchange;
    step.direction = key.direction;
    step.init = phase_one ? key.exchange.message_id == 0 : is_init(exchange);
    step.auth =
        phase_one ? key.exchange.message_id == 2 : exchange.version == 2 && exchange.type == auth;
    step.answer_expected =
        !(exchange.version == 1 &&
          (exchange.type != main_mode && !(exchange.type == aggressive && step.init)));
    return step;
}

View::~View() {
    for (auto& step : steps) {
        if (spare_.size() >= max_spare_steps) return;
        clear(step);
        spare_.push_back(std::move(step));
    }
}

View::View(const Handshake& attempt, const Policy& rules, TimePoint time, SpareSteps& spare)
    : handshake(attempt), policy(rules), now(time), start(attempt.first_time), spare_(spare) {
    established = attempt.outcome == Outcome::established;
    std::vector<StepKey> keys;
    keys.reserve(usual_steps);
    steps.reserve(usual_steps);
    for (const auto& message : attempt.messages) {
        if (is_tail(message))
            (message.direction == Direction::to_server ? tails : answer_tails).push_back(&message);
        if (!is_request(message) || is_tail(message) || message.unasked) continue;
        const auto key = key_of(message);
        const auto found = std::ranges::find(keys, key);
        if (found == keys.end()) {
            keys.push_back(key);
            take_request(new_step(message), message);
        } else {
            take_request(steps[static_cast<std::size_t>(found - keys.begin())], message);
        }
        if (message.direction ==
            (attempt.client_is_initiator ? Direction::to_server : Direction::to_peer))
            real_client = real_client || message.notes.has(Note::nat_detection) ||
                          message.notes.has(Note::fragmentation_supported) ||
                          message.notes.has(Note::known_vendor);
    }
    std::map<std::size_t, AnswerPasses> passes;
    for (auto& step : steps) {
        step.set = find_set(attempt, step, Role::request);
        step.answer_set = find_set(attempt, step, Role::response);
        count_tries(step);
    }
    for (const auto& message : attempt.messages) {
        if (is_request(message) || is_tail(message)) continue;
        const auto found = std::ranges::find(keys, key_of(message));
        if (found == keys.end()) continue;
        const auto at = static_cast<std::size_t>(found - keys.begin());
        take_answer(steps[at], message, at, passes);
        const bool full = message.notes.has(Note::sa) &&
                          (message.exchange.version == 1 ||
                           (message.notes.has(Note::ke) && message.notes.has(Note::nonce)));
        if (steps[at].init && full && message.complete && init_answer == nullptr)
            init_answer = &message;
    }
    silence_known = !attempt.half_view && !attempt.muted && !attempt.mid_stream;
}

std::string View::client() const {
    auto text = to_string(handshake.client.address);
    if (!handshake.client_side.vendor.empty())
        text.append(" (").append(stack_name(handshake.client_side.vendor)).append(")");
    return text;
}

std::string View::server() const {
    auto text = to_string(handshake.server.address);
    const auto index = handshake.server_index;
    if (index && *index < policy.servers.size())
        text = policy.servers[*index].name + " (" + text + ")";
    return text;
}

const Step* View::init() const noexcept {
    const auto found = std::ranges::find_if(steps, [](const Step& step) { return step.init; });
    return found == steps.end() ? nullptr : &*found;
}

const Step* View::open_step() const noexcept {
    const Step* open = nullptr;
    const auto from_initiator =
        handshake.client_is_initiator ? Direction::to_server : Direction::to_peer;
    for (const auto& step : steps)
        if (step.direction == from_initiator && step.answer_expected)
            open = step.is_answered() ? nullptr : &step;
    return open;
}

bool View::went_on() const noexcept {
    return std::ranges::any_of(handshake.messages, [](const MessageRecord& message) {
        return !is_tail(message) && !is_of_init(message);
    });
}

bool View::seen_leaving(Direction direction) const noexcept {
    return std::ranges::any_of(handshake.messages, [&](const MessageRecord& message) {
        return message.direction == direction && message.left_time.has_value();
    });
}

Duration View::client_round_trip() const noexcept {
    constexpr Duration most = std::chrono::seconds(2);
    if (init_answer == nullptr) return most;
    for (const auto& step : steps)
        if (!step.init && !step.tries.empty() && step.tries.front() >= init_answer->time)
            return std::min(step.tries.front() - init_answer->time, most);
    return most;
}

std::string View::side_text(Direction direction) const {
    return direction == Direction::to_server ? client() : server();
}

const SideFacts& View::sender(Direction direction) const noexcept {
    return direction == Direction::to_server ? handshake.client_side : handshake.server_side;
}

} // namespace ikefrag
