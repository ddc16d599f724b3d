// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/check.hpp"

#include "daemon/ctl/listing.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// A member of a member; null where there is none.
const json::value* find(const json::object& object, std::string_view key) {
    return object.if_contains(key);
}

const json::value* find(const json::object& object, std::string_view key, std::string_view inner) {
    const auto* value = object.if_contains(key);
    return value == nullptr || !value->is_object() ? nullptr
                                                   : value->get_object().if_contains(inner);
}

bool is_false(const json::value* value) {
    return value != nullptr && value->is_bool() && !value->get_bool();
}

std::string text_of(const json::value* value) {
    return value != nullptr && value->is_string() ? shown(*value) : std::string();
}

/// Of a mistake's text: behind it come the source line and the rest of them.
std::string first_line_of(const json::value* value) {
    if (value == nullptr || !value->is_string()) return {};
    const std::string_view text = value->get_string();
    return shown(json::value(text.substr(0, text.find('\n'))));
}

/// "a, b" of a list of texts.
std::string list_of(const json::value* value) {
    std::string text;
    if (value == nullptr || !value->is_array()) return text;
    for (const auto& item : value->get_array()) text += (text.empty() ? "" : ", ") + shown(item);
    return text;
}

std::uint64_t number_of(const json::value* value) {
    if (value == nullptr || !value->is_number()) return 0;
    json::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    return error ? 0 : number;
}

/// A sum over the queues or servers of a status.
std::uint64_t sum(const json::object& status, std::string_view list, std::string_view key) {
    const auto* values = status.if_contains(list);
    if (values == nullptr || !values->is_array()) return 0;
    std::uint64_t total = 0;
    for (const auto& value : values->get_array())
        if (value.is_object()) total += number_of(find(value.get_object(), key));
    return total;
}

struct Counts {
    std::uint64_t established = 0;
    std::uint64_t failed = 0;
    [[nodiscard]] std::uint64_t ended() const { return established + failed; }
};

Counts count(const json::array& handshakes, const std::string& since) {
    Counts counts;
    for (const auto& value : handshakes) {
        const auto* handshake = value.if_object();
        // RFC 3339 of one zone and width compares as text.
        if (handshake == nullptr || text_of(find(*handshake, "first_time")) < since) continue;
        if (const auto* probe = find(*handshake, "probe"); probe != nullptr && *probe == true)
            continue;
        const auto outcome = text_of(find(*handshake, "outcome"));
        counts.established += outcome == "established" ? 1u : 0u;
        counts.failed += outcome == "failed" ? 1u : 0u;
    }
    return counts;
}

class Judge {
public:
    void remark(State state, std::string text) {
        if (state > health.state) health.state = state;
        remarks_.emplace_back(state, std::move(text));
    }
    void perform(std::string_view name, std::uint64_t value, std::string_view rest = "") {
        if (!health.performance.empty()) health.performance += ' ';
        health.performance += std::string(name) + '=' + std::to_string(value) + std::string(rest);
    }
    Health finish() {
        std::stable_sort(remarks_.begin(), remarks_.end(), [](const auto& a, const auto& b) {
            return a.first > b.first;
        });
        for (auto& [state, text] : remarks_) health.remarks.push_back(std::move(text));
        return std::move(health);
    }

    Health health;

private:
    std::vector<std::pair<State, std::string>> remarks_;
};

void judge_daemon(const json::object& status, Judge& judge) {
    if (is_false(find(status, "ready"))) judge.remark(State::critical, "the daemon is not ready");
    if (is_false(find(status, "table", "present"))) {
        const auto why = text_of(find(status, "table", "fault"));
        judge.remark(State::critical,
                     "the kernel table is missing" + (why.empty() ? "" : ": " + why));
    } else if (const auto why = text_of(find(status, "table", "fault")); !why.empty()) {
        judge.remark(State::warning, "the kernel table is not as it should be: " + why);
    }
    if (is_false(find(status, "last_reload_successful"))) {
        const auto why = first_line_of(find(status, "last_reload_fault"));
        judge.remark(State::warning, "the last reload failed" + (why.empty() ? "" : ": " + why));
    }
    // Not a fault, but not what the files say either.
    if (const auto keys = list_of(find(status, "waits_for_restart")); !keys.empty())
        judge.remark(State::ok, "waits for a restart: " + keys);
    const auto database = text_of(find(status, "peers_database"));
    if (!database.empty()) judge.remark(State::warning, "peers.db: " + database);
}

void judge_share(const Counts& counts, const HealthLimits& limits, Judge& judge) {
    const std::string text = std::to_string(counts.failed) + " of " +
                             counted(counts.ended(), "handshake") + " failed in " +
                             std::to_string(limits.minutes) + " min";
    State state = State::ok;
    if (counts.ended() >= std::max(limits.least, 1u)) {
        const auto percent = counts.failed * 100 / counts.ended();
        if (counts.failed != 0 && percent >= limits.critical_percent)
            state = State::critical;
        else if (counts.failed != 0 && percent >= limits.warning_percent)
            state = State::warning;
    }
    judge.remark(state, text);
}

} // namespace

std::string_view to_string(State state) noexcept {
    switch (state) {
    case State::ok: return "OK";
    case State::warning: return "WARNING";
    case State::critical: return "CRITICAL";
    case State::unknown: return "UNKNOWN";
    }
    return "";
}

Health
judge(const json::object& status, const json::array& handshakes, const HealthLimits& limits) {
    Judge judge;
    judge.remark(State::ok, "mode " + shown(status, "mode"));
    judge_daemon(status, judge);
    const Counts counts = count(handshakes, limits.since);
    judge_share(counts, limits, judge);
    judge.perform("established", counts.established);
    judge.perform("failed", counts.failed);
    const std::uint64_t percent = counts.ended() == 0 ? 0 : counts.failed * 100 / counts.ended();
    judge.perform("failed_share",
                  percent,
                  "%;" + std::to_string(limits.warning_percent) + ';' +
                      std::to_string(limits.critical_percent) + ";0;100");
    judge.perform("in_progress", number_of(find(status, "handshakes", "in_progress")));
    judge.perform("peers", number_of(find(status, "peers")));
    judge.perform("held_packets", sum(status, "queues", "held_packets"));
    judge.perform("unseen", sum(status, "queues", "unseen"), "c");
    judge.perform("copies_lost", number_of(find(status, "copies", "lost")), "c");
    judge.perform("uptime", number_of(find(status, "uptime_seconds")), "s");
    return judge.finish();
}

std::string line_of(const Health& health) {
    std::string text = "IKEFRAG " + std::string(to_string(health.state)) + " - ";
    for (std::size_t i = 0; i < health.remarks.size(); ++i) {
        if (i != 0) text += "; ";
        // A bar would end the text and begin the figures.
        for (const char byte : health.remarks[i]) text += byte == '|' ? '/' : byte;
    }
    if (!health.performance.empty()) text += " | " + health.performance;
    return text;
}

json::object to_json(const Health& health) {
    json::array remarks;
    for (const auto& remark : health.remarks) remarks.push_back(json::string(remark));
    json::object object;
    object["format"] = 1;
    object["state"] = json::string(to_string(health.state));
    object["remarks"] = std::move(remarks);
    object["performance"] = health.performance;
    return object;
}

} // namespace ikefrag::ctl
