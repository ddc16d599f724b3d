// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/digest.hpp"

#include "plugin/wire/checksum.hpp"

#include "tests/support/plugin/packets.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

std::uint64_t
digest_of(const FragmentDigest& digest, Bytes bytes, std::uint32_t offset = 0, bool more = true) {
    const ExactCopy copy(bytes);
    return digest(offset, more, copy.bytes(), sum_of_words(copy.bytes()));
}

} // namespace

TEST_CASE("digest: every bit of a fragment counts, and its place", "[gate]") {
    const FragmentDigest digest(0x0123456789abcdef);
    for (const std::size_t size : {1u, 7u, 8u, 15u, 16u, 63u, 64u, 65u, 96u, 128u}) {
        const auto bytes = noise(size, 3);
        std::set<std::uint64_t> seen{digest_of(digest, bytes)};
        std::size_t inputs = 1;
        for (std::size_t bit = 0; bit < 8 * size; ++bit, ++inputs) {
            auto other = bytes;
            other[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
            seen.insert(digest_of(digest, other));
        }
        for (std::uint32_t offset = 8; offset < 65'536; offset += 8, ++inputs)
            seen.insert(digest_of(digest, bytes, offset));
        seen.insert(digest_of(digest, bytes, 0, false));
        INFO("size " << size);
        CHECK(seen.size() == inputs + 1);
    }
}

TEST_CASE("digest: no word of a large fragment can be another", "[gate]") {
    const FragmentDigest digest(0x0123456789abcdef);
    const auto bytes = noise(1'480, 3);
    const auto right = digest_of(digest, bytes);
    std::size_t met = 0;
    for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        auto other = bytes;
        other[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
        if (digest_of(digest, other) == right) ++met;
    }
    for (std::size_t at = 0; at < bytes.size(); at += 8) {
        auto other = bytes;
        const auto word = noise(8, static_cast<std::uint32_t>(at));
        std::copy(word.begin(), word.end(), other.begin() + static_cast<std::ptrdiff_t>(at));
        if (digest_of(digest, other) == right) ++met;
    }
    CHECK(met == 0);
}

TEST_CASE("digest: length counts where the bytes are zero", "[gate]") {
    const FragmentDigest digest(1);
    std::set<std::uint64_t> seen;
    const Buffer zeros(1'480);
    for (std::size_t size = 1; size <= zeros.size(); ++size)
        seen.insert(digest_of(digest, Bytes(zeros).first(size)));
    CHECK(seen.size() == zeros.size());
}

TEST_CASE("digest: words of the first and last 64 octets that change places", "[gate]") {
    const FragmentDigest digest(42);
    const auto bytes = noise(128, 9);
    std::set<std::uint64_t> seen;
    std::size_t inputs = 0;
    for (std::size_t a = 0; a < bytes.size(); a += 8)
        for (std::size_t b = a + 8; b < bytes.size(); b += 8, ++inputs) {
            auto other = bytes;
            std::swap_ranges(other.begin() + static_cast<std::ptrdiff_t>(a),
                             other.begin() + static_cast<std::ptrdiff_t>(a + 8),
                             other.begin() + static_cast<std::ptrdiff_t>(b));
            seen.insert(digest_of(digest, other));
        }
    CHECK(seen.size() == inputs);
}

TEST_CASE("digest: another key, another function", "[gate]") {
    const auto bytes = noise(64, 5);
    std::set<std::uint64_t> seen;
    for (std::uint64_t key = 0; key < 1'000; ++key)
        seen.insert(digest_of(FragmentDigest(key), bytes));
    CHECK(seen.size() == 1'000);
}
