// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/explain/explain.hpp"

namespace ikefrag {
namespace {

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
                   ? "it was refused; no known cause fits what was seen."
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

std::string shown_text(std::string_view text, const IpAddress& client, bool mask) {
    if (!mask) return std::string(text);
    const auto address = to_string(client);
    const auto masked = shown_address(client, true);
    std::string out;
    const auto continues = [](char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || c == ':';
    };
    for (std::size_t at = 0; at < text.size();) {
        const auto found = text.find(address, at);
        if (found == std::string_view::npos) return out + std::string(text.substr(at));
        const auto end = found + address.size();
        const bool whole = (found == 0 || !continues(text[found - 1])) &&
                           (end == text.size() || !continues(text[end]));
        out += text.substr(at, found - at);
        out += whole ? masked : address;
        at = end;
    }
    return out;
}

} // namespace ikefrag
