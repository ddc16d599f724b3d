// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/handshake.hpp"

#include "tests/support/plugin/ike_builder.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;
using namespace ikefrag::test;

TEST_CASE("exchange names: the words of DESIGN §6", "[ike]") {
    struct Case {
        std::uint8_t version;
        std::uint8_t type;
        std::string name;
    };
    const Case cases[] = {
        {1, 1,   "BASE"              },
        {1, 2,   "MAIN_MODE"         },
        {1, 3,   "AUTH_ONLY"         },
        {1, 4,   "AGGRESSIVE"        },
        {1, 5,   "INFORMATIONAL_V1"  },
        {1, 6,   "TRANSACTION"       },
        {1, 32,  "QUICK_MODE"        },
        {1, 33,  "NEW_GROUP"         },
        {1, 243, "EXCHANGE_243"      },
        {2, 34,  "IKE_SA_INIT"       },
        {2, 35,  "IKE_AUTH"          },
        {2, 36,  "CREATE_CHILD_SA"   },
        {2, 37,  "INFORMATIONAL"     },
        {2, 38,  "IKE_SESSION_RESUME"},
        {2, 39,  "GSA_AUTH"          },
        {2, 40,  "GSA_REGISTRATION"  },
        {2, 41,  "GSA_REKEY"         },
        {2, 42,  "EXCHANGE_42"       },
        {2, 43,  "IKE_INTERMEDIATE"  },
        {2, 44,  "IKE_FOLLOWUP_KE"   },
        {2, 2,   "EXCHANGE_2"        },
    };
    for (const auto& c : cases) CHECK(exchange_name(c.version, c.type) == c.name);
}

TEST_CASE("notify and group names", "[ike]") {
    CHECK(notify_name(2, 1) == "UNSUPPORTED_CRITICAL_PAYLOAD");
    CHECK(notify_name(2, 14) == "NO_PROPOSAL_CHOSEN");
    CHECK(notify_name(2, 16430) == "IKEV2_FRAGMENTATION_SUPPORTED");
    CHECK(notify_name(2, 16443) == "SUPPORTED_AUTH_METHODS");
    CHECK(notify_name(2, 0).empty());
    CHECK(notify_name(2, 60000).empty());
    // IKEv1 counts anew.
    CHECK(notify_name(1, 1) == "INVALID_PAYLOAD_TYPE");
    CHECK(notify_name(1, 7) == "INVALID_EXCHANGE_TYPE");
    CHECK(notify_name(1, 14) == "NO_PROPOSAL_CHOSEN");
    CHECK(notify_name(1, 17) == "INVALID_KEY_INFORMATION");
    CHECK(notify_name(1, 30) == "UNEQUAL_PAYLOAD_LENGTHS");
    CHECK(notify_name(1, 16430).empty());
    CHECK(notify_name_or_number(2, 40960) == "NOTIFY_40960");
    CHECK(key_group_name(36) == "ML_KEM_768");
    CHECK(key_group_name(999) == "999");
    CHECK(key_group_text(31) == "31 (CURVE_25519)");
    CHECK(key_group_text(999) == "999");
    CHECK(to_string(Transform{.version = 2, .type = 6, .id = 37, .key_bits = 0}) ==
          "additional_key_exchange_1=ML_KEM_1024");
}

TEST_CASE("transforms: names of what strongSwan offers", "[ike]") {
    using namespace transform_type;
    CHECK(to_string(Transform{2, encryption, 24, 256}) == "encryption=CAMELLIA_CTR-256");
    CHECK(to_string(Transform{2, encryption, 27, 128}) == "encryption=CAMELLIA_CCM_16-128");
    CHECK(to_string(Transform{2, integrity, 8, 0}) == "integrity=AES_CMAC_96");
    CHECK(key_group_name(28) == "BRAINPOOL_P256R1");
    CHECK(key_group_name(29) == "BRAINPOOL_P384R1");
    CHECK(key_group_name(30) == "BRAINPOOL_P512R1");
}

TEST_CASE("SPIs: text, zero, our own probe", "[ike]") {
    CHECK(to_string(spi("00112233445566ff")) == "00112233445566ff");
    CHECK(is_zero(Spi{}));
    CHECK_FALSE(is_zero(spi("0000000000000001")));
    CHECK(is_probe(spi("696b706200000001")));
    CHECK_FALSE(is_probe(spi("696b706300000001")));
}

TEST_CASE("what the clear notifies of a message say", "[ike]") {
    struct Case {
        std::string name;
        std::uint8_t version;
        std::array<std::uint16_t, 3> notifies;
        std::uint16_t group;
        std::uint16_t windows_error;
        std::string text;
    };
    const Case cases[] = {
        {"none",                     2, {},        0,  0,     ""                                 },
        {"by name",                  2, {24},      0,  0,     "AUTHENTICATION_FAILED"            },
        {"several, one unknown",     2, {7, 8191}, 0,  0,     "INVALID_SYNTAX; NOTIFY_8191"      },
        {"the group that is wanted",
         2,                             {17},
         31,                                           0,
         "INVALID_KE_PAYLOAD, wants group 31 (CURVE_25519)"                                      },
        {"17 of IKEv1 wants none",   1, {17},      31, 0,     "INVALID_KEY_INFORMATION"          },
        {"Windows' number",
         2,                             {12345},
         0,                                            13801,
         "MS_NOTIFY_STATUS, Windows error 13801 (IKE credentials unacceptable)"                  },
        {"one not known here",       2, {12345},   0,  5,     "MS_NOTIFY_STATUS, Windows error 5"},
        {"none of Windows'",         2, {12345},   0,  0,     "MS_NOTIFY_STATUS"                 },
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            MessageRecord message;
            message.exchange.version = c.version;
            message.notifies = c.notifies;
            message.wanted_group = c.group;
            message.windows_error = c.windows_error;
            CHECK(notifies_text(message) == c.text);
        }
    }
}
