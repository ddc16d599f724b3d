// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/tracker_script.hpp"

#include <algorithm>
#include <memory>
#include <stdexcept>
#include <utility>

namespace ikefrag::test {

MessageSeen seen(const Endpoint& source,
                 const Endpoint& destination,
                 const ByteVector& message,
                 const Shown& shown) {
    MessageSeen result;
    result.interface = shown.interface;
    result.source = source;
    result.destination = destination;
    result.message = Bytes(message).first(std::min(message.size(), shown.copy_bytes));
    result.message_bytes = static_cast<std::uint32_t>(message.size());
    result.marked = source.port == 4500 || destination.port == 4500;
    result.ip_fragments = shown.ip_fragments;
    const auto ip_header = source.address.family == Family::ipv4 ? 20u : 40u;
    result.datagram_bytes = result.message_bytes + 8 + ip_header + (result.marked ? 4 : 0);
    result.first_fragment_bytes = shown.first_fragment_bytes != 0 ? shown.first_fragment_bytes
                                  : shown.ip_fragments != 0       ? 1500
                                                                  : result.datagram_bytes;
    result.refused = shown.refused;
    result.reason = shown.reason;
    return result;
}

TrackerScript::TrackerScript(Policy policy, TrackerLimits limits)
    : tracker(std::make_shared<const Policy>(std::move(policy)), limits, default_vendor_ids()) {}

TrackerScript& TrackerScript::at(Duration offset) {
    now_ = script_start + offset;
    return *this;
}

void TrackerScript::feed(Leg leg, decltype(Observation::what) what) {
    tracker.feed({now_, leg, std::move(what)});
}

TrackerScript& TrackerScript::send(const Endpoint& source,
                                   const Endpoint& destination,
                                   const ByteVector& message,
                                   const Shown& shown) {
    feed(shown.leg, seen(source, destination, message, shown));
    return *this;
}

TrackerScript& TrackerScript::from_client(const ByteVector& message, const Shown& shown) {
    return send(client, server, message, shown);
}

TrackerScript& TrackerScript::from_server(const ByteVector& message, const Shown& shown) {
    return send(server, client, message, shown);
}

TrackerScript& TrackerScript::from_client(const std::vector<ByteVector>& messages) {
    for (const auto& message : messages) from_client(message);
    return *this;
}

TrackerScript& TrackerScript::from_server(const std::vector<ByteVector>& messages) {
    for (const auto& message : messages) from_server(message);
    return *this;
}

TrackerScript& TrackerScript::lost(DatagramLost what) {
    feed(Leg::prerouting, what);
    return *this;
}

TrackerScript& TrackerScript::icmp(const IcmpSeen& what) {
    feed(Leg::prerouting, what);
    return *this;
}

TrackerScript& TrackerScript::esp(const Endpoint& source, const Endpoint& destination) {
    feed(Leg::prerouting, EspSeen{source, destination});
    return *this;
}

TrackerScript& TrackerScript::copies_lost() {
    feed(Leg::prerouting, CopiesLost{1});
    return *this;
}

TrackerScript& TrackerScript::float_ports() {
    client.port = server.port = 4500;
    return *this;
}

TrackerScript& TrackerScript::end() {
    tracker.expire(now_ + 120s);
    return *this;
}

TrackerScript& TrackerScript::expire(Duration offset) {
    tracker.expire(script_start + offset);
    return *this;
}

std::vector<Handshake> TrackerScript::handshakes() const {
    std::vector<Handshake> all;
    tracker.for_each_handshake([&all](const Handshake& handshake) { all.push_back(handshake); });
    return all;
}

Handshake TrackerScript::handshake() const {
    auto all = handshakes();
    if (all.size() != 1)
        throw std::logic_error("not one handshake but " + std::to_string(all.size()));
    return std::move(all.front());
}

DatagramLost first_only(const TrackerScript& script, const ByteVector& message) {
    DatagramLost lost;
    lost.source = script.client.address;
    lost.destination = script.server.address;
    lost.source_port = script.client.port;
    lost.destination_port = script.server.port;
    lost.packet_class = PacketClass::ike;
    lost.message = Bytes(message).first(std::min<std::size_t>(message.size(), 1472));
    lost.message_bytes = static_cast<std::uint32_t>(message.size());
    lost.fragments = 1;
    lost.bytes = 1480;
    lost.first_seen = true;
    lost.first_fragment_bytes = 1500;
    return lost;
}

} // namespace ikefrag::test
