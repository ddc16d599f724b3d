// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/tracker/state.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

namespace ikefrag {

namespace {

/// The same bytes again within this time are one packet shown twice (a capture on two interfaces,
/// a mirror port), not a retransmit: the shortest schedule known waits 500 ms.
constexpr auto doubled_within = std::chrono::milliseconds(20);
/// A fragmented message is stamped when its last fragment was read, its copy going out by the
/// kernel: that may seem to leave a little before it came.
constexpr auto leaves_before = std::chrono::milliseconds(20);
constexpr auto leaving_waits = std::chrono::milliseconds(100);
constexpr std::size_t max_leaving = 64;
/// IKE_SA_INIT, IKE_AUTH, one more exchange.
constexpr std::size_t usual_messages = 6;
constexpr std::uint8_t ike_sa_init = 34;

Transport transport_of(const MessageItem& item) noexcept {
    if (item.facts && item.facts->is_skf) return Transport::skf;
    if (item.facts && item.facts->is_vendor_fragment)
        return item.facts->header.major == 1 ? Transport::v1 : Transport::cisco;
    return item.seen.ip_fragments > 0 ? Transport::ip : Transport::whole;
}

/// The latest complete message of the same bytes from the same side, or null.
MessageRecord* find_repeat(Handshake& handshake, const Sighting& sighting) noexcept {
    const auto exchange = sighting.exchange();
    const auto found = std::find_if(
        handshake.messages.rbegin(), handshake.messages.rend(), [&](const MessageRecord& record) {
            return record.complete && record.digest == sighting.facts.digest &&
                   record.exchange == exchange && record.from_initiator == sighting.from_initiator;
        });
    return found == handshake.messages.rend() ? nullptr : &*found;
}

/// Totals are by IKEv2's numbers; of IKEv1's only those that mean the same have a row there.
std::uint16_t counted_as(std::uint8_t version, std::uint16_t type) noexcept {
    const auto name = notify_name(version, type);
    return name.empty() || name != notify_name(2, type) ? std::uint16_t{0} : type;
}

void keep_telling(const OpeningFacts& opening, MessageRecord& record) noexcept {
    auto* free = record.notifies.begin();
    for (const auto type : opening.notifies) {
        if (free == record.notifies.end()) return;
        if (!is_telling_notify(record.exchange.version, type)) continue;
        if (std::find(record.notifies.begin(), free, type) == free) *free++ = type;
    }
}

MessageRecord record_of(const Sighting& sighting) noexcept {
    const auto& [item, facts] = std::tie(sighting.item, sighting.facts);
    MessageRecord record;
    record.time = sighting.time;
    record.leg = sighting.leg;
    record.exchange = sighting.exchange();
    record.direction = sighting.direction();
    record.role = sighting.role;
    record.from_initiator = sighting.from_initiator;
    record.transport = sighting.transport;
    record.refused = item.seen.refused;
    record.reason = item.seen.reason;
    record.marked = item.seen.marked;
    record.reordered = item.seen.reordered;
    record.ip_fragments = item.seen.ip_fragments;
    record.skf_number = facts.fragment.number;
    record.skf_total = facts.fragment.total;
    record.message_bytes = facts.header.length;
    record.datagram_bytes = item.seen.datagram_bytes;
    record.first_fragment_bytes = item.seen.first_fragment_bytes;
    record.digest = facts.digest;
    record.head_digest = facts.head_digest;
    record.wanted_group = facts.wanted_group;
    record.key_group = facts.key_group;
    record.error_notify = facts.error_notify;
    record.windows_error = facts.windows_error;
    if (sighting.opening != nullptr) keep_telling(*sighting.opening, record);
    record.notes = facts.notes;
    record.source = item.seen.source;
    record.destination = item.seen.destination;
    record.interface = item.seen.interface;
    return record;
}

} // namespace

void Tracker::State::follow_message(const MessageItem& item, TimePoint time, Leg leg) {
    if (leg == Leg::postrouting) {
        join_leaving(item, time);
        return;
    }
    const auto* opening = item.opening == no_index ? nullptr : &openings_.at(item.opening);
    const auto& [source, destination] = std::tie(item.seen.source, item.seen.destination);
    if (!item.facts) {
        count_message(item, opening, tally_of(source.address, destination.address));
        return;
    }
    const auto& facts = *item.facts;
    auto index = handshakes.find(facts.header.initiator_spi, facts.header.major);
    if (index == no_index) index = add_handshake(facts, source, destination, time);
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    count_message(item, opening, tally_of(handshake));

    Sighting sighting{.item = item, .facts = facts, .opening = opening, .time = time, .leg = leg};
    sighting.from_client =
        is_from_client(handshake, facts.header, source.address, destination.address);
    sighting.from_initiator = facts.header.major == 1
                                  ? sighting.from_client == handshake.client_is_initiator
                                  : facts.header.is_from_initiator();
    const bool is_response =
        facts.header.major == 1 ? !sighting.from_initiator : facts.header.is_response();
    sighting.role = is_response ? Role::response : Role::request;
    sighting.transport = transport_of(item);

    auto* repeated = find_repeat(handshake, sighting);
    // A capture may have a packet before and behind a NAT, a daemon is shown it before alone: what
    // opens with another client's bytes is another client. MOBIKE asks from several addresses.
    const auto client_end = [&](const Endpoint& from, const Endpoint& to) {
        return (sighting.from_client ? from : to).address;
    };
    const bool of_another =
        repeated != nullptr && live_since &&
        is_opening_exchange(facts.header.major, facts.header.exchange_type) &&
        client_end(source, destination) != client_end(repeated->source, repeated->destination);
    if (repeated != nullptr && !of_another &&
        time - std::max(repeated->time, repeated->left_time.value_or(repeated->time)) <
            doubled_within) {
        const bool rewritten = repeated->source != source || repeated->destination != destination;
        if (rewritten && !repeated->left_time) {
            repeated->left_time = time;
            repeated->left_source = source;
            repeated->left_destination = destination;
        }
        return;
    }
    sighting.repeat = repeated != nullptr;
    handshake.last_time = time;
    handshakes.touch(index);
    apply(index, sighting);

    auto record = record_of(sighting);
    record.unasked = sighting.unasked;
    const bool of_stranger = sighting.unasked && sighting.role == Role::request;
    const bool counts_as_retransmit = sighting.repeat && record.skf_number <= 1 && !of_stranger;
    record.retransmit = counts_as_retransmit;
    append(entry, record);
    if (!leaving_.empty()) join_waiting(handshake);
    if (counts_as_retransmit) count_retransmit(entry, sighting);
    if (record.ip_fragments > 0 && !sighting.unasked)
        note_path_mtu(entry, record.direction, record.first_fragment_bytes, time);
    // A single whole request that nobody answered yet has nothing to tell.
    const bool nothing_to_say = handshake.messages.size() == 1 && record.ip_fragments == 0 &&
                                !record.refused && record.role == Role::request;
    if (!handshake.ended && !nothing_to_say) request_review(index, time);
    evict();
}

/// A packet seen going out is the one seen coming in: its time and, behind NAT, its addresses.
bool Tracker::State::join(Handshake& handshake, const Leaving& leaving) {
    const auto found = std::find_if(
        handshake.messages.rbegin(), handshake.messages.rend(), [&](const MessageRecord& record) {
            return !record.left_time && record.head_digest == leaving.head_digest &&
                   record.exchange == leaving.exchange &&
                   record.message_bytes == leaving.message_bytes &&
                   record.time <= leaving.time + leaves_before;
        });
    if (found == handshake.messages.rend()) return false;
    found->left_time = std::max(leaving.time, found->time);
    found->left_interface = leaving.interface;
    if (found->direction == Direction::to_server && handshake.server_index)
        tally_of(handshake).interface = leaving.interface;
    if (leaving.source != found->source) found->left_source = leaving.source;
    if (leaving.destination != found->destination) found->left_destination = leaving.destination;
    if (found->direction == Direction::to_server &&
        leaving.destination.address != found->destination.address)
        handshake.server_inside = leaving.destination.address;
    return true;
}

void Tracker::State::join_leaving(const MessageItem& item, TimePoint time) {
    if (!item.facts) return;
    const auto& header = item.facts->header;
    const Leaving leaving{
        .time = time,
        .initiator_spi = header.initiator_spi,
        .exchange = {header.major, header.exchange_type, header.message_id},
        .head_digest = item.facts->head_digest,
        .message_bytes = header.length,
        .interface = item.seen.interface,
        .source = item.seen.source,
        .destination = item.seen.destination
    };
    const auto index = handshakes.find(header.initiator_spi, header.major);
    if (index != no_index && join(handshakes.at(index).handshake, leaving)) return;
    if (leaving_.size() == max_leaving) leaving_.pop_front();
    leaving_.push_back(leaving);
}

void Tracker::State::join_waiting(Handshake& handshake) {
    while (!leaving_.empty() && leaving_.front().time + leaving_waits < now_) leaving_.pop_front();
    std::erase_if(leaving_, [&](const Leaving& leaving) {
        return leaving.initiator_spi == handshake.initiator_spi && join(handshake, leaving);
    });
}

/// Which end is the client: DESIGN §6, handshakes.
std::uint32_t Tracker::State::add_handshake(const MessageFacts& facts,
                                            const Endpoint& source,
                                            const Endpoint& destination,
                                            TimePoint time) {
    const auto& header = facts.header;
    const auto pair = keys.of_pair(source.address, destination.address);
    const auto before = handshakes.find_pair(pair, [](std::uint32_t) { return true; });
    const bool is_first = header.major == 1 ? is_zero(header.responder_spi)
                                            : is_opening_exchange(2, header.exchange_type);
    const bool source_asks = header.major == 1 || !header.is_response();
    bool source_is_client = source_asks;
    if (!is_first && before != no_index) {
        source_is_client = handshakes.at(before).handshake.client.address == source.address;
    } else {
        const bool from_server = policy->server_of(source.address).has_value();
        const bool to_server = policy->server_of(destination.address).has_value();
        if (from_server != to_server) source_is_client = to_server;
    }
    const bool source_is_initiator =
        header.major == 1 ? source_is_client || is_first : header.is_from_initiator();

    const auto index = handshakes.add(header.initiator_spi, header.major, pair, next_number_++);
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    handshake.client = source_is_client ? source : destination;
    handshake.server = source_is_client ? destination : source;
    handshake.client_is_initiator = source_is_client == source_is_initiator;
    handshake.server_index = policy->server_of(handshake.server.address);
    handshake.first_time = handshake.last_time = time;
    handshake.mid_stream = !is_first;
    handshake.rekeyed =
        !is_first && before != no_index && is_later_exchange(header.major, header.exchange_type);
    handshake.probe = is_probe(header.initiator_spi);
    entry.client_address = static_cast<std::uint32_t>(keys.of(handshake.client.address));
    if (!handshake.mid_stream && !handshake.probe)
        ++tally_of(handshake).counts.started[handshake.version];
    set_running(index, true);
    emit(time, HandshakeStarted{handshake.number});
    return index;
}

bool Tracker::State::is_from_client(const Handshake& handshake,
                                    const IkeHeader& header,
                                    const IpAddress& source,
                                    const IpAddress& destination) const {
    if (header.major != 1) return header.is_from_initiator() == handshake.client_is_initiator;
    if (source == handshake.client.address) return true;
    if (source == handshake.server.address || source == handshake.server_inside) return false;
    if (destination == handshake.client.address) return false;
    return !policy->server_of(source).has_value();
}

std::size_t Tracker::State::tally_index(const Handshake& handshake) const noexcept {
    const auto unlisted = tallies_.size() - 1;
    return std::min<std::size_t>(handshake.server_index.value_or(unlisted), unlisted);
}

ServerTally& Tracker::State::tally_of(const Handshake& handshake) {
    return tallies_[tally_index(handshake)];
}

ServerTally& Tracker::State::tally_of(const IpAddress& source, const IpAddress& destination) {
    auto server = policy->server_of(destination);
    if (!server) server = policy->server_of(source);
    return tallies_[server.value_or(tallies_.size() - 1)];
}

void Tracker::State::count_message(const MessageItem& item,
                                   const OpeningFacts* opening,
                                   ServerTally& tally) {
    ++totals_.messages;
    const auto transport = transport_of(item);
    ++totals_.by_transport[index(transport)];
    const bool malformed =
        !item.facts || item.facts->malformed || item.seen.reason == Reason::ike_malformed;
    if (malformed) ++totals_.malformed;
    if (item.seen.reordered) ++tally.counts.reordered;
    if (!item.facts) return;
    const auto& facts = *item.facts;
    const auto& header = facts.header;
    const auto role = header.is_response() ? Role::response : Role::request;
    auto& row = tally.row(header.major, header.exchange_type, role);
    ++row.messages;
    if (transport == Transport::ip) ++row.fragmented[index(transport)];
    if (facts.is_skf) ++totals_.skf_fragments;
    if (!facts.is_skf && !facts.is_vendor_fragment) {
        count_in(row.bytes, message_bytes_bounds, header.length);
        row.bytes_sum += header.length;
    }
    if (header.major == 2 && header.exchange_type == ike_sa_init &&
        facts.notes.has(Note::fragmentation_supported))
        ++totals_.notify_16430[index(role)];
    if (opening == nullptr) return;
    for (const auto type : opening->notifies)
        ++tally.counts.notifies[counted_as(header.major, type)];
}

void Tracker::State::count_retransmit(Entry& entry, const Sighting& sighting) {
    auto& handshake = entry.handshake;
    ++handshake.retransmits;
    ++tally_of(handshake)
          .row(sighting.facts.header.major, sighting.facts.header.exchange_type, sighting.role)
          .retransmits;
}

/// Adds an SKF or payload 132 to its set; tells whether its message is whole by it.
void Tracker::State::follow_fragment(Entry& entry, Sighting& sighting, bool same_bytes_seen) {
    const auto& facts = sighting.facts;
    sighting.whole = false;
    if (facts.fragment.number == 0) return;
    auto& handshake = entry.handshake;
    const FragmentOf of{.exchange = sighting.exchange(),
                        .direction = sighting.direction(),
                        .role = sighting.role,
                        .transport = sighting.transport,
                        .id = facts.fragment.id,
                        .time = sighting.time,
                        .message_bytes = facts.header.length,
                        .datagram_bytes = sighting.item.seen.datagram_bytes,
                        .ip_fragmented = sighting.item.seen.ip_fragments > 0,
                        .same_bytes_seen = same_bytes_seen};
    const auto change = add_fragment(handshake.sets, of, facts.fragment);
    auto& row =
        tally_of(handshake).row(facts.header.major, facts.header.exchange_type, sighting.role);
    // Of more pieces than are told apart the message is taken for whole: a handshake that goes on
    // must not fail for it.
    sighting.whole = change.completed || change.ended;
    const bool is_skf = sighting.transport == Transport::skf;
    if (change.completed) {
        ++row.fragmented[index(sighting.transport)];
        count_in(row.bytes, message_bytes_bounds, change.set->bytes);
        row.bytes_sum += change.set->bytes;
    }
    if (!is_skf) return;
    if (change.started) {
        ++totals_.skf_sets;
        ++row.skf_sets;
    }
    if (change.abandoned) ++row.skf_incomplete;
    if (!change.completed) return;
    // It came as it was sent: the path carries its largest. A smaller one than is known says
    // nothing.
    const auto known = handshake.path_mtu_bytes[index(sighting.direction())];
    if (known == 0 && !change.set->ip_fragmented && !sighting.unasked)
        note_path_mtu(entry, sighting.direction(), change.set->largest_bytes, sighting.time);
    ++totals_.skf_complete;
    count_in(totals_.skf_per_message[index(sighting.role)], skf_count_bounds, change.set->total);
    totals_.skf_per_message_sum[index(sighting.role)] += change.set->total;
}

/// Keeps the beginning and the end of a long timeline.
void Tracker::State::append(Entry& entry, MessageRecord record) {
    auto& messages = entry.handshake.messages;
    if (messages.size() >= std::max<std::size_t>(limits.messages_per_handshake, 4)) {
        messages.erase(messages.begin() +
                       static_cast<std::ptrdiff_t>(limits.messages_per_handshake / 4));
        ++entry.handshake.messages_forgotten;
        --message_count_;
    }
    // A stranger's single message takes room for one; who goes on, for a whole handshake.
    if (messages.size() == 1 && messages.capacity() == 1) {
        if (spare_timelines_.empty()) {
            messages.reserve(usual_messages);
        } else {
            auto roomy = std::move(spare_timelines_.back());
            spare_timelines_.pop_back();
            roomy.push_back(messages.front());
            messages = std::move(roomy);
        }
    }
    messages.push_back(record);
    ++message_count_;
}

/// MOBIKE, NAT rebinding and the move to 4500: the handshake stays, its latest addresses change.
void Tracker::State::follow_addresses(std::uint32_t index, const Sighting& sighting) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const auto& [source, destination] =
        std::tie(sighting.item.seen.source, sighting.item.seen.destination);
    if (!handshake.messages.empty()) {
        const auto& before = handshake.messages.back();
        const bool same = before.source == source && before.destination == destination;
        const bool back = before.source == destination && before.destination == source;
        if (!before.unasked && (same || back)) return;
    }
    const auto& client = sighting.from_client ? source : destination;
    const auto& server = sighting.from_client ? destination : source;
    entry.client_endpoint = static_cast<std::uint32_t>(keys.of(client));
    entry.server_endpoint = static_cast<std::uint32_t>(keys.of(server));
    if (!sighting.from_client) {
        if (server.address != handshake.server.address && handshake.server_index &&
            policy->server_of(server.address) == handshake.server_index)
            handshake.server_inside = server.address;
        return;
    }
    const auto address = static_cast<std::uint32_t>(keys.of(client.address));
    if (address != entry.client_address) {
        entry.client_address = address;
        if (client.address != handshake.client.address) ++handshake.client_addresses;
    }
    if (server.address != handshake.server.address && server.address != handshake.server_inside)
        handshake.server_addresses = std::max(handshake.server_addresses, 2u);
    handshakes.move_pair(index, keys.of_pair(client.address, server.address));
}

} // namespace ikefrag
