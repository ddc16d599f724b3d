// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/explain/explain.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

/// What the latest clear error says, with its sentence's beginning; anyone may have sent it.
std::string clear_error_text(const Handshake& handshake) {
    const auto found = std::find_if(
        handshake.messages.rbegin(), handshake.messages.rend(), [&](const MessageRecord& message) {
            return message.direction == Direction::to_peer && message.notifies.front() != 0;
        });
    if (found == handshake.messages.rend()) return "no known cause fits what was seen.";
    return "the answer says " + notifies_text(*found) + ".";
}

std::string outcome_text(const Handshake& handshake) {
    switch (handshake.basis) {
    case Basis::half_view:
        return "the answers take another way than this firewall, so what became of it is not "
               "known.";
    case Basis::mid_stream: return "it was seen from the middle on, so there is little to say.";
    case Basis::redirected: return "the server sent the client to another server (REDIRECT).";
    case Basis::answered:
        return "IKE_AUTH was answered; whether the tunnel came up was not seen (no ESP, no later "
               "exchange).";
    default: break;
    }
    switch (handshake.outcome) {
    case Outcome::established: return "it succeeded.";
    case Outcome::in_progress: return "it is under way.";
    case Outcome::failed:
        return handshake.basis == Basis::refused
                   ? "it was refused; " + clear_error_text(handshake)
                   : "it was not answered; no known cause fits what was seen.";
    case Outcome::unknown: return "what became of it is not known.";
    }
    return "";
}

} // namespace

const Finding* headline_finding(const Attempt& attempt) {
    const Finding* success = nullptr;
    for (const auto& finding : attempt.findings) {
        if (finding.diagnosis->kind == FindingKind::failure) return &finding;
        if (finding.diagnosis->id == "D32") success = &finding;
    }
    return success;
}

std::string headline(const Attempt& attempt) {
    if (const auto* finding = headline_finding(attempt); finding != nullptr)
        return finding->sentence;
    const auto& handshake = attempt.handshake;
    return "Handshake of " + to_string(handshake.client.address) + " with " +
           (attempt.server_name.empty() ? std::string() : attempt.server_name + " (") +
           to_string(handshake.server.address) + (attempt.server_name.empty() ? "" : ")") + ": " +
           outcome_text(handshake);
}

std::string_view actor_text(Actor actor) noexcept {
    switch (actor) {
    case Actor::client: return "the client";
    case Actor::client_network: return "the client's network";
    case Actor::server: return "the server";
    case Actor::server_network: return "the server's network";
    case Actor::this_firewall: return "this firewall";
    case Actor::unknown: return "nobody known";
    }
    return "";
}

std::string shown_address(const IpAddress& address, bool mask) {
    if (!mask) return to_string(address);
    if (address.family == Family::ipv4) {
        auto text = to_string(address);
        return text.substr(0, text.rfind('.')) + ".x";
    }
    auto text = to_string(prefix_of(address, 48).address);
    return text + "x";
}

std::string shown_text(std::string_view text, const IpAddress& server, bool mask) {
    if (!mask) return std::string(text);
    const auto part_of_address = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') ||
               c == ':' || c == '.';
    };
    std::string out;
    while (!text.empty()) {
        std::size_t size = 0;
        while (size < text.size() && part_of_address(text[size])) ++size;
        if (size == 0) {
            out += text.front();
            text.remove_prefix(1);
            continue;
        }
        // An address ends where a sentence may: "…from 203.0.113.7: …", "…with 203.0.113.7."
        auto word = text.substr(0, size);
        auto address = parse_address(word);
        while (!address && !word.empty() && (word.back() == '.' || word.back() == ':')) {
            word.remove_suffix(1);
            address = parse_address(word);
        }
        if (address && *address != server)
            out += shown_address(*address, true);
        else
            out += word;
        text.remove_prefix(word.size());
        if (word.empty()) {
            out += text.front();
            text.remove_prefix(1);
        }
    }
    return out;
}

} // namespace ikefrag
