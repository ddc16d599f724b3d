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
    CHECK(notify_name(1) == "UNSUPPORTED_CRITICAL_PAYLOAD");
    CHECK(notify_name(14) == "NO_PROPOSAL_CHOSEN");
    CHECK(notify_name(16430) == "IKEV2_FRAGMENTATION_SUPPORTED");
    CHECK(notify_name(16443) == "SUPPORTED_AUTH_METHODS");
    CHECK(notify_name(0).empty());
    CHECK(notify_name(60000).empty());
    CHECK(key_group_name(36) == "ML_KEM_768");
    CHECK(key_group_name(999) == "999");
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
