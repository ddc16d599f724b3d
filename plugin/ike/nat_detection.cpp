// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/nat_detection.hpp"

#include "plugin/ike/sha1.hpp"

#include <algorithm>

namespace ikefrag {

std::array<std::uint8_t, 20>
nat_detection_hash(const Spi& initiator, const Spi& responder, const Endpoint& endpoint) noexcept {
    std::array<std::uint8_t, 8 + 8 + 16 + 2> input{};
    auto* end = std::copy(initiator.begin(), initiator.end(), input.begin());
    end = std::copy(responder.begin(), responder.end(), end);
    const auto address = endpoint.address.view();
    end = std::copy(address.begin(), address.end(), end);
    *end++ = static_cast<std::uint8_t>(endpoint.port >> 8);
    *end++ = static_cast<std::uint8_t>(endpoint.port);
    return sha1(Bytes(input).first(static_cast<std::size_t>(end - input.begin())));
}

} // namespace ikefrag
