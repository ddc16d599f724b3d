// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"

#include "plugin/diagnosis/remedy.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <charconv>

namespace ikefrag {
namespace {

/// Failures from the most to the least specific. What is known by a message of somebody (our own
/// verdict, a router) comes before what is known by absence; the place of a loss before silence.
constexpr std::array<std::string_view, 22> ranks{
    "D29", "D30", "D24", "D18", "D16", "D04", "D05", "D11", "D12", "D10", "D28",
    "D27", "D19", "D20", "D21", "D23", "D22", "D25", "D08", "D07", "D06", "D09"};

constexpr std::size_t usual_values = 4;

std::size_t number_in(const Draft& draft, std::string_view name) {
    for (const auto& [key, value] : draft.values) {
        if (key != name) continue;
        std::size_t number = 0;
        std::from_chars(value.data(), value.data() + value.size(), number);
        return number;
    }
    return 0;
}

std::string common_value(std::string_view name, const Draft& draft, const View& view) {
    const auto& client = view.handshake.client_side.vendor;
    const auto& server = view.handshake.server_side.vendor;
    const bool by_server = draft.actor == Actor::server || draft.actor == Actor::server_network;
    const auto mtu = number_in(draft, "mtu");
    if (name == "client") return view.client();
    if (name == "server") return view.server();
    if (name == "server_on") return server_on_text(server, client);
    if (name == "client_on") return client_on_text(client);
    if (name == "server_size") return size_text(server, mtu);
    if (name == "client_size") return size_text(client, mtu);
    if (name == "sender_size") return size_text(by_server ? server : client, mtu);
    if (name == "sender_force") return force_text(by_server ? server : client);
    if (name == "sender_on")
        return by_server ? server_on_text(server, client) : client_on_text(client);
    assert(false && "a name in the catalogue that no detector fills");
    return {};
}

} // namespace

Draft& Drafts::add(std::string_view id, Actor actor, Confidence confidence) {
    const auto* diagnosis = find_diagnosis(id);
    assert(diagnosis != nullptr && !has(id));
    assert(std::ranges::find(diagnosis->actors, actor) != diagnosis->actors.end());
    auto& draft = drafts_.emplace_back();
    draft.diagnosis = diagnosis;
    draft.confidence = confidence;
    draft.actor = actor;
    draft.values.reserve(usual_values);
    return draft;
}

bool Drafts::has(std::string_view id) const noexcept {
    return std::ranges::any_of(drafts_,
                               [&](const Draft& draft) { return draft.diagnosis->id == id; });
}

std::size_t rank_of(const Diagnosis& diagnosis) noexcept {
    return static_cast<std::size_t>(std::ranges::find(ranks, diagnosis.id) - ranks.begin());
}

void settle(const Scene& scene, Drafts& drafts) {
    auto& all = drafts.all();
    const auto is_failure = [](const Draft& draft) {
        return draft.diagnosis->kind == FindingKind::failure;
    };
    if (scene.view.established) {
        std::erase_if(all, is_failure);
        return;
    }
    // D08 is about the server as a whole and stands beside the attempt's own finding.
    std::size_t best = ranks.size();
    for (const auto& draft : all)
        if (is_failure(draft) && draft.diagnosis->id != "D08")
            best = std::min(best, rank_of(*draft.diagnosis));
    std::erase_if(all, [&](const Draft& draft) {
        return is_failure(draft) && draft.diagnosis->id != "D08" &&
               rank_of(*draft.diagnosis) != best;
    });
}

std::string phrase(std::string_view text, const Draft& draft, const View& view) {
    return fill(text, [&](std::string& out, std::string_view name) {
        for (const auto& [key, value] : draft.values)
            if (key == name) {
                out += value;
                return;
            }
        out += common_value(name, draft, view);
    });
}

Confidence confidence_of(const View& view, Confidence best) noexcept {
    if (view.handshake.client_addresses <= 1 || best == Confidence::low) return best;
    return best == Confidence::high ? Confidence::medium : Confidence::low;
}

} // namespace ikefrag
