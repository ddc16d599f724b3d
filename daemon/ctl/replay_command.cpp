// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/commands.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/offline.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/ctl/text_table.hpp"
#include "daemon/escape.hpp"
#include "daemon/replay/replay_json.hpp"
#include "daemon/timestamp.hpp"

#include <boost/json.hpp>

#include <cstdio>
#include <string>
#include <utility>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

/// More rows than this are for a program to read.
constexpr std::size_t max_rows = 50;
constexpr std::size_t max_packets = 200;

std::string seconds(Duration duration) {
    char text[32];
    std::snprintf(text, sizeof text, "%.3f s", std::chrono::duration<double>(duration).count());
    return text;
}

std::string verdicts_text(const VerdictTotals& totals) {
    std::string text;
    for (const auto& word : words<Verdict>()) {
        const auto count = totals.verdicts[index(word.value)];
        if (count == 0 && word.value != Verdict::accept && word.value != Verdict::drop) continue;
        if (!text.empty()) text += ", ";
        text += std::string(word.text) + ' ' + std::to_string(count);
    }
    std::string reasons;
    for (const auto& word : words<Reason>()) {
        const auto count = totals.intended_drop_reasons[index(word.value)];
        if (count == 0) continue;
        reasons +=
            (reasons.empty() ? "" : ", ") + std::string(word.text) + ' ' + std::to_string(count);
    }
    const auto intended = totals.intended[index(Verdict::drop)];
    if (intended > totals.verdicts[index(Verdict::drop)])
        text += "; would have dropped " + std::to_string(intended);
    if (!reasons.empty()) text += " (" + reasons + ')';
    return text;
}

std::string datagrams_text(const Replay& replay) {
    const auto object = datagrams_json(replay.gate().counters(), replay.fragments());
    std::string text = counted(replay.fragments(), "fragment") + " in " +
                       counted(object.at("fragmented").to_number<std::uint64_t>(), "datagram");
    std::string parts;
    for (const auto& word : words<DatagramOutcome>()) {
        const auto count = object.at(word.text).to_number<std::uint64_t>();
        if (count == 0) continue;
        parts += (parts.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(word.text);
    }
    return parts.empty() ? text : text + ": " + parts;
}

std::string messages_text(const TrackerTotals& totals) {
    std::string text = counted(totals.messages, "message");
    if (totals.malformed != 0) text += ", " + std::to_string(totals.malformed) + " malformed";
    std::string exchanges;
    std::string last;
    for (const auto& [key, count] : totals.by_exchange) {
        const bool request = key.second == Role::request;
        if (key.first != last)
            exchanges += (exchanges.empty() ? "" : ", ") + escape_terminal(key.first);
        last = key.first;
        exchanges += ' ' + std::to_string(count) + (request ? " req" : " resp");
    }
    if (!exchanges.empty()) text += " (" + exchanges + ')';
    std::string ways;
    for (const auto& word : words<Transport>()) {
        const auto count = totals.by_transport[index(word.value)];
        if (count == 0) continue;
        ways += (ways.empty() ? "" : ", ") + std::to_string(count) + ' ' + std::string(word.text);
    }
    return ways.empty() ? text : text + "; travelled: " + ways;
}

std::string packets_text(const Replay& replay) {
    TextTable table({"packet", "verdict", "reason", "class", "fragment", "rule"});
    std::uint64_t number = 0;
    for (const auto& decision : replay.packets()) {
        if (++number > max_packets) break;
        const auto& rules = replay.policy().rules;
        const auto rule = static_cast<std::size_t>(decision.rule);
        std::string verdict(to_string(decision.verdict));
        if (decision.intended != decision.verdict)
            verdict += " (would " + std::string(to_string(decision.intended)) + ')';
        table.add(
            {std::to_string(number),
             verdict,
             decision.reason == Reason::none ? "-" : std::string(to_string(decision.reason)),
             decision.packet_class ? std::string(to_string(*decision.packet_class)) : "-",
             decision.fragment ? "yes" : "no",
             decision.rule >= 0 && rule < rules.size() ? escape_terminal(rules[rule].name) : "-"});
    }
    std::string text = table.text("  ");
    if (replay.packets().size() > max_packets)
        text += "  … and " + std::to_string(replay.packets().size() - max_packets) +
                " more (see --json)\n";
    return text;
}

/// The newest rows as JSON, and how many there are in all.
template <class Row, class ForEach, class Wanted>
std::pair<json::array, std::size_t> newest(const ForEach& for_each, Wanted wanted) {
    std::size_t all = 0;
    for_each([&](const Row& row) { all += wanted(row) ? 1u : 0u; });
    json::array rows;
    std::size_t number = 0;
    for_each([&](const Row& row) {
        if (wanted(row) && ++number + max_rows > all) rows.push_back(to_json(row));
    });
    return {std::move(rows), all};
}

std::string more(std::size_t all) {
    if (all <= max_rows) return "";
    return "  … and " + std::to_string(all - max_rows) + " before (see --json)\n";
}

std::string summary(const Replay& replay, const std::string& name, const Terminal& terminal) {
    const CaptureFacts& facts = replay.facts();
    std::string text = terminal.paint(Colour::bold, escape_terminal(name)) + ": " +
                       counted(facts.packets, "packet") + ", " + counted(facts.bytes, "octet");
    if (facts.first_time)
        text += ", " + seconds(*facts.last_time - *facts.first_time) + " from " +
                rfc3339(*facts.first_time);
    if (facts.truncated) text += ", truncated";
    text += "; mode " + std::string(to_string(replay.policy().mode)) + '\n';
    if (facts.unreadable != 0)
        text += "  unreadable  " + counted(facts.unreadable, "packet") + '\n';
    text += "  verdicts    " + verdicts_text(replay.verdicts()) + '\n';
    text += "  fragments   " + datagrams_text(replay) + '\n';
    text += "  IKE         " + messages_text(replay.tracker().totals()) + '\n';

    const Tracker& tracker = replay.tracker();
    const auto [handshakes, all_handshakes] =
        newest<Handshake>([&](const auto& visit) { tracker.for_each_handshake(visit); },
                          [](const Handshake&) { return true; });
    const auto [peers, all_peers] = newest<Peer>(
        [&](const auto& visit) { tracker.for_each_peer(visit); }, [](const Peer&) { return true; });
    const auto [diagnoses, all_diagnoses] =
        newest<Finding>([&](const auto& visit) { tracker.for_each_finding(visit); },
                        [](const Finding& finding) { return !finding.withdrawn; });
    const auto head = [&](std::string_view title, std::size_t count) {
        text += terminal.paint(Colour::bold, title) + " (" + std::to_string(count) + ")\n";
    };
    if (replay.keeps_packets()) {
        head("Packets", replay.packets().size());
        text += packets_text(replay);
    }
    head("Handshakes", all_handshakes);
    text += list_handshakes(handshakes, terminal, max_rows) + more(all_handshakes);
    head("Peers", all_peers);
    text += list_peers(peers, terminal, max_rows) + more(all_peers);
    head("Diagnoses", all_diagnoses);
    text += list_diagnoses(diagnoses, terminal, max_rows) + more(all_diagnoses);
    return text;
}

/// Sums over several captures, for people.
struct Sum {
    std::uint64_t captures = 0;
    std::uint64_t packets = 0;
    std::uint64_t dropped = 0;
    std::uint64_t fragments = 0;
    std::uint64_t messages = 0;
    std::array<std::uint64_t, count_of<Outcome>> outcomes{};

    void add(const Replay& replay) {
        ++captures;
        packets += replay.facts().packets;
        dropped += replay.verdicts().verdicts[index(Verdict::drop)];
        fragments += replay.fragments();
        messages += replay.tracker().totals().messages;
        replay.tracker().for_each_handshake(
            [&](const Handshake& h) { ++outcomes[index(h.outcome)]; });
    }
    [[nodiscard]] std::string text() const {
        return "All " + std::to_string(captures) + " captures: " + counted(packets, "packet") +
               ", " + std::to_string(dropped) + " dropped, " + counted(fragments, "fragment") +
               ", " + counted(messages, "IKE message") +
               "; handshakes: " + std::to_string(outcomes[index(Outcome::established)]) +
               " established, " + std::to_string(outcomes[index(Outcome::failed)]) + " failed, " +
               std::to_string(outcomes[index(Outcome::unknown)]) + " unknown\n";
    }
};

ExitCode run(const Arguments& arguments, Terminal& terminal) {
    auto chosen = choose_options(arguments, terminal);
    if (const auto* code = std::get_if<ExitCode>(&chosen)) return *code;
    auto& options = std::get<ReplayOptions>(chosen);
    options.keep_packets = arguments.has("--packets");
    const auto names = arguments.all("CAPTURE");
    std::size_t failed = 0;
    const auto captures = open_captures(names, terminal, failed);
    Sum sum;
    for (const auto& capture : captures) {
        const auto replay = replay_capture(capture, options, terminal);
        if (!replay) {
            ++failed;
            continue;
        }
        if (terminal.json)
            write_replay_json(terminal.out(), *replay, capture.name);
        else
            terminal.say(summary(*replay, capture.name, terminal));
        sum.add(*replay);
    }
    if (names.size() > 1 && !terminal.json) terminal.say(sum.text());
    return failed == 0 ? ExitCode::ok : ExitCode::failure;
}

constexpr Positional positionals[] = {
    {"CAPTURE", "pcap or pcapng files; - for standard input", true, true},
};

constexpr Option options[] = {
    mode_option,
    config_option,
    rules_option,
    {"--packets", "", "list every packet with its verdict"},
};

} // namespace

const Command replay_command{
    .name = "replay",
    .needs = Needs::nothing,
    .help = "Run captures through the daemon's gate and tracker and say what comes of it",
    .positionals = positionals,
    .options = options,
    .run = run,
};

} // namespace ikefrag::ctl
