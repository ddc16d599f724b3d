// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/answer.hpp"
#include "daemon/probe/request.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <vector>

using namespace ikefrag;
using probe::encode_init;
using probe::InitRequest;
using probe::parse_answer;

namespace {

const Spi spi{0x69, 0x6b, 0x70, 0x62, 1, 2, 3, 4};

std::size_t length_of(const std::vector<std::uint8_t>& message) {
    return static_cast<std::size_t>(message[24] << 24 | message[25] << 16 | message[26] << 8 |
                                    message[27]);
}

/// Parses an exact-size copy, so that the sanitizer sees one byte too far.
std::optional<probe::Answer> parse(const std::vector<std::uint8_t>& message, std::size_t size) {
    const auto copy = std::make_unique<std::uint8_t[]>(size);
    std::copy_n(message.begin(), size, copy.get());
    return parse_answer(Bytes(copy.get(), size), default_vendor_ids());
}

} // namespace

TEST_CASE("probe request: an IKE_SA_INIT that is what it says", "[probe]") {
    InitRequest request;
    request.spi = spi;
    const auto message = encode_init(request);
    CHECK(length_of(message) == message.size());
    CHECK(message[17] == 0x20);
    CHECK(message[18] == 34);
    CHECK(message[19] == 0x08);
    const auto read = parse(message, message.size());
    REQUIRE(read);
    CHECK(read->initiator_spi == spi);
    CHECK(read->major_version == 2);
    CHECK_FALSE(read->response);
    CHECK(read->complete);
    CHECK(read->notifies == std::vector<std::uint16_t>{16430});
}

TEST_CASE("probe request: small stays below the smallest link, whatever the group", "[probe]") {
    for (const int number : {31, 19, 20, 14, 5, 2}) {
        const auto group = static_cast<std::uint16_t>(number);
        InitRequest request;
        request.spi = spi;
        request.group = group;
        CAPTURE(group);
        REQUIRE(probe::knows_group(group));
        CHECK(encode_init(request).size() + 28 + 4 <= 576);
    }
    CHECK_FALSE(probe::knows_group(1));
    CHECK_FALSE(probe::knows_group(21));
    CHECK_FALSE(probe::knows_group(37));
}

TEST_CASE("probe request: padding fills to the octet", "[probe]") {
    InitRequest request;
    request.spi = spi;
    const std::size_t small = encode_init(request).size();
    for (std::size_t bytes = small + 8; bytes < small + 2000; ++bytes) {
        request.bytes = bytes;
        const auto message = encode_init(request);
        REQUIRE(message.size() == bytes);
        REQUIRE(length_of(message) == bytes);
        const auto read = parse_answer(message, {});
        REQUIRE(read);
        REQUIRE(read->complete);
    }
    for (std::size_t bytes = probe::smallest_version3; bytes < 3000; bytes += 7) {
        const auto message = probe::encode_version3(spi, bytes);
        REQUIRE(message.size() == bytes);
        REQUIRE(length_of(message) == bytes);
        REQUIRE(message[17] == 0x30);
    }
}

TEST_CASE("probe request: a cookie comes first", "[probe]") {
    InitRequest request;
    request.spi = spi;
    request.cookie = {1, 2, 3, 4};
    const auto read = parse_answer(encode_init(request), {});
    REQUIRE(read);
    CHECK(read->notifies == std::vector<std::uint16_t>{16390, 16430});
    CHECK(read->cookie == request.cookie);
}

TEST_CASE("probe answer: cut at every length", "[probe]") {
    InitRequest request;
    request.spi = spi;
    request.cookie = {1, 2, 3, 4};
    request.bytes = 900;
    const auto message = encode_init(request);
    for (std::size_t size = 0; size < message.size(); ++size) CHECK_FALSE(parse(message, size));
    // With a Length that fits, a chain that breaks ends there.
    for (std::size_t size = 28; size < message.size(); ++size) {
        auto shorter = message;
        shorter[26] = static_cast<std::uint8_t>(size >> 8);
        shorter[27] = static_cast<std::uint8_t>(size);
        CHECK(parse(shorter, size));
    }
}

TEST_CASE("probe answer: what servers say", "[probe]") {
    std::vector<std::uint8_t> message(spi.begin(), spi.end());
    message.resize(16, 7);
    const auto add = [&](std::initializer_list<int> bytes) {
        for (const int byte : bytes) message.push_back(static_cast<std::uint8_t>(byte));
    };
    add({41, 0x20, 34, 0x20, 0, 0, 0, 0, 0, 0, 0, 0});
    SECTION("another group wanted") {
        add({0, 0, 0, 10, 0, 0, 0, 17, 0, 14});
        message[27] = static_cast<std::uint8_t>(message.size());
        const auto read = parse_answer(message, {});
        REQUIRE(read);
        CHECK(read->response);
        CHECK(read->wanted_group == 14);
        CHECK(read->has_notify(17));
        CHECK_FALSE(read->complete);
    }
    SECTION("a cookie longer than RFC 7296 allows is none") {
        add({0, 0, 0, 8 + 65, 0, 0, 0x40, 0x06});
        message.resize(message.size() + 65, 1);
        message[27] = static_cast<std::uint8_t>(message.size());
        const auto read = parse_answer(message, {});
        REQUIRE(read);
        CHECK(read->has_notify(16390));
        CHECK(read->cookie.empty());
    }
    SECTION("a notify whose SPI is longer than itself is none") {
        add({0, 0, 0, 8, 3, 200, 0x40, 0x2e});
        message[27] = static_cast<std::uint8_t>(message.size());
        CHECK(parse_answer(message, {})->notifies.empty());
    }
    SECTION("vendor IDs by name, unknown ones as hex") {
        message[16] = 43;
        add({43, 0, 0, 8, 0xff, 0x1b, 0x5b, 0x32});
        const auto known = default_vendor_ids();
        const auto& first = known.front();
        add({0, 0, 0, static_cast<int>(4 + first.prefix.size())});
        message.insert(message.end(), first.prefix.begin(), first.prefix.end());
        message[27] = static_cast<std::uint8_t>(message.size());
        const auto read = parse_answer(message, known);
        REQUIRE(read);
        REQUIRE(read->vendors.size() == 2);
        CHECK(read->vendors[0] == "ff1b5b32");
        CHECK(read->vendors[1] == first.name);
        CHECK(read->vendor == first.vendor);
    }
}
