// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/fragment.hpp"

#include "plugin/wire/byte_reader.hpp"

namespace ikefrag {

std::optional<FragmentHeader> parse_skf(const Payload& payload) noexcept {
    ByteReader reader(payload.body);
    FragmentHeader header;
    header.number = reader.u16();
    header.total = reader.u16();
    if (reader.failed() || header.number == 0 || header.number > header.total) return std::nullopt;
    if (header.number > 1 && payload.next != 0) return std::nullopt;
    header.last = header.number == header.total;
    return header;
}

std::optional<FragmentHeader> parse_vendor_fragment(const Payload& payload) noexcept {
    ByteReader reader(payload.body);
    FragmentHeader header;
    header.id = reader.u16();
    header.number = reader.u8();
    header.last = (reader.u8() & 1) != 0;
    if (reader.failed() || header.number == 0) return std::nullopt;
    if (header.last) header.total = header.number;
    header.data = reader.rest();
    return header;
}

} // namespace ikefrag
