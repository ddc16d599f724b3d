// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"
#include "plugin/handshake.hpp"

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

namespace ikefrag::test {

using ByteVector = std::vector<std::uint8_t>;

/// Bytes from hex digits; blanks between them are skipped.
[[nodiscard]] ByteVector hex(std::string_view text);
[[nodiscard]] ByteVector text_bytes(std::string_view text);
/// "0011223344556677" as an SPI.
[[nodiscard]] Spi spi(std::string_view text);
/// "192.0.2.1" or "2001:db8::1".
[[nodiscard]] IpAddress address(std::string_view text);
/// Bytes that look random and are the same for the same seed.
[[nodiscard]] ByteVector noise(std::size_t bytes, std::uint32_t seed);

/// Builds one IKE message payload by payload; build() fills in Length and the chain.
class IkeBuilder {
public:
    static IkeBuilder v1(std::uint8_t exchange);
    static IkeBuilder v2(std::uint8_t exchange);

    IkeBuilder& spis(const Spi& initiator, const Spi& responder = {});
    IkeBuilder& id(std::uint32_t message_id);
    IkeBuilder& flags(std::uint8_t flags);
    /// v2: from the original initiator (I), and not a response.
    IkeBuilder& from_initiator();
    /// v2: an answer by the original responder (R).
    IkeBuilder& response();

    IkeBuilder& payload(std::uint8_t type, ByteVector body, std::uint8_t first_inside = 0);
    IkeBuilder& notify(std::uint16_t type, const ByteVector& data = {});
    IkeBuilder& vendor(const ByteVector& id);
    /// SA, KE (of that group and size) and Nonce.
    IkeBuilder& key_exchange(std::uint16_t group = 31, std::size_t key_bytes = 32);
    /// Both NAT_DETECTION notifies, true for these endpoints.
    IkeBuilder& nat_detection(const Endpoint& source, const Endpoint& destination);
    /// SK of so many bytes in all (header included), or v1: encrypted bytes and the E flag.
    IkeBuilder& encrypted(std::size_t message_bytes, std::uint32_t seed = 1);
    IkeBuilder& skf(std::uint16_t number,
                    std::uint16_t total,
                    std::size_t message_bytes,
                    std::uint32_t seed = 1);
    /// Payload 132: a slice of a whole message.
    IkeBuilder& fragment(std::uint16_t id, std::uint8_t number, bool last, ByteVector slice);

    [[nodiscard]] ByteVector build() const;

private:
    struct Part {
        std::uint8_t type;
        ByteVector body;
        std::uint8_t first_inside;
    };
    std::uint8_t major_ = 2;
    std::uint8_t exchange_ = 0;
    std::uint8_t flags_ = 0;
    std::uint32_t message_id_ = 0;
    Spi initiator_{};
    Spi responder_{};
    std::vector<Part> parts_;
    ByteVector raw_; ///< v1: behind the header, encrypted
};

/// One proposal of an IKEv2 SA payload: type, id and key length of each transform.
struct TransformSpec {
    std::uint8_t type;
    std::uint16_t id;
    std::uint16_t key_bits = 0;
};
[[nodiscard]] ByteVector sa_payload(const std::vector<TransformSpec>& transforms);
/// An IKEv1 SA payload with one transform; attributes as class and value.
[[nodiscard]] ByteVector
v1_sa_payload(std::initializer_list<std::pair<std::uint16_t, std::uint16_t>> attributes);

/// What an IKE_SA_INIT offers or answers.
struct InitOptions {
    bool fragmentation = true;
    bool intermediate = false;
    bool windows = false; ///< its vendor IDs
    bool cisco = false;   ///< the FRAGMENTATION VID in IKEv2
    std::uint16_t group = 31;
    std::size_t key_bytes = 32;
    ByteVector cookie{};
};
[[nodiscard]] ByteVector sa_init_request(const Spi& initiator, const InitOptions& options = {});
[[nodiscard]] ByteVector
sa_init_response(const Spi& initiator, const Spi& responder, const InitOptions& options = {});
/// IKE_SA_INIT answer with one notify and nothing else.
[[nodiscard]] ByteVector
sa_init_refusal(const Spi& initiator, std::uint16_t notify, const ByteVector& data = {});

/// An encrypted IKEv2 message.
struct EncryptedOptions {
    std::uint8_t exchange = 35;
    std::uint32_t id = 1;
    bool response = false;
    bool from_initiator = true;
    std::size_t bytes = 1400;
    std::uint32_t seed = 1;
};
[[nodiscard]] ByteVector
encrypted_message(const Spi& initiator, const Spi& responder, const EncryptedOptions& options = {});
/// The same message in RFC 7383 fragments of at most `piece_bytes` each.
[[nodiscard]] std::vector<ByteVector> skf_set(const Spi& initiator,
                                              const Spi& responder,
                                              const EncryptedOptions& options,
                                              std::size_t piece_bytes);
/// Bytes of IKE_INTERMEDIATE with one additional key exchange of ML-KEM (PROTOCOL §2.10).
[[nodiscard]] std::size_t intermediate_bytes(std::size_t key_bytes);
/// A whole message cut into payload-132 fragments.
[[nodiscard]] std::vector<ByteVector>
payload_132_set(const ByteVector& whole, std::size_t piece_bytes, std::uint16_t id = 1);

} // namespace ikefrag::test
