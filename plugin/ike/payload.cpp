// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/payload.hpp"

#include "plugin/wire/byte_reader.hpp"

#include <algorithm>
#include <cassert>

namespace ikefrag {

namespace {

constexpr std::size_t generic_header_bytes = 4;

bool is_sealed(std::uint8_t type, std::uint8_t major) noexcept {
    return major == 2 && (type == payload::encrypted || type == payload::encrypted_fragment);
}

bool ends_walk(std::uint8_t type, std::uint8_t major) noexcept {
    return type == payload::fragment || is_sealed(type, major);
}

/// Whether an SKF is one that a receiver discards. Source: RFC 7383 §2.5, §2.6
bool is_impossible(const Payload& skf) noexcept {
    ByteReader reader(skf.body);
    const auto number = reader.u16();
    const auto total = reader.u16();
    if (reader.failed()) return !skf.cut;
    return number == 0 || number > total || (number > 1 && skf.next != 0);
}

} // namespace

PayloadWalk::PayloadWalk(const IkeHeader& header, Bytes message) noexcept
    : next_(header.is_encrypted_v1() ? std::uint8_t{0} : header.next_payload),
      major_(header.major) {
    assert(message.size() >= IkeHeader::size_bytes && header.length >= IkeHeader::size_bytes);
    there_ = std::min<std::size_t>(message.size(), header.length);
    rest_ = message.first(there_).subspan(IkeHeader::size_bytes);
    missing_ = header.length - there_;
    if (header.is_encrypted_v1()) encrypted_at_ = IkeHeader::size_bytes;
}

std::optional<Payload> PayloadWalk::stop_malformed() noexcept {
    malformed_ = true;
    next_ = 0;
    return std::nullopt;
}

std::optional<Payload> PayloadWalk::next() noexcept {
    if (next_ == 0) return std::nullopt;
    if (++count_ > max_payloads) return stop_malformed();
    if (rest_.size() < generic_header_bytes) {
        if (rest_.size() + missing_ < generic_header_bytes) return stop_malformed();
        cut_ = true;
        next_ = 0;
        return std::nullopt;
    }
    ByteReader reader(rest_);
    Payload result;
    result.type = next_;
    result.next = reader.u8();
    result.critical = (reader.u8() & 0x80) != 0;
    result.length = reader.u16();
    if (result.length < generic_header_bytes || result.length > rest_.size() + missing_)
        return stop_malformed();
    const auto body_bytes = result.length - generic_header_bytes;
    result.cut = body_bytes > reader.rest().size();
    result.body = reader.rest().first(std::min(body_bytes, reader.rest().size()));
    const bool last = ends_walk(result.type, major_);
    // SK and SKF must be the last payload (RFC 7296 §3.14).
    if (last && result.type != payload::fragment && result.length != rest_.size() + missing_)
        return stop_malformed();
    if (is_sealed(result.type, major_))
        encrypted_at_ = there_ - rest_.size() + generic_header_bytes;
    if (result.type == payload::encrypted_fragment && major_ == 2)
        malformed_ = is_impossible(result);
    cut_ = cut_ || result.cut;
    next_ = last || result.cut ? std::uint8_t{0} : result.next;
    rest_ = rest_.subspan(std::min<std::size_t>(result.length, rest_.size()));
    return result;
}

} // namespace ikefrag
