// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/handshake.hpp"
#include "plugin/ike/payload.hpp"

#include <cstddef>
#include <cstdint>

namespace ikefrag {

/// Gives each distinct transform of an SA payload of either version to `take`, in the order they
/// stand there, as far as the payload is there and well formed.
///
/// Bounds:  looks at 256 transforms at most
/// Source:  RFC 7296 §3.3; RFC 2408 §3.5, §3.6 and RFC 2409 Appendix A for IKEv1
class TransformReader {
public:
    static constexpr unsigned max_looked_at = 256;

    TransformReader(const Payload& payload, std::uint8_t major) noexcept;
    /// The next transform (v1: the next attribute of one); empty at the end.
    std::optional<Transform> next() noexcept;
    /// Once next() has come to its end: whether that was for the bound.
    [[nodiscard]] bool has_more() const noexcept {
        return looked_at_ >= max_looked_at && !(proposals_.empty() && transforms_.empty());
    }

private:
    bool enter_proposal() noexcept;
    bool enter_transform() noexcept;
    std::optional<Transform> next_v1_attribute() noexcept;

    Bytes proposals_;
    Bytes transforms_;
    Bytes attributes_;
    std::uint8_t major_;
    std::uint8_t type_ = 0;
    std::uint16_t id_ = 0;
    unsigned looked_at_ = 0;
};

} // namespace ikefrag
