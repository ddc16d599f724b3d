// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/explain/explain.hpp"

#include <algorithm>
#include <set>
#include <tuple>

namespace ikefrag {
namespace {

using Fate = LadderStep::Fate;

bool has(const Attempt& attempt, std::string_view id) {
    return std::ranges::any_of(attempt.findings,
                               [&](const Finding& finding) { return finding.diagnosis->id == id; });
}

const Finding* find(const Attempt& attempt, std::string_view id) {
    const auto at = std::ranges::find_if(
        attempt.findings, [&](const Finding& finding) { return finding.diagnosis->id == id; });
    return at == attempt.findings.end() ? nullptr : &*at;
}

std::string name_of(const MessageRecord& message) {
    auto name = exchange_name(message.exchange.version, message.exchange.type);
    if (message.exchange.version == 1) return name;
    name += " " + std::string(to_string(message.role));
    if (message.exchange.message_id > 1) name += " " + std::to_string(message.exchange.message_id);
    return name;
}

/// What the findings of the attempt say of where its messages were lost.
struct Losses {
    explicit Losses(const Attempt& attempt) {
        answers_after = has(attempt, "D10");
        here = has(attempt, "D29");
        if (const auto* icmp = find(attempt, "D27"); icmp != nullptr)
            (icmp->actor == Actor::server_network ? requests_after : answers_after) = true;
        leaving_seen =
            std::ranges::any_of(attempt.handshake.messages, [](const MessageRecord& message) {
                return message.left_time.has_value();
            });
    }
    bool requests_after = false;
    bool answers_after = false;
    bool here = false;
    bool leaving_seen = false;
};

Fate fate_of(const MessageRecord& message, const Losses& losses) {
    if (!message.complete)
        return message.refused && message.reason != Reason::timeout ? Fate::dropped_here
                                                                    : Fate::partial;
    if (message.refused) return Fate::dropped_here;
    if (losses.here && losses.leaving_seen && !message.left_time && message.leg == Leg::prerouting)
        return Fate::dropped_here;
    const bool fragmented = message.ip_fragments > 0 || message.skf_number > 0;
    if (fragmented && message.direction == Direction::to_server && losses.requests_after)
        return Fate::lost_after;
    if (fragmented && message.direction == Direction::to_peer && losses.answers_after)
        return Fate::lost_after;
    return Fate::passed;
}

/// How many IP fragments a datagram has, by its announced size and its first fragment; 0: unknown.
std::uint32_t fragments_of(const MessageRecord& message) {
    const std::uint32_t headers = message.source.address.family == Family::ipv4 ? 20 : 48;
    if (message.message_bytes == 0 || message.first_fragment_bytes <= headers) return 0;
    const auto step = message.first_fragment_bytes - headers;
    const auto payload = message.message_bytes + 8 + (message.marked ? 4 : 0);
    return (payload + step - 1) / step;
}

std::string ip_pieces(const MessageRecord& message) {
    if (message.complete)
        return message.ip_fragments == 0 ? std::string()
                                         : std::to_string(message.ip_fragments) + "/" +
                                               std::to_string(message.ip_fragments);
    const auto seen = std::max<std::uint32_t>(message.ip_fragments, 1);
    const auto total = message.first_seen ? fragments_of(message) : 0;
    return std::to_string(seen) + "/" + (total < seen ? std::string("?") : std::to_string(total));
}

std::string note_of(const MessageRecord& message) {
    std::string note;
    const auto add = [&note](const std::string& text) {
        note += (note.empty() ? "" : "; ") + text;
    };
    const bool refused = message.refused && message.reason != Reason::timeout;
    if (!message.complete && !refused) {
        if (message.first_seen)
            add("only the first IP fragment (" + std::to_string(message.first_fragment_bytes) +
                " octets) came");
        else
            add("only trailing IP fragments came");
    } else if (message.ip_fragments > 0 && message.complete) {
        add(std::to_string(message.ip_fragments) + " IP fragments, first " +
            std::to_string(message.first_fragment_bytes) + " octets");
    }
    if (refused) add("refused: " + std::string(to_string(message.reason)));
    if (message.role == Role::request && message.notes.has(Note::cookie))
        add("with the cookie");
    else if (const auto says = notifies_text(message); !says.empty())
        add(says);
    const bool init = message.exchange.version == 2 && message.exchange.type == 34;
    if (init && message.notes.has(Note::sa))
        add(message.notes.has(Note::fragmentation_supported) ? "offers IKE fragmentation"
                                                             : "no IKE fragmentation");
    if (message.reordered) add("out of order");
    if (message.retransmit) add("repeat");
    return note;
}

/// The pieces of one sending of one message.
class SetSteps {
public:
    /// Whether the piece belongs to the step that is being gathered.
    [[nodiscard]] bool continues(const MessageRecord& message) const {
        return first_ != nullptr && first_->exchange == message.exchange &&
               first_->direction == message.direction && first_->role == message.role &&
               first_->skf_total == message.skf_total && !numbers_.contains(message.skf_number);
    }
    /// Whether the piece begins another sending of the same message, whichever piece it is.
    [[nodiscard]] bool is_again(const MessageRecord& message) {
        const auto key =
            std::tuple(message.exchange, message.direction, message.role, message.skf_total);
        return !begun_.insert(key).second;
    }
    void start(const MessageRecord& message, std::size_t step) {
        first_ = &message;
        step_ = step;
        numbers_.clear();
        bytes_ = 0;
        largest_ = 0;
    }
    void take(const MessageRecord& message, LadderStep& step) {
        numbers_.insert(message.skf_number);
        bytes_ += message.message_bytes;
        largest_ = std::max(largest_, message.datagram_bytes);
        const auto total = message.skf_total;
        step.pieces = std::to_string(numbers_.size()) + "/" +
                      (total == 0 ? std::string("?") : std::to_string(total));
        step.label = name_of(message) + ", " + std::to_string(bytes_) + " octets";
        step.note = std::string(total == 0 ? "several" : std::to_string(total)) +
                    (message.transport == Transport::skf ? " IKE fragments" : " IKEv1 fragments") +
                    ", up to " + std::to_string(largest_) + " octets" +
                    (message.retransmit || step.repeat ? "; repeat" : "");
        step.repeat = step.repeat || message.retransmit;
        if (total != 0 && numbers_.size() < total && step.fate == Fate::passed)
            step.fate = Fate::partial;
        else if (total != 0 && numbers_.size() == total && step.fate == Fate::partial)
            step.fate = Fate::passed;
    }
    [[nodiscard]] std::size_t step() const noexcept { return step_; }

private:
    const MessageRecord* first_ = nullptr;
    std::size_t step_ = 0;
    std::set<std::uint16_t> numbers_;
    std::set<std::tuple<Exchange, Direction, Role, std::uint16_t>> begun_;
    std::uint64_t bytes_ = 0;
    std::uint32_t largest_ = 0;
};

LadderStep step_of(const MessageRecord& message, const Losses& losses) {
    LadderStep step;
    step.time = message.time;
    step.direction = message.direction;
    step.fate = fate_of(message, losses);
    step.repeat = message.retransmit;
    step.label = name_of(message);
    if (message.message_bytes != 0)
        step.label += ", " + std::to_string(message.message_bytes) + " octets";
    step.pieces = ip_pieces(message);
    step.note = note_of(message);
    return step;
}

void add_silence(const Attempt& attempt, std::vector<LadderStep>& steps) {
    struct Row {
        std::string_view id;
        Direction direction;
        std::string_view text;
    };
    static constexpr Row rows[] = {
        {"D06", Direction::to_server, "nothing more of the client"},
        {"D05", Direction::to_server, "the first IP fragment"     },
        {"D07", Direction::to_peer,   "an answer"                 },
        {"D16", Direction::to_peer,   "an answer"                 },
        {"D09", Direction::to_peer,   "an answer"                 },
        {"D18", Direction::to_peer,   "a complete answer"         },
        {"D22", Direction::to_server, "ESP or another message"    },
    };
    for (const auto& row : rows) {
        if (!has(attempt, row.id)) continue;
        LadderStep step;
        step.time = attempt.handshake.last_time;
        step.direction = row.direction;
        step.fate = Fate::never_came;
        step.label = std::string(row.text) + (row.id == "D06" ? "" : " never came");
        steps.push_back(std::move(step));
        return;
    }
}

} // namespace

std::string_view to_string(LadderStep::Fate fate) noexcept {
    switch (fate) {
    case Fate::passed: return "passed";
    case Fate::partial: return "partial";
    case Fate::dropped_here: return "dropped_here";
    case Fate::lost_after: return "lost_after";
    case Fate::never_came: return "never_came";
    case Fate::icmp: return "icmp";
    }
    return "";
}

std::vector<LadderStep> ladder(const Attempt& attempt) {
    const Losses losses(attempt);
    std::vector<LadderStep> steps;
    SetSteps set;
    for (const auto& message : attempt.handshake.messages) {
        if (message.skf_number == 0) {
            steps.push_back(step_of(message, losses));
            continue;
        }
        if (!set.continues(message)) {
            const bool again = set.is_again(message);
            set.start(message, steps.size());
            steps.push_back(step_of(message, losses));
            steps.back().repeat = steps.back().repeat || again;
        }
        set.take(message, steps[set.step()]);
    }
    for (const auto& icmp : attempt.handshake.icmp) {
        LadderStep step;
        step.time = icmp.time;
        step.direction =
            icmp.direction == Direction::to_server ? Direction::to_peer : Direction::to_server;
        step.fate = Fate::icmp;
        step.label = "ICMP type " + std::to_string(icmp.type) + " code " +
                     std::to_string(icmp.code) + " from " + to_string(icmp.reporter);
        if (icmp.mtu != 0) step.note = "MTU " + std::to_string(icmp.mtu);
        steps.push_back(std::move(step));
    }
    std::ranges::stable_sort(steps, {}, &LadderStep::time);
    add_silence(attempt, steps);
    return steps;
}

} // namespace ikefrag
