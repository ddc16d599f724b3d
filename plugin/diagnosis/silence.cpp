// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/draft.hpp"
#include "plugin/diagnosis/remedy.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <set>

// Requests that arrived and were not answered, or never came: D06, D07, D08, D09, D16, D18.
namespace ikefrag {
namespace {

constexpr Duration auth_wait = std::chrono::seconds(10); // T_auth of DIAGNOSES 1.6
constexpr Duration answer_wait = std::chrono::seconds(5);
constexpr Duration eap_wait = std::chrono::seconds(60);
constexpr Duration dead_window = std::chrono::minutes(10);
constexpr Duration dead_pause = std::chrono::minutes(10);
constexpr std::size_t min_repeats = 2;
constexpr std::size_t min_inits = 3;
constexpr std::size_t min_clients = 3;
constexpr std::uint8_t intermediate = 43;
constexpr std::size_t max_lines = 6;

void cite(Draft& draft, const Step& step, TimePoint start) {
    for (const auto* message : step.sent)
        if (step.is_try(*message) && draft.evidence.size() < max_lines)
            draft.evidence.push_back(evidence_text(*message, start));
    if (step.set != nullptr) draft.evidence.push_back(evidence_text(*step.set, start));
}

std::string how_text(const Step& step) {
    if (step.set != nullptr && step.set->complete)
        return std::to_string(step.set->total) + "/" +
               pieces_text(step.set->total, step.set->transport) + ", " +
               std::to_string(step.set->bytes) + " octets";
    const auto& best = step.best();
    auto size = std::to_string(best.message_bytes) + " octets";
    if (best.ip_fragments > 0) return pieces_text(best.ip_fragments, Transport::ip) + ", " + size;
    return size;
}

bool has_left(const Step& step) {
    return std::ranges::any_of(
        step.sent, [](const MessageRecord* message) { return message->left_time.has_value(); });
}

/// IKE_SA_INIT of which only the first IP fragment comes, again and again: the server cannot answer
/// what it never gets. D17 says beside it why this one is so large.
void find_partial_init(const Scene& scene, const Step& init, Drafts& out) {
    const auto& view = scene.view;
    auto& draft =
        out.add("D09", Actor::client_network, confidence_of(view, Confidence::high))
            .with("exchange", exchange_text(init.exchange))
            .with("count", count_text(init.tries.size()))
            .with("times", offsets_text(init.tries, view.start))
            .with("how",
                  ": of its IP fragments only the first arrived here" +
                      std::string(init.whole_tries.empty()
                                      ? ""
                                      : ", but for " + count_text(init.whole_tries.size())))
            .with("hint",
                  "Non-first IP fragments are dropped between the client and this firewall, and "
                  "IKE fragmentation cannot help before keys exist: fewer proposals and vendor "
                  "IDs, ML-KEM in IKE_INTERMEDIATE instead of IKE_SA_INIT; on the router or modem "
                  "of the client switch off 'block fragmented packets'.");
    cite(draft, init, view.start);
}

void find_never_answered_init(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto* init = view.init();
    if (init == nullptr || init->direction != Direction::to_server || !init->answered.empty() ||
        init->tries.size() < min_inits)
        return;
    // A scanner's is small; and what identifies a client may be in the part that is missing.
    if (init->whole_tries.size() < min_inits && !init->partial.empty()) {
        find_partial_init(scene, *init, out);
        return;
    }
    if (init->whole_tries.size() < min_inits || !view.real_client) return;
    const bool left = has_left(*init);
    auto& draft =
        out.add("D09",
                left ? Actor::server : Actor::server_network,
                confidence_of(view, Confidence::high))
            .with("exchange", exchange_text(init->exchange))
            .with("count", count_text(init->whole_tries.size()))
            .with("times", offsets_text(init->whole_tries, view.start))
            .with("how", "")
            .with("hint",
                  "UDP 500 is not forwarded to the server, or the IKE service is down: check the "
                  "DNAT rule, the server's own firewall and the service.");
    cite(draft, *init, view.start);
}

struct Missing {
    std::size_t same_network = 0;
    std::size_t missing = 0;
    std::size_t attempts = 0;
};

Missing count_missing(const Scene& scene) {
    Missing count;
    const auto network = client_network_of(scene.view.handshake.client.address);
    for (const auto& mark : scene.server.marks()) {
        if (!mark.real) continue;
        // Attempts that are too young to judge are not attempts yet.
        if (!mark.over && !mark.never_arrived && scene.view.now - mark.time < auth_wait) continue;
        ++count.attempts;
        if (!mark.never_arrived) continue;
        ++count.missing;
        if (network.contains(mark.client)) ++count.same_network;
    }
    return count;
}

void find_never_arrived(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto& handshake = view.handshake;
    const auto* init = view.init();
    if (init == nullptr || init->direction != Direction::to_server || view.init_answer == nullptr ||
        view.went_on() || !view.real_client)
        return;
    const auto quiet = view.now - view.init_answer->time;
    if (quiet < auth_wait || (!init->tries.empty() && init->tries.back() > view.init_answer->time))
        return;
    const auto* tails =
        scene.sums.tails(handshake.client.address, handshake.server.address, view.now);
    if (!view.tails.empty() || !view.answer_tails.empty() ||
        (tails != nullptr && tails->last_time > view.init_answer->time))
        return;
    scene.server.mark(handshake.number, view.now).never_arrived = true;
    const auto count = count_missing(scene);
    if (count.same_network < min_clients && count.missing * 5 < count.attempts) return;
    const auto confidence = count.same_network >= min_clients || count.missing >= min_clients
                                ? Confidence::high
                            : count.missing > 1 ? Confidence::medium
                                                : Confidence::low;
    auto& draft =
        out.add("D06", Actor::client_network, confidence_of(view, confidence))
            .with("silence", seconds_text(quiet))
            .with("others",
                  count.missing > 1 ? "; so did " + std::to_string(count.missing) + " of " +
                                          number_text(count.attempts, "attempt") + " in 15 minutes"
                                    : std::string());
    cite(draft, *init, view.start);
    draft.evidence.push_back(evidence_text(*view.init_answer, view.start));
    draft.evidence.push_back("nothing with this initiator SPI for " + seconds_text(quiet));
}

bool anything_after(const View& view, const Step& step) {
    return std::ranges::any_of(view.handshake.messages, [&](const MessageRecord& message) {
        return message.direction != step.direction && message.time > step.tries.front();
    });
}

bool is_later_round(const View& view, const Step& step) {
    return std::ranges::any_of(view.steps, [&](const Step& other) {
        return other.auth && other.is_answered() &&
               other.exchange.message_id < step.exchange.message_id;
    });
}

/// The step that came in full, again and again, and got nothing back; null if none.
const Step* unanswered_step(const View& view) {
    for (const auto& step : view.steps) {
        if (step.init || step.direction != Direction::to_server || !step.answer_expected ||
            step.exchange.type == intermediate)
            continue;
        if (!step.arrived() || !step.answered.empty() || anything_after(view, step)) continue;
        const auto whole =
            step.set != nullptr && step.set->complete ? step.tries.size() : step.whole_tries.size();
        if (whole < min_repeats + 1) continue;
        const auto wait =
            is_later_round(view, step) && !view.handshake.ended ? eap_wait : answer_wait;
        if (view.now - step.tries.front() >= wait) return &step;
    }
    return nullptr;
}

/// What known receivers take, as far as this message goes beyond it; empty: within all limits.
std::string exceeded_limits(const Step& step) {
    constexpr std::uint32_t strongswan_bytes = 10000;
    const bool by_ike = step.set != nullptr && step.set->complete;
    const auto total = by_ike ? step.set->total : std::uint16_t{0};
    const auto bytes = by_ike ? step.set->bytes : step.best().message_bytes;
    std::string text;
    if (total > 255)
        text = "strongSwan 255 fragments, libreswan 32";
    else if (total > 64)
        text = "some 64 fragments, libreswan 32";
    else if (total > 32)
        text = "libreswan 32 fragments";
    else if (total > 16)
        text = "older libreswan 16 fragments";
    if (bytes > strongswan_bytes)
        text += std::string(text.empty() ? "" : "; ") + "strongSwan 10000 octets";
    return text;
}

std::string stack_hint(const View& view, const Step& step, bool left) {
    const auto& vendor = view.handshake.server_side.vendor;
    if (step.set == nullptr && step.best().ip_fragments > 0)
        return std::string(left ? " It left in IP fragments" : " It came in IP fragments") +
               ": if a device between here and the server drops those, the server never had it "
               "whole; IKE fragmentation avoids them. Server: " +
               server_on_text(vendor, view.handshake.client_side.vendor);
    if (vendor == "windows")
        return " Windows: event log 'RemoteAccess' and 'RasClient' 20227; the NPS server's log.";
    if (vendor == "strongswan")
        return " strongSwan: journalctl -u strongswan; it takes at most 255 fragments and "
               "charon.max_packet octets.";
    if (vendor == "libreswan") return " libreswan: it takes at most 32 fragments.";
    return "";
}

void find_unanswered(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    const auto* step = unanswered_step(view);
    if (step == nullptr) return;
    const bool left = has_left(*step);
    const auto limits = exceeded_limits(*step);
    const auto times = step->set != nullptr ? step->tries : step->whole_tries;
    if (step->marked) scene.server.mark(view.handshake.number, view.now).unanswered = true;
    if (!limits.empty()) {
        const bool by_ike = step->set != nullptr && step->set->complete;
        const auto bytes = by_ike ? step->set->bytes : step->best().message_bytes;
        auto& draft = out.add("D16", Actor::server, confidence_of(view, Confidence::medium))
                          .with("exchange", exchange_text(step->exchange))
                          .with("pieces",
                                by_ike ? pieces_text(step->set->total, step->set->transport)
                                       : pieces_text(step->best().ip_fragments, Transport::ip))
                          .with("size", std::to_string(bytes))
                          .with("limits", limits)
                          .with("room", std::to_string((bytes / 10000 + 1) * 20000))
                          .with("mtu", "1400");
        cite(draft, *step, view.start);
    }
    auto& draft = out.add("D07",
                          left ? Actor::server : Actor::server_network,
                          confidence_of(view, left ? Confidence::high : Confidence::medium))
                      .with("exchange", exchange_text(step->exchange))
                      .with("how", how_text(*step))
                      .with("count", count_text(times.size()))
                      .with("times", offsets_text(times, view.start))
                      .with("passed", left ? "left this firewall" : "was passed on")
                      .with("stack_hint", stack_hint(view, *step, left));
    cite(draft, *step, view.start);
}

void find_dead_port(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    if (!out.has("D07")) return;
    std::set<IpAddress> clients;
    for (const auto& mark : scene.server.marks()) {
        if (view.now - mark.time > dead_window) continue;
        if (mark.established) return;
        if (mark.unanswered) clients.insert(mark.client);
    }
    if (clients.size() < min_clients ||
        !tell(scene.server.dead_told, view.handshake.number, view.now, dead_pause))
        return;
    const bool left = view.seen_leaving(Direction::to_server);
    auto& draft = out.add("D08",
                          left ? Actor::server : Actor::server_network,
                          confidence_of(view, Confidence::high))
                      .with("clients", std::to_string(clients.size()))
                      .with("passed_hint",
                            left ? "The requests left this firewall towards the server."
                                 : "Whether they left this firewall was not seen.");
    for (const auto& client : clients)
        if (draft.evidence.size() < max_lines)
            draft.evidence.push_back("IKE_AUTH of " + to_string(client) +
                                     " on UDP 4500 unanswered");
}

void find_stuck_intermediate(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    for (const auto& step : view.steps) {
        if (step.exchange.version != 2 || step.exchange.type != intermediate ||
            step.direction != Direction::to_server || step.repeats() < min_repeats)
            continue;
        const bool progressed = std::ranges::any_of(view.steps, [&](const Step& other) {
            return other.exchange.message_id > step.exchange.message_id &&
                   other.direction == step.direction;
        });
        if (progressed) continue;
        const bool partial = !step.arrived();
        auto& draft =
            out.add("D18",
                    partial ? Actor::client_network : Actor::server,
                    confidence_of(view, Confidence::high))
                .with("how", partial ? std::string("which arrived only in part") : how_text(step))
                .with("count", count_text(step.repeats()))
                .with("times", offsets_text(step.tries, view.start));
        cite(draft, step, view.start);
        if (step.answer_set != nullptr)
            draft.evidence.push_back(evidence_text(*step.answer_set, view.start));
        return;
    }
}

} // namespace

void find_silence(const Scene& scene, Drafts& out) {
    const auto& view = scene.view;
    if (view.established || !view.silence_known) return;
    find_stuck_intermediate(scene, out);
    find_never_answered_init(scene, out);
    find_never_arrived(scene, out);
    find_unanswered(scene, out);
    find_dead_port(scene, out);
}

} // namespace ikefrag
