// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report/drawing.hpp"

#include "daemon/escape.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace ikefrag {
namespace {

using Fate = LadderStep::Fate;

constexpr int client_x = 100;
constexpr int firewall_x = 250;
constexpr int server_x = 400;
constexpr int label_x = 420;
constexpr int width = 1060;
constexpr int row_height = 26;
constexpr int head_height = 44;
constexpr std::size_t max_steps = 60;

std::string number(int value) { return std::to_string(value); }

std::string text(int x, int y, std::string_view words, std::string_view attributes = {}) {
    return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\"" +
           (attributes.empty() ? "" : " " + std::string(attributes)) + ">" + escape_html(words) +
           "</text>";
}

std::string line(int x1, int x2, int y, std::string_view shape) {
    return "<path class=\"" + std::string(shape) + "\" d=\"M" + number(x1) + " " + number(y) + "H" +
           number(x2) + "\"/>";
}

std::string arrow(int x1, int x2, int y, std::string_view shape) {
    const int back = x2 > x1 ? -7 : 7;
    return "<path class=\"" + std::string(shape) + "\" d=\"M" + number(x1) + " " + number(y) + "H" +
           number(x2) + "m" + number(back) + " -4l" + number(-back) + " 4l" + number(back) +
           " 4\"/>";
}

std::string cross(int x, int y) {
    return "<path class=\"lost\" d=\"M" + number(x - 5) + " " + number(y - 5) +
           "l10 10m0 -10l-10 10\"/>";
}

std::string arrows(const LadderStep& step, int y) {
    const bool to_server = step.direction == Direction::to_server;
    const int from = to_server ? client_x : server_x;
    const int to = to_server ? server_x : client_x;
    const auto part = [](int a, int b, int percent) { return a + (b - a) * percent / 100; };
    const std::string_view shape = step.repeat ? "again" : "pass";
    std::string out;
    switch (step.fate) {
    case Fate::passed: out = arrow(from, to, y, shape); break;
    case Fate::partial:
        out = line(from, part(from, firewall_x, 60), y, "lost") +
              cross(part(from, firewall_x, 66), y);
        break;
    case Fate::dropped_here: out = arrow(from, firewall_x, y, "lost") + cross(firewall_x, y); break;
    case Fate::lost_after:
        out = line(from, firewall_x, y, shape) +
              line(firewall_x, part(firewall_x, to, 55), y, "lost") +
              cross(part(firewall_x, to, 60), y);
        break;
    case Fate::never_came:
        out = line(from, firewall_x, y, "missing") + cross(part(from, firewall_x, 50), y);
        break;
    case Fate::icmp: out = arrow(from, firewall_x, y, "said"); break;
    }
    if (!step.pieces.empty())
        out += text(part(from, firewall_x, 33),
                    y - 4,
                    step.pieces,
                    step.fate == Fate::passed ? "class=\"dim\" text-anchor=\"middle\""
                                              : "class=\"losttext\" text-anchor=\"middle\"");
    return out;
}

std::string_view label_class(const LadderStep& step) {
    switch (step.fate) {
    case Fate::passed: return step.repeat ? "class=\"againtext\"" : "";
    case Fate::icmp: return "class=\"saidtext\"";
    default: return "class=\"losttext\"";
    }
}

std::string offset(const LadderStep& step, const Attempt& attempt) {
    char buffer[32];
    std::snprintf(buffer,
                  sizeof buffer,
                  "+%.3f s",
                  std::chrono::duration<double>(step.time - attempt.handshake.first_time).count());
    return buffer;
}

std::string cut(std::string words, std::size_t max) {
    if (words.size() <= max) return words;
    words.resize(max - 3);
    return words + "...";
}

std::string rail(int x, int bottom, std::string_view name) {
    return text(x, 16, name, "text-anchor=\"middle\" font-weight=\"600\"") +
           "<path class=\"rail\" d=\"M" + number(x) + " 26V" + number(bottom) + "\"/>";
}

} // namespace

std::string bar_chart_svg(std::string_view title,
                          const std::vector<std::pair<std::string, std::uint64_t>>& rows) {
    constexpr int chart_width = 340;
    constexpr int bar_x = 100;
    constexpr int bar_most = 190;
    const int height = static_cast<int>(rows.size()) * 28 + 8;
    std::uint64_t most = 1;
    for (const auto& [name, count] : rows) most = std::max(most, count);
    std::string out = "<svg class=\"chart\" role=\"img\" aria-label=\"" + escape_html(title) +
                      "\" viewBox=\"0 0 " + number(chart_width) + " " + number(height) +
                      "\" width=\"" + number(chart_width) + "\" height=\"" + number(height) + "\">";
    int y = 4;
    for (const auto& [name, count] : rows) {
        const auto length =
            static_cast<int>(static_cast<double>(count) * bar_most / static_cast<double>(most));
        out += text(bar_x - 10, y + 16, cut(name, 24), "text-anchor=\"end\"");
        out += "<rect class=\"track\" x=\"" + number(bar_x) + "\" y=\"" + number(y + 4) +
               "\" width=\"" + number(bar_most) + "\" height=\"16\" rx=\"3\"/>";
        out += "<rect class=\"bar\" x=\"" + number(bar_x) + "\" y=\"" + number(y + 4) +
               "\" width=\"" + number(count == 0 ? 0 : std::max(length, 2)) +
               "\" height=\"16\" rx=\"3\"><title>" + escape_html(name) + ": " +
               std::to_string(count) + "</title></rect>";
        out += text(bar_x + bar_most + 8, y + 16, std::to_string(count));
        y += 28;
    }
    return out + "</svg>";
}

std::string ladder_svg(const Attempt& attempt, bool mask) {
    auto steps = ladder(attempt);
    const auto left_out = steps.size() > max_steps ? steps.size() - max_steps : 0;
    if (left_out > 0) steps.resize(max_steps);
    const int bottom =
        head_height + static_cast<int>(steps.size() + (left_out > 0 ? 1 : 0)) * row_height;
    const auto& server = attempt.handshake.server.address;
    std::string out = "<svg class=\"ladder\" role=\"img\" aria-label=\"Ladder of the messages\" "
                      "viewBox=\"0 0 " +
                      number(width) + " " + number(bottom) + "\" width=\"" + number(width) +
                      "\" height=\"" + number(bottom) + "\">";
    out += rail(client_x, bottom, "client");
    out += rail(firewall_x, bottom, "firewall");
    out += rail(server_x, bottom, "server");
    int y = head_height;
    for (const auto& step : steps) {
        if (step.fate != Fate::never_came)
            out += text(
                client_x - 12, y + 4, offset(step, attempt), "class=\"dim\" text-anchor=\"end\"");
        out += arrows(step, y);
        auto words = step.label;
        if (!step.note.empty()) words += " (" + step.note + ")";
        out += text(label_x, y + 4, cut(shown_text(words, server, mask), 96), label_class(step));
        y += row_height;
    }
    if (left_out > 0)
        out +=
            text(label_x, y + 4, std::to_string(left_out) + " more are left out", "class=\"dim\"");
    return out + "</svg>";
}

} // namespace ikefrag
