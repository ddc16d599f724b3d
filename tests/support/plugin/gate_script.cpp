// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/gate_script.hpp"

#include <memory>

namespace ikefrag::test {

Rule rule(std::string name, PacketClass packet_class, Action action) {
    Rule made;
    made.name = std::move(name);
    made.match.packet_class = packet_class;
    made.action = action;
    return made;
}

Policy shipped_policy(Mode mode) {
    Policy policy;
    policy.mode = mode;
    Server server;
    server.name = "vpn1";
    server.addresses = {prefix("203.0.113.5"), prefix("2001:db8::5")};
    policy.servers = {server};
    policy.rules = {rule("ike", PacketClass::ike, Action::pass),
                    rule("esp-in-udp", PacketClass::esp_in_udp, Action::leave),
                    rule("esp", PacketClass::esp, Action::leave),
                    rule("keepalive", PacketClass::keepalive, Action::leave)};
    return policy;
}

GateScript::GateScript(Policy policy)
    : gate_(std::make_shared<const Policy>(std::move(policy)),
            {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}) {}

GateScript& GateScript::at(Duration since_start) {
    now_ = start_of_script + since_start;
    return *this;
}

GateScript& GateScript::feed(const Packet& packet) {
    fed_ = std::max(fed_, packet.id.value);
    gate_.feed(packet, now_, out_);
    collect();
    return *this;
}

GateScript& GateScript::feed(const Buffer& packet, std::uint32_t domain) {
    copies_.emplace_back(packet);
    Packet fed;
    fed.id.value = fed_ + 1;
    fed.bytes = copies_.back().bytes();
    fed.domain = domain;
    return feed(fed);
}

GateScript& GateScript::feed(const std::vector<Buffer>& packets) {
    for (const auto& packet : packets) feed(packet);
    return *this;
}

GateScript& GateScript::expire() {
    gate_.expire(now_, out_);
    collect();
    return *this;
}

GateScript& GateScript::release_all() {
    gate_.release_all(now_, out_);
    collect();
    return *this;
}

GateScript& GateScript::set_policy(Policy policy) {
    gate_.set_policy(std::make_shared<const Policy>(std::move(policy)));
    return *this;
}

void GateScript::collect() {
    for (; collected_ < out_.decisions.size(); ++collected_) {
        const auto& decision = out_.decisions[collected_];
        const bool first = by_packet_.emplace(decision.packet.value, decision).second;
        INFO("packet " << decision.packet.value << " got a second decision");
        REQUIRE(first);
        decisions_.push_back(decision);
    }
}

std::optional<Decision> GateScript::of(std::uint32_t number) const {
    const auto found = by_packet_.find(number);
    if (found == by_packet_.end()) return std::nullopt;
    return found->second;
}

void GateScript::expect(std::uint32_t first, std::uint32_t last, Verdict verdict, Reason reason) {
    for (auto number = first; number <= last; ++number) {
        INFO("packet " << number);
        const auto decision = of(number);
        REQUIRE(decision);
        CHECK(decision->verdict == verdict);
        CHECK(decision->reason == reason);
    }
}

std::uint64_t GateScript::outcomes(DatagramOutcome outcome) const {
    std::uint64_t sum = 0;
    for (const auto& family : gate_.counters().datagrams) sum += family[index(outcome)].get();
    return sum;
}

} // namespace ikefrag::test
