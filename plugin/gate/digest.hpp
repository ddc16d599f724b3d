// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

namespace ikefrag {

/// A quick 64-bit digest, keyed: tells a fragment that comes again from another one. It is made of
/// the fragment's place, its first and last 64 octets, and the sum of all its words, which the
/// checksum needs anyway: so its bytes are gone through once.
///
/// What hangs on it: for 20 s after a datagram was let through, a fragment with its key and the
/// digest of one of its fragments is dropped alone, any other begins a new datagram. Two unlike
/// fragments with one digest therefore cost one datagram, which its sender repeats under a new id.
///
/// By chance they do not meet: cipher text, which most fragments are, does once in 2^64, and what
/// differs in one word never. Only another order of the 64-bit words between the first and the last
/// 64 octets goes unseen.
///
/// By will: to have a stranger's fragment taken for a copy one must first bring a whole, checked
/// datagram under his addresses and id that holds a fragment with the same digest. Who can read
/// that fragment beforehand need not search for a collision: he sends the fragment itself, and no
/// digest helps. Who cannot read it would have to meet a value he does not know; the key, new at
/// each start, keeps him from preparing one that many fragments have. Who makes two of his own
/// fragments meet has his own dropped. So a cryptographic function would buy nothing.
class FragmentDigest {
public:
    explicit FragmentDigest(std::uint64_t key) noexcept
        : keys_{key ^ 0x9e3779b97f4a7c15u,
                product(key ^ 0xbb67ae8584caa73bu, 0x3c6ef372fe94f82bu),
                product(key ^ 0xa54ff53a5f1d36f1u, 0x510e527fade682d1u),
                product(key ^ 0x9b05688c2b3e6c1fu, 0x1f83d9abfb41bd6bu)} {}

    /// In: sum: sum_of_words(bytes)
    [[nodiscard]] std::uint64_t operator()(std::uint32_t offset,
                                           bool more_fragments,
                                           Bytes bytes,
                                           std::uint64_t sum) const noexcept {
        const auto size = bytes.size();
        const std::uint64_t place =
            std::uint64_t{size} << 32 | offset << 1 | (more_fragments ? 1u : 0u);
        const auto state = product(place ^ keys_[0], sum ^ keys_[1]);
        if (size >= block_bytes)
            return absorb(absorb(state, bytes.data()), bytes.data() + size - block_bytes);
        std::array<std::uint8_t, block_bytes> padded{};
        std::copy(bytes.begin(), bytes.end(), padded.begin());
        return absorb(state, padded.data());
    }

private:
    static constexpr std::size_t block_bytes = 64;

    /// Both halves of the 128-bit product, so that no bit of either factor is lost.
    static std::uint64_t product(std::uint64_t a, std::uint64_t b) noexcept {
        __extension__ using Wide = unsigned __int128;
        const auto wide = static_cast<Wide>(a) * b;
        return static_cast<std::uint64_t>(wide) ^ static_cast<std::uint64_t>(wide >> 64);
    }
    [[nodiscard]] std::uint64_t absorb(std::uint64_t state,
                                       const std::uint8_t* block) const noexcept {
        std::array<std::uint64_t, block_bytes / 8> words;
        std::memcpy(words.data(), block, block_bytes);
        // Four products that do not wait for each other.
        return product(words[0] ^ keys_[0], words[1] ^ state) ^
               product(words[2] ^ keys_[1], words[3] ^ keys_[2]) ^
               product(words[4] ^ keys_[2], words[5] ^ keys_[3]) ^
               product(words[6] ^ keys_[3], words[7] ^ keys_[0]);
    }

    std::array<std::uint64_t, 4> keys_;
};

} // namespace ikefrag
