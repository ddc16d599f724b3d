// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/header.hpp"

#include "plugin/ike/payload.hpp"
#include "plugin/wire/byte_reader.hpp"

namespace ikefrag {

bool IkeHeader::is_encrypted_v1() const noexcept {
    return major == 1 && (flags & 1) != 0 && next_payload != payload::fragment;
}

Result<IkeHeader, IkeFault> parse_ike_header(Bytes message) noexcept {
    ByteReader reader(message);
    IkeHeader header;
    header.initiator_spi = reader.array<8>();
    header.responder_spi = reader.array<8>();
    header.next_payload = reader.u8();
    const auto version = reader.u8();
    header.major = version >> 4;
    header.minor = version & 0x0f;
    header.exchange_type = reader.u8();
    header.flags = reader.u8();
    header.message_id = reader.u32();
    header.length = reader.u32();
    if (reader.failed()) return fail(IkeFault::truncated);
    if (is_zero(header.initiator_spi)) return fail(IkeFault::zero_spi);
    if (header.major != 1 && header.major != 2) return fail(IkeFault::bad_version);
    if (header.length < IkeHeader::size_bytes) return fail(IkeFault::bad_length);
    return header;
}

Result<IkeHeader, IkeFault> check_ike_message(Bytes message, std::size_t message_bytes) noexcept {
    const auto header = parse_ike_header(message);
    if (!header) return header;
    if (header->length != message_bytes) return fail(IkeFault::bad_length);
    PayloadWalk walk(*header, message);
    while (walk.next()) {
    }
    if (walk.is_malformed()) return fail(IkeFault::bad_payload);
    return header;
}

} // namespace ikefrag
