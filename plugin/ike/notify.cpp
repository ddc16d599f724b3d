// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/notify.hpp"

#include "plugin/wire/byte_reader.hpp"

namespace ikefrag {

std::optional<Notify> parse_notify(const Payload& payload, std::uint8_t major) noexcept {
    ByteReader reader(payload.body);
    // IKEv1 has the domain of interpretation in front (RFC 2408 §3.14).
    if (major == 1) reader.skip(4);
    Notify result;
    result.protocol = reader.u8();
    const auto spi_bytes = reader.u8();
    result.type = reader.u16();
    result.spi = reader.take(spi_bytes);
    if (reader.failed()) return std::nullopt;
    result.data = reader.rest();
    return result;
}

} // namespace ikefrag
