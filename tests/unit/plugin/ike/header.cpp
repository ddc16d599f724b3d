// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/header.hpp"

#include "plugin/ike/payload.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <catch2/catch.hpp>

#include <memory>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

const Spi initiator = spi("0011223344556677");
const Spi responder = spi("8899aabbccddeeff");
const std::string spis = "0011223344556677 8899aabbccddeeff ";

/// A view of exactly these bytes on the heap, so that reading one too far is seen.
struct Exact {
    explicit Exact(Bytes bytes)
        : copy(std::make_unique<std::uint8_t[]>(bytes.size())), size(bytes.size()) {
        std::copy(bytes.begin(), bytes.end(), copy.get());
    }
    [[nodiscard]] Bytes view() const { return {copy.get(), size}; }
    std::unique_ptr<std::uint8_t[]> copy;
    std::size_t size;
};

} // namespace

TEST_CASE("IKE header: fields of both versions", "[ike]") {
    const auto v2 = parse_ike_header(hex(spis + "2e 21 23 28 00000105 000013ff"));
    REQUIRE(v2);
    CHECK(v2->initiator_spi == initiator);
    CHECK(v2->responder_spi == responder);
    CHECK(v2->next_payload == 46);
    CHECK(v2->major == 2);
    CHECK(v2->minor == 1);
    CHECK(v2->exchange_type == 35);
    CHECK(v2->message_id == 0x105);
    CHECK(v2->length == 0x13ff);
    CHECK(v2->is_response());
    CHECK(v2->is_from_initiator());
    CHECK_FALSE(v2->is_encrypted_v1());

    const auto v1 = parse_ike_header(hex(spis + "05 10 02 21 00000000 0000001c"));
    REQUIRE(v1);
    CHECK(v1->major == 1);
    CHECK(v1->is_encrypted_v1());
    CHECK_FALSE(v1->is_response());

    // racoon sets the flag on fragments, which are in the clear all the same.
    const auto fragment = parse_ike_header(hex(spis + "84 10 02 01 00000000 0000001c"));
    REQUIRE(fragment);
    CHECK_FALSE(fragment->is_encrypted_v1());
}

TEST_CASE("IKE header: what is rejected, and why", "[ike]") {
    struct Case {
        std::string name;
        std::string bytes;
        IkeFault expected;
    };
    const std::string zero = "0000000000000000 8899aabbccddeeff ";
    const Case cases[] = {
        {"empty",              "",                                     IkeFault::truncated  },
        {"27 bytes",           spis + "00 20 22 08 00000000 000000",   IkeFault::truncated  },
        {"initiator SPI zero", zero + "00 20 22 08 00000000 0000001c", IkeFault::zero_spi   },
        {"major 0",            spis + "00 02 22 08 00000000 0000001c", IkeFault::bad_version},
        {"major 3",            spis + "00 30 22 08 00000000 0000001c", IkeFault::bad_version},
        {"Length 27",          spis + "00 20 22 08 00000000 0000001b", IkeFault::bad_length },
        {"Length 0",           spis + "00 20 22 08 00000000 00000000", IkeFault::bad_length },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const auto header = parse_ike_header(hex(c.bytes));
            REQUIRE_FALSE(header);
            CHECK(header.error() == c.expected);
        }
    }
}

TEST_CASE("IKE message: well formed as far as it is in the clear", "[ike]") {
    struct Case {
        std::string name;
        std::string rest; ///< behind the SPIs, Length included
        std::optional<IkeFault> fault;
    };
    const Case cases[] = {
        {"header alone",                                  "00 20 25 08 00000000 0000001c",                          std::nullopt         },
        {"Length above the size",                         "00 20 25 08 00000000 0000001d",                          IkeFault::bad_length },
        {"one notify",                                    "29 20 22 08 00000000 00000024 00000008 0000402e",        std::nullopt         },
        {"payload of 3 bytes",
         "29 20 22 08 00000000 00000024 00000003 0000402e",                                                         IkeFault::bad_payload},
        {"payload past the end",
         "29 20 22 08 00000000 00000024 00000009 0000402e",                                                         IkeFault::bad_payload},
        {"next payload where none is",
         "29 20 22 08 00000000 00000024 29000008 0000402e",                                                         IkeFault::bad_payload},
        {"bytes behind the last payload",
         "29 20 22 08 00000000 00000026 00000008 0000402e ffff",                                                    std::nullopt         },
        {"SK not last",
         "2e 20 23 08 00000000 00000026 29000008 0000402e ffff",                                                    IkeFault::bad_payload},
        {"SK, then nothing is read",
         "2e 20 23 08 00000000 00000024 ff000008 ffffffff",                                                         std::nullopt         },
        {"SKF",                                           "35 20 23 08 00000000 00000026 2300000a 0001 0002 ffff",  std::nullopt         },
        {"SKF number zero",
         "35 20 23 08 00000000 00000026 0000000a 0000 0002 ffff",                                                   IkeFault::bad_payload},
        {"SKF total zero",
         "35 20 23 08 00000000 00000026 0000000a 0000 0000 ffff",                                                   IkeFault::bad_payload},
        {"SKF number above total",
         "35 20 23 08 00000000 00000026 0000000a 0003 0002 ffff",                                                   IkeFault::bad_payload},
        {"SKF too short for its numbers",
         "35 20 23 08 00000000 00000022 00000006 0001",                                                             IkeFault::bad_payload},
        {"SKF that is not the first and names a payload",
         "35 20 23 08 00000000 00000026 2300000a 0002 0002 ffff",                                                   IkeFault::bad_payload},
        {"payload 132 with the E flag, too short",
         "84 10 02 01 00000000 0000001e 0000",                                                                      IkeFault::bad_payload},
        {"v1 encrypted: nothing is read",                 "05 10 02 01 00000000 00000020 ffffffff",                 std::nullopt         },
        {"v1 in clear",                                   "05 10 02 00 00000000 00000020 ffffffff",                 IkeFault::bad_payload},
        {"payload 132",                                   "84 10 02 00 00000000 00000026 0000000a 0001 01 01 ffff", std::nullopt         },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const auto bytes = hex(spis + c.rest);
            const auto checked = check_ike_message(bytes, bytes.size());
            REQUIRE(checked.has_value() != c.fault.has_value());
            if (c.fault) CHECK(checked.error() == *c.fault);
        }
    }
}

TEST_CASE("payload walk: at most 64 payloads", "[ike]") {
    for (const unsigned count : {64u, 65u}) {
        auto builder = IkeBuilder::v2(34);
        builder.spis(initiator).from_initiator();
        for (unsigned i = 0; i < count; ++i) builder.notify(16430);
        const auto bytes = builder.build();
        CHECK(check_ike_message(bytes, bytes.size()).has_value() == (count == 64));
    }
}

TEST_CASE("payload walk: a message cut at any length is not malformed", "[ike]") {
    const ByteVector messages[] = {
        sa_init_request(initiator, {.intermediate = true, .windows = true, .cisco = true}
         ),
        sa_init_response(initiator, responder),
        sa_init_refusal(initiator, 17, hex("0013")),
        encrypted_message(initiator, responder, {.bytes = 200      }
         ),
        skf_set(initiator, responder, {.bytes = 200        },
         150)[1],
        payload_132_set(sa_init_request(initiator), 100)[0],
        IkeBuilder::v1(2).spis(initiator).payload(1, v1_sa_payload({{1, 7}        }
         )).build(),
    };
    for (const auto& message : messages) {
        REQUIRE(check_ike_message(message, message.size()));
        for (std::size_t length = 0; length < message.size(); ++length) {
            const Exact cut(Bytes(message).first(length));
            const auto checked = check_ike_message(cut.view(), message.size());
            CHECK(checked.has_value() == (length >= IkeHeader::size_bytes));
            // As a message of its own the shorter one is wrong: its Length does not fit.
            CHECK_FALSE(check_ike_message(cut.view(), length));
        }
    }
}
