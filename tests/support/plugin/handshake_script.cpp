// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/handshake_script.hpp"

#include <algorithm>
#include <chrono>

namespace ikefrag::testing {
namespace {

const TimePoint epoch = TimePoint(std::chrono::seconds(1'800'000'000));

Duration seconds_of(double seconds) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

} // namespace

Firewall::Firewall() : Firewall(Policy{}) {}
Firewall::Firewall(Policy policy)
    : diagnostician(std::make_shared<const Policy>(std::move(policy)), 1000) {}

void Firewall::take() {
    std::vector<Diagnostician::Step> taken;
    diagnostician.take_steps(taken);
    for (auto& step : taken) steps.push_back(std::move(step));
}

HandshakeScript::HandshakeScript(std::shared_ptr<Firewall> firewall)
    : firewall_(std::move(firewall)), now_(epoch) {
    handshake.number = firewall_->next_number++;
    handshake.initiator_spi = {1, 2, 3, 4, 5, 6, 7, static_cast<std::uint8_t>(handshake.number)};
    handshake.client = {*parse_address("203.0.113.7"), 500};
    handshake.server = {*parse_address("198.51.100.5"), 500};
    handshake.first_time = handshake.last_time = now_;
}

HandshakeScript& HandshakeScript::at(double seconds) {
    const auto target = epoch + seconds_of(seconds);
    while (const auto due = Diagnostician::review_at(handshake, pace_, now_)) {
        if (*due > target) break;
        now_ = std::max(*due, now_ + std::chrono::milliseconds(1));
        review();
    }
    now_ = std::max(now_, target);
    if (handshake.messages.empty()) handshake.first_time = handshake.last_time = now_;
    return *this;
}

HandshakeScript& HandshakeScript::client(const std::string& address, std::uint16_t port) {
    handshake.client = {*parse_address(address), port};
    return *this;
}

HandshakeScript& HandshakeScript::version(std::uint8_t major) {
    handshake.version = major;
    return *this;
}

HandshakeScript& HandshakeScript::offers(Fragmentation client, Fragmentation server) {
    handshake.client_side.fragmentation = client;
    handshake.server_side.fragmentation = server;
    return *this;
}

void HandshakeScript::review() {
    firewall_->diagnostician.review(handshake, pace_, now_);
    firewall_->take();
}

void HandshakeScript::add(MessageRecord message) {
    if (leaving_ && message.complete) message.left_time = message.time;
    if (message.skf_number <= 1)
        message.retransmit =
            std::ranges::any_of(handshake.messages, [&](const MessageRecord& other) {
                return other.exchange == message.exchange && other.direction == message.direction &&
                       other.digest == message.digest && other.skf_number == message.skf_number &&
                       other.complete && message.complete;
            });
    if (message.retransmit) ++handshake.retransmits;
    handshake.messages.push_back(std::move(message));
    handshake.last_time = now_;
    review();
}

HandshakeScript& HandshakeScript::message(std::uint8_t type,
                                          std::uint32_t id,
                                          Direction direction,
                                          Role role,
                                          std::uint32_t bytes,
                                          const Change& change) {
    MessageRecord message;
    message.time = now_;
    message.exchange = {handshake.version, type, id};
    message.direction = direction;
    message.role = role;
    message.from_initiator = direction == Direction::to_server;
    message.message_bytes = bytes;
    message.datagram_bytes = message.first_fragment_bytes = bytes + 28;
    message.digest = bytes * 1000 + id;
    const bool to_server = direction == Direction::to_server;
    message.source = to_server ? handshake.client : handshake.server;
    message.destination = to_server ? handshake.server : handshake.client;
    if (type != 34) message.notes.set(Note::encrypted);
    if (change) change(message);
    add(std::move(message));
    return *this;
}

HandshakeScript& HandshakeScript::sa_init(const Change& change) {
    return message(34, 0, Direction::to_server, Role::request, 400, [&](MessageRecord& message) {
        for (const auto note : {Note::sa, Note::ke, Note::nonce, Note::nat_detection})
            message.notes.set(note);
        if (handshake.client_side.fragmentation == Fragmentation::ike)
            message.notes.set(Note::fragmentation_supported);
        if (change) change(message);
    });
}

HandshakeScript& HandshakeScript::sa_answer(const Change& change) {
    handshake.init_answered = true;
    return message(34, 0, Direction::to_peer, Role::response, 440, [&](MessageRecord& message) {
        for (const auto note : {Note::sa, Note::ke, Note::nonce, Note::nat_detection})
            message.notes.set(note);
        if (handshake.server_side.fragmentation == Fragmentation::ike)
            message.notes.set(Note::fragmentation_supported);
        if (change) change(message);
    });
}

HandshakeScript& HandshakeScript::sa_refusal(Note note, std::uint16_t group) {
    return message(34, 0, Direction::to_peer, Role::response, 56, [&](MessageRecord& message) {
        message.notes.set(note);
        message.wanted_group = group;
    });
}

HandshakeScript&
HandshakeScript::auth(std::uint32_t bytes, std::uint16_t ip_fragments, std::uint32_t id) {
    return message(35, id, Direction::to_server, Role::request, bytes, [&](MessageRecord& message) {
        message.ip_fragments = ip_fragments;
        message.marked = true;
        message.source.port = message.destination.port = 4500;
        if (ip_fragments > 0) {
            message.transport = Transport::ip;
            message.first_fragment_bytes = 1500;
        }
    });
}

HandshakeScript& HandshakeScript::auth_partial(std::uint32_t first_bytes, Reason reason) {
    return message(35, 1, Direction::to_server, Role::request, 2200, [&](MessageRecord& message) {
        message.transport = Transport::ip;
        message.complete = false;
        message.last_seen = false;
        message.refused = true;
        message.reason = reason;
        message.first_fragment_bytes = first_bytes;
        message.digest = 0;
    });
}

HandshakeScript&
HandshakeScript::answer(std::uint32_t bytes, std::uint16_t ip_fragments, std::uint32_t id) {
    return message(35, id, Direction::to_peer, Role::response, bytes, [&](MessageRecord& message) {
        message.ip_fragments = ip_fragments;
        if (ip_fragments > 0) {
            message.transport = Transport::ip;
            message.first_fragment_bytes = 1500;
        }
    });
}

HandshakeScript& HandshakeScript::answer_partial(std::uint32_t first_bytes) {
    return message(35, 1, Direction::to_peer, Role::response, 2200, [&](MessageRecord& message) {
        message.transport = Transport::ip;
        message.complete = false;
        message.last_seen = false;
        message.refused = true;
        message.reason = Reason::timeout;
        message.first_fragment_bytes = first_bytes;
    });
}

HandshakeScript& HandshakeScript::piece(Direction direction,
                                        std::uint16_t number,
                                        std::uint16_t total,
                                        std::uint32_t bytes,
                                        std::uint8_t type,
                                        std::uint32_t id,
                                        const Change& change) {
    const auto role = direction == Direction::to_server ? Role::request : Role::response;
    const Exchange exchange{handshake.version, type, id};
    const auto transport = handshake.version == 1 ? Transport::v1 : Transport::skf;
    auto set = std::ranges::find_if(handshake.sets, [&](const FragmentSet& other) {
        return other.exchange == exchange && other.direction == direction;
    });
    if (set == handshake.sets.end()) {
        FragmentSet fresh;
        fresh.exchange = exchange;
        fresh.direction = direction;
        fresh.role = role;
        fresh.transport = transport;
        fresh.first_time = now_;
        handshake.sets.push_back(fresh);
        set = handshake.sets.end() - 1;
    }
    if (total > set->total && set->total != 0) {
        set->previous_total = set->total;
        set->previous_largest_bytes = set->largest_bytes;
        set->present = {};
        set->seen = 0;
        set->bytes = set->largest_bytes = 0;
    }
    set->total = total;
    set->last_time = now_;
    if (number == 1) ++set->attempts;
    if (!set->present.has(number)) {
        set->present.add(number);
        ++set->seen;
        set->bytes += bytes;
    }
    set->largest_bytes = std::max(set->largest_bytes, bytes + 32);
    set->complete = set->seen == total;
    return message(type, id, direction, role, bytes, [&](MessageRecord& message) {
        message.transport = transport;
        message.skf_number = number;
        message.skf_total = total;
        message.marked = true;
        message.digest = bytes * 100'000 + total * 1000u + number;
        if (change) change(message);
        if (message.ip_fragments > 0) set->ip_fragmented = true;
    });
}

HandshakeScript& HandshakeScript::icmp(std::uint8_t type,
                                       std::uint8_t code,
                                       Direction direction,
                                       const std::string& reporter,
                                       std::uint32_t mtu) {
    IcmpRecord record;
    record.time = now_;
    record.reporter = *parse_address(reporter);
    record.type = type;
    record.code = code;
    record.family = record.reporter.family;
    record.mtu = mtu;
    record.direction = direction;
    handshake.icmp.push_back(record);
    handshake.last_time = now_;
    review();
    return *this;
}

HandshakeScript& HandshakeScript::tails(std::uint32_t bytes) {
    DatagramLost lost;
    lost.source = handshake.client.address;
    lost.destination = handshake.server.address;
    lost.fragments = 1;
    lost.bytes = bytes;
    lost.last_seen = true;
    lost.first_time = now_;
    firewall_->diagnostician.stray(lost, now_);
    return *this;
}

HandshakeScript& HandshakeScript::ends(Outcome outcome, Basis basis) {
    handshake.outcome = outcome;
    handshake.basis = basis;
    handshake.ended = true;
    handshake.esp_seen = basis == Basis::esp;
    review();
    return *this;
}

HandshakeScript& HandshakeScript::leaving(bool seen) {
    leaving_ = seen;
    return *this;
}

std::string HandshakeScript::ids() const {
    std::string text;
    firewall_->diagnostician.for_each([&](const Finding& finding) {
        if (finding.handshake != handshake.number) return;
        text += (text.empty() ? "" : " ") + std::string(finding.diagnosis->id);
    });
    return text;
}

std::string HandshakeScript::failures() const {
    std::string text;
    firewall_->diagnostician.for_each([&](const Finding& finding) {
        if (finding.handshake != handshake.number ||
            finding.diagnosis->kind != FindingKind::failure)
            return;
        text += (text.empty() ? "" : " ") + std::string(finding.diagnosis->id);
    });
    return text;
}

const Finding* HandshakeScript::finding(const std::string& id) const {
    kept_.clear();
    firewall_->diagnostician.for_each([&](const Finding& finding) {
        if (finding.handshake == handshake.number && finding.diagnosis->id == id)
            kept_.push_back(finding);
    });
    return kept_.empty() ? nullptr : &kept_.front();
}

HandshakeScript agreed(std::shared_ptr<Firewall> firewall) {
    HandshakeScript script(std::move(firewall));
    script.offers(Fragmentation::ike, Fragmentation::ike).sa_init().at(0.05).sa_answer().at(0.1);
    return script;
}

HandshakeScript plain(std::shared_ptr<Firewall> firewall) {
    HandshakeScript script(std::move(firewall));
    script.offers(Fragmentation::none, Fragmentation::none).sa_init().at(0.05).sa_answer().at(0.1);
    return script;
}

} // namespace ikefrag::testing
