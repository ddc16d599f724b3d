// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/message.hpp"

#include "plugin/ike/digest.hpp"
#include "plugin/ike/nat_detection.hpp"
#include "plugin/ike/notify.hpp"
#include "plugin/ike/payload.hpp"
#include "plugin/ike/transform.hpp"
#include "plugin/wire/byte_reader.hpp"

#include <algorithm>

namespace ikefrag {

namespace {

/// A copy of the postrouting leg is cut at 128 octets of the IP packet; this much of the message
/// is in it over IPv4 and IPv6 alike.
constexpr std::size_t head_bytes = 64;
/// A host sends one NAT-D for each address it may send from; more than these are not compared.
constexpr unsigned max_v1_nat_payloads = 8;

/// The IKEv2 number of a payload type both versions have; other types stay, those of IKEv2 alone
/// are 0 in IKEv1.
std::uint8_t common_type(std::uint8_t type, std::uint8_t major) noexcept {
    if (major != 1) return type;
    switch (type) {
    case payload::v1_sa: return payload::sa;
    case payload::v1_ke: return payload::ke;
    case payload::v1_nonce: return payload::nonce;
    case payload::v1_notify: return payload::notify;
    case payload::v1_vendor_id: return payload::vendor_id;
    // IKEv2's own numbers are nobody's in IKEv1.
    case payload::sa:
    case payload::ke:
    case payload::nonce:
    case payload::notify:
    case payload::vendor_id: return 0;
    default: return type;
    }
}

/// The error number of a NOTIFY_STATUS, as such or as the HRESULT made of it; 0: another value.
/// Source: MS-IKEE §2.2.7, MS-ERREF §2.1.
std::uint16_t windows_error_of(Bytes data) noexcept {
    constexpr std::uint32_t facility_win32 = 0x8007;
    ByteReader reader(data);
    const auto value = reader.u32();
    const bool is_error = value >> 16 == 0 || value >> 16 == facility_win32;
    return is_error ? static_cast<std::uint16_t>(value & 0xffff) : std::uint16_t{0};
}

/// Reads one message's payloads into facts.
class Reader {
public:
    Reader(MessageFacts& facts,
           OpeningFacts& opening,
           const Endpoint& source,
           const Endpoint& destination,
           const VendorTable& vendors) noexcept
        : facts_(facts), opening_(opening), source_(source), destination_(destination),
          vendors_(vendors) {}

    /// Out: where the encrypted part begins
    std::optional<std::size_t> read(const IkeHeader& header, Bytes message) {
        PayloadWalk walk(header, message);
        while (const auto payload = walk.next()) {
            ++facts_.payloads;
            take(*payload, header);
        }
        facts_.malformed = facts_.malformed || walk.is_malformed();
        facts_.cut = walk.was_cut();
        return walk.encrypted_at();
    }

private:
    void take(const Payload& payload, const IkeHeader& header);
    void take_notify(const Payload& payload, const IkeHeader& header);
    void take_vendor(Bytes data);
    void take_key_exchange(const Payload& payload, const IkeHeader& header);
    void take_transforms(const Payload& payload, const IkeHeader& header);
    void take_v1_nat_detection(const Payload& payload, const IkeHeader& header);
    void compare_hash(Bytes hash,
                      const IkeHeader& header,
                      const Endpoint& endpoint,
                      std::optional<bool>& as_sent) noexcept;
    void take_skf(const Payload& payload) noexcept;
    void take_vendor_fragment(const Payload& payload, const IkeHeader& header);

    MessageFacts& facts_;
    OpeningFacts& opening_;
    const Endpoint& source_;
    const Endpoint& destination_;
    const VendorTable& vendors_;
    std::optional<std::array<std::uint8_t, 20>> source_hash_;
    bool inside_fragment_ = false;
    unsigned v1_nat_payloads_ = 0;
};

void Reader::take(const Payload& payload, const IkeHeader& header) {
    switch (common_type(payload.type, header.major)) {
    case payload::sa: take_transforms(payload, header); break;
    case payload::ke: take_key_exchange(payload, header); break;
    case payload::nonce: facts_.notes.set(Note::nonce); break;
    case payload::notify: take_notify(payload, header); break;
    case payload::vendor_id: take_vendor(payload.body); break;
    case payload::encrypted:
        if (header.major == 2) facts_.notes.set(Note::encrypted);
        break;
    case payload::encrypted_fragment:
        if (header.major != 2) break;
        facts_.notes.set(Note::encrypted);
        if (!inside_fragment_) take_skf(payload);
        break;
    case payload::fragment: take_vendor_fragment(payload, header); break;
    case payload::v1_nat_detection:
    case payload::v1_nat_detection_draft:
        if (header.major == 1) take_v1_nat_detection(payload, header);
        break;
    default: break;
    }
}

void Reader::take_skf(const Payload& payload) noexcept {
    facts_.is_skf = true;
    const auto fragment = parse_skf(payload);
    if (fragment) facts_.fragment = *fragment;
    facts_.malformed = facts_.malformed || (!fragment && !payload.cut);
}

void Reader::take_vendor_fragment(const Payload& payload, const IkeHeader& header) {
    if (inside_fragment_) return;
    facts_.is_vendor_fragment = true;
    const auto fragment = parse_vendor_fragment(payload);
    facts_.malformed = facts_.malformed || (!fragment && !payload.cut);
    if (!fragment) return;
    facts_.fragment = *fragment;
    if (fragment->number != 1) return;
    // Number 1 begins with the whole message's own header and payloads. What it says of its
    // contents counts; that it would be a fragment itself says nothing of this datagram.
    const auto inner = parse_ike_header(fragment->data);
    if (!inner || inner->major != header.major) return;
    facts_.inner_encrypted = inner->is_encrypted_v1();
    if (facts_.inner_encrypted) return;
    inside_fragment_ = true;
    PayloadWalk walk(*inner, fragment->data);
    while (const auto inside = walk.next()) take(*inside, *inner);
}

void Reader::take_notify(const Payload& payload, const IkeHeader& header) {
    const auto notify = parse_notify(payload, header.major);
    if (!notify) return;
    facts_.opening = true;
    opening_.notifies.add(notify->type);
    switch (notify->type) {
    case notify::fragmentation_supported: facts_.notes.set(Note::fragmentation_supported); return;
    case notify::intermediate_supported: facts_.notes.set(Note::intermediate_supported); return;
    case notify::cookie: facts_.notes.set(Note::cookie); return;
    case notify::redirect: facts_.notes.set(Note::redirect); return;
    case notify::redirect_supported: facts_.notes.set(Note::redirect_supported); return;
    case notify::ticket_nack: facts_.notes.set(Note::ticket_nack); return;
    case notify::childless: facts_.notes.set(Note::childless); return;
    case notify::nat_detection_source_ip:
        compare_hash(notify->data, header, source_, opening_.source_as_sent);
        return;
    case notify::nat_detection_destination_ip:
        compare_hash(notify->data, header, destination_, opening_.destination_as_sent);
        return;
    default: break;
    }
    if (notify->type == 0 || notify->type >= notify::first_status) return;
    if (facts_.error_notify == 0) facts_.error_notify = notify->type;
    switch (notify->type) {
    case notify::invalid_ke_payload:
        if (header.major == 1) break;
        facts_.notes.set(Note::invalid_ke);
        facts_.wanted_group = ByteReader(notify->data).u16();
        return;
    case notify::ms_notify_status:
        if (header.major == 2) facts_.windows_error = windows_error_of(notify->data);
        break;
    case notify::no_proposal_chosen: facts_.notes.set(Note::no_proposal); return;
    case notify::invalid_ike_spi: facts_.notes.set(Note::invalid_spi); return;
    case notify::invalid_major_version: facts_.notes.set(Note::invalid_major_version); return;
    default: break;
    }
    facts_.notes.set(Note::other_error);
}

void Reader::take_vendor(Bytes data) {
    static constexpr std::array<std::uint8_t, 16> fragmentation{0x40,
                                                                0x48,
                                                                0xb7,
                                                                0xd5,
                                                                0x6e,
                                                                0xbc,
                                                                0xe8,
                                                                0x85,
                                                                0x25,
                                                                0xe7,
                                                                0xde,
                                                                0x7f,
                                                                0x00,
                                                                0xd6,
                                                                0xc2,
                                                                0xd3};
    facts_.opening = true;
    if (data.size() >= fragmentation.size() &&
        std::equal(fragmentation.begin(), fragmentation.end(), data.begin()))
        facts_.notes.set(Note::v1_fragmentation_vid);
    if (const auto known = vendors_.find(data)) {
        facts_.notes.set(Note::known_vendor);
        opening_.vendors.add(*known);
        return;
    }
    UnknownVendor unknown;
    const auto there = std::min(data.size(), unknown.start.size());
    std::copy_n(data.begin(), there, unknown.start.begin());
    unknown.bytes = static_cast<std::uint8_t>(there);
    opening_.unknown_vendors.add(unknown);
}

void Reader::take_key_exchange(const Payload& payload, const IkeHeader& header) {
    facts_.notes.set(Note::ke);
    if (header.major == 2) facts_.key_group = ByteReader(payload.body).u16();
}

void Reader::take_transforms(const Payload& payload, const IkeHeader& header) {
    facts_.notes.set(Note::sa);
    facts_.opening = true;
    TransformReader reader(payload, header.major);
    while (const auto transform = reader.next())
        if (!opening_.transforms.contains(*transform)) opening_.transforms.add(*transform);
    if (reader.has_more()) opening_.transforms.set_truncated();
}

/// NAT-D of IKEv1: the first is of the destination, all others of the source (RFC 3947 §3.2).
void Reader::take_v1_nat_detection(const Payload& payload, const IkeHeader& header) {
    facts_.notes.set(Note::nat_detection);
    if (v1_nat_payloads_ == max_v1_nat_payloads) return;
    const bool first = v1_nat_payloads_++ == 0;
    auto& as_sent = first ? opening_.destination_as_sent : opening_.source_as_sent;
    if (as_sent == true) return;
    const auto equal = is_v1_nat_detection_hash(
        payload.body, header.initiator_spi, header.responder_spi, first ? destination_ : source_);
    if (!equal) return;
    facts_.opening = true;
    as_sent = *equal;
}

/// One of several hashes that fits is enough: a host with many addresses sends one for each.
void Reader::compare_hash(Bytes hash,
                          const IkeHeader& header,
                          const Endpoint& endpoint,
                          std::optional<bool>& as_sent) noexcept {
    facts_.notes.set(Note::nat_detection);
    if (hash.size() != 20 || as_sent == true) return;
    facts_.opening = true;
    const bool is_source = &endpoint == &source_;
    std::array<std::uint8_t, 20> expected{};
    if (is_source && source_hash_) {
        expected = *source_hash_;
    } else {
        expected = nat_detection_hash(header.initiator_spi, header.responder_spi, endpoint);
        if (is_source) source_hash_ = expected;
    }
    as_sent = std::equal(hash.begin(), hash.end(), expected.begin());
}

} // namespace

Result<MessageFacts, IkeFault> parse_message(Bytes message,
                                             std::size_t message_bytes,
                                             const Endpoint& source,
                                             const Endpoint& destination,
                                             const VendorTable& vendors,
                                             OpeningFacts& opening) {
    const auto header = parse_ike_header(message);
    if (!header) return fail(header.error());
    MessageFacts facts;
    facts.header = *header;
    facts.malformed = header->length != message_bytes;
    facts.head_digest =
        static_cast<std::uint32_t>(digest_of(message.first(std::min(message.size(), head_bytes))));
    if (header->is_encrypted_v1()) facts.notes.set(Note::encrypted);
    const auto encrypted_at =
        Reader(facts, opening, source, destination, vendors).read(*header, message);
    facts.digest = digest_of(telling_part(message, encrypted_at)) ^ message_bytes;
    facts.fragment.data = {};
    return facts;
}

} // namespace ikefrag
