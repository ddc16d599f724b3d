// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replay/replay_json.hpp"

#include "daemon/json/json.hpp"
#include "daemon/replay/replay.hpp"

#include <boost/json.hpp>

namespace ikefrag {

namespace json = boost::json;

namespace {

/// Pieces of the list of packets are written at this size: a large capture's list never is in
/// memory as a whole.
constexpr std::size_t piece_bytes = 1u << 16;

json::value time_or_null(const std::optional<TimePoint>& time) {
    if (!time) return nullptr;
    return to_json(*time);
}

json::object capture_json(const CaptureFacts& facts, std::string_view file) {
    return {
        {"packets",    facts.packets                 },
        {"bytes",      facts.bytes                   },
        {"first_time", time_or_null(facts.first_time)},
        {"last_time",  time_or_null(facts.last_time) },
        {"unreadable", facts.unreadable              },
        {"truncated",  facts.truncated               },
        {"file",       json_text(file)               }
    };
}

void write(std::FILE* out, std::string_view text) { std::fwrite(text.data(), 1, text.size(), out); }

/// A member that is a list, written as it comes.
class List {
public:
    List(std::FILE* out, std::string_view name) : out_(out) {
        text_ = ",\"" + std::string(name) + "\":[";
    }
    void add(const json::object& item) {
        if (!first_) text_ += ',';
        first_ = false;
        text_ += json::serialize(item);
        if (text_.size() < piece_bytes) return;
        write(out_, text_);
        text_.clear();
    }
    void end() { write(out_, text_ + ']'); }

private:
    std::FILE* out_;
    std::string text_;
    bool first_ = true;
};

void write_packets(std::FILE* out, const Replay& replay) {
    std::string text = ",\"packets\":[";
    bool first = true;
    std::uint64_t number = 0;
    for (const auto& decision : replay.packets()) {
        if (!first) text += ',';
        first = false;
        const auto& rules = replay.policy().rules;
        const bool ruled =
            decision.rule >= 0 && static_cast<std::size_t>(decision.rule) < rules.size();
        const std::string_view rule =
            ruled ? std::string_view(rules[static_cast<std::size_t>(decision.rule)].name) : "";
        append_packet_json(text, ++number, decision, rule);
        if (text.size() < piece_bytes) continue;
        write(out, text);
        text.clear();
    }
    write(out, text);
    write(out, "]");
}

} // namespace

void write_replay_json(std::FILE* out, const Replay& replay, std::string_view file) {
    const auto member = [&](std::string_view name, const json::value& value) {
        write(out, ",\"");
        write(out, name);
        write(out, "\":");
        write(out, json::serialize(value));
    };
    const Tracker& tracker = replay.tracker();
    write(out, "{\"format\":1");
    member("mode", json::string(to_string(replay.policy().mode)));
    member("capture", capture_json(replay.facts(), file));
    member("verdicts", to_json(replay.verdicts()));
    if (replay.keeps_packets()) write_packets(out, replay);
    member("datagrams", datagrams_json(replay.gate().counters(), replay.fragments()));
    member("messages", messages_json(tracker.totals()));
    member("transition", transition_json(tracker.totals()));
    List handshakes(out, "handshakes");
    tracker.for_each_handshake([&](const Handshake& h) { handshakes.add(to_json(h)); });
    handshakes.end();
    List peers(out, "peers");
    tracker.for_each_peer([&](const Peer& peer) { peers.add(to_json(peer)); });
    peers.end();
    List diagnoses(out, "diagnoses");
    tracker.for_each_finding([&](const Finding& finding) {
        if (!finding.withdrawn) diagnoses.add(to_json(finding));
    });
    diagnoses.end();
    write(out, "}\n");
}

} // namespace ikefrag
