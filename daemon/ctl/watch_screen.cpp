// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/watch_screen.hpp"

#include "daemon/clock.hpp"
#include "daemon/ctl/listing.hpp"
#include "daemon/ctl/terminal.hpp"
#include "daemon/timestamp.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <sstream>

namespace ikefrag::ctl {

namespace json = boost::json;

namespace {

std::uint64_t number(const json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    if (value == nullptr || !value->is_number()) return 0;
    json::error_code error;
    const auto found = value->to_number<std::uint64_t>(error);
    return error ? 0 : found;
}

const json::object& inner(const json::object& object, std::string_view key) {
    static const json::object none;
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_object() ? value->get_object() : none;
}

/// Sums over all queues.
struct Queues {
    std::uint64_t count = 0;
    std::uint64_t packets = 0;
    std::uint64_t dropped = 0;
    std::uint64_t held = 0;
    std::uint64_t waiting = 0;
    std::uint64_t unseen = 0;

    explicit Queues(const json::object& status) {
        const auto* list = status.if_contains("queues");
        if (list == nullptr || !list->is_array()) return;
        for (const auto& value : list->get_array()) {
            const auto* queue = value.if_object();
            if (queue == nullptr) continue;
            ++count;
            packets += number(*queue, "packets");
            dropped += number(inner(*queue, "verdicts"), "drop");
            held += number(*queue, "held_packets");
            waiting += number(*queue, "waiting");
            unseen += number(*queue, "unseen");
        }
    }
};

std::string uptime(std::uint64_t seconds) {
    const auto days = seconds / 86'400;
    const auto hours = seconds / 3600 % 24;
    const auto minutes = seconds / 60 % 60;
    if (days != 0) return std::to_string(days) + " d " + std::to_string(hours) + " h";
    if (hours != 0) return std::to_string(hours) + " h " + std::to_string(minutes) + " min";
    if (minutes != 0) return std::to_string(minutes) + " min";
    return std::to_string(seconds) + " s";
}

std::string head(const Look& look, const Look* before, unsigned seconds, const Terminal& terminal) {
    const json::object& status = look.status;
    const Queues queues(status);
    std::string text = terminal.paint(Colour::bold, "ikefragd") + ' ' + shown(status, "version") +
                       ", mode " + terminal.paint(Colour::bold, shown(status, "mode")) + ", up " +
                       uptime(number(status, "uptime_seconds")) + '\n';
    const auto& table = inner(status, "table");
    const bool present = shown(table, "present") == "yes";
    text += "table " + (present ? std::string("present") : terminal.paint(Colour::red, "missing")) +
            " (" + shown(table, "via") + "), " + counted(queues.count, "queue") + ": " +
            std::to_string(queues.waiting) + " waiting, " + std::to_string(queues.held) +
            " held, " + std::to_string(queues.dropped) + " dropped, " +
            std::to_string(queues.unseen) + " unseen";
    if (before != nullptr && seconds != 0) {
        const Queues last(before->status);
        const auto rate =
            queues.packets >= last.packets ? (queues.packets - last.packets) / seconds : 0;
        text += "; " + std::to_string(rate) + " fragments/s";
    }
    const auto& handshakes = inner(status, "handshakes");
    text += "\nhandshakes " + shown(handshakes, "in_progress") + " in progress, " +
            shown(handshakes, "known") + " known; " + counted(status, "peers", "peer") +
            "; copies " + shown(inner(status, "copies"), "read") + " read, " +
            shown(inner(status, "copies"), "lost") + " lost\n";
    return text;
}

std::string servers(const json::object& status) {
    const auto* list = status.if_contains("servers");
    if (list == nullptr || !list->is_array()) return {};
    std::string text;
    for (const auto& value : list->get_array()) {
        const auto* server = value.if_object();
        if (server == nullptr) continue;
        text += "server " + shown(*server, "name") + ": " + shown(*server, "started") +
                " started, " + shown(*server, "completed") + " completed, " +
                shown(*server, "failed") + " failed; 16430 " +
                shown(*server, "fragmentation_supported") + '\n';
    }
    return text;
}

std::string failures(const json::array& findings, std::size_t max, const Terminal& terminal) {
    std::string text;
    const std::size_t first = findings.size() > max ? findings.size() - max : 0;
    for (std::size_t i = findings.size(); i-- > first;) {
        const auto* finding = findings[i].if_object();
        if (finding == nullptr) continue;
        text += "  " + shown_time(*finding, "updated") + "  " +
                terminal.paint(Colour::red, shown(*finding, "id")) + ' ' +
                shown(*finding, "sentence") + '\n';
    }
    return text.empty() ? "  none\n" : text;
}

} // namespace

std::string clear_screen() { return "\x1b[H\x1b[J"; }

std::string cut_line(const std::string& line, std::size_t columns) {
    std::string out;
    std::size_t seen = 0;
    bool painted = false;
    for (std::size_t i = 0; i < line.size();) {
        if (line[i] == '\x1b') {
            const auto end = std::min(line.find('m', i), line.size() - 1);
            out.append(line, i, end - i + 1);
            painted = true;
            i = end + 1;
            continue;
        }
        std::size_t length = 1;
        while (i + length < line.size() && (line[i + length] & 0xc0) == 0x80) ++length;
        if (seen == columns) break;
        out.append(line, i, length);
        ++seen;
        i += length;
    }
    return painted ? out + "\x1b[0m" : out;
}

std::string draw(const Look& look,
                 const Look* before,
                 unsigned seconds_between,
                 const ScreenSize& size,
                 const Terminal& terminal) {
    constexpr std::size_t max_failures = 6;
    std::string text = head(look, before, seconds_between, terminal);
    text += servers(look.status);
    text += terminal.paint(Colour::bold, "Latest failures") + '\n';
    text += failures(look.failures, max_failures, terminal);
    text += terminal.paint(Colour::bold, "Latest handshakes") + '\n';
    const auto used = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 3;
    const std::size_t room = size.rows > used ? size.rows - used : 1;
    text += list_handshakes(look.handshakes, terminal, room);
    std::istringstream lines(text);
    std::string screen;
    std::size_t row = 0;
    for (std::string line; std::getline(lines, line) && row + 1 < size.rows; ++row)
        screen += cut_line(line, size.columns) + '\n';
    return screen;
}

std::string look_line(const Look& look) {
    const Queues queues(look.status);
    const auto& handshakes = inner(look.status, "handshakes");
    std::string line =
        rfc3339(Clock().now()) + " mode " + shown(look.status, "mode") + " table " +
        (shown(inner(look.status, "table"), "present") == "yes" ? "present" : "missing") +
        " handshakes " + shown(handshakes, "known") + " in_progress " +
        shown(handshakes, "in_progress") + " peers " + shown(look.status, "peers") + " held " +
        std::to_string(queues.held) + " dropped " + std::to_string(queues.dropped) + " unseen " +
        std::to_string(queues.unseen);
    if (!look.failures.empty())
        if (const auto* finding = look.failures.back().if_object())
            line += " latest_failure " + shown(*finding, "id") + ' ' + shown(*finding, "client");
    return line;
}

std::string look_json(const Look& look) {
    json::object object;
    object["format"] = 1;
    object["status"] = look.status;
    object["handshakes"] = look.handshakes;
    object["diagnoses"] = look.failures;
    return json::serialize(object);
}

} // namespace ikefrag::ctl
