// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/counted.hpp"
#include "daemon/escape.hpp"
#include "daemon/explain/explain.hpp"
#include "daemon/timestamp.hpp"

#include <chrono>
#include <cstdio>

namespace ikefrag {
namespace {

using Fate = LadderStep::Fate;
constexpr std::size_t lane = 13;

enum class Paint { none, bold, red, yellow, green, cyan };

class Painter {
public:
    explicit Painter(bool colour) : colour_(colour) {}
    [[nodiscard]] std::string operator()(Paint paint, const std::string& text) const {
        if (!colour_ || paint == Paint::none) return text;
        return "\x1b[" + std::string(code(paint)) + "m" + text + "\x1b[0m";
    }

private:
    static std::string_view code(Paint paint) {
        switch (paint) {
        case Paint::bold: return "1";
        case Paint::red: return "31";
        case Paint::yellow: return "33";
        case Paint::green: return "32";
        case Paint::cyan: return "36";
        case Paint::none: break;
        }
        return "0";
    }
    bool colour_;
};

std::string offset(TimePoint time, TimePoint start) {
    char text[32];
    std::snprintf(
        text, sizeof text, "+%.3f s", std::chrono::duration<double>(time - start).count());
    return text;
}

std::string pad_left(const std::string& text, std::size_t width) {
    return text.size() >= width ? text : std::string(width - text.size(), ' ') + text;
}

/// A lane's arrow, drawn to the right. In: label of at most lane - 4 characters
std::string arrow(const std::string& label) {
    const auto text = label.empty() ? std::string() : " " + label + " ";
    std::string line(lane - 1, '-');
    if (!text.empty() && text.size() <= lane - 3)
        line.replace((lane - text.size()) / 2, text.size(), text);
    return line + ">";
}

/// An arrow that stops halfway.
std::string broken(const std::string& label) {
    const auto text = label.empty() ? std::string("-----") : "- " + label + " -";
    auto line = text + "x";
    line.resize(lane, ' ');
    return line;
}

std::string mirrored(const std::string& line, const std::string& label) {
    std::string out(line.rbegin(), line.rend());
    for (auto& c : out)
        if (c == '>') c = '<';
    // The label's letters must read forward again.
    if (!label.empty()) {
        const std::string reversed(label.rbegin(), label.rend());
        if (const auto at = out.find(reversed); at != std::string::npos)
            out.replace(at, label.size(), label);
    }
    return out;
}

/// The two lanes in order of travel, before the step is turned into its direction.
struct Lanes {
    std::string first;
    std::string second;
    char bar = '|';
};

Lanes lanes_of(const LadderStep& step) {
    const std::string empty(lane, ' ');
    switch (step.fate) {
    case Fate::passed: return {arrow(step.pieces), arrow(step.pieces)};
    case Fate::partial: return {broken(step.pieces), empty};
    case Fate::dropped_here: return {arrow(step.pieces), empty, 'X'};
    case Fate::lost_after: return {arrow(step.pieces), broken(step.pieces)};
    case Fate::never_came: return {empty.substr(0, lane - 1) + "?", empty};
    case Fate::icmp: return {arrow("ICMP"), empty};
    }
    return {};
}

std::string label_of(const LadderStep& step) {
    switch (step.fate) {
    case Fate::icmp: return "ICMP";
    default: return step.pieces;
    }
}

Paint paint_of(const LadderStep& step) {
    switch (step.fate) {
    case Fate::passed: return step.repeat ? Paint::yellow : Paint::none;
    case Fate::icmp: return Paint::cyan;
    default: return Paint::red;
    }
}

std::string ladder_text(const Attempt& attempt, const ExplainOptions& options) {
    const Painter paint(options.colour);
    const auto& handshake = attempt.handshake;
    std::string text = std::string(14, ' ') + "client" + std::string(lane - 8, ' ') + "firewall" +
                       std::string(lane - 4, ' ') + "server\n";
    for (const auto& step : ladder(attempt)) {
        const auto lanes = lanes_of(step);
        const auto label = label_of(step);
        const bool to_server = step.direction == Direction::to_server;
        const auto left = to_server ? lanes.first : mirrored(lanes.second, label);
        const auto right = to_server ? lanes.second : mirrored(lanes.first, label);
        std::string line = "|" + left + lanes.bar + right + "|";
        auto words = step.label;
        if (!step.note.empty()) words += " (" + step.note + ")";
        text +=
            pad_left(step.fate == Fate::never_came ? "" : offset(step.time, handshake.first_time),
                     14) +
            "  " + paint(paint_of(step), line) + "  " +
            escape_terminal(shown_text(words, handshake.server.address, options.mask)) + "\n";
    }
    if (handshake.messages_forgotten > 0)
        text += "  (" + counted(handshake.messages_forgotten, "more message") + " not kept)\n";
    return text;
}

void add_finding(std::string& text,
                 const Finding& finding,
                 const Attempt& attempt,
                 const ExplainOptions& options) {
    const Painter paint(options.colour);
    const auto shown = [&](std::string_view words) {
        return escape_terminal(shown_text(words, attempt.handshake.server.address, options.mask));
    };
    const auto& diagnosis = *finding.diagnosis;
    const auto colour = diagnosis.kind == FindingKind::failure  ? Paint::red
                        : diagnosis.kind == FindingKind::advice ? Paint::yellow
                                                                : Paint::green;
    text += "\n" + paint(colour, std::string(diagnosis.id) + " " + std::string(diagnosis.slug)) +
            " (" + std::string(to_string(diagnosis.kind)) + ", confidence " +
            std::string(to_string(finding.confidence)) + ")\n";
    text += "  " + shown(finding.sentence) + "\n";
    if (diagnosis.kind != FindingKind::fact) {
        text += "  Who must act: " + std::string(actor_text(finding.actor)) + "\n";
        text += "  What to do:   " + shown(finding.remedy) + "\n";
    }
    text += "  Evidence:\n";
    for (const auto& line : finding.evidence) text += "    " + shown(line) + "\n";
    if (diagnosis.kind != FindingKind::fact)
        text += "  What would disprove it: " + std::string(diagnosis.not_when) + "\n";
}

std::string side_text(const SideFacts& side) {
    std::string text;
    if (!side.vendor.empty()) text += " (" + side.vendor + ")";
    switch (side.fragmentation) {
    case Fragmentation::ike: text += ", can fragment IKE"; break;
    case Fragmentation::v1: text += ", can fragment IKEv1"; break;
    case Fragmentation::cisco: text += ", can fragment the Cisco way"; break;
    case Fragmentation::none: text += ", offers no IKE fragmentation"; break;
    case Fragmentation::unknown: break;
    }
    if (side.behind_nat.value_or(false)) text += ", behind NAT";
    return text;
}

} // namespace

std::string explain_text(const std::vector<Attempt>& attempts, const ExplainOptions& options) {
    const Painter paint(options.colour);
    std::string text;
    for (const auto& attempt : attempts) {
        const auto& handshake = attempt.handshake;
        if (!text.empty()) text += "\n" + std::string(78, '=') + "\n\n";
        text += paint(Paint::bold,
                      escape_terminal(
                          shown_text(headline(attempt), handshake.server.address, options.mask))) +
                "\n\n";
        text += "  " + rfc3339(handshake.first_time) + "  IKEv" +
                std::to_string(handshake.version) + "  SPI " + to_string(handshake.initiator_spi) +
                "  outcome " + std::string(to_string(handshake.outcome)) + " (" +
                std::string(to_string(handshake.basis)) + ")\n";
        text += "  client  " + shown_address(handshake.client.address, options.mask) +
                escape_terminal(side_text(handshake.client_side)) + "\n";
        text += "  server  " + to_string(handshake.server.address) +
                (attempt.server_name.empty() ? "" : " " + escape_terminal(attempt.server_name)) +
                escape_terminal(side_text(handshake.server_side)) + "\n\n";
        text += ladder_text(attempt, options);
        for (const auto& finding : attempt.findings) add_finding(text, finding, attempt, options);
    }
    return text;
}

} // namespace ikefrag
