// SPDX-License-Identifier: GPL-2.0-or-later
// Relations, over a sequence of observations written by the input: every handshake ends; nothing
// grows past its bound; the counts add up; what came out of order within the window ends just as
// what came in order; and a stranger, who speaks to the same server, teaches nothing about the
// client's address.
#include "plugin/tracker.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <vector>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint start{1'795'420'800s};
constexpr std::size_t max_steps = 100;

/// Bytes of the input, zeros behind its end.
class Choices {
public:
    Choices(const std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
    std::uint8_t next() { return at_ < size_ ? data_[at_++] : std::uint8_t{0}; }
    [[nodiscard]] bool empty() const { return at_ >= size_; }

private:
    const std::uint8_t* data_;
    std::size_t size_;
    std::size_t at_ = 0;
};

struct Fed {
    Observation observation;
    std::shared_ptr<ByteVector> bytes;
    bool of_stranger = false; ///< sent by him, or to him
};

const char* const client_address = "198.51.100.7";
const char* const server_address = "203.0.113.5";
const char* const stranger_address = "192.0.2.99";

/// One of four of the client's, or of four that the stranger likes; he may use the client's too.
Spi numbered(std::uint8_t which) {
    auto result = spi((which & 0x80) != 0 ? "00112233445566ee" : "0011223344556677");
    result[0] = static_cast<std::uint8_t>(which % 4 + 1);
    return result;
}

ByteVector message_of(Choices& choices) {
    const auto kind = choices.next();
    const auto initiator = numbered(choices.next());
    const auto responder = spi("8899aabbccddeeff");
    const auto detail = choices.next();
    const bool fragmentation = (detail & 1) != 0;
    const EncryptedOptions options{.exchange = static_cast<std::uint8_t>(35 + detail % 10),
                                   .id = detail / 16u,
                                   .response = (kind & 0x40) != 0,
                                   .from_initiator = (kind & 0x80) != 0,
                                   .bytes = 90 + detail * 8u,
                                   .seed = detail};
    switch (kind % 8) {
    case 0: return sa_init_request(initiator, {.fragmentation = fragmentation});
    case 1: return sa_init_response(initiator, responder, {.fragmentation = fragmentation});
    case 2: return sa_init_refusal(initiator, detail < 128 ? detail : 16256 + detail);
    case 3: return encrypted_message(initiator, responder, options);
    case 4: {
        const auto set = skf_set(initiator, responder, options, 100 + detail % 3 * 100u);
        return set[detail % set.size()];
    }
    case 5: {
        auto builder = IkeBuilder::v1(static_cast<std::uint8_t>(1 + detail % 6));
        builder.spis(initiator, fragmentation ? responder : Spi{});
        if ((detail & 2) != 0) return builder.encrypted(100 + detail).build();
        return builder.payload(4, noise(64, detail)).build();
    }
    case 6: {
        const auto whole = IkeBuilder::v1(2).spis(initiator, responder).encrypted(300).build();
        const auto set = payload_132_set(whole, 120);
        return set[detail % set.size()];
    }
    default: {
        auto raw = encrypted_message(initiator, responder, options);
        for (int i = 0; i < 4; ++i) raw[choices.next() % raw.size()] ^= choices.next();
        return raw;
    }
    }
}

Endpoint endpoint(const char* text, std::uint8_t port_choice) {
    return {address(text), static_cast<std::uint16_t>((port_choice & 7) == 7 ? 4500 : 500)};
}

Fed observation_of(Choices& choices, TimePoint time) {
    const auto kind = choices.next();
    const auto ports = choices.next();
    const bool of_stranger = (ports & 0x40) != 0;
    auto source = endpoint(of_stranger ? stranger_address : client_address, ports);
    auto destination = endpoint(server_address, ports);
    if ((kind & 0x80) != 0) std::swap(source, destination);
    Fed fed{
        {time, (kind & 0x60) == 0x60 ? Leg::postrouting : Leg::prerouting, CopiesLost{1}},
        std::make_shared<ByteVector>(message_of(choices)),
        of_stranger
    };
    const auto size = static_cast<std::uint32_t>(fed.bytes->size());
    switch (kind % 16) {
    case 0: {
        DatagramLost lost;
        lost.source = source.address;
        lost.destination = destination.address;
        lost.first_seen = (ports & 8) != 0;
        if (lost.first_seen) {
            lost.source_port = source.port;
            lost.destination_port = destination.port;
            lost.message = *fed.bytes;
            lost.message_bytes = size + 1000;
        }
        fed.observation.what = lost;
        break;
    }
    case 1: {
        IcmpSeen icmp;
        icmp.reporter = address("192.0.2.254");
        icmp.type = 3;
        icmp.code = ports & 15;
        icmp.mtu = 500 + ports * 4u;
        icmp.quoted_source = source;
        icmp.quoted_destination = destination;
        if ((ports & 16) != 0) icmp.quoted_message = *fed.bytes;
        fed.observation.what = icmp;
        break;
    }
    case 2: fed.observation.what = EspSeen{source, destination}; break;
    case 3: break;
    default: {
        MessageSeen seen;
        seen.source = source;
        seen.destination = destination;
        seen.message = *fed.bytes;
        seen.message_bytes = size;
        seen.ip_fragments = (ports & 32) != 0 ? 3 : 0;
        seen.datagram_bytes = size + 28;
        seen.first_fragment_bytes = std::min(seen.datagram_bytes, 1500u);
        fed.observation.what = seen;
    }
    }
    return fed;
}

/// What is told of a sequence.
struct Told {
    std::string story;   ///< must be the same however the observations came
    std::string client;  ///< what its address is known for; empty: it is no peer
    bool forgot = false; ///< a handshake, or a part of one
};

Told tell(const std::vector<Fed>& sequence, TimePoint end) {
    TrackerLimits limits;
    limits.handshakes = 8;
    limits.messages_per_handshake = 16;
    limits.peers = 4;
    // No vendor IDs: the whole table, made anew each time, would be most of the work.
    Tracker tracker(std::make_shared<const Policy>(), limits, {});
    std::uint64_t messages = 0;
    for (const auto& fed : sequence) {
        tracker.feed(fed.observation);
        const bool is_message = std::holds_alternative<MessageSeen>(fed.observation.what);
        if (is_message && fed.observation.leg != Leg::postrouting) ++messages;
    }
    tracker.expire(end);
    std::ostringstream text;
    if (tracker.totals().messages != messages) std::abort();
    if (tracker.handshakes_in_progress() != 0 || tracker.next_deadline()) std::abort();
    if (tracker.handshake_count() > limits.handshakes || tracker.peer_count() > limits.peers)
        std::abort();
    Told told;
    told.forgot = tracker.totals().evicted_handshakes != 0;
    std::uint64_t retransmits = 0;
    tracker.for_each_handshake([&](const Handshake& handshake) {
        if (!handshake.ended || handshake.outcome == Outcome::in_progress ||
            handshake.basis == Basis::none)
            std::abort();
        if (handshake.messages.size() > limits.messages_per_handshake) std::abort();
        if (handshake.proven && !handshake.init_answered) std::abort();
        if (tracker.find_handshake(handshake.number) == nullptr) std::abort();
        told.forgot = told.forgot || handshake.messages_forgotten != 0;
        retransmits += handshake.retransmits;
        text << to_string(handshake.initiator_spi) << int{handshake.version}
             << to_string(handshake.outcome) << to_string(handshake.basis) << handshake.retransmits
             << ' ' << handshake.messages.size() << '\n';
    });
    std::uint64_t counted = 0;
    for (const auto& [key, count] : tracker.server_totals().at(0).retransmits) counted += count;
    if (counted < retransmits) std::abort();
    for (const auto by_stage : tracker.server_totals().at(0).in_progress)
        if (by_stage != 0) std::abort();
    told.story = text.str();
    if (const auto* peer = tracker.find_peer(address(client_address)))
        told.client = std::string(to_string(peer->role)) +
                      std::string(to_string(peer->capability.fragmentation));
    return told;
}

/// Whether the stranger's messages have initiator SPIs of their own.
bool has_own_spis(const std::vector<Fed>& sequence) {
    std::set<ByteVector> spis[2];
    for (const auto& fed : sequence)
        spis[fed.of_stranger ? 1 : 0].emplace(fed.bytes->begin(), fed.bytes->begin() + 8);
    return std::none_of(spis[1].begin(), spis[1].end(), [&spis](const ByteVector& spi) {
        return spis[0].count(spi) != 0;
    });
}

/// Whether an answer to an opening goes to the client: what it shows then is its own, though in an
/// order that no client has.
bool is_client_answered(const std::vector<Fed>& sequence) {
    return std::any_of(sequence.begin(), sequence.end(), [](const Fed& fed) {
        const auto* seen = std::get_if<MessageSeen>(&fed.observation.what);
        if (seen == nullptr || seen->destination.address != address(client_address)) return false;
        const auto& message = *fed.bytes;
        const bool answers_opening = message[18] == 34 && (message[19] & 0x20) != 0;
        return message[17] >> 4 == 1 || answers_opening;
    });
}

void check_stranger(const std::vector<Fed>& sequence, const Told& with, TimePoint end) {
    std::vector<Fed> others;
    std::copy_if(sequence.begin(), sequence.end(), std::back_inserter(others), [](const Fed& fed) {
        return !fed.of_stranger;
    });
    if (others.size() == sequence.size()) return;
    const auto without = tell(others, end);
    const bool is_new = !with.client.empty() && without.client.empty();
    if (is_new && !is_client_answered(others)) std::abort();
    const bool undisturbed = has_own_spis(sequence) && !with.forgot;
    if (undisturbed && with.client != without.client) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    Choices choices(data, size);
    std::vector<Fed> sequence;
    TimePoint now = start;
    while (!choices.empty() && sequence.size() < max_steps) {
        const auto step = choices.next();
        // Never two at the same time: their order would be the order they came in.
        now += 1us + (step < 200 ? 100us * step : 1s * (step - 199));
        sequence.push_back(observation_of(choices, now));
    }
    const auto end = now + 120s;
    const auto in_order = tell(sequence, end);
    check_stranger(sequence, in_order, end);
    // Neighbours less than half the window apart change places.
    for (std::size_t i = 0; i + 1 < sequence.size(); i += 2)
        if (sequence[i + 1].observation.time - sequence[i].observation.time < 25ms)
            std::swap(sequence[i], sequence[i + 1]);
    if (tell(sequence, end).story != in_order.story) std::abort();
    return 0;
}
