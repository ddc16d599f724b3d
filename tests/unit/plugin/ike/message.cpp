// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/message.hpp"

#include "plugin/ike/md5.hpp"
#include "plugin/ike/nat_detection.hpp"
#include "plugin/ike/sha1.hpp"
#include "plugin/sha256.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <memory>
#include <vector>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");
const Endpoint client{address("198.51.100.7"), 500};
const Endpoint server{address("203.0.113.5"), 500};

struct Parsed {
    Result<MessageFacts, IkeFault> facts;
    OpeningFacts opening;
};

Parsed parse(Bytes message, std::size_t message_bytes = 0) {
    static const VendorTable vendors(default_vendor_ids());
    OpeningFacts opening;
    auto facts = parse_message(message,
                               message_bytes == 0 ? message.size() : message_bytes,
                               client,
                               server,
                               vendors,
                               opening);
    return {facts, opening};
}

ByteVector aggressive() {
    auto builder = IkeBuilder::v1(4);
    builder.spis(initiator).payload(1,
                                    v1_sa_payload({
                                        {1, 7 },
                                        {4, 14}
    }));
    return builder.vendor(hex("4048b7d56ebce88525e7de7f00d6c2d3")).build();
}

std::vector<std::string> names(const OpeningFacts& opening) {
    std::vector<std::string> result;
    for (const auto& transform : opening.transforms) result.push_back(to_string(transform));
    return result;
}

} // namespace

TEST_CASE("message: what an IKE_SA_INIT says", "[ike]") {
    const auto [facts, opening] = parse(sa_init_request(
        initiator,
        {.intermediate = true, .windows = true, .cisco = true, .group = 19, .key_bytes = 64}));
    REQUIRE(facts);
    CHECK_FALSE(facts->malformed);
    for (const auto note : {Note::sa,
                            Note::ke,
                            Note::nonce,
                            Note::fragmentation_supported,
                            Note::intermediate_supported,
                            Note::known_vendor,
                            Note::v1_fragmentation_vid})
        CHECK(facts->notes.has(note));
    CHECK_FALSE(facts->notes.has(Note::encrypted));
    CHECK(facts->key_group == 19);
    CHECK(facts->payloads == 8);
    CHECK(std::vector(opening.notifies.begin(), opening.notifies.end()) ==
          std::vector<std::uint16_t>{16430, 16438});
    CHECK(opening.vendors.size() == 3);
    CHECK(names(opening) == std::vector<std::string>{"encryption=AES_GCM_16-256",
                                                     "prf=HMAC_SHA2_256",
                                                     "key_exchange=ECP_256"});
}

TEST_CASE("message: clear notifies by what they mean", "[ike]") {
    struct Case {
        std::uint16_t type;
        Note note;
        std::uint16_t error;
    };
    const Case cases[] = {
        {4,     Note::invalid_spi,             4 },
        {5,     Note::invalid_major_version,   5 },
        {7,     Note::other_error,             7 },
        {14,    Note::no_proposal,             14},
        {17,    Note::invalid_ke,              17},
        {24,    Note::other_error,             24},
        {16390, Note::cookie,                  0 },
        {16406, Note::redirect_supported,      0 },
        {16407, Note::redirect,                0 },
        {16412, Note::ticket_nack,             0 },
        {16418, Note::childless,               0 },
        {16430, Note::fragmentation_supported, 0 },
        {16438, Note::intermediate_supported,  0 },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.type) {
            const auto [facts, opening] = parse(sa_init_refusal(initiator, c.type, hex("0013")));
            REQUIRE(facts);
            CHECK(facts->notes.has(c.note));
            CHECK(facts->error_notify == c.error);
            CHECK(facts->wanted_group == (c.type == 17 ? 19 : 0));
        }
    }
}

TEST_CASE("message: nothing is read behind encryption", "[ike]") {
    const auto encrypted = parse(encrypted_message(initiator, responder, {}));
    REQUIRE(encrypted.facts);
    CHECK(encrypted.facts->notes.has(Note::encrypted));
    CHECK(encrypted.facts->payloads == 1);
    CHECK_FALSE(encrypted.facts->opening);
    const auto v1 = parse(IkeBuilder::v1(2).spis(initiator, responder).encrypted(200).build());
    REQUIRE(v1.facts);
    CHECK(v1.facts->notes.has(Note::encrypted));
    CHECK(v1.facts->payloads == 0);
}

TEST_CASE("message: SKF numbers that make sense, and that do not", "[ike]") {
    struct Case {
        std::string name;
        std::string payload; ///< next, critical, length, number, total, two bytes
        std::uint16_t number;
        std::uint16_t total;
    };
    const Case cases[] = {
        {"first of two",               "2300000a 0001 0002 ffff", 1,     2    },
        {"last of two",                "0000000a 0002 0002 ffff", 2,     2    },
        {"number zero",                "0000000a 0000 0002 ffff", 0,     0    },
        {"total zero",                 "0000000a 0000 0000 ffff", 0,     0    },
        {"number above total",         "0000000a 0003 0002 ffff", 0,     0    },
        {"payload type in the second", "2300000a 0002 0002 ffff", 0,     0    },
        {"the largest",                "0000000a ffff ffff ffff", 65535, 65535},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const auto [facts, opening] = parse(
                hex("0011223344556677 8899aabbccddeeff 35 20 23 08 00000001 00000026" + c.payload));
            REQUIRE(facts);
            CHECK(facts->is_skf);
            CHECK(facts->fragment.number == c.number);
            CHECK(facts->fragment.total == c.total);
            CHECK(facts->malformed == (c.number == 0));
        }
    }
}

TEST_CASE("message: an SKF inside a payload 132 makes no SKF of it", "[ike]") {
    // Impossible numbers, and good ones.
    for (const auto numbers : {"0003 0002", "0002 0003"}) {
        DYNAMIC_SECTION(numbers) {
            const auto skf = hex("0011223344556677 8899aabbccddeeff 35 20 23 08 00000001 00000026"
                                 "0000000a" +
                                 std::string(numbers) + "ffff");
            const auto pieces = payload_132_set(skf, 70); // cut behind its 34th byte
            REQUIRE(pieces.size() == 2);
            const auto whole_piece = payload_132_set(skf, 200);
            REQUIRE(whole_piece.size() == 1);
            for (const auto& piece : {pieces[0], whole_piece[0]}) {
                const auto facts = parse(piece).facts;
                REQUIRE(facts);
                CHECK(facts->is_vendor_fragment);
                CHECK_FALSE(facts->is_skf);
                CHECK(facts->fragment.number == 1);
                CHECK(facts->fragment.total == (piece == whole_piece[0] ? 1 : 0));
                CHECK_FALSE(facts->malformed);
            }
            CHECK(parse(whole_piece[0]).facts->notes.has(Note::encrypted));
        }
    }
}

TEST_CASE("message: an SKF that is malformed to the tracker is so to the gate", "[ike]") {
    struct Case {
        std::string name;
        std::string payload; ///< next payload type, flags, length, number, total, data
        bool malformed;
    };
    const Case cases[] = {
        {"first",                            "2300000a 0001 0002 ffff", false},
        {"second",                           "0000000a 0002 0002 ffff", false},
        {"number zero",                      "0000000a 0000 0002 ffff", true },
        {"number above total",               "0000000a 0003 0002 ffff", true },
        {"second that names a payload type", "2300000a 0002 0002 ffff", true },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const auto skf =
                hex("0011223344556677 8899aabbccddeeff 35 20 23 08 00000001 00000026" + c.payload);
            REQUIRE(parse(skf).facts);
            CHECK(parse(skf).facts->malformed == c.malformed);
            CHECK(check_ike_message(skf, skf.size()).has_value() != c.malformed);
        }
    }
}

TEST_CASE("message: payload 132 is one with the E flag, too", "[ike]") {
    auto piece = payload_132_set(
        IkeBuilder::v1(2).spis(initiator, responder).encrypted(300).build(), 200)[0];
    piece[19] = 1;
    const auto facts = parse(piece).facts;
    REQUIRE(facts);
    CHECK(facts->is_vendor_fragment);
    CHECK(facts->fragment.number == 1);
    CHECK(facts->inner_encrypted);
    CHECK_FALSE(facts->notes.has(Note::encrypted));
}

TEST_CASE("message: IKEv2's payload types are nobody's in IKEv1", "[ike]") {
    for (const unsigned type : {33u, 34u, 40u, 41u, 43u}) {
        DYNAMIC_SECTION(type) {
            auto builder = IkeBuilder::v1(2);
            builder.spis(initiator, responder);
            const auto parsed =
                parse(builder.payload(static_cast<std::uint8_t>(type), noise(64, 1)).build());
            REQUIRE(parsed.facts);
            CHECK(parsed.facts->payloads == 1);
            CHECK(parsed.facts->notes == Notes{});
            CHECK(parsed.opening.notifies.empty());
            CHECK(parsed.opening.unknown_vendors.empty());
        }
    }
}

TEST_CASE("message: an offer is kept up to 64 transforms, and told when there were more", "[ike]") {
    static constexpr std::uint16_t counts[]{48, 64, 65, 300};
    for (const auto count : counts) {
        DYNAMIC_SECTION(count) {
            std::vector<TransformSpec> specs;
            for (std::uint16_t id = 1; id <= count; ++id)
                specs.push_back({transform_type::encryption, id});
            auto builder = IkeBuilder::v2(34);
            builder.spis(initiator).from_initiator().payload(33, sa_payload(specs));
            const auto parsed = parse(builder.build());
            REQUIRE(parsed.facts);
            CHECK(parsed.opening.transforms.size() == std::min<std::size_t>(count, 64));
            CHECK(parsed.opening.transforms.is_truncated() == (count > 64));
        }
    }
    SECTION("the same ones over and over are not more; those behind the bound may be") {
        for (const std::size_t count : {256u, 257u}) {
            auto builder = IkeBuilder::v2(34);
            builder.spis(initiator).from_initiator().payload(
                33,
                sa_payload(std::vector<TransformSpec>(count, {transform_type::encryption, 12})));
            const auto parsed = parse(builder.build());
            CHECK(parsed.opening.transforms.size() == 1);
            CHECK(parsed.opening.transforms.is_truncated() == (count == 257));
        }
    }
}

TEST_CASE("message: payload 132 without a number, and around another version", "[ike]") {
    const auto v1 = std::string("0011223344556677 8899aabbccddeeff 84 10 02 00 00000000 ");
    const auto none = parse(hex(v1 + "00000024 00000008 0001 00 00")).facts;
    REQUIRE(none);
    CHECK(none->is_vendor_fragment);
    CHECK(none->fragment.number == 0);
    CHECK(none->malformed);
    const auto inner = sa_init_request(initiator, {});
    auto builder = IkeBuilder::v1(2);
    auto body = hex("0001 01 01");
    body.insert(body.end(), inner.begin(), inner.end());
    const auto other = parse(builder.spis(initiator, responder).payload(132, body).build());
    REQUIRE(other.facts);
    CHECK(other.facts->fragment.number == 1);
    CHECK_FALSE(other.facts->notes.has(Note::sa));
    CHECK(other.opening.notifies.empty());
}

TEST_CASE("message: payload 132, and the clear message inside its first piece", "[ike]") {
    const auto whole = IkeBuilder::v1(2)
                           .spis(initiator, responder)
                           .payload(4, noise(256, 1))
                           .payload(10, noise(32, 2))
                           .build();
    const auto pieces = payload_132_set(whole, 200, 7);
    REQUIRE(pieces.size() == 2);
    const auto first = parse(pieces[0]);
    REQUIRE(first.facts);
    CHECK(first.facts->is_vendor_fragment);
    CHECK_FALSE(first.facts->malformed);
    CHECK(first.facts->fragment.id == 7);
    CHECK(first.facts->fragment.number == 1);
    CHECK(first.facts->fragment.total == 0);
    CHECK(first.facts->notes.has(Note::ke));
    CHECK_FALSE(first.facts->inner_encrypted);
    const auto last = parse(pieces[1]);
    REQUIRE(last.facts);
    CHECK(last.facts->fragment.number == 2);
    CHECK(last.facts->fragment.total == 2);
    CHECK(last.facts->fragment.last);
    const auto secret =
        payload_132_set(IkeBuilder::v1(2).spis(initiator, responder).encrypted(300).build(), 200);
    const auto inside = parse(secret[0]);
    REQUIRE(inside.facts);
    CHECK(inside.facts->inner_encrypted);
}

TEST_CASE("message: IKEv1 transforms by attribute", "[ike]") {
    const auto [facts, opening] =
        parse(IkeBuilder::v1(4)
                  .spis(initiator)
                  .payload(1,
                           v1_sa_payload({
                               {1,  7  },
                               {14, 256},
                               {2,  4  },
                               {3,  1  },
                               {4,  14 },
                               {11, 1  }
    }))
                  .build());
    REQUIRE(facts);
    CHECK(names(opening) == std::vector<std::string>{"encryption=AES_CBC",
                                                     "key_bits=256",
                                                     "hash=SHA2_256",
                                                     "authentication=PSK",
                                                     "key_exchange=MODP_2048"});
}

TEST_CASE("message: IKEv1 notify has its domain in front", "[ike]") {
    const auto [facts, opening] =
        parse(IkeBuilder::v1(5).spis(initiator, responder).id(9).notify(14).build());
    REQUIRE(facts);
    CHECK(facts->notes.has(Note::no_proposal));
    CHECK(facts->error_notify == 14);
}

TEST_CASE("SHA-1: known sums", "[ike]") {
    const auto check = [](std::string_view input, std::string_view expected) {
        const auto digest = sha1(text_bytes(input));
        CHECK(ByteVector(digest.begin(), digest.end()) == hex(expected));
    };
    check("", "da39a3ee5e6b4b0d3255bfef95601890afd80709");
    check("abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
          "84983e441c3bd26ebaae4aa1f95129e5e54670f1");
    check(std::string(64, 'a'), "0098ba824b5c16427bd7a1122a5a442a25ec644d");
    check(std::string(1000, 'a'), "291e9a6c66994949b57ba5e650361e98fc36b1ba");
}

TEST_CASE("MD5 and SHA-256: known sums", "[ike]") {
    SECTION("MD5") {
        const auto check = [](std::string_view input, std::string_view expected) {
            const auto digest = md5(text_bytes(input));
            CHECK(ByteVector(digest.begin(), digest.end()) == hex(expected));
        };
        check("", "d41d8cd98f00b204e9800998ecf8427e");
        check("abc", "900150983cd24fb0d6963f7d28e17f72");
        check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
              "8215ef0796a20bcaaae116d3876c664a");
        check(std::string(64, 'a'), "014842d480b571495a4a0363793f7367");
        check(std::string(1000, 'a'), "cabe45dcc9ae5b66ba86600cca6b8ba8");
    }
    SECTION("SHA-256") {
        const auto check = [](std::string_view input, std::string_view expected) {
            const auto digest = sha256(text_bytes(input));
            CHECK(ByteVector(digest.begin(), digest.end()) == hex(expected));
        };
        check("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
              "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
        check(std::string(64, 'a'),
              "ffe054fe7ae0cb6dc65c3af9b61d5209f439851db43d0ba5997337df154668eb");
        check(std::string(1000, 'a'),
              "41edece42d63e8d9bf515a9ba6932e1c20cbc9f5a5d134645adb5db1b9737ea3");
    }
}

TEST_CASE("message: IKEv1's NAT-D by the hash its length tells", "[ike]") {
    const auto key = [](std::initializer_list<std::string_view> hashes) {
        auto builder = IkeBuilder::v1(2);
        builder.spis(initiator, responder).payload(4, noise(128, 1)).payload(10, noise(16, 2));
        for (const auto hash : hashes) builder.payload(20, hex(hash));
        return builder.build();
    };
    // The sums of server and client were made with Python's hashlib.
    const auto check =
        [&](std::string_view to, std::string_view from, std::optional<bool> as_sent) {
            const auto straight = parse(key({to, from}));
            REQUIRE(straight.facts);
            CHECK(straight.facts->notes.has(Note::nat_detection));
            CHECK(straight.opening.source_as_sent == as_sent);
            CHECK(straight.opening.destination_as_sent == as_sent);
            if (!as_sent) return;
            const auto behind = parse(key({to, to})).opening;
            CHECK(behind.source_as_sent == false);
            CHECK(behind.destination_as_sent == true);
            // One of several that fits is enough.
            CHECK(parse(key({to, to, from, to})).opening.source_as_sent == true);
        };
    SECTION("MD5") {
        check("a0fa846a8cc45d7c9712aaea72fc56ae", "e6c3e59d4be4b89e3b1c752648f2c1d9", true);
    }
    SECTION("SHA-1") {
        check("add436836df593c304dc586c772f286e40c4efbe",
              "5d654bdb90d9b09ad6d01777471172e92380d93a",
              true);
    }
    SECTION("SHA-256") {
        check("ee247294299fbdecd26ac739ebe0afd759acd1893ec84544dc415b22f6b2a558",
              "1b3ea309d74db890622701214421521d5793f3125283de33d25341b91c0e5b73",
              true);
    }
    SECTION("SHA-384 is not worked out") {
        check("5b2c4966aacd59649de98ca945a508295204fdf9df76c8a716b510a99cfa11a2f8e6c871ebc3b1182383"
              "499575997285",
              "f123bf0110a5e8563cd72ca4062d23210d71af61783b79b325b7a96f67aafdf13e85f40d8ebd1cf52884"
              "9d6c0f00d8d4",
              std::nullopt);
    }
}

TEST_CASE("message: NAT_DETECTION hashes tell NAT", "[ike]") {
    const auto init = [](const Endpoint& source, const Endpoint& destination) {
        return IkeBuilder::v2(34)
            .spis(initiator)
            .from_initiator()
            .nat_detection(source, destination)
            .build();
    };
    const auto straight = parse(init(client, server)).opening;
    CHECK(straight.source_as_sent == true);
    CHECK(straight.destination_as_sent == true);
    const Endpoint inside{address("10.0.0.9"), 500};
    const auto behind = parse(init(inside, server)).opening;
    CHECK(behind.source_as_sent == false);
    CHECK(behind.destination_as_sent == true);
    const auto rewritten = parse(init(client, inside)).opening;
    CHECK(rewritten.destination_as_sent == false);
    // A host with many addresses sends a hash for each: one that fits is enough.
    auto many = IkeBuilder::v2(34);
    many.spis(initiator)
        .from_initiator()
        .nat_detection(inside, server)
        .nat_detection(client, server);
    CHECK(parse(many.build()).opening.source_as_sent == true);
    CHECK_FALSE(parse(sa_init_request(initiator)).opening.source_as_sent);
}

TEST_CASE("message: cut at any length: the facts only grow", "[ike]") {
    const ByteVector messages[] = {
        sa_init_request(initiator, {.intermediate = true, .windows = true}),
        sa_init_response(initiator, responder, {.cisco = true}),
        encrypted_message(initiator, responder, {.bytes = 120}),
        skf_set(initiator, responder, {.bytes = 200}, 150)[0],
        payload_132_set(sa_init_request(initiator), 120)[0],
        aggressive(),
    };
    for (const auto& message : messages) {
        const auto whole = parse(message);
        REQUIRE(whole.facts);
        // Of what is encrypted the first 64 octets tell it from others.
        const bool sealed = whole.facts->notes.has(Note::encrypted);
        const std::size_t telling_bytes = sealed ? 28 + 4 + 64 : message.size();
        unsigned payloads = 0;
        for (std::size_t length = 0; length < message.size(); ++length) {
            const auto copy = std::make_unique<std::uint8_t[]>(length);
            std::copy_n(message.begin(), length, copy.get());
            const auto cut = parse({copy.get(), length}, message.size());
            REQUIRE(cut.facts.has_value() == (length >= IkeHeader::size_bytes));
            if (!cut.facts) continue;
            CHECK_FALSE(cut.facts->malformed);
            CHECK(cut.facts->payloads >= payloads);
            payloads = cut.facts->payloads;
            auto both = whole.facts->notes;
            both.merge(cut.facts->notes);
            CHECK(both == whole.facts->notes);
            if (length >= 64) CHECK(cut.facts->head_digest == whole.facts->head_digest);
            const bool tells = length >= telling_bytes;
            CHECK((cut.facts->digest == whole.facts->digest) == tells);
        }
    }
}

TEST_CASE("message: ML-KEM sizes of IKE_INTERMEDIATE", "[ike]") {
    // PROTOCOL §2.10: 1249 octets for ML-KEM-768, one above 1280 on IPv4 port 4500.
    CHECK(intermediate_bytes(1184) == 1249);
    CHECK(intermediate_bytes(1568) == 1633);
    const EncryptedOptions large{.exchange = 43, .id = 1, .bytes = intermediate_bytes(1568)};
    const auto pieces = skf_set(initiator, responder, large, 1248);
    REQUIRE(pieces.size() == 2);
    for (const auto& piece : pieces) {
        const auto [facts, opening] = parse(piece);
        REQUIRE(facts);
        CHECK(facts->header.exchange_type == 43);
        CHECK(facts->fragment.total == 2);
        CHECK(piece.size() <= 1248);
    }
}

TEST_CASE("message: the error of NOTIFY_STATUS, as such or as an HRESULT", "[ike]") {
    struct Case {
        std::string data;
        std::uint16_t error;
    };
    const Case cases[] = {
        {"000035e9", 13801},
        {"800735e9", 13801},
        {"800935e9", 0    }, // another facility's
        {"000035",   0    },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.data) {
            const auto [facts, opening] = parse(sa_init_refusal(initiator, 12345, hex(c.data)));
            REQUIRE(facts);
            CHECK(facts->error_notify == 12345);
            CHECK(facts->windows_error == c.error);
        }
    }
}
