// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/state.hpp"
#include "plugin/wire/udp.hpp"

#include <algorithm>
#include <utility>

namespace ikefrag {

namespace {

constexpr std::size_t max_icmp = 16;
/// Who waits for an answer asks again within this time; what is lost or quoted is of who spoke
/// then.
constexpr auto speaks_again = std::chrono::seconds(10);
constexpr std::uint32_t lowest_mtu_v4 = 68;
constexpr std::uint32_t believed_mtu_v4 = 576;
constexpr std::uint32_t lowest_mtu_v6 = 1280;

enum class IcmpKind : std::uint8_t { frag_needed, reassembly_timeout, unreachable, other };

IcmpKind kind_of(const IcmpSeen& seen) noexcept {
    const auto type = seen.type;
    if (seen.reporter.family == Family::ipv4) {
        if (type == 3) return seen.code == 4 ? IcmpKind::frag_needed : IcmpKind::unreachable;
        return type == 11 && seen.code == 1 ? IcmpKind::reassembly_timeout : IcmpKind::other;
    }
    if (type == 2) return IcmpKind::frag_needed;
    if (type == 3 && seen.code == 1) return IcmpKind::reassembly_timeout;
    return type == 1 ? IcmpKind::unreachable : IcmpKind::other;
}

/// A next-hop MTU that can be true: as small as links get, and smaller than what did not fit.
bool is_believable(const IcmpSeen& seen) noexcept {
    const auto least = seen.reporter.family == Family::ipv4 ? believed_mtu_v4 : lowest_mtu_v6;
    return seen.mtu >= least && (seen.quoted_bytes == 0 || seen.mtu < seen.quoted_bytes);
}

bool is_absurd(const IcmpSeen& seen) noexcept {
    return seen.reporter.family == Family::ipv4 ? seen.mtu < lowest_mtu_v4
                                                : seen.mtu < lowest_mtu_v6;
}

/// Whether a UDP Length field, which stays the same however a path cuts the datagram, is that of a
/// message. Of one that was lost it is not kept whether the marker stood before it.
bool has_udp_length(const MessageRecord& record, std::uint32_t udp_bytes) noexcept {
    const auto plain = UdpHeader::size_bytes + record.message_bytes;
    const bool maybe_marked = record.marked || !record.complete;
    return (udp_bytes == plain && !record.marked) ||
           (udp_bytes == plain + marker_bytes && maybe_marked);
}

/// The message of the timeline whose addresses and ports an ICMP error quotes, or null. Where it
/// quotes no SPI the length must be the message's too: addresses and ports anyone can guess.
const MessageRecord* find_quoted_message(const Handshake& handshake, const IcmpItem& item) {
    const auto& messages = handshake.messages;
    const auto& seen = item.seen;
    const auto found =
        std::find_if(messages.rbegin(), messages.rend(), [&](const MessageRecord& record) {
            if (!item.quoted_spi && !has_udp_length(record, seen.quoted_udp_bytes)) return false;
            const bool as_seen = record.source == seen.quoted_source &&
                                 record.destination == seen.quoted_destination;
            const auto& left_source = record.left_source.value_or(record.source);
            const auto& left_destination = record.left_destination.value_or(record.destination);
            return as_seen || (left_source == seen.quoted_source &&
                               left_destination == seen.quoted_destination);
        });
    return found == messages.rend() ? nullptr : &*found;
}

/// In progress, or ended and not silent for longer than one in progress may be.
bool is_live(const Handshake& handshake, TimePoint time) noexcept {
    return !handshake.ended || time - handshake.last_time <= idle_end;
}

TimePoint came_at(const DatagramLost& lost, TimePoint told) noexcept {
    return lost.first_time == TimePoint{} ? told : lost.first_time;
}

/// Whether the initiator asked, or was answered, in full since then. A loss is told when its hold
/// ends: what was sent again meanwhile says more.
bool went_on_since(const Handshake& handshake, TimePoint came) {
    return std::any_of(
        handshake.messages.begin(), handshake.messages.end(), [came](const MessageRecord& record) {
            return record.complete && !record.unasked && record.time > came &&
                   record.from_initiator == (record.role == Role::request);
        });
}

/// Whether a request is of the exchange after the latest one, not of one before it told late.
bool begins_next(const Asked& asked, const IkeHeader& header) noexcept {
    if (!asked.any) return true;
    const bool other_type = asked.type != header.exchange_type;
    if (header.major == 1) return other_type;
    return header.message_id > asked.message_id ||
           (header.message_id == asked.message_id && other_type);
}

/// Whether the exchange may have more than one request: IKEv1's phase 1 has message ID 0
/// throughout, IKE_SA_INIT is begun anew with a cookie or another group.
bool has_many_requests(const IkeHeader& header) noexcept {
    return is_opening_exchange(header.major, header.exchange_type);
}

} // namespace

// Datagrams that never became whole -------------------------------------------------------------

void Tracker::State::follow_lost(const LostItem& item, TimePoint time, Leg leg) {
    if (!item.facts) {
        follow_tail(item, time, leg);
        return;
    }
    const auto& header = item.facts->header;
    auto index = handshakes.find(header.initiator_spi, header.major);
    const Endpoint source{item.lost.source, item.lost.source_port};
    const Endpoint destination{item.lost.destination, item.lost.destination_port};
    if (index == no_index) {
        const bool begins = is_opening_exchange(header.major, header.exchange_type) &&
                            !header.is_response() && is_zero(header.responder_spi);
        if (!begins) {
            diagnostician.stray(item.lost, time);
            take_steps();
            return;
        }
        // It began when its first fragment came, not when the hold ended.
        index = add_handshake(*item.facts, source, destination, came_at(item.lost, time));
    }
    const auto& handshake = handshakes.at(index).handshake;
    const bool from_client =
        is_from_client(handshake, header, item.lost.source, item.lost.destination);
    apply_lost(index, item, from_client, time, leg);
}

/// Tails alone name no handshake; an attempt between the two addresses that waits for more is the
/// one they belong to. They are told when their hold ends: an attempt begun since they came, say
/// after a first one was given up, has nothing to do with them.
void Tracker::State::follow_tail(const LostItem& item, TimePoint time, Leg leg) {
    const auto& lost = item.lost;
    const auto came = came_at(lost, time);
    auto silent = no_index; // whose it is where nobody spoke just now and waits for an answer
    const auto waits = [&](std::uint32_t at) {
        const auto& attempt = handshakes.at(at).handshake;
        if (attempt.ended || attempt.first_time > came) return false;
        if (silent == no_index) silent = at;
        return !attempt.auth_answered && came - attempt.last_time <= speaks_again;
    };
    auto index = handshakes.find_pair(keys.of_pair(lost.source, lost.destination), waits);
    if (index == no_index) index = silent;
    const bool not_ike = lost.packet_class && *lost.packet_class != PacketClass::ike;
    if (index == no_index || not_ike) {
        diagnostician.stray(lost, time);
        take_steps();
        return;
    }
    const auto& handshake = handshakes.at(index).handshake;
    const bool from_client =
        lost.source == handshake.client.address || lost.destination == handshake.server.address;
    apply_lost(index, item, from_client, time, leg);
}

void Tracker::State::apply_lost(
    std::uint32_t index, const LostItem& item, bool from_client, TimePoint time, Leg leg) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const auto& lost = item.lost;
    MessageRecord record;
    record.time = came_at(lost, time);
    record.leg = leg;
    record.exchange.version = handshake.version;
    record.direction = from_client ? Direction::to_server : Direction::to_peer;
    record.from_initiator = from_client == handshake.client_is_initiator;
    record.role = record.from_initiator ? Role::request : Role::response;
    record.transport = Transport::ip;
    record.complete = false;
    record.refused = lost.reason != Reason::timeout && lost.enforced;
    record.reason = lost.reason;
    record.first_seen = lost.first_seen;
    record.last_seen = lost.last_seen;
    record.ip_fragments = lost.fragments;
    record.message_bytes = lost.message_bytes;
    record.datagram_bytes = lost.bytes;
    record.first_fragment_bytes = lost.first_fragment_bytes;
    record.source = {lost.source, lost.source_port};
    record.destination = {lost.destination, lost.destination_port};
    if (item.facts) {
        const auto& header = item.facts->header;
        record.exchange = {header.major, header.exchange_type, header.message_id};
        if (header.major == 2) record.role = header.is_response() ? Role::response : Role::request;
        record.notes = item.facts->notes;
        record.skf_number = item.facts->fragment.number;
        record.skf_total = item.facts->fragment.total;
        record.head_digest = item.facts->head_digest;
        record.message_bytes = header.length;
        if (item.facts->is_skf) record.transport = Transport::skf;
    }
    record.retransmit =
        item.facts && std::any_of(handshake.messages.begin(),
                                  handshake.messages.end(),
                                  [&record](const MessageRecord& earlier) {
                                      return earlier.head_digest == record.head_digest &&
                                             earlier.exchange == record.exchange &&
                                             earlier.direction == record.direction;
                                  });
    if (item.facts && from_client && record.from_initiator &&
        is_stranger_opening(entry, item.facts->header, lost.source)) {
        record.unasked = true;
    } else if (record.role == Role::response) {
        entry.asked[record.from_initiator ? 1 : 0].answer_part = true;
    } else if (!item.facts) {
        if (record.from_initiator && !went_on_since(handshake, record.time))
            entry.tail_pending = true;
    } else {
        apply_lost_request(index, item.facts->header, record, time);
    }
    handshake.last_time = std::max(handshake.last_time, record.time);
    handshakes.touch(index);
    append(entry, record);
    if (!leaving_.empty()) join_waiting(handshake);
    if (lost.first_seen && item.facts)
        note_path_mtu(entry, record.direction, lost.first_fragment_bytes, time);
    request_review(index, time);
    evict();
}

void Tracker::State::apply_lost_request(std::uint32_t index,
                                        const IkeHeader& header,
                                        const MessageRecord& record,
                                        TimePoint time) {
    auto& entry = handshakes.at(index);
    const auto& handshake = entry.handshake;
    auto& asked = entry.asked[record.from_initiator ? 0 : 1];
    if (begins_next(asked, header)) {
        if (header.message_id > asked.message_id) doubt_view(entry, asked, time);
        reopen(index);
        asked = {.message_id = header.message_id, .type = header.exchange_type, .any = true};
        if (record.from_initiator) entry.answer = Answer::none;
    } else if (record.from_initiator && has_many_requests(header) && !record.retransmit &&
               !went_on_since(handshake, record.time)) {
        if (header.major == 1 && !is_zero(header.responder_spi)) doubt_view(entry, asked, time);
        reopen(index);
        entry.tail_pending = true;
    }
    if (header.major == 2 && !is_opening_exchange(2, header.exchange_type))
        choose_answer(entry, header);
    if (is_auth_exchange(header.exchange_type)) set_stage(entry, Stage::auth);
    if (record.direction == Direction::to_server && handshake.init_answered &&
        header.responder_spi == handshake.responder_spi)
        prove(index, record.source.address, record.destination.address, time);
}

// ICMP ------------------------------------------------------------------------------------------

std::uint32_t Tracker::State::find_quoted(const IcmpItem& item, TimePoint time) const {
    const auto& seen = item.seen;
    if (item.quoted_spi) {
        for (const auto version : {std::uint8_t{2}, std::uint8_t{1}})
            if (const auto index = handshakes.find(*item.quoted_spi, version);
                index != no_index && is_live(handshakes.at(index).handshake, time))
                return index;
        return no_index;
    }
    const auto pair = keys.of_pair(seen.quoted_source.address, seen.quoted_destination.address);
    auto silent = no_index; // what it is about where nobody spoke just now
    const auto index = handshakes.find_pair(pair, [&](std::uint32_t at) {
        const auto& handshake = handshakes.at(at).handshake;
        if (!is_live(handshake, time) || find_quoted_message(handshake, item) == nullptr)
            return false;
        if (silent == no_index) silent = at;
        return time - handshake.last_time <= speaks_again;
    });
    return index == no_index ? silent : index;
}

/// Believed only if it quotes what we saw of a live handshake: the SPI, or where it quotes less,
/// the ports and the length of one of its messages.
void Tracker::State::follow_icmp(const IcmpItem& item, TimePoint time) {
    const auto& seen = item.seen;
    const auto kind = kind_of(seen);
    if (kind == IcmpKind::other) return;
    const auto family = seen.reporter.family;
    ++totals_.icmp[ikefrag::index(family)][static_cast<std::size_t>(kind)];
    const auto index = find_quoted(item, time);
    if (index == no_index) return;
    auto& entry = handshakes.at(index);
    const auto* quoted = find_quoted_message(entry.handshake, item);
    if (quoted == nullptr) return;
    if (kind == IcmpKind::frag_needed && is_absurd(seen)) return;
    auto& records = entry.handshake.icmp;
    if (records.size() < max_icmp)
        records.push_back({.time = time,
                           .reporter = seen.reporter,
                           .type = seen.type,
                           .code = seen.code,
                           .family = family,
                           .mtu = seen.mtu,
                           .direction = quoted->direction});
    if (kind == IcmpKind::frag_needed && is_believable(seen))
        note_path_mtu(entry, quoted->direction, seen.mtu, time);
    request_review(index, time);
}

// ESP -------------------------------------------------------------------------------------------

/// ESP between two addresses shows that the newest handshake there whose IKE_AUTH was answered
/// made an SA; in UDP its ports tell which of many behind one NAT.
void Tracker::State::follow_esp(const EspSeen& seen, TimePoint time) {
    const auto source = static_cast<std::uint32_t>(keys.of(seen.source));
    const auto destination = static_cast<std::uint32_t>(keys.of(seen.destination));
    const auto pair = keys.of_pair(seen.source.address, seen.destination.address);
    const auto index = handshakes.find_pair(pair, [&](std::uint32_t at) {
        const auto& entry = handshakes.at(at);
        const bool same_ports =
            seen.source.port == 0 ||
            (entry.client_endpoint == source && entry.server_endpoint == destination) ||
            (entry.client_endpoint == destination && entry.server_endpoint == source);
        return same_ports && (entry.handshake.auth_answered || entry.evidence != Basis::none);
    });
    if (index == no_index) return;
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    handshake.esp_seen = true;
    const bool accepted = handshake.version == 1 || entry.answer_bytes > refusal_bytes;
    if (handshake.auth_answered && accepted && entry.answer != Answer::refusal)
        establish(index, Basis::esp, time);
}

} // namespace ikefrag
