// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/notify.hpp"
#include "plugin/tracker/state.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <utility>

namespace ikefrag {

namespace {

constexpr std::uint8_t v1_main_mode = 2;
constexpr std::uint8_t v1_aggressive = 4;
constexpr std::uint8_t v1_informational = 5;
constexpr std::uint8_t ike_session_resume = 38;
constexpr std::uint8_t create_child_sa = 36;
constexpr std::uint8_t ike_intermediate = 43;
constexpr std::uint8_t ike_followup_ke = 44;
/// Lists that clients share, of vendor IDs and of transforms; with more, all are learnt anew.
constexpr std::size_t max_shared_lists = 256;

/// Whether an answer goes back the way `request` came: to the address and port that asked, from
/// the one that was asked — as seen here, or as our own NAT rewrote it. Where the copy going out
/// did not tell that, the configuration does: from where the server is inside. Its other addresses
/// are not the one that was asked (RFC 7296 §2.11).
bool goes_back(const MessageRecord& request,
               const Endpoint& source,
               const Endpoint& destination,
               const Policy& policy) noexcept {
    const bool to_asker = destination == request.source || destination == request.left_source;
    if (!to_asker) return false;
    if (source == request.destination || source == request.left_destination) return true;
    const auto server = policy.server_of(request.destination.address);
    if (!server || source.port != request.destination.port) return false;
    const auto& inside = policy.servers[*server].inside;
    return std::any_of(inside.begin(), inside.end(), [&source](const Prefix& prefix) {
        return prefix.contains(source.address);
    });
}

/// Whether an answer came in where its request had come in, though the request goes out elsewhere:
/// a client, or whoever is there, wrote it in the server's name.
///
/// In: server_interface: ServerTally::interface
bool is_from_askers_side(const MessageRecord& request,
                         const Sighting& answer,
                         std::uint32_t server_interface) noexcept {
    if (request.leg != Leg::prerouting || answer.leg != Leg::prerouting) return false;
    if (request.interface == 0 || answer.item.seen.interface != request.interface) return false;
    const auto goes_out = request.left_interface != 0 ? request.left_interface : server_interface;
    return goes_out != 0 && goes_out != request.interface;
}

Fragmentation announced(std::uint8_t version, Notes notes, Fragmentation before) noexcept {
    const bool vendor = notes.has(Note::v1_fragmentation_vid);
    if (version == 1) {
        if (vendor) return Fragmentation::v1;
        return before == Fragmentation::unknown ? Fragmentation::none : before;
    }
    if (notes.has(Note::fragmentation_supported)) return Fragmentation::ike;
    return vendor ? Fragmentation::cisco : Fragmentation::none;
}

Fragmentation announced(const Sighting& sighting, Fragmentation before) noexcept {
    const auto& facts = sighting.facts;
    const auto says = announced(facts.header.major, facts.notes, before);
    const bool rest_unknown = facts.cut && facts.header.major == 2;
    return rest_unknown && says == Fragmentation::none ? before : says;
}

/// Its client was the server, its server the client.
void turn_round(Handshake& handshake) {
    handshake.client_is_initiator = !handshake.client_is_initiator;
    std::swap(handshake.client, handshake.server);
    std::swap(handshake.client_side, handshake.server_side);
    std::swap(handshake.path_mtu_bytes[0], handshake.path_mtu_bytes[1]);
    const auto turn = [](auto& list) {
        for (auto& one : list)
            one.direction =
                one.direction == Direction::to_server ? Direction::to_peer : Direction::to_server;
    };
    turn(handshake.messages);
    turn(handshake.sets);
    turn(handshake.icmp);
}

} // namespace

void Tracker::State::apply(std::uint32_t index, Sighting& sighting) {
    auto& entry = handshakes.at(index);
    const auto& facts = sighting.facts;
    const bool is_v1 = facts.header.major == 1;
    if (sighting.from_client && sighting.from_initiator &&
        is_stranger_opening(entry, facts.header, sighting.item.seen.source.address)) {
        sighting.unasked = true;
        return;
    }
    if (sighting.role == Role::response) {
        // IKEv1's responder may begin an exchange of its own in an SA we did not see being made.
        const bool may_begin =
            is_v1 && entry.handshake.mid_stream && entry.handshake.messages.empty();
        sighting.answered = find_answered(entry, sighting);
        sighting.unasked = sighting.answered == nullptr && !may_begin;
    }
    if (sighting.transport == Transport::skf || sighting.transport == Transport::v1 ||
        sighting.transport == Transport::cisco)
        follow_fragment(entry, sighting, sighting.repeat);
    if (sighting.unasked) return;
    if (sighting.role == Role::response && !sighting.from_client &&
        !entry.handshake.messages.empty()) {
        note_answer(entry.handshake);
        if (sighting.leg == Leg::output && entry.handshake.server_index)
            tally_of(entry.handshake).interface = ServerTally::this_host;
    }
    follow_addresses(index, sighting);
    if (is_v1) {
        apply_v1(index, sighting);
    } else if (sighting.role == Role::request) {
        apply_request(index, sighting);
    } else {
        apply_response(index, sighting);
    }
}

/// Whether somebody else opens with this handshake's SPI. Once a real answer came, its client (who
/// got it: settle_ends) has no reason to begin anew from another address; whoever saw the SPI on
/// the way may, and the server answers him.
bool Tracker::State::is_stranger_opening(const Entry& entry,
                                         const IkeHeader& header,
                                         const IpAddress& source) {
    const bool opens = is_opening_exchange(header.major, header.exchange_type) &&
                       (header.major == 2 ? !header.is_response() : is_zero(header.responder_spi));
    return opens && entry.handshake.init_answered && source != entry.handshake.client.address;
}

/// The message that a response answers; null: none that we saw.
const MessageRecord* Tracker::State::find_answered(const Entry& entry,
                                                   const Sighting& sighting) const {
    const auto& messages = entry.handshake.messages;
    const auto& seen = sighting.item.seen;
    const auto exchange = sighting.exchange();
    const bool is_v1 = exchange.version == 1;
    const auto server_interface = tallies_[tally_index(entry.handshake)].interface;
    for (auto record = messages.rbegin(); record != messages.rend(); ++record) {
        if (record->from_initiator == sighting.from_initiator) continue;
        if (record->role == Role::request && record->unasked) continue;
        // IKEv1's messages have no ids to match; the latest of the other side is what is answered.
        if (!is_v1 && (record->exchange != exchange || record->role != Role::request)) continue;
        if (record->source.port == 0) continue;
        if (goes_back(*record, seen.source, seen.destination, *policy))
            return is_from_askers_side(*record, sighting, server_interface) ? nullptr : &*record;
        if (is_v1) return nullptr;
    }
    return nullptr;
}

/// Before the first real answer anyone may use an SPI, from any address he likes: a handshake's
/// ends are the one that was answered and the one it asked, whoever was seen first. What the other
/// said of itself is not theirs.
///
/// In:      sighting: that answer, which has a message it answers; told anew whose it is
void Tracker::State::settle_ends(std::uint32_t index, Sighting& sighting) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const auto& request = *sighting.answered;
    const bool from_server = policy->server_of(request.source.address).has_value();
    const bool to_server = policy->server_of(request.destination.address).has_value();
    const bool by_client = to_server || !from_server;
    if (handshake.version == 2 && by_client != handshake.client_is_initiator) {
        turn_round(handshake);
        sighting.from_client = !sighting.from_client;
    }
    auto& asker = handshake.client_is_initiator ? handshake.client : handshake.server;
    auto& asked = handshake.client_is_initiator ? handshake.server : handshake.client;
    if (asker.address == request.source.address && asked.address == request.destination.address)
        return;
    const bool same_said = std::any_of(
        handshake.messages.begin(), handshake.messages.end(), [&](const MessageRecord& record) {
            return record.digest == request.digest && record.source.address == asker.address;
        });
    if (!same_said) {
        auto& side = handshake.client_is_initiator ? handshake.client_side : handshake.server_side;
        side = {};
        side.fragmentation = announced(handshake.version, request.notes, Fragmentation::unknown);
        side.intermediate_supported = request.notes.has(Note::intermediate_supported);
        handshake.offered = {};
        handshake.offered_truncated = false;
    }
    asker = request.source;
    asked = request.destination;
    const auto& answerer = sighting.item.seen.source.address;
    handshake.server_inside.reset();
    if (handshake.client_is_initiator && answerer != asked.address)
        handshake.server_inside = answerer;
    const bool running = entry.running_now;
    if (running) count_stage(entry, false);
    handshake.server_index = policy->server_of(handshake.server.address);
    if (running) count_stage(entry, true);
    entry.client_address = static_cast<std::uint32_t>(keys.of(handshake.client.address));
    handshakes.move_pair(index, keys.of_pair(asker.address, asked.address));
}

void Tracker::State::apply_request(std::uint32_t index, const Sighting& sighting) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const auto& header = sighting.facts.header;
    const bool is_opening = is_opening_exchange(2, header.exchange_type);
    auto& asked = entry.asked[sighting.from_initiator ? 0 : 1];
    const bool is_new = !asked.any || asked.message_id != header.message_id ||
                        asked.type != header.exchange_type || (is_opening && !sighting.repeat);
    if (is_new) {
        const bool with_cookie = is_opening && sighting.facts.notes.has(Note::cookie);
        const bool goes_on = !is_opening && is_opening_exchange(2, asked.type);
        if (header.message_id > asked.message_id || with_cookie || goes_on)
            doubt_view(entry, asked, sighting.time);
        if (asked.any || !sighting.repeat) reopen(index);
        asked = {.message_id = header.message_id, .type = header.exchange_type, .any = true};
        entry.tail_pending = false;
        if (sighting.from_initiator) entry.answer = Answer::none;
        // The responder's own exchange follows too, if it is one of this SA.
        const bool of_sa =
            sighting.from_initiator || (sighting.facts.notes.has(Note::encrypted) &&
                                        header.responder_spi == handshake.responder_spi);
        if (handshake.auth_answered && of_sa && !is_auth_exchange(header.exchange_type))
            entry.after_answer = true;
    }
    asked.complete = asked.complete || (sighting.whole && !sighting.item.seen.refused);
    if (!is_opening) choose_answer(entry, header);
    const auto& source = sighting.item.seen.source.address;
    if (is_opening) {
        const bool by_asker = source == opener_of(handshake).address;
        if (!sighting.repeat && sighting.from_initiator && by_asker) learn_side(entry, sighting);
        return;
    }
    if (sighting.from_client && handshake.init_answered &&
        header.responder_spi == handshake.responder_spi)
        prove(index, source, sighting.item.seen.destination.address, sighting.time);
    if (is_auth_exchange(header.exchange_type)) {
        if (entry.first_auth_id == 0) entry.first_auth_id = header.message_id;
        set_stage(entry, header.message_id > entry.first_auth_id ? Stage::eap : Stage::auth);
        if (sighting.whole && sighting.from_initiator)
            handshake.auth_request_transport = sighting.transport;
    } else if (header.exchange_type == ike_intermediate) {
        set_stage(entry, Stage::intermediate);
    }
    if (is_new) look_for_evidence(index, sighting);
}

/// Where several real answers came (two nodes of a cluster, a client that began anew), the client's
/// next request tells by its responder SPI which of them it took.
void Tracker::State::choose_answer(Entry& entry, const IkeHeader& header) {
    auto& handshake = entry.handshake;
    if (is_zero(handshake.responder_spi)) handshake.responder_spi = header.responder_spi;
    if (header.responder_spi == handshake.responder_spi || entry.other_spi == 0 ||
        !header.is_from_initiator() || short_hash(header.responder_spi) != entry.other_spi)
        return;
    auto& side = handshake.client_is_initiator ? handshake.server_side : handshake.client_side;
    entry.other_spi = short_hash(std::exchange(handshake.responder_spi, header.responder_spi));
    std::swap(side.fragmentation, entry.other_fragmentation);
    entry.other_intermediate =
        std::exchange(side.intermediate_supported, bool{entry.other_intermediate});
}

std::uint32_t Tracker::State::short_hash(const Spi& spi) const {
    return static_cast<std::uint32_t>(keys.of(spi, 2));
}

void Tracker::State::apply_response(std::uint32_t index, Sighting& sighting) {
    auto& entry = handshakes.at(index);
    const auto& header = sighting.facts.header;
    auto& asked = entry.asked[sighting.from_initiator ? 1 : 0];
    const bool is_current =
        asked.any && asked.message_id == header.message_id && asked.type == header.exchange_type;
    if (!is_current) {
        take_late_answer(index, sighting);
        return;
    }
    asked.answer_part = true;
    if (!sighting.whole || sighting.item.seen.refused || sighting.repeat) return;
    // Of two answers to one IKE_AUTH one is not the server's. What is in the clear anyone can have
    // written: it gives way to what is not, and takes nothing back.
    const bool gives_way =
        entry.answer == Answer::refusal && sighting.facts.notes.has(Note::encrypted);
    if (asked.answered && is_auth_exchange(header.exchange_type) && !gives_way) return;
    if (!asked.answered) reopen(index);
    asked.answered = true;
    if (sighting.from_initiator) return;
    entry.tail_pending = false;
    if (is_opening_exchange(2, header.exchange_type)) {
        take_init_answer(index, sighting);
    } else if (is_auth_exchange(header.exchange_type)) {
        take_auth_answer(entry, sighting);
    } else if (header.exchange_type == create_child_sa) {
        look_for_evidence(index, sighting);
    }
}

/// The answer whose absence was doubted was only recorded behind the request that presupposes it:
/// two points of capture, two clocks.
void Tracker::State::take_late_answer(std::uint32_t index, Sighting& sighting) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const bool complete = sighting.whole && !sighting.item.seen.refused && !sighting.repeat;
    if (!handshake.half_view || !complete) return;
    const auto& asked = entry.asked[sighting.from_initiator ? 1 : 0];
    const auto& messages = handshake.messages;
    const auto before =
        std::find_if(messages.rbegin(), messages.rend(), [&](const MessageRecord& record) {
            const bool is_latest = record.exchange.message_id == asked.message_id &&
                                   record.exchange.type == asked.type;
            return record.role == Role::request && !record.unasked && !is_latest &&
                   record.from_initiator != sighting.from_initiator;
        });
    if (before == messages.rend() || before->exchange != sighting.exchange()) return;
    reopen(index);
    handshake.half_view = false;
    if (sighting.from_initiator) return;
    // The latest request still waits for its own.
    const auto answer = entry.answer;
    if (is_opening_exchange(2, sighting.facts.header.exchange_type)) {
        take_init_answer(index, sighting);
    } else if (is_auth_exchange(sighting.facts.header.exchange_type)) {
        take_auth_answer(entry, sighting);
        entry.after_answer = true;
    }
    entry.answer = answer;
}

/// Only an answer with SA, KE and Nonce (on resumption: Nonce) tells what the server can do;
/// COOKIE, INVALID_KE_PAYLOAD and their like do not (DIAGNOSES D01). Of several the first stands
/// until the client takes another (choose_answer), of which only the latest is kept; one to another
/// address is not for the client to take.
void Tracker::State::take_init_answer(std::uint32_t index, Sighting& sighting) {
    auto& entry = handshakes.at(index);
    const auto& notes = sighting.facts.notes;
    auto& handshake = entry.handshake;
    const bool is_real =
        notes.has(Note::nonce) && (sighting.facts.header.exchange_type == ike_session_resume ||
                                   (notes.has(Note::sa) && notes.has(Note::ke)));
    if (is_real) {
        entry.answer = Answer::real;
        // Whatever was asked before it.
        handshake.half_view = false;
        const auto& spi = sighting.facts.header.responder_spi;
        if (handshake.init_answered && spi != handshake.responder_spi) {
            if (sighting.answered->source.address != opener_of(handshake).address) return;
            entry.other_spi = short_hash(spi);
            entry.other_fragmentation = announced(sighting, Fragmentation::unknown);
            entry.other_intermediate = notes.has(Note::intermediate_supported);
            return;
        }
        if (!handshake.init_answered) settle_ends(index, sighting);
        handshake.init_answered = true;
        handshake.responder_spi = spi;
        learn_side(entry, sighting);
    } else if (notes.has(Note::redirect)) {
        entry.answer = Answer::redirect;
    } else {
        // N(TICKET_NACK) is a status, but says no (RFC 5723 §4.3.2).
        const bool refuses = sighting.facts.error_notify != 0 ||
                             (notes.has(Note::ticket_nack) &&
                              sighting.facts.header.exchange_type == ike_session_resume);
        entry.answer = refuses ? Answer::refusal : Answer::cookie;
    }
}

void Tracker::State::take_auth_answer(Entry& entry, const Sighting& sighting) {
    auto& handshake = entry.handshake;
    handshake.auth_answered = sighting.time;
    handshake.auth_response_transport = sighting.transport;
    entry.after_answer = false;
    entry.answer_bytes = sighting.facts.header.length;
    if (sighting.transport != Transport::whole && sighting.transport != Transport::ip)
        for (const auto& set : handshake.sets)
            if (set.exchange == sighting.exchange() && set.role == Role::response)
                entry.answer_bytes = set.bytes;
    const bool clear_error =
        !sighting.facts.notes.has(Note::encrypted) && sighting.facts.error_notify != 0;
    entry.answer = clear_error ? Answer::refusal : Answer::real;
}

/// Signs that the SA stands, without decrypting (DESIGN §6, `established`).
void Tracker::State::look_for_evidence(std::uint32_t index, const Sighting& sighting) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const auto& header = sighting.facts.header;
    if (!is_later_exchange(2, header.exchange_type)) return;
    if (!sighting.facts.notes.has(Note::encrypted)) return;
    if (header.responder_spi != handshake.responder_spi) return;
    if (handshake.mid_stream && !handshake.auth_answered) {
        // First met in such an exchange: an SA that stands.
        if (!handshake.auth_request_transport)
            establish(index, Basis::later_exchange, sighting.time);
        return;
    }
    if (!handshake.auth_answered) return;
    const bool is_answer = sighting.role == Role::response;
    if (entry.answer_bytes <= refusal_bytes) {
        // A childless SA's answer can be as short as a refusal; a child made later tells.
        if (is_answer && header.exchange_type == create_child_sa)
            establish(index, Basis::later_exchange, sighting.time);
        return;
    }
    if (is_answer) return;
    // What of the client's can be no refusal. IKE_FOLLOWUP_KE goes on from a CREATE_CHILD_SA.
    const bool goes_on =
        header.exchange_type == create_child_sa || header.exchange_type == ike_followup_ke;
    const bool by_responder = !sighting.from_initiator;
    if (by_responder || goes_on || sighting.time - *handshake.auth_answered >= later_after)
        establish(index, Basis::later_exchange, sighting.time);
}

void Tracker::State::learn_side(Entry& entry, const Sighting& sighting) {
    auto& handshake = entry.handshake;
    auto& side = sighting.from_client ? handshake.client_side : handshake.server_side;
    side.fragmentation = announced(sighting, side.fragmentation);
    side.intermediate_supported = sighting.facts.notes.has(Note::intermediate_supported) ||
                                  (sighting.facts.cut && side.intermediate_supported);
    if (sighting.opening == nullptr) return;
    const auto& opening = *sighting.opening;
    if (opening.source_as_sent) side.behind_nat = !*opening.source_as_sent;
    if (opening.destination_as_sent) side.other_behind_nat = !*opening.destination_as_sent;
    for (const auto vendor : opening.vendors)
        if (side.vendor.empty()) side.vendor = vendors_.word(vendor);
    if (!opening.vendors.empty() || !opening.unknown_vendors.empty()) {
        auto list = vendor_list(opening);
        list.add_all(side.vendor_ids);
        side.vendor_ids = std::move(list);
    }
    if (opening.transforms.empty()) return;
    if (sighting.from_initiator) handshake.offered_truncated = opening.transforms.is_truncated();
    (sighting.from_initiator ? handshake.offered : handshake.chosen) = transform_list(opening);
}

VendorList Tracker::State::vendor_list(const OpeningFacts& opening) {
    std::array<std::uint64_t, 1 + 16 + 8 * 3> words{opening.vendors.size()};
    std::size_t count = 1;
    for (const auto vendor : opening.vendors) words[count++] = vendor;
    for (const auto& vendor : opening.unknown_vendors) {
        std::memcpy(&words[count], vendor.start.data(), vendor.start.size());
        words[count + 2] = vendor.bytes;
        count += 3;
    }
    const auto key = keys.of_words(std::span(words).first(count));
    if (const auto known = vendor_lists_.find(key); known != vendor_lists_.end())
        return known->second;
    VendorList list;
    for (const auto vendor : opening.vendors) list.add_name(vendors_.at(vendor).name);
    for (const auto& vendor : opening.unknown_vendors)
        list.add_unknown(Bytes(vendor.start).first(vendor.bytes));
    if (vendor_lists_.size() == max_shared_lists) vendor_lists_.clear();
    return vendor_lists_[key] = std::move(list);
}

SharedList<Transform> Tracker::State::transform_list(const OpeningFacts& opening) {
    std::array<std::uint64_t, max_transforms> words{};
    std::size_t count = 0;
    for (const auto& transform : opening.transforms)
        words[count++] = std::uint64_t{transform.version} << 40 |
                         std::uint64_t{transform.type} << 32 | std::uint64_t{transform.id} << 16 |
                         transform.key_bits;
    const auto key = keys.of_words(std::span(words).first(count));
    if (const auto known = transform_lists_.find(key); known != transform_lists_.end())
        return known->second;
    if (transform_lists_.size() == max_shared_lists) transform_lists_.clear();
    return transform_lists_[key] =
               SharedList<Transform>({opening.transforms.begin(), opening.transforms.end()});
}

// IKEv1 -----------------------------------------------------------------------------------------

void Tracker::State::apply_v1(std::uint32_t index, Sighting& sighting) {
    auto& entry = handshakes.at(index);
    auto& handshake = entry.handshake;
    const auto& header = sighting.facts.header;
    const bool repeat = sighting.repeat && !sighting.whole;
    if (is_zero(handshake.responder_spi) &&
        (!sighting.from_initiator || handshake.mid_stream || entry.v1_messages[0] > 0))
        handshake.responder_spi = header.responder_spi;
    if (header.exchange_type == v1_informational) {
        if (!sighting.repeat) apply_v1_informational(index, sighting);
        return;
    }
    if (!is_opening_exchange(1, header.exchange_type)) {
        if (!is_later_exchange(1, header.exchange_type) || sighting.repeat ||
            !sighting.facts.notes.has(Note::encrypted))
            return;
        // Before phase 1 is complete it shows no SA; that its last answer took another way,
        // perhaps.
        if (handshake.auth_answered || handshake.mid_stream)
            establish(index, Basis::later_exchange, sighting.time);
        else if (sighting.from_initiator)
            doubt_view(entry, entry.asked[0], sighting.time);
        return;
    }
    if (sighting.from_client && handshake.client_is_initiator && handshake.init_answered &&
        header.responder_spi == handshake.responder_spi)
        prove(index,
              sighting.item.seen.source.address,
              sighting.item.seen.destination.address,
              sighting.time);
    auto& asked = entry.asked[0];
    if (!sighting.whole) {
        if (!sighting.from_initiator)
            asked.answer_part = true;
        else if (!sighting.repeat)
            entry.tail_pending = true;
        return;
    }
    if (repeat || (sighting.repeat && !sighting.facts.is_vendor_fragment)) return;
    reopen(index);
    auto& count = entry.v1_messages[sighting.from_initiator ? 0 : 1];
    if (count < 255) ++count;
    if (!sighting.from_initiator && !handshake.init_answered && sighting.answered != nullptr) {
        settle_ends(index, sighting);
        handshake.responder_spi = header.responder_spi;
    }
    if (!sighting.from_initiator ||
        sighting.item.seen.source.address == opener_of(handshake).address)
        learn_side(entry, sighting);
    if (sighting.from_initiator) {
        if (!is_zero(header.responder_spi)) doubt_view(entry, asked, sighting.time);
        asked = {.message_id = header.message_id,
                 .type = header.exchange_type,
                 .any = true,
                 .complete = true};
        entry.answer = Answer::none;
        entry.tail_pending = false;
    } else {
        asked.answered = true;
        entry.answer = Answer::real;
        entry.tail_pending = false;
        handshake.init_answered = true;
        // As many answers as can be: the one that was doubted came late.
        if (entry.v1_messages[1] + 1 >= entry.v1_messages[0]) handshake.half_view = false;
    }
    const bool carries_identity = (header.exchange_type == v1_main_mode && count == 3) ||
                                  (header.exchange_type == v1_aggressive && count == 2);
    if (carries_identity) {
        set_stage(entry, Stage::auth);
        (sighting.from_initiator ? handshake.auth_request_transport
                                 : handshake.auth_response_transport) = sighting.transport;
    }
    if (is_phase1_complete(entry)) handshake.auth_answered = sighting.time;
}

/// In phase 1 an INFORMATIONAL of the responder refuses; long after it, it shows an SA that stands.
void Tracker::State::apply_v1_informational(std::uint32_t index, const Sighting& sighting) {
    auto& entry = handshakes.at(index);
    const auto& handshake = entry.handshake;
    const bool encrypted = sighting.facts.notes.has(Note::encrypted);
    if (handshake.mid_stream) {
        if (encrypted && entry.v1_messages == decltype(entry.v1_messages){})
            establish(index, Basis::later_exchange, sighting.time);
        return;
    }
    if (handshake.auth_answered) {
        entry.after_answer = true;
        if (encrypted && sighting.time - *handshake.auth_answered >= later_after)
            establish(index, Basis::later_exchange, sighting.time);
        return;
    }
    const bool refuses = !sighting.from_initiator && entry.asked[0].any &&
                         (encrypted || sighting.facts.error_notify != 0);
    if (!refuses) return;
    entry.asked[0].answered = true;
    entry.answer = Answer::refusal;
}

} // namespace ikefrag
