// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/state.hpp"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ikefrag {

namespace {

/// A peer's row is written anew at least so often while it is seen.
constexpr auto seen_again_after = std::chrono::hours(1);

/// What a peer can do, after one more handshake, of this version, showed `now`.
///
/// A server echoes 16430 only to a client that offers it (DIAGNOSES §1.3), so its silence towards
/// one that does not takes nothing back. Neither does what it says in the other version of IKE:
/// who speaks both would change with every handshake.
Fragmentation
learned(Fragmentation before, Fragmentation now, std::uint8_t version, bool was_asked) noexcept {
    if (now == Fragmentation::unknown) return before;
    const bool by_version2 = before == Fragmentation::ike || before == Fragmentation::cisco;
    if (version == 1 && by_version2) return before;
    if (version == 2 && before == Fragmentation::v1 && now == Fragmentation::none) return before;
    if (now == Fragmentation::none && !was_asked && before != Fragmentation::unknown) return before;
    return now;
}

/// The same of IKE_INTERMEDIATE: only version 2 has it, and a server names it to none but those who
/// do (RFC 9242 §3.1).
std::optional<bool>
learned(std::optional<bool> before, std::optional<bool> now, bool was_asked) noexcept {
    return !now || (!*now && !was_asked) ? before : now;
}

/// Whether a side named IKE_INTERMEDIATE; empty where no IKE_SA_INIT of it was read to its end.
std::optional<bool> names_intermediate(const SideFacts& side, std::uint8_t version) noexcept {
    if (side.intermediate_supported) return true;
    if (version != 2 || side.fragmentation == Fragmentation::unknown) return std::nullopt;
    return false;
}

} // namespace

/// Whether a request that names the responder's SPI shows that the client receives: it comes from
/// where that SPI was sent to, and to nobody else, and goes to who sent it. A server gives its
/// answer again to whoever repeats the bytes it answered, from any address: then to know the SPI
/// shows nothing, nor does the source of a packet.
bool Tracker::State::shows_itself(const Handshake& handshake,
                                  const IpAddress& source,
                                  const IpAddress& destination) {
    if (source != handshake.client.address || destination != handshake.server.address) return false;
    const auto& messages = handshake.messages;
    const auto is_answer = [&handshake](const MessageRecord& record) {
        return record.role == Role::response && !record.from_initiator &&
               is_opening_exchange(handshake.version, record.exchange.type);
    };
    const auto reached_opener = [&handshake](const MessageRecord& record) {
        const auto& end = record.left_destination.value_or(record.destination);
        return end.address == opener_of(handshake).address;
    };
    const auto is_secret = [&](const MessageRecord& answer) {
        return std::none_of(messages.begin(), messages.end(), [&](const MessageRecord& other) {
            return other.head_digest == answer.head_digest && is_answer(other) &&
                   !reached_opener(other);
        });
    };
    return handshake.messages_forgotten == 0 &&
           std::any_of(messages.begin(), messages.end(), [&](const MessageRecord& record) {
               const bool is_real = handshake.version == 1 || record.notes.has(Note::nonce);
               return is_answer(record) && is_real && record.complete && !record.unasked &&
                      !record.refused && is_secret(record);
           });
}

/// The client has shown that it receives: now, and not before, what both sides said is stored.
void Tracker::State::prove(std::uint32_t index,
                           const IpAddress& source,
                           const IpAddress& destination,
                           TimePoint time) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    if (handshake.proven || !shows_itself(handshake, source, destination)) return;
    handshake.proven = true;
    handshakes.promote(index);
    if (handshake.probe) return;
    store_peer(entry, PeerRole::client, time);
    store_peer(entry, PeerRole::server, time);
    proven_changed_ = true;
    if (handshake.client_side.fragmentation == Fragmentation::ike)
        tally_of(handshake).counts.fragmentation_supported =
            handshake.server_side.fragmentation == Fragmentation::ike;
    for (const auto direction : {Direction::to_server, Direction::to_peer})
        if (const auto bytes = handshake.path_mtu_bytes[ikefrag::index(direction)]; bytes != 0)
            tally_of(handshake).path_mtu[ikefrag::index(direction)].add(bytes, time);
    note_peer_mtu(entry, time);
}

void Tracker::State::store_peer(const Entry& entry, PeerRole role, TimePoint time) {
    const auto& handshake = entry.handshake;
    const bool is_client = role == PeerRole::client;
    const auto& side = is_client ? handshake.client_side : handshake.server_side;
    const auto& address = (is_client ? handshake.client : handshake.server).address;
    auto* known = peers.find(address);
    if (known == nullptr) {
        Peer peer;
        peer.address = address;
        peer.first_seen = peer.last_seen = time;
        const auto facts = transition_of(address, *policy);
        peer.transition = facts.transition;
        peer.embedded = facts.embedded;
        auto added = peers.add(peer);
        known = added.entry;
        if (added.evicted) note_evicted(*added.evicted, time);
    } else {
        peers.touch(*known);
        count_peer(*known, false);
    }
    auto& peer = known->peer;
    const auto before = peer.capability;
    const auto& asking = handshake.client_side;
    const bool asked_fragmentation = is_client || asking.fragmentation == Fragmentation::ike ||
                                     asking.fragmentation == Fragmentation::v1;
    const bool is_news = peer.role != role || time - peer.last_seen >= seen_again_after ||
                         peer.first_seen == time ||
                         (!side.vendor.empty() && side.vendor != peer.vendor) ||
                         server_name(handshake.server_index) != peer.server;
    peer.role = role;
    peer.server = server_name(handshake.server_index);
    peer.capability = {
        .fragmentation = learned(
            before.fragmentation, side.fragmentation, handshake.version, asked_fragmentation),
        .intermediate = learned(before.intermediate,
                                names_intermediate(side, handshake.version),
                                is_client || asking.intermediate_supported)};
    if (!side.vendor.empty()) peer.vendor = side.vendor;
    peer.last_seen = std::max(peer.last_seen, time);
    known->server =
        static_cast<std::uint16_t>(handshake.server_index.value_or(tallies_.size() - 1));
    count_peer(*known, true);
    const auto& after = peer.capability;
    // The first is the beginning of its history, and no change.
    if (before.fragmentation != Fragmentation::unknown &&
        before.fragmentation != after.fragmentation)
        peer.fragmentation_changed = time;
    if (before.intermediate && before.intermediate != after.intermediate)
        peer.intermediate_changed = time;
    if (before != after) emit(time, CapabilityChanged{address, role, before, after});
    if (is_news || before != after) emit(time, PeerChanged{address});
}

void Tracker::State::note_evicted(const PeerEntry& entry, TimePoint time) {
    ++totals_.evicted_peers;
    count_peer(entry, false);
    emit(time, PeerForgotten{entry.peer.address});
}

void Tracker::State::count_peer(const PeerEntry& entry, bool add) {
    if (entry.server >= tallies_.size()) return;
    auto& counts = tallies_[entry.server].counts;
    const auto step = [add](std::uint64_t& count) {
        if (add) {
            ++count;
        } else if (count > 0) {
            --count;
        }
    };
    step(counts.peers_by_fragmentation[index(entry.peer.capability.fragmentation)]);
    step(counts.peers_by_transition[index(entry.peer.transition)]);
    step(counts.peers_by_vendor[entry.peer.vendor]);
}

/// Counts how a handshake ended: for its server, and for the peers that are stored. Once, but for
/// one that was taken for failed (a user who looked for the code for more than a minute) and then
/// succeeds: that is a success. Its server's counters of failures do not go back, a peer's do.
///
/// Out:     whether it was counted
bool Tracker::State::note_end(Entry& entry, TimePoint time) {
    const auto& handshake = entry.handshake;
    const bool established = handshake.outcome == Outcome::established;
    const bool was_failed = entry.counted == Outcome::failed;
    const bool is_news = entry.counted == Outcome::in_progress || (was_failed && established);
    if (handshake.probe || handshake.mid_stream || !is_news) return false;
    auto& counts = tally_of(handshake).counts;
    if (established) {
        ++counts.completed[handshake.version];
        const auto end = handshake.auth_answered.value_or(handshake.last_time);
        const auto took = std::chrono::duration<double>(end - handshake.first_time).count();
        count_in(counts.duration, duration_bounds, took);
        counts.duration_sum_seconds += took;
    } else if (handshake.outcome == Outcome::failed) {
        const auto* cause = diagnostician.cause_of(handshake.number);
        ++counts.failed[cause == nullptr ? "unnamed" : std::string(cause->diagnosis->slug)];
    } else {
        return false;
    }
    entry.counted = handshake.outcome;
    for (const auto* end : {&handshake.client, &handshake.server}) {
        auto* peer = handshake.proven ? peers.find(end->address) : nullptr;
        if (peer == nullptr) continue;
        ++(established ? peer->peer.handshakes_ok : peer->peer.handshakes_failed);
        if (was_failed && peer->peer.handshakes_failed > 0) --peer->peer.handshakes_failed;
        peer->peer.last_seen = std::max(peer->peer.last_seen, handshake.last_time);
        emit(time, PeerChanged{end->address});
    }
    return true;
}

void Tracker::State::note_path_mtu(Entry& entry,
                                   Direction direction,
                                   std::uint32_t bytes,
                                   TimePoint time) {
    if (bytes == 0) return;
    auto& known = entry.handshake.path_mtu_bytes[index(direction)];
    if (known == 0 || bytes < known) known = bytes;
    if (!entry.handshake.proven) return;
    tally_of(entry.handshake).path_mtu[index(direction)].add(bytes, time);
    note_peer_mtu(entry, time);
}

void Tracker::State::note_peer_mtu(const Entry& entry, TimePoint time) {
    auto* peer = peers.find(entry.handshake.client.address);
    if (peer == nullptr) return;
    for (const auto bytes : entry.handshake.path_mtu_bytes)
        if (bytes != 0) peer->path_mtu.add(bytes, time);
    peer->peer.path_mtu_bytes = peer->path_mtu.at(time);
}

void Tracker::State::restore_peer(const Peer& peer) {
    if (auto* known = peers.find(peer.address)) {
        // Read late: what was seen since the start goes on from what was known before it.
        auto& later = known->peer;
        if (later.first_seen <= peer.last_seen) return;
        later.first_seen = peer.first_seen;
        if (!later.capability.intermediate)
            later.capability.intermediate = peer.capability.intermediate;
        if (later.capability.fragmentation == Fragmentation::unknown) {
            count_peer(*known, false);
            later.capability.fragmentation = peer.capability.fragmentation;
            count_peer(*known, true);
        }
        if (!later.fragmentation_changed) later.fragmentation_changed = peer.fragmentation_changed;
        if (!later.intermediate_changed) later.intermediate_changed = peer.intermediate_changed;
        later.handshakes_ok += peer.handshakes_ok;
        later.handshakes_failed += peer.handshakes_failed;
        emit(now_, PeerChanged{peer.address});
        return;
    }
    if (peers.is_full()) return;
    const auto added = peers.add(peer);
    if (added.evicted) note_evicted(*added.evicted, now_);
    auto& entry = *added.entry;
    entry.peer.path_mtu_bytes = 0;
    const auto facts = transition_of(peer.address, *policy);
    entry.peer.transition = facts.transition;
    entry.peer.embedded = facts.embedded;
    const auto server = server_of(peer);
    entry.server = static_cast<std::uint16_t>(server.value_or(tallies_.size() - 1));
    entry.peer.server = server_name(server);
    count_peer(entry, true);
    proven_changed_ = true;
    const auto fragmentation = peer.capability.fragmentation;
    if (!server || peer.role != PeerRole::server || fragmentation == Fragmentation::unknown) return;
    // The board's answer of before the restart, until a handshake gives a newer one.
    auto& supported = tallies_[*server].counts.fragmentation_supported;
    if (!supported) supported = fragmentation == Fragmentation::ike;
}

std::string Tracker::State::server_name(std::optional<std::size_t> index) const {
    return index && *index < policy->servers.size() ? policy->servers[*index].name : std::string();
}

/// The server a remembered peer belongs to: it is one, or it spoke with one of that name. One of a
/// time when the name was not kept belongs to the only server there is.
std::optional<std::size_t> Tracker::State::server_of(const Peer& peer) const {
    if (const auto own = policy->server_of(peer.address)) return own;
    const auto& servers = policy->servers;
    for (std::size_t i = 0; i < servers.size(); ++i)
        if (peer.server && servers[i].name == *peer.server) return i;
    if (servers.size() == 1 && !peer.server) return 0;
    return std::nullopt;
}

bool Tracker::State::forget_peer(const IpAddress& address) {
    const auto* entry = peers.find(address);
    if (entry == nullptr) return false;
    count_peer(*entry, false);
    peers.remove(address);
    proven_changed_ = true;
    emit(now_, PeerForgotten{address});
    return true;
}

void Tracker::State::forget_peers_before(TimePoint time) {
    std::vector<IpAddress> old;
    peers.for_each([&](const PeerEntry& entry) {
        if (entry.peer.last_seen < time) old.push_back(entry.peer.address);
    });
    for (const auto& address : old) forget_peer(address);
}

std::shared_ptr<const std::vector<IpAddress>> Tracker::State::proven_sources() const {
    if (proven_changed_ || proven_ == nullptr) {
        proven_ =
            std::make_shared<const std::vector<IpAddress>>(peers.newest(limits.proven_sources));
        proven_changed_ = false;
    }
    return proven_;
}

} // namespace ikefrag
