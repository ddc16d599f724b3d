// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/kernel/netlink_message.hpp"
#include "plugin/bytes.hpp"

#include <libmnl/libmnl.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace ikefrag::testing {

/// Writes one netlink message as the kernel would.
class NetlinkBuilder {
public:
    NetlinkBuilder(int subsystem, int type, std::uint8_t family = 0) : buffer_(200000) {
        message_ = mnl_nlmsg_put_header(buffer_.data());
        message_->nlmsg_type = static_cast<std::uint16_t>(subsystem << 8 | type);
        const std::uint8_t header[4] = {family, 0, 0, 0};
        std::memcpy(mnl_nlmsg_put_extra_header(message_, sizeof header), header, sizeof header);
    }
    NetlinkBuilder& put(int type, Bytes bytes) {
        mnl_attr_put(message_, static_cast<std::uint16_t>(type), bytes.size(), bytes.data());
        return *this;
    }
    NetlinkBuilder& text(int type, std::string_view text) {
        return put(type, std::vector<std::uint8_t>(text.data(), text.data() + text.size() + 1));
    }
    NetlinkBuilder& u16(int type, std::uint16_t value) { return number(type, value, 2); }
    NetlinkBuilder& u32(int type, std::uint32_t value) { return number(type, value, 4); }
    NetlinkBuilder& u64(int type, std::uint64_t value) { return number(type, value, 8); }
    template <class Fill>
    NetlinkBuilder& nest(int type, Fill&& fill) {
        nlattr* start = mnl_attr_nest_start(message_, static_cast<std::uint16_t>(type));
        fill(*this);
        mnl_attr_nest_end(message_, start);
        return *this;
    }
    [[nodiscard]] std::vector<std::uint8_t> bytes() const {
        return {buffer_.begin(), buffer_.begin() + message_->nlmsg_len};
    }
    [[nodiscard]] const nlmsghdr& message() const { return *message_; }

private:
    NetlinkBuilder& number(int type, std::uint64_t value, std::size_t size) {
        std::vector<std::uint8_t> bytes(size);
        for (std::size_t i = 0; i < size; ++i)
            bytes[i] = static_cast<std::uint8_t>(value >> 8 * (size - 1 - i));
        return put(type, bytes);
    }

    std::vector<std::uint8_t> buffer_;
    nlmsghdr* message_;
};

/// Calls `look` with every beginning of `whole`, each an exact-size copy whose length field, where
/// it has one, says what is there: what a cut datagram looks like, and what a lying one.
template <class Look>
void each_truncation(const std::vector<std::uint8_t>& whole, Look&& look) {
    for (std::size_t size = 0; size <= whole.size(); ++size) {
        const auto copy = std::make_unique<std::uint8_t[]>(size);
        std::memcpy(copy.get(), whole.data(), size);
        look(Bytes(copy.get(), size));
        if (size < sizeof(nlmsghdr)) continue;
        const auto length = static_cast<std::uint32_t>(size);
        std::memcpy(copy.get(), &length, sizeof length);
        look(Bytes(copy.get(), size));
    }
}

} // namespace ikefrag::testing
