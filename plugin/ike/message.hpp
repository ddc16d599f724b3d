// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/handshake.hpp"
#include "plugin/ike/fragment.hpp"
#include "plugin/ike/header.hpp"
#include "plugin/ike/vendor_table.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

namespace ikefrag {

/// A list of fixed room that drops what does not fit, and says so.
template <class T, std::size_t n>
class ShortList {
public:
    void add(const T& value) noexcept {
        if (size_ < n)
            items_[size_++] = value;
        else
            truncated_ = true;
    }
    void set_truncated() noexcept { truncated_ = true; }
    [[nodiscard]] bool contains(const T& value) const noexcept {
        for (const auto& item : *this)
            if (item == value) return true;
        return false;
    }
    [[nodiscard]] const T* begin() const noexcept { return items_.data(); }
    [[nodiscard]] const T* end() const noexcept { return items_.data() + size_; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] bool is_truncated() const noexcept { return truncated_; }

private:
    std::array<T, n> items_{};
    std::size_t size_ = 0;
    bool truncated_ = false;
};

/// The start of a vendor ID the table does not have.
struct UnknownVendor {
    std::array<std::uint8_t, 16> start{};
    std::uint8_t bytes = 0; ///< how many of `start` there are
    bool operator==(const UnknownVendor&) const = default;
};

/// What only the opening messages of a handshake say in the clear.
struct OpeningFacts {
    ShortList<std::uint16_t, 24> notifies; ///< types, in order
    ShortList<std::uint16_t, 16> vendors;  ///< indexes into the VendorTable
    ShortList<UnknownVendor, 8> unknown_vendors;
    ShortList<Transform, max_transforms> transforms; ///< distinct ones
    /// Whether the sender's own address is as its NAT_DETECTION_SOURCE_IP says; empty: none sent.
    std::optional<bool> source_as_sent;
    std::optional<bool> destination_as_sent;
};

/// What one IKE message says in the clear.
struct MessageFacts {
    IkeHeader header;
    /// The payload chain is broken (what stood before that was read), or the numbers of an SKF or
    /// payload 132 make no sense.
    bool malformed = false;
    bool cut = false;                ///< the copy ends before the clear part does
    bool opening = false;            ///< `OpeningFacts` has something
    bool is_skf = false;             ///< the datagram is one, not what a payload 132 brings
    bool is_vendor_fragment = false; ///< payload 132; never both
    bool inner_encrypted = false;    ///< payload 132 number 1: the message inside has the E flag
    /// Of SKF and payload 132; number 0: none, or its numbers make no sense. `data` is not kept.
    FragmentHeader fragment;
    Notes notes;
    std::uint8_t payloads = 0; ///< in the clear
    std::uint16_t key_group = 0;
    std::uint16_t wanted_group = 0;
    std::uint16_t error_notify = 0;
    std::uint16_t windows_error = 0; ///< as MessageRecord's
    std::uint64_t digest = 0;
    std::uint32_t head_digest = 0;
};

/// Reads all a message says in the clear.
///
/// In:      `message`: from the IKE header on, maybe cut; `message_bytes`: its real size; the
///          endpoints as seen, for the NAT_DETECTION hashes; `opening`: cleared by the caller
/// Errors:  the header's; a broken payload chain or a Length that does not fit is told by
///          `malformed`, with what was readable before it
/// Bounds:  linear in the bytes there; at most 64 payloads, 256 transforms, 2 hashes (IKEv1: 8)
[[nodiscard]] Result<MessageFacts, IkeFault> parse_message(Bytes message,
                                                           std::size_t message_bytes,
                                                           const Endpoint& source,
                                                           const Endpoint& destination,
                                                           const VendorTable& vendors,
                                                           OpeningFacts& opening);

} // namespace ikefrag
