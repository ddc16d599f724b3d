// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/ike_builder.hpp"

#include "plugin/ike/nat_detection.hpp"

#include <algorithm>
#include <cassert>
#include <stdexcept>
#include <string>
#include <utility>

namespace ikefrag::test {

namespace {

constexpr std::size_t header_bytes = 28;

void put(ByteVector& out, std::uint64_t value, unsigned bytes) {
    for (unsigned i = bytes; i > 0; --i)
        out.push_back(static_cast<std::uint8_t>(value >> (8 * (i - 1))));
}

void put(ByteVector& out, Bytes bytes) { out.insert(out.end(), bytes.begin(), bytes.end()); }

int digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    throw std::invalid_argument("not a hex digit");
}

ByteVector windows_ids(int which) {
    return which == 0 ? hex("1e2b516905991c7d7c96fcbfb587e461 00000009")
                      : hex("fb1de3cdf341b7ea16b7e5be0855f120");
}

} // namespace

ByteVector hex(std::string_view text) {
    ByteVector bytes;
    int high = -1;
    for (const char c : text) {
        if (c == ' ' || c == '\n') continue;
        const int value = digit(c);
        if (high < 0) {
            high = value;
        } else {
            bytes.push_back(static_cast<std::uint8_t>(high * 16 + value));
            high = -1;
        }
    }
    if (high >= 0) throw std::invalid_argument("odd number of hex digits");
    return bytes;
}

ByteVector text_bytes(std::string_view text) { return {text.begin(), text.end()}; }

Spi spi(std::string_view text) {
    const auto bytes = hex(text);
    Spi result{};
    if (bytes.size() != result.size()) throw std::invalid_argument("an SPI has 8 bytes");
    std::copy(bytes.begin(), bytes.end(), result.begin());
    return result;
}

IpAddress address(std::string_view text) {
    const auto parsed = parse_address(text);
    if (!parsed) throw std::invalid_argument("not an address: " + std::string(text));
    return *parsed;
}

ByteVector noise(std::size_t bytes, std::uint32_t seed) {
    ByteVector result(bytes);
    std::uint64_t state = seed * 2654435761u + 88172645463325252u;
    for (auto& byte : result) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        byte = static_cast<std::uint8_t>(state);
    }
    return result;
}

IkeBuilder IkeBuilder::v1(std::uint8_t exchange) {
    IkeBuilder builder;
    builder.major_ = 1;
    builder.exchange_ = exchange;
    return builder;
}

IkeBuilder IkeBuilder::v2(std::uint8_t exchange) {
    IkeBuilder builder;
    builder.exchange_ = exchange;
    return builder;
}

IkeBuilder& IkeBuilder::spis(const Spi& initiator, const Spi& responder) {
    initiator_ = initiator;
    responder_ = responder;
    return *this;
}

IkeBuilder& IkeBuilder::id(std::uint32_t message_id) {
    message_id_ = message_id;
    return *this;
}

IkeBuilder& IkeBuilder::flags(std::uint8_t flags) {
    flags_ = flags;
    return *this;
}

IkeBuilder& IkeBuilder::from_initiator() { return flags(0x08); }

IkeBuilder& IkeBuilder::response() { return flags(0x20); }

IkeBuilder& IkeBuilder::payload(std::uint8_t type, ByteVector body, std::uint8_t first_inside) {
    parts_.push_back({type, std::move(body), first_inside});
    return *this;
}

IkeBuilder& IkeBuilder::notify(std::uint16_t type, const ByteVector& data) {
    ByteVector body;
    if (major_ == 1) put(body, 1, 4);
    put(body, major_ == 1 ? 1 : 0, 1);
    put(body, 0, 1);
    put(body, type, 2);
    put(body, data);
    return payload(major_ == 1 ? 11 : 41, std::move(body));
}

IkeBuilder& IkeBuilder::vendor(const ByteVector& id) { return payload(major_ == 1 ? 13 : 43, id); }

IkeBuilder& IkeBuilder::key_exchange(std::uint16_t group, std::size_t key_bytes) {
    payload(33,
            sa_payload({
                {1, 20, 256},
                {2, 5  },
                {4, group}
    }));
    ByteVector key;
    put(key, group, 2);
    put(key, 0, 2);
    put(key, noise(key_bytes, 7));
    payload(34, std::move(key));
    return payload(40, noise(32, 8));
}

IkeBuilder& IkeBuilder::nat_detection(const Endpoint& source, const Endpoint& destination) {
    const auto of_source = nat_detection_hash(initiator_, responder_, source);
    const auto of_destination = nat_detection_hash(initiator_, responder_, destination);
    notify(16388, {of_source.begin(), of_source.end()});
    return notify(16389, {of_destination.begin(), of_destination.end()});
}

IkeBuilder& IkeBuilder::encrypted(std::size_t message_bytes, std::uint32_t seed) {
    if (major_ == 1) {
        flags_ |= 1;
        raw_ = noise(message_bytes - header_bytes, seed);
        return *this;
    }
    std::size_t before = header_bytes;
    for (const auto& part : parts_) before += 4 + part.body.size();
    return payload(46, noise(message_bytes - before - 4, seed), 35);
}

IkeBuilder& IkeBuilder::skf(std::uint16_t number,
                            std::uint16_t total,
                            std::size_t message_bytes,
                            std::uint32_t seed) {
    ByteVector body;
    put(body, number, 2);
    put(body, total, 2);
    put(body, noise(message_bytes - header_bytes - 8, seed));
    return payload(53, std::move(body), number == 1 ? 35 : 0);
}

IkeBuilder&
IkeBuilder::fragment(std::uint16_t id, std::uint8_t number, bool last, ByteVector slice) {
    ByteVector body;
    put(body, id, 2);
    put(body, number, 1);
    put(body, last ? 1 : 0, 1);
    put(body, slice);
    return payload(132, std::move(body));
}

ByteVector IkeBuilder::build() const {
    ByteVector out;
    put(out, initiator_);
    put(out, responder_);
    const std::uint8_t first = parts_.empty() ? (raw_.empty() ? 0 : 5) : parts_.front().type;
    put(out, first, 1);
    put(out, static_cast<std::uint64_t>(major_ << 4), 1);
    put(out, exchange_, 1);
    put(out, flags_, 1);
    put(out, message_id_, 4);
    put(out, 0, 4);
    for (std::size_t i = 0; i < parts_.size(); ++i) {
        const auto& part = parts_[i];
        const auto next = i + 1 < parts_.size() ? parts_[i + 1].type : part.first_inside;
        put(out, next, 1);
        put(out, 0, 1);
        put(out, part.body.size() + 4, 2);
        put(out, part.body);
    }
    put(out, raw_);
    for (unsigned i = 0; i < 4; ++i)
        out[24 + i] = static_cast<std::uint8_t>(out.size() >> (24 - 8 * i));
    return out;
}

ByteVector sa_payload(const std::vector<TransformSpec>& transforms) {
    ByteVector inside;
    std::size_t left = transforms.size();
    for (const auto& transform : transforms) {
        --left;
        put(inside, left == 0 ? 0 : 3, 1);
        put(inside, 0, 1);
        put(inside, transform.key_bits == 0 ? 8 : 12, 2);
        put(inside, transform.type, 1);
        put(inside, 0, 1);
        put(inside, transform.id, 2);
        if (transform.key_bits == 0) continue;
        put(inside, 0x800e, 2);
        put(inside, transform.key_bits, 2);
    }
    ByteVector proposal;
    put(proposal, 0, 2);
    put(proposal, inside.size() + 8, 2);
    put(proposal, 1, 1); // number
    put(proposal, 1, 1); // protocol IKE
    put(proposal, 0, 1);
    put(proposal, transforms.size(), 1);
    put(proposal, inside);
    return proposal;
}

ByteVector
v1_sa_payload(std::initializer_list<std::pair<std::uint16_t, std::uint16_t>> attributes) {
    ByteVector transform;
    put(transform, 1, 1); // number
    put(transform, 1, 1); // KEY_IKE
    put(transform, 0, 2);
    for (const auto& [type, value] : attributes) {
        put(transform, 0x8000u | type, 2);
        put(transform, value, 2);
    }
    ByteVector body;
    put(body, 1, 4); // domain of interpretation: IPsec
    put(body, 1, 4); // situation: identity only
    put(body, 0, 2);
    put(body, transform.size() + 4 + 8, 2);
    put(body, 1, 1);
    put(body, 1, 1);
    put(body, 0, 1);
    put(body, 1, 1);
    put(body, 0, 2);
    put(body, transform.size() + 4, 2);
    put(body, transform);
    return body;
}

namespace {

void add_options(IkeBuilder& builder, const InitOptions& options) {
    if (!options.cookie.empty()) builder.notify(16390, options.cookie);
    builder.key_exchange(options.group, options.key_bytes);
    if (options.fragmentation) builder.notify(16430);
    if (options.intermediate) builder.notify(16438);
    if (options.windows) builder.vendor(windows_ids(0)).vendor(windows_ids(1));
    if (options.cisco) builder.vendor(hex("4048b7d56ebce88525e7de7f00d6c2d3 c0000000"));
}

} // namespace

ByteVector sa_init_request(const Spi& initiator, const InitOptions& options) {
    auto builder = IkeBuilder::v2(34);
    builder.spis(initiator).from_initiator();
    add_options(builder, options);
    return builder.build();
}

ByteVector
sa_init_response(const Spi& initiator, const Spi& responder, const InitOptions& options) {
    auto builder = IkeBuilder::v2(34);
    builder.spis(initiator, responder).response();
    add_options(builder, options);
    return builder.build();
}

ByteVector sa_init_refusal(const Spi& initiator, std::uint16_t notify, const ByteVector& data) {
    return IkeBuilder::v2(34).spis(initiator).response().notify(notify, data).build();
}

namespace {

IkeBuilder
encrypted_header(const Spi& initiator, const Spi& responder, const EncryptedOptions& options) {
    auto builder = IkeBuilder::v2(options.exchange);
    const auto flags = (options.from_initiator ? 0x08 : 0) | (options.response ? 0x20 : 0);
    builder.spis(initiator, responder).id(options.id).flags(static_cast<std::uint8_t>(flags));
    return builder;
}

} // namespace

ByteVector
encrypted_message(const Spi& initiator, const Spi& responder, const EncryptedOptions& options) {
    return encrypted_header(initiator, responder, options)
        .encrypted(options.bytes, options.seed)
        .build();
}

std::vector<ByteVector> skf_set(const Spi& initiator,
                                const Spi& responder,
                                const EncryptedOptions& options,
                                std::size_t piece_bytes) {
    // Header, SKF header, IV, padding length and ICV of AES-GCM come with every piece.
    constexpr std::size_t overhead = 28 + 8 + 8 + 1 + 16;
    assert(piece_bytes > overhead);
    const auto room = piece_bytes - overhead;
    const auto total = static_cast<std::uint16_t>((options.bytes + room - 1) / room);
    std::vector<ByteVector> pieces;
    for (std::uint16_t number = 1; number <= total; ++number) {
        const auto rest = options.bytes - room * (number - 1u);
        pieces.push_back(
            encrypted_header(initiator, responder, options)
                .skf(number, total, overhead + std::min(room, rest), options.seed * 1000 + number)
                .build());
    }
    return pieces;
}

std::size_t intermediate_bytes(std::size_t key_bytes) {
    // Header, SK header, IV, KE payload (header, group, reserved, key), padding length, ICV.
    return 28 + 4 + 8 + (8 + key_bytes) + 1 + 16;
}

std::vector<ByteVector>
payload_132_set(const ByteVector& whole, std::size_t piece_bytes, std::uint16_t id) {
    const auto room = piece_bytes - 28 - 8;
    std::vector<ByteVector> pieces;
    for (std::size_t at = 0; at < whole.size(); at += room) {
        const auto end = std::min(at + room, whole.size());
        const ByteVector slice(whole.begin() + static_cast<std::ptrdiff_t>(at),
                               whole.begin() + static_cast<std::ptrdiff_t>(end));
        auto builder = whole[17] >> 4 == 1 ? IkeBuilder::v1(whole[18]) : IkeBuilder::v2(whole[18]);
        Spi initiator{};
        Spi responder{};
        std::copy_n(whole.begin(), 8, initiator.begin());
        std::copy_n(whole.begin() + 8, 8, responder.begin());
        std::uint32_t message_id = 0;
        for (std::size_t i = 20; i < 24; ++i) message_id = message_id << 8 | whole[i];
        const auto flags = whole[17] >> 4 == 1 ? std::uint8_t{0} : whole[19];
        pieces.push_back(
            builder.spis(initiator, responder)
                .id(message_id)
                .flags(flags)
                .fragment(id, static_cast<std::uint8_t>(at / room + 1), end == whole.size(), slice)
                .build());
    }
    return pieces;
}

} // namespace ikefrag::test
