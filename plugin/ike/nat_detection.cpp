// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/nat_detection.hpp"

#include "plugin/ike/md5.hpp"
#include "plugin/ike/sha1.hpp"
#include "plugin/sha256.hpp"

#include <algorithm>

namespace ikefrag {

namespace {

/// Both SPIs, address and port: what every version hashes.
struct Hashed {
    std::array<std::uint8_t, 8 + 8 + 16 + 2> bytes{};
    std::size_t size = 0;

    Hashed(const Spi& initiator, const Spi& responder, const Endpoint& endpoint) noexcept {
        auto* end = std::copy(initiator.begin(), initiator.end(), bytes.begin());
        end = std::copy(responder.begin(), responder.end(), end);
        const auto address = endpoint.address.view();
        end = std::copy(address.begin(), address.end(), end);
        *end++ = static_cast<std::uint8_t>(endpoint.port >> 8);
        *end++ = static_cast<std::uint8_t>(endpoint.port);
        size = static_cast<std::size_t>(end - bytes.begin());
    }
    [[nodiscard]] Bytes view() const noexcept { return Bytes(bytes).first(size); }
};

} // namespace

std::array<std::uint8_t, 20>
nat_detection_hash(const Spi& initiator, const Spi& responder, const Endpoint& endpoint) noexcept {
    return sha1(Hashed(initiator, responder, endpoint).view());
}

std::optional<bool> is_v1_nat_detection_hash(Bytes hash,
                                             const Spi& initiator,
                                             const Spi& responder,
                                             const Endpoint& endpoint) noexcept {
    const Hashed hashed(initiator, responder, endpoint);
    const auto equals = [hash](const auto& expected) {
        return std::equal(hash.begin(), hash.end(), expected.begin(), expected.end());
    };
    switch (hash.size()) {
    case 16: return equals(md5(hashed.view()));
    case 20: return equals(sha1(hashed.view()));
    case 32: return equals(sha256(hashed.view()));
    default: return std::nullopt;
    }
}

} // namespace ikefrag
