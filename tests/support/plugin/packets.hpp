// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

/// Packets for tests: made from the RFCs' pictures, not by the code under test.
namespace ikefrag::test {

using Buffer = ByteVector;

[[nodiscard]] Prefix prefix(std::string_view text);

[[nodiscard]] Buffer operator+(Buffer a, const Buffer& b);

/// The same bytes on the heap, not one more: the sanitizer sees any reader that goes further.
class ExactCopy {
public:
    explicit ExactCopy(Bytes bytes);
    [[nodiscard]] Bytes bytes() const noexcept { return {copy_.get(), size_}; }

private:
    std::unique_ptr<std::uint8_t[]> copy_;
    std::size_t size_;
};

/// Calls visit(bytes) with every proper front part of `whole`, each an exact heap copy.
template <class Visit>
void for_each_truncation(Bytes whole, Visit visit) {
    for (std::size_t size = 0; size < whole.size(); ++size) {
        const ExactCopy copy(whole.first(size));
        visit(copy.bytes());
    }
}

struct Ends {
    IpAddress source;
    IpAddress destination;
};

struct Flow {
    Ends ends;
    std::uint16_t source_port = 500;
    std::uint16_t destination_port = 500;
};

[[nodiscard]] Flow flow4(std::uint16_t source_port = 500, std::uint16_t destination_port = 500);
[[nodiscard]] Flow flow6(std::uint16_t source_port = 500, std::uint16_t destination_port = 500);
[[nodiscard]] Flow flow_of(Family family, std::uint16_t port = 500);
/// The way back.
[[nodiscard]] Flow reversed(const Flow& flow);

/// A well-formed IKEv2 message of this size: header, then one SK payload to its end. The bytes in
/// it depend on `seed`. In: size >= 32
[[nodiscard]] Buffer ike_auth(std::size_t size, std::uint8_t seed = 1);
/// The non-ESP marker, then the message.
[[nodiscard]] Buffer marked(Buffer message);
/// ESP of this size, its SPI not zero.
[[nodiscard]] Buffer esp(std::size_t size);

/// UDP header with a right checksum, then the payload.
[[nodiscard]] Buffer udp(const Flow& flow, const Buffer& payload);

/// What an IP header may say besides addresses and protocol.
struct IpOptions {
    std::uint32_t id = 0x1234;
    std::uint32_t offset = 0; ///< bytes
    bool more = false;
    bool dont_fragment = false;
    Buffer ipv4_options{};              ///< padded to 4 by the maker
    Buffer ipv6_before{};               ///< extension headers in front of the Fragment header
    std::uint8_t ipv6_before_type = 60; ///< what the first of them is
    bool ipv6_fragment_header = false;  ///< also where offset and more are zero: atomic
    std::uint32_t length_lie = 0;       ///< added to the length field
};

/// One IP packet around `payload`, of the ends' family, with a right header checksum.
[[nodiscard]] Buffer
ip(const Ends& ends, std::uint8_t protocol, const Buffer& payload, const IpOptions& options = {});

/// A whole packet of one UDP datagram.
[[nodiscard]] Buffer udp_packet(const Flow& flow, const Buffer& payload);

/// One fragment: `payload`'s bytes [begin, end), with MF unless they reach its end.
[[nodiscard]] Buffer fragment(const Ends& ends,
                              const Buffer& payload,
                              std::uint32_t begin,
                              std::uint32_t end,
                              std::uint32_t id = 0x1234,
                              std::uint8_t protocol = 17);

/// The datagram in fragments of `piece` bytes of IP payload (a multiple of 8), first to last.
[[nodiscard]] std::vector<Buffer> fragments(const Ends& ends,
                                            const Buffer& payload,
                                            std::uint32_t piece,
                                            std::uint32_t id = 0x1234,
                                            std::uint8_t protocol = 17);

/// One's complement sum by the book, 16 bits at a time.
[[nodiscard]] std::uint16_t checksum(Bytes bytes, std::uint32_t start = 0);

} // namespace ikefrag::test
