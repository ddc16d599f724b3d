// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/handshake.hpp"

#include "plugin/hex.hpp"

#include <algorithm>
#include <bit>
#include <string_view>

namespace ikefrag {

namespace {

struct ExchangeName {
    std::uint8_t type;
    std::string_view name;
};

/// Source: DESIGN §6; RFC 2408 §3.1, RFC 2409, XAUTH's transaction exchange.
constexpr ExchangeName v1_names[] = {
    {1,  "BASE"            },
    {2,  "MAIN_MODE"       },
    {3,  "AUTH_ONLY"       },
    {4,  "AGGRESSIVE"      },
    {5,  "INFORMATIONAL_V1"},
    {6,  "TRANSACTION"     },
    {32, "QUICK_MODE"      },
    {33, "NEW_GROUP"       },
};

/// Source: DESIGN §6; RFC 7296 §3.1, 5723, 9242, 9370, 9838.
constexpr ExchangeName v2_names[] = {
    {34, "IKE_SA_INIT"       },
    {35, "IKE_AUTH"          },
    {36, "CREATE_CHILD_SA"   },
    {37, "INFORMATIONAL"     },
    {38, "IKE_SESSION_RESUME"},
    {39, "GSA_AUTH"          },
    {40, "GSA_REGISTRATION"  },
    {41, "GSA_REKEY"         },
    {43, "IKE_INTERMEDIATE"  },
    {44, "IKE_FOLLOWUP_KE"   },
};

} // namespace

std::string to_string(const Spi& spi) { return to_hex(spi); }

bool is_probe(const Spi& initiator_spi) noexcept {
    return std::equal(probe_spi_start.begin(), probe_spi_start.end(), initiator_spi.begin());
}

bool is_zero(const Spi& spi) noexcept { return std::bit_cast<std::uint64_t>(spi) == 0; }

std::string exchange_name(std::uint8_t version, std::uint8_t type) {
    const auto named = [type](const ExchangeName& row) { return row.type == type; };
    if (version == 1) {
        const auto* row = std::find_if(std::begin(v1_names), std::end(v1_names), named);
        if (row != std::end(v1_names)) return std::string(row->name);
    } else {
        const auto* row = std::find_if(std::begin(v2_names), std::end(v2_names), named);
        if (row != std::end(v2_names)) return std::string(row->name);
    }
    return "EXCHANGE_" + std::to_string(type);
}

} // namespace ikefrag
