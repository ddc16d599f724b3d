// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/report/catalogue_docs.hpp"

#include "plugin/diagnosis.hpp"

namespace ikefrag {
namespace {

std::string roff(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else if (c == '\'')
            out += "\\(aq";
        else
            out += c;
    }
    // A line that begins with a control character would be a request.
    if (!out.empty() && out.front() == '.') out.insert(0, "\\&");
    return out;
}

/// Without the names that a detector fills in, which tell a reader nothing: "{client}" -> "CLIENT".
std::string spelled(std::string_view text) {
    std::string out;
    bool name = false;
    for (const char c : text) {
        if (c == '{' || c == '}') {
            name = c == '{';
            continue;
        }
        const bool lower = c >= 'a' && c <= 'z';
        out += name && lower ? static_cast<char>(c - 'a' + 'A') : c;
    }
    return out;
}

std::string actor_list(const Diagnosis& diagnosis) {
    std::string text;
    for (const auto actor : diagnosis.actors)
        text += (text.empty() ? "" : ", ") + std::string(to_string(actor));
    return text;
}

std::string escape_markdown(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|' || c == '*' || c == '_' || c == '<' || c == '`' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

constexpr std::string_view introduction =
    "Every finding that ikefragd, ikefragctl replay, explain and report give is one of these. Its "
    "slug is the value of the metric label diagnosis, of the JSON key slug, and the word in the "
    "log. A failure names why a handshake failed; advice tells what would make it better; a fact "
    "is worth knowing. Words in capitals stand for what was seen.";

} // namespace

std::string diagnoses_manual() {
    std::string out = ".TH IKEFRAGD\\-DIAGNOSES 7 \"\" \"ikefrag\" \"Diagnoses\"\n"
                      ".SH NAME\nikefragd\\-diagnoses \\- what ikefragd says of failing IKE "
                      "handshakes\n.SH DESCRIPTION\n" +
                      roff(introduction) + "\n.SH DIAGNOSES\n";
    for (const auto& diagnosis : catalogue()) {
        out += ".SS \"" + roff(diagnosis.id) + " " + roff(diagnosis.slug) + "\"\n";
        out += roff(diagnosis.says) + ".\n.PP\n";
        out += "Kind: " + std::string(to_string(diagnosis.kind)) +
               ". Severity: " + std::string(to_string(diagnosis.severity)) +
               ". Who must act: " + roff(actor_list(diagnosis)) + ".\n";
        out += ".TP\n.B Told as\n" + roff(spelled(diagnosis.sentence)) + "\n";
        out += ".TP\n.B Signals\n" + roff(diagnosis.meaning) + "\n";
        out += ".TP\n.B What to do\n" + roff(spelled(diagnosis.remedy)) + "\n";
        out += ".TP\n.B Not to be mistaken for\n" + roff(diagnosis.not_when) + "\n";
    }
    return out + ".SH SEE ALSO\n.BR ikefragd (8),\n.BR ikefragctl (8)\n";
}

std::string diagnoses_markdown() {
    std::string out = "# Diagnoses\n\n" + std::string(introduction) + "\n\n";
    for (const auto& diagnosis : catalogue()) {
        out += "## " + std::string(diagnosis.id) + " `" + std::string(diagnosis.slug) + "`\n\n";
        out += escape_markdown(diagnosis.says) + ".\n\n";
        out += "*Kind:* " + std::string(to_string(diagnosis.kind)) + " - *severity:* " +
               std::string(to_string(diagnosis.severity)) + " - *who must act:* " +
               escape_markdown(actor_list(diagnosis)) + "\n\n";
        out += "*Told as:* " + escape_markdown(spelled(diagnosis.sentence)) + "\n\n";
        out += "*Signals:* " + escape_markdown(diagnosis.meaning) + "\n\n";
        out += "*What to do:* " + escape_markdown(spelled(diagnosis.remedy)) + "\n\n";
        out += "*Not to be mistaken for:* " + escape_markdown(diagnosis.not_when) + "\n\n";
    }
    return out;
}

} // namespace ikefrag
