// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/answer.hpp"

#include "daemon/capture/field_reader.hpp"
#include "daemon/escape.hpp"
#include "plugin/hex.hpp"

#include <algorithm>
#include <bit>

namespace ikefrag::probe {

namespace {

constexpr std::size_t header_bytes = 28;
constexpr int max_payloads = 64;
constexpr std::size_t max_notifies = 32;
constexpr std::size_t max_vendors = 16;
constexpr std::size_t max_vendor_hex_bytes = 20;
constexpr std::size_t max_cookie_bytes = 64; ///< RFC 7296 §2.6
constexpr std::uint16_t notify_invalid_ke = 17;
constexpr std::uint16_t notify_cookie = 16390;

void read_notify(Bytes body, Answer& answer) {
    FieldReader reader(body, std::endian::big);
    (void)reader.u8(); // protocol
    const std::size_t spi_bytes = reader.u8();
    const std::uint16_t type = reader.u16();
    (void)reader.take(spi_bytes);
    if (reader.failed() || answer.notifies.size() == max_notifies) return;
    answer.notifies.push_back(type);
    const Bytes data = reader.rest();
    if (type == notify_cookie && !data.empty() && data.size() <= max_cookie_bytes)
        answer.cookie.assign(data.begin(), data.end());
    if (type == notify_invalid_ke && data.size() == 2)
        answer.wanted_group = static_cast<std::uint16_t>(data[0] << 8 | data[1]);
}

void read_vendor(Bytes body, std::span<const VendorId> known, Answer& answer) {
    if (answer.vendors.size() == max_vendors) return;
    const VendorId* best = nullptr;
    for (const auto& vendor : known) {
        if (body.size() < vendor.prefix.size()) continue;
        if (!std::equal(vendor.prefix.begin(), vendor.prefix.end(), body.begin())) continue;
        if (best == nullptr || vendor.prefix.size() > best->prefix.size()) best = &vendor;
    }
    if (best != nullptr) {
        answer.vendors.push_back(best->name);
        if (answer.vendor.empty()) answer.vendor = best->vendor;
        return;
    }
    answer.vendors.push_back(to_hex(body.first(std::min(body.size(), max_vendor_hex_bytes))));
}

} // namespace

bool Answer::has_notify(std::uint16_t type) const noexcept {
    return std::find(notifies.begin(), notifies.end(), type) != notifies.end();
}

std::optional<Answer> parse_answer(Bytes message, std::span<const VendorId> vendor_ids) {
    FieldReader reader(message, std::endian::big);
    Answer answer;
    const Bytes spi = reader.take(8);
    (void)reader.take(8);
    std::uint8_t next = reader.u8();
    answer.major_version = reader.u8() >> 4;
    (void)reader.u8(); // exchange
    answer.response = (reader.u8() & 0x20) != 0;
    (void)reader.u32(); // message id
    const std::size_t length = reader.u32();
    if (reader.failed() || length < header_bytes || length > message.size()) return std::nullopt;
    std::copy(spi.begin(), spi.end(), answer.initiator_spi.begin());
    FieldReader payloads(message.subspan(header_bytes, length - header_bytes), std::endian::big);
    unsigned seen = 0;
    for (int i = 0; i < max_payloads && next != 0; ++i) {
        const std::uint8_t type = next;
        next = payloads.u8();
        (void)payloads.u8();
        const std::size_t size = payloads.u16();
        if (payloads.failed() || size < 4) break;
        const Bytes body = payloads.take(size - 4);
        if (payloads.failed()) break;
        if (type == 33) seen |= 1;
        if (type == 34) seen |= 2;
        if (type == 40) seen |= 4;
        if (type == 41) read_notify(body, answer);
        if (type == 43) read_vendor(body, vendor_ids, answer);
    }
    answer.complete = seen == 7;
    return answer;
}

} // namespace ikefrag::probe
