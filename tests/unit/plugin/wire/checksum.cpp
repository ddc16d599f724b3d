// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/wire/checksum.hpp"

#include "tests/support/plugin/packets.hpp"

#include <catch2/catch.hpp>

#include <random>

using namespace ikefrag;
using namespace ikefrag::test;

TEST_CASE("checksum: any bytes of any length, as by the book", "[wire]") {
    std::mt19937_64 random(20261123);
    for (std::size_t size = 0; size < 300; ++size) {
        Buffer bytes(size);
        const bool ones = size % 3 == 0; // every carry there can be
        for (auto& byte : bytes) byte = ones ? 0xff : static_cast<std::uint8_t>(random());
        const ExactCopy copy(bytes);
        InternetSum sum;
        sum.add(copy.bytes());
        INFO("size " << size);
        CHECK(sum.folded() == checksum(bytes));
    }
}

TEST_CASE("checksum: piece by piece is the same as at once", "[wire]") {
    const auto bytes = noise(9'001, 7);
    for (const std::size_t piece : {2u, 8u, 18u, 40u, 1'480u, 9'000u}) {
        InternetSum sum;
        for (std::size_t at = 0; at < bytes.size(); at += piece)
            sum.add(Bytes(bytes).subspan(at, std::min(piece, bytes.size() - at)));
        INFO("pieces of " << piece);
        CHECK(sum.folded() == checksum(bytes));
    }
}

TEST_CASE("checksum: the largest datagram of ones", "[wire]") {
    const Buffer bytes(65'528, 0xff);
    InternetSum sum;
    for (std::size_t at = 0; at < bytes.size(); at += 8) sum.add(Bytes(bytes).subspan(at, 8));
    CHECK(sum.folded() == 0xffff);
}
