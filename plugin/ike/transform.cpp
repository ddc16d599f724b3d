// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/transform.hpp"

#include "plugin/wire/byte_reader.hpp"

#include <algorithm>

namespace ikefrag {

namespace {

/// A data attribute in its short form; the long form's value does not fit and is skipped.
struct Attribute {
    std::uint16_t type = 0;
    std::uint16_t value = 0;
    bool is_short = false;
};

std::optional<Attribute> take_attribute(Bytes& rest) noexcept {
    ByteReader reader(rest);
    Attribute attribute;
    const auto type = reader.u16();
    attribute.is_short = (type & 0x8000) != 0;
    attribute.type = type & 0x7fff;
    const auto value = reader.u16();
    if (attribute.is_short) {
        attribute.value = value;
    } else {
        reader.skip(value);
    }
    if (reader.failed()) return std::nullopt;
    rest = reader.rest();
    return attribute;
}

/// Takes one length-prefixed substructure (proposal or transform): its body behind the four bytes.
Bytes take_substructure(Bytes& rest) noexcept {
    ByteReader reader(rest);
    reader.skip(2);
    const auto length = reader.u16();
    if (reader.failed() || length < 4) {
        rest = {};
        return {};
    }
    // A cut copy ends inside: give what is there.
    const auto there = std::min<std::size_t>(length - 4u, reader.rest().size());
    const auto body = reader.rest().first(there);
    rest = reader.rest().subspan(there);
    return body;
}

constexpr std::uint16_t v2_key_length_attribute = 14;

/// IKEv1's attribute classes as this project's transform types (RFC 2409 Appendix A).
std::uint8_t v1_transform_type(std::uint16_t attribute_class) noexcept {
    switch (attribute_class) {
    case 1: return transform_type::encryption;
    case 2: return transform_type::v1_hash;
    case 3: return transform_type::v1_authentication;
    case 4: return transform_type::key_exchange;
    case 14: return transform_type::v1_key_length;
    default: return 0;
    }
}

} // namespace

TransformReader::TransformReader(const Payload& payload, std::uint8_t major) noexcept
    : major_(major) {
    ByteReader reader(payload.body);
    // IKEv1: domain of interpretation and situation come first (RFC 2408 §3.4).
    if (major == 1) reader.skip(8);
    proposals_ = reader.rest();
}

bool TransformReader::enter_proposal() noexcept {
    if (proposals_.empty()) return false;
    ByteReader reader(take_substructure(proposals_));
    reader.skip(2); // number, protocol
    const auto spi_bytes = reader.u8();
    reader.skip(1); // number of transforms: their own chain tells
    reader.skip(spi_bytes);
    transforms_ = reader.rest();
    return true;
}

bool TransformReader::enter_transform() noexcept {
    while (transforms_.empty())
        if (!enter_proposal()) return false;
    ByteReader reader(take_substructure(transforms_));
    type_ = reader.u8();
    reader.skip(1);
    id_ = reader.u16();
    attributes_ = reader.rest();
    return !reader.failed();
}

std::optional<Transform> TransformReader::next_v1_attribute() noexcept {
    while (auto attribute = take_attribute(attributes_)) {
        if (++looked_at_ > max_looked_at) return std::nullopt;
        const auto type = v1_transform_type(attribute->type);
        if (type == 0 || !attribute->is_short) continue;
        return Transform{.version = 1, .type = type, .id = attribute->value, .key_bits = 0};
    }
    attributes_ = {};
    return std::nullopt;
}

std::optional<Transform> TransformReader::next() noexcept {
    if (major_ == 1) {
        if (auto found = next_v1_attribute()) return found;
        while (looked_at_ < max_looked_at && enter_transform()) {
            ++looked_at_;
            if (auto found = next_v1_attribute()) return found;
        }
        return std::nullopt;
    }
    if (++looked_at_ > max_looked_at || !enter_transform()) return std::nullopt;
    Transform result{.version = 2, .type = type_, .id = id_, .key_bits = 0};
    while (auto attribute = take_attribute(attributes_))
        if (attribute->type == v2_key_length_attribute && attribute->is_short)
            result.key_bits = attribute->value;
    return result;
}

} // namespace ikefrag
