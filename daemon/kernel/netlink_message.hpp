// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"

#include <libmnl/libmnl.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

/// Netlink's framing, by libmnl: the only place where bytes become its structs. Buffers begin
/// 4-byte aligned, as every buffer of ours and of the kernel does.
namespace ikefrag {

/// Rounded up to where the next message or attribute begins.
[[nodiscard]] constexpr std::size_t netlink_aligned(std::size_t size) noexcept {
    return (size + 3) / 4 * 4;
}

/// The first message of a datagram, or null if it is cut or not whole. (mnl_nlmsg_ok takes a length
/// of 2^31 or more for a negative one, that fits.)
[[nodiscard]] inline const nlmsghdr* first_message(Bytes datagram) noexcept {
    if (datagram.size() < sizeof(nlmsghdr)) return nullptr;
    const auto* message = reinterpret_cast<const nlmsghdr*>(datagram.data());
    const bool whole =
        message->nlmsg_len >= sizeof(nlmsghdr) && message->nlmsg_len <= datagram.size();
    return whole ? message : nullptr;
}

/// Calls `take(const nlmsghdr&)` for each message of a datagram, up to the first that is not whole.
///
/// Out: false if bytes were left that are no message
template <class Take>
bool each_message(Bytes datagram, Take&& take) {
    while (const auto* const message = first_message(datagram)) {
        take(*message);
        datagram = datagram.subspan(std::min(netlink_aligned(message->nlmsg_len), datagram.size()));
    }
    return datagram.empty();
}

/// Calls `take(const nlattr&)` for each attribute of `bytes`.
template <class Take>
void each_attribute_of(Bytes bytes, Take&& take) {
    const auto* attribute = reinterpret_cast<const nlattr*>(bytes.data());
    int left = static_cast<int>(bytes.size());
    while (mnl_attr_ok(attribute, left)) {
        take(*attribute);
        left -= static_cast<int>(netlink_aligned(attribute->nla_len));
        attribute = mnl_attr_next(attribute);
    }
}

/// A message's bytes behind its header and `extra` (the family's own header).
[[nodiscard]] inline Bytes message_body(const nlmsghdr& message, std::size_t extra) noexcept {
    const std::size_t before = sizeof(nlmsghdr) + netlink_aligned(extra);
    if (message.nlmsg_len < before) return {};
    return Bytes(reinterpret_cast<const std::uint8_t*>(&message), message.nlmsg_len)
        .subspan(before);
}

template <class Take>
void each_attribute(const nlmsghdr& message, std::size_t extra, Take&& take) {
    each_attribute_of(message_body(message, extra), take);
}

[[nodiscard]] inline Bytes attribute_bytes(const nlattr& attribute) noexcept {
    return {static_cast<const std::uint8_t*>(mnl_attr_get_payload(&attribute)),
            mnl_attr_get_payload_len(&attribute)};
}

/// An attribute's text, without its terminator; of any length the attribute has.
[[nodiscard]] inline std::string_view attribute_text(const nlattr& attribute) noexcept {
    const auto* text = static_cast<const char*>(mnl_attr_get_payload(&attribute));
    const std::string_view all(text, mnl_attr_get_payload_len(&attribute));
    return all.substr(0, all.find('\0'));
}

/// A big-endian number out of an attribute; 0 where the attribute is too short.
[[nodiscard]] inline std::uint64_t big_endian(const nlattr& attribute, std::size_t bytes) noexcept {
    const Bytes value = attribute_bytes(attribute);
    if (value.size() < bytes) return 0;
    std::uint64_t number = 0;
    for (const std::uint8_t byte : value.first(bytes)) number = number << 8 | byte;
    return number;
}
[[nodiscard]] inline std::uint32_t big_endian_32(const nlattr& attribute) noexcept {
    return static_cast<std::uint32_t>(big_endian(attribute, 4));
}
[[nodiscard]] inline std::uint16_t big_endian_16(const nlattr& attribute) noexcept {
    return static_cast<std::uint16_t>(big_endian(attribute, 2));
}

/// Messages one behind the other, to be sent in one go.
class MessageWriter {
public:
    explicit MessageWriter(std::size_t room = 8192) : buffer_(room) {}

    /// Begins an nfnetlink message of less than 1 kB.
    nlmsghdr* begin(int subsystem, int type, int flags, int family, std::uint16_t resource);
    void end(const nlmsghdr* message) noexcept { used_ += netlink_aligned(message->nlmsg_len); }

    [[nodiscard]] Bytes bytes() const noexcept { return Bytes(buffer_).first(used_); }

private:
    std::vector<std::uint8_t> buffer_;
    std::size_t used_ = 0;
    std::uint32_t sequence_ = 0;
};

} // namespace ikefrag
