// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <set>

// Load balancers and address translation: D24, D25.
namespace ikefrag {
namespace {

/// Windows: IkeNumEstablishedForInitialQuery, 10 by default (DIAGNOSES 1.2).
constexpr std::size_t crowd = 10;

bool is_in_trouble(const View& view) {
    if (view.established) return false;
    if (view.handshake.ended) return view.handshake.outcome == Outcome::failed;
    const auto* open = view.open_step();
    return open != nullptr && open->repeats() > 0;
}

void find_split(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    // Like is compared with like: where it went out, or, on a host behind the balancer, where it
    // was addressed to.
    for (const bool leaving : {true, false}) {
        const MessageRecord* first = nullptr;
        const MessageRecord* second = nullptr;
        const auto target = [leaving](const MessageRecord& message) {
            return leaving ? message.left_destination->address : message.destination.address;
        };
        for (const auto& message : view.handshake.messages) {
            if (message.direction != Direction::to_server || !message.complete) continue;
            if (leaving && !message.left_destination) continue;
            if (first == nullptr)
                first = &message;
            else if (second == nullptr && target(message) != target(*first) &&
                     message.destination.port != first->destination.port)
                second = &message;
        }
        if (second == nullptr) continue;
        auto& draft = out.add("D24", Actor::server_network, confidence_of(view, Confidence::high))
                          .with("first",
                                to_string(target(*first)) + " (UDP " +
                                    std::to_string(first->destination.port) + ")")
                          .with("second",
                                to_string(target(*second)) + " (UDP " +
                                    std::to_string(second->destination.port) + ")");
        for (const auto* message : {first, second})
            draft.evidence.push_back(evidence_text(*message, view.start) + ", to " +
                                     to_string(target(*message)));
        return;
    }
}

void find_crowd(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    std::set<std::uint16_t> ports;
    std::size_t established = 0;
    for (const auto& mark : scene.server.marks()) {
        if (mark.client != handshake.client.address || !mark.real) continue;
        if (mark.over && !mark.established && mark.number != handshake.number) continue;
        ports.insert(mark.port);
        if (mark.established) ++established;
    }
    // Without one that works it is not the number of them.
    if (ports.size() <= crowd || established == 0) return;
    auto& draft = out.add("D25", Actor::server_network, confidence_of(view, Confidence::low))
                      .with("count", std::to_string(ports.size()));
    draft.evidence.push_back(number_text(ports.size(), "live handshake") +
                             " from different ports of " + to_string(handshake.client.address) +
                             " within 15 minutes, " + std::to_string(established) +
                             " of them established");
    if (const auto* open = view.open_step(); open != nullptr)
        draft.evidence.push_back(evidence_text(open->best(), view.start) + ", not answered");
}

} // namespace

void find_sharing(const Scene& scene, Drafts& out) {
    if (!is_in_trouble(scene.view)) return;
    find_split(scene, out);
    find_crowd(scene, out);
}

} // namespace ikefrag
