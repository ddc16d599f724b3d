// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/proven_sources.hpp"

#include "tests/support/plugin/tracker_script.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

/// IKE_SA_INIT and IKE_AUTH of a client that receives.
void attempt(TrackerScript& script, std::uint32_t client, std::uint32_t number, Duration at) {
    auto initiator = spi("0011223344556677");
    initiator[0] = static_cast<std::uint8_t>(number);
    initiator[1] = static_cast<std::uint8_t>(number >> 8);
    const auto responder = spi("8899aabbccddeeff");
    script.client.address = address("10.0.0.0");
    script.client.address.bytes[3] = static_cast<std::uint8_t>(client);
    script.at(at).from_client(sa_init_request(initiator));
    script.at(at + 1ms).from_server(sa_init_response(initiator, responder));
    script.at(at + 2ms).from_client(
        encrypted_message(initiator, responder, {.bytes = 200, .seed = number}));
    script.expire(at + 3ms + TrackerLimits{}.reorder_window);
}

} // namespace

TEST_CASE("proven sources: handed out four times a second at most", "[observer]") {
    TrackerScript script;
    ProvenSources proven;
    CHECK(proven.latest() == nullptr);
    unsigned count = 0;
    for (std::uint32_t i = 0; i < 200; ++i) { // two seconds
        attempt(script, i, i, 10ms * i);
        if (proven.next(script.tracker, script_start + 10ms * i)) ++count;
    }
    CHECK(count == 8);
    const auto last = proven.next(script.tracker, script_start + 10s);
    REQUIRE(last);
    CHECK(last == proven.latest());
    CHECK(last->size() == 201); // with the server
    CHECK_FALSE(proven.next(script.tracker, script_start + 20s));
}

TEST_CASE("proven sources: not handed out for another order", "[observer]") {
    TrackerScript script;
    ProvenSources proven;
    attempt(script, 1, 1, 0s);
    attempt(script, 2, 2, 1s);
    CHECK(proven.next(script.tracker, script_start + 1s));
    attempt(script, 1, 3, 2s);
    CHECK(script.tracker.proven_sources() != proven.latest());
    CHECK_FALSE(proven.next(script.tracker, script_start + 2s));
    attempt(script, 3, 4, 3s);
    CHECK(proven.next(script.tracker, script_start + 3s));
}
