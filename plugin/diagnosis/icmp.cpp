// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/remedy.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>

// What routers and hosts say by ICMP, and what the sizes of packets say: D26, D27, D28.
namespace ikefrag {
namespace {

constexpr std::size_t max_lines = 6;
constexpr std::uint32_t ethernet_mtu = 1500;

bool is_reassembly_timeout(const IcmpRecord& icmp) noexcept {
    return icmp.family == Family::ipv4 ? icmp.type == 11 && icmp.code == 1
                                       : icmp.type == 3 && icmp.code == 1;
}

bool is_too_big(const IcmpRecord& icmp) noexcept {
    return icmp.family == Family::ipv4 ? icmp.type == 3 && icmp.code == 4 : icmp.type == 2;
}

bool is_prohibited(const IcmpRecord& icmp) noexcept {
    if (icmp.family == Family::ipv4)
        return icmp.type == 3 && (icmp.code == 9 || icmp.code == 10 || icmp.code == 13);
    return icmp.type == 1 && icmp.code == 1;
}

bool is_unreachable(const IcmpRecord& icmp) noexcept {
    if (icmp.family == Family::ipv4)
        return icmp.type == 3 && (icmp.code == 1 || icmp.code == 3 || is_prohibited(icmp));
    return icmp.type == 1 && (icmp.code == 1 || icmp.code == 3 || icmp.code == 4);
}

bool is_port(const IcmpRecord& icmp) noexcept {
    return icmp.family == Family::ipv4 ? icmp.type == 3 && icmp.code == 3
                                       : icmp.type == 1 && icmp.code == 4;
}

/// Source: RFC 791 (68), RFC 8200 (1280); below 576 nothing honest is expected on IPv4.
bool is_believable(const IcmpRecord& icmp) noexcept {
    return icmp.family == Family::ipv4 ? icmp.mtu >= 68 && icmp.mtu < 65535
                                       : icmp.mtu >= 1280 && icmp.mtu < 65535;
}

std::size_t number_of_type(const Handshake& handshake, const IcmpRecord& like) {
    return static_cast<std::size_t>(
        std::ranges::count_if(handshake.icmp, [&](const IcmpRecord& icmp) {
            return icmp.type == like.type && icmp.code == like.code &&
                   icmp.direction == like.direction;
        }));
}

void cite(Draft& draft, const Scene& scene, const IcmpRecord& like) {
    for (const auto& icmp : scene.view.handshake.icmp)
        if (icmp.type == like.type && icmp.code == like.code && draft.evidence.size() < max_lines)
            draft.evidence.push_back(evidence_text(icmp, scene.view.start));
}

Actor network_of(Direction direction) noexcept {
    return direction == Direction::to_server ? Actor::server_network : Actor::client_network;
}

void find_path_mtu(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const IcmpRecord* lowest = nullptr;
    for (const auto& icmp : view.handshake.icmp)
        if (is_too_big(icmp) && is_believable(icmp) &&
            (lowest == nullptr || icmp.mtu < lowest->mtu))
            lowest = &icmp;
    if (lowest != nullptr) {
        const bool odd = lowest->family == Family::ipv4 && lowest->mtu < 576;
        auto& draft =
            out.add("D26",
                    network_of(lowest->direction),
                    confidence_of(view, odd ? Confidence::low : Confidence::high))
                .with("towards",
                      lowest->direction == Direction::to_server ? view.server() : view.client())
                .with("mtu", std::to_string(lowest->mtu))
                .with("source", "ICMP from " + to_string(lowest->reporter))
                .with("sender_size", size_text(view.sender(lowest->direction).vendor, lowest->mtu));
        cite(draft, scene, *lowest);
        return;
    }
    const MessageRecord* smallest = nullptr;
    for (const auto& message : view.handshake.messages) {
        const bool fragmented = message.ip_fragments > 0 || !message.complete;
        if (!fragmented || !message.first_seen || message.first_fragment_bytes == 0) continue;
        if (smallest == nullptr || message.first_fragment_bytes < smallest->first_fragment_bytes)
            smallest = &message;
    }
    // A fragment's payload is a multiple of 8: the MTU is up to 7 octets larger.
    if (smallest == nullptr || smallest->first_fragment_bytes + 7 >= ethernet_mtu) return;
    const auto first = smallest->first_fragment_bytes;
    auto& draft =
        out.add("D26",
                smallest->direction == Direction::to_server ? Actor::client_network
                                                            : Actor::server_network,
                confidence_of(view, Confidence::medium))
            .with("towards",
                  smallest->direction == Direction::to_server ? view.server() : view.client())
            .with("mtu", std::to_string(first))
            .with("source",
                  "its first IP fragments have " + std::to_string(first) +
                      " octets, so the MTU is " + std::to_string(first) + " to " +
                      std::to_string(first + 7))
            .with("sender_size", size_text(view.sender(smallest->direction).vendor, first));
    draft.evidence.push_back(evidence_text(*smallest, view.start));
}

void find_reassembly_timeout(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& icmp : view.handshake.icmp) {
        if (!is_reassembly_timeout(icmp)) continue;
        auto& draft =
            out.add("D27", network_of(icmp.direction), confidence_of(view, Confidence::high))
                .with("reporter", to_string(icmp.reporter))
                .with("sender", view.side_text(icmp.direction))
                .with("count", count_text(number_of_type(view.handshake, icmp)));
        cite(draft, scene, icmp);
        return;
    }
}

bool contradicted(const View& view, const IcmpRecord& icmp) {
    return std::ranges::any_of(view.handshake.messages, [&](const MessageRecord& message) {
        return message.direction != icmp.direction && message.time > icmp.time;
    });
}

void find_unreachable(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    for (const auto& icmp : handshake.icmp) {
        if (!is_unreachable(icmp)) continue;
        // A client that has given up answers late messages so; that is no cause.
        if (icmp.direction == Direction::to_peer && is_port(icmp)) continue;
        // Later traffic the other way shows that it got through: towards a server, answers.
        if (icmp.direction == Direction::to_server && contradicted(view, icmp)) continue;
        const bool by_server =
            icmp.reporter == handshake.server.address || icmp.reporter == handshake.server_inside;
        const auto actor = icmp.direction == Direction::to_peer ? Actor::client_network
                           : by_server && !is_prohibited(icmp)  ? Actor::server
                                                                : Actor::server_network;
        std::string hint;
        if (is_port(icmp))
            hint = "The host is there but nothing listens on that UDP port: start the IKE service, "
                   "or correct the DNAT rule.";
        else if (is_prohibited(icmp))
            hint = "A filter at " + to_string(icmp.reporter) +
                   " forbids it: allow UDP 500 and 4500 "
                   "there.";
        else
            hint = "The host is down or has no route: check it and the DNAT rule.";
        auto& draft = out.add("D28", actor, confidence_of(view, Confidence::high))
                          .with("reporter", to_string(icmp.reporter))
                          .with("sender", view.side_text(icmp.direction))
                          .with("what", std::string(icmp_text(icmp)))
                          .with("count", count_text(number_of_type(handshake, icmp)))
                          .with("hint", hint);
        cite(draft, scene, icmp);
        return;
    }
}

} // namespace

void find_icmp(const Scene& scene, Drafts& out) {
    find_path_mtu(scene, out);
    if (scene.view.established || scene.view.handshake.mid_stream) return;
    find_reassembly_timeout(scene, out);
    find_unreachable(scene, out);
}

} // namespace ikefrag
