// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/handshake.hpp"
#include "plugin/ike/notify.hpp"

#include <algorithm>
#include <array>
#include <span>

/// Names of numbers the IANA registries give to notifies and transforms.
namespace ikefrag {

namespace {

struct NumberName {
    std::uint16_t number;
    std::string_view name;
};

/// Sorted by number. Source: PROTOCOL §2.4; the IKEv2 registry.
constexpr NumberName notify_names[] = {
    {1,     "UNSUPPORTED_CRITICAL_PAYLOAD"   },
    {4,     "INVALID_IKE_SPI"                },
    {5,     "INVALID_MAJOR_VERSION"          },
    {7,     "INVALID_SYNTAX"                 },
    {9,     "INVALID_MESSAGE_ID"             },
    {11,    "INVALID_SPI"                    },
    {14,    "NO_PROPOSAL_CHOSEN"             },
    {17,    "INVALID_KE_PAYLOAD"             },
    {24,    "AUTHENTICATION_FAILED"          },
    {34,    "SINGLE_PAIR_REQUIRED"           },
    {35,    "NO_ADDITIONAL_SAS"              },
    {36,    "INTERNAL_ADDRESS_FAILURE"       },
    {37,    "FAILED_CP_REQUIRED"             },
    {38,    "TS_UNACCEPTABLE"                },
    {39,    "INVALID_SELECTORS"              },
    {40,    "UNACCEPTABLE_ADDRESSES"         },
    {41,    "UNEXPECTED_NAT_DETECTED"        },
    {43,    "TEMPORARY_FAILURE"              },
    {44,    "CHILD_SA_NOT_FOUND"             },
    {47,    "STATE_NOT_FOUND"                },
    {12345, "MS_NOTIFY_STATUS"               },
    {16384, "INITIAL_CONTACT"                },
    {16385, "SET_WINDOW_SIZE"                },
    {16388, "NAT_DETECTION_SOURCE_IP"        },
    {16389, "NAT_DETECTION_DESTINATION_IP"   },
    {16390, "COOKIE"                         },
    {16391, "USE_TRANSPORT_MODE"             },
    {16396, "MOBIKE_SUPPORTED"               },
    {16404, "MULTIPLE_AUTH_SUPPORTED"        },
    {16406, "REDIRECT_SUPPORTED"             },
    {16407, "REDIRECT"                       },
    {16408, "REDIRECTED_FROM"                },
    {16409, "TICKET_LT_OPAQUE"               },
    {16410, "TICKET_REQUEST"                 },
    {16411, "TICKET_ACK"                     },
    {16412, "TICKET_NACK"                    },
    {16413, "TICKET_OPAQUE"                  },
    {16418, "CHILDLESS_IKEV2_SUPPORTED"      },
    {16419, "QUICK_CRASH_DETECTION"          },
    {16430, "IKEV2_FRAGMENTATION_SUPPORTED"  },
    {16431, "SIGNATURE_HASH_ALGORITHMS"      },
    {16434, "PUZZLE"                         },
    {16435, "USE_PPK"                        },
    {16438, "INTERMEDIATE_EXCHANGE_SUPPORTED"},
    {16441, "ADDITIONAL_KEY_EXCHANGE"        },
    {16443, "SUPPORTED_AUTH_METHODS"         },
};

/// Sorted by number. Source: RFC 2408 §3.14.1; the DOI's status types: RFC 2407 §4.6.3.
constexpr NumberName v1_notify_names[] = {
    {1,     "INVALID_PAYLOAD_TYPE"     },
    {2,     "DOI_NOT_SUPPORTED"        },
    {3,     "SITUATION_NOT_SUPPORTED"  },
    {4,     "INVALID_COOKIE"           },
    {5,     "INVALID_MAJOR_VERSION"    },
    {6,     "INVALID_MINOR_VERSION"    },
    {7,     "INVALID_EXCHANGE_TYPE"    },
    {8,     "INVALID_FLAGS"            },
    {9,     "INVALID_MESSAGE_ID"       },
    {10,    "INVALID_PROTOCOL_ID"      },
    {11,    "INVALID_SPI"              },
    {12,    "INVALID_TRANSFORM_ID"     },
    {13,    "ATTRIBUTES_NOT_SUPPORTED" },
    {14,    "NO_PROPOSAL_CHOSEN"       },
    {15,    "BAD_PROPOSAL_SYNTAX"      },
    {16,    "PAYLOAD_MALFORMED"        },
    {17,    "INVALID_KEY_INFORMATION"  },
    {18,    "INVALID_ID_INFORMATION"   },
    {19,    "INVALID_CERT_ENCODING"    },
    {20,    "INVALID_CERTIFICATE"      },
    {21,    "CERT_TYPE_UNSUPPORTED"    },
    {22,    "INVALID_CERT_AUTHORITY"   },
    {23,    "INVALID_HASH_INFORMATION" },
    {24,    "AUTHENTICATION_FAILED"    },
    {25,    "INVALID_SIGNATURE"        },
    {26,    "ADDRESS_NOTIFICATION"     },
    {27,    "NOTIFY_SA_LIFETIME"       },
    {28,    "CERTIFICATE_UNAVAILABLE"  },
    {29,    "UNSUPPORTED_EXCHANGE_TYPE"},
    {30,    "UNEQUAL_PAYLOAD_LENGTHS"  },
    {16384, "CONNECTED"                },
    {24576, "RESPONDER_LIFETIME"       },
    {24577, "REPLAY_STATUS"            },
    {24578, "INITIAL_CONTACT"          },
};

struct WindowsError {
    std::uint16_t number;
    std::string_view text;
};

/// What a client's event 20227 shows. Source: DIAGNOSES §1.2.
constexpr WindowsError windows_errors[] = {
    {809,   "no answer"                             },
    {13801, "IKE credentials unacceptable"          },
    {13806, "no valid machine certificate"          },
    {13868, "policy match: the proposals do not fit"},
};

constexpr NumberName encryption_names[] = {
    {2,  "DES"              },
    {3,  "3DES"             },
    {11, "NULL"             },
    {12, "AES_CBC"          },
    {13, "AES_CTR"          },
    {14, "AES_CCM_8"        },
    {15, "AES_CCM_12"       },
    {16, "AES_CCM_16"       },
    {18, "AES_GCM_8"        },
    {19, "AES_GCM_12"       },
    {20, "AES_GCM_16"       },
    {23, "CAMELLIA_CBC"     },
    {24, "CAMELLIA_CTR"     },
    {25, "CAMELLIA_CCM_8"   },
    {26, "CAMELLIA_CCM_12"  },
    {27, "CAMELLIA_CCM_16"  },
    {28, "CHACHA20_POLY1305"},
};

constexpr NumberName pseudorandom_names[] = {
    {1, "HMAC_MD5"     },
    {2, "HMAC_SHA1"    },
    {4, "AES128_XCBC"  },
    {5, "HMAC_SHA2_256"},
    {6, "HMAC_SHA2_384"},
    {7, "HMAC_SHA2_512"},
    {8, "AES128_CMAC"  },
};

constexpr NumberName integrity_names[] = {
    {0,  "NONE"             },
    {1,  "HMAC_MD5_96"      },
    {2,  "HMAC_SHA1_96"     },
    {5,  "AES_XCBC_96"      },
    {8,  "AES_CMAC_96"      },
    {12, "HMAC_SHA2_256_128"},
    {13, "HMAC_SHA2_384_192"},
    {14, "HMAC_SHA2_512_256"},
};

constexpr NumberName key_exchange_names[] = {
    {0,  "NONE"            },
    {1,  "MODP_768"        },
    {2,  "MODP_1024"       },
    {5,  "MODP_1536"       },
    {14, "MODP_2048"       },
    {15, "MODP_3072"       },
    {16, "MODP_4096"       },
    {17, "MODP_6144"       },
    {18, "MODP_8192"       },
    {19, "ECP_256"         },
    {20, "ECP_384"         },
    {21, "ECP_521"         },
    {22, "MODP_1024_160"   },
    {23, "MODP_2048_224"   },
    {24, "MODP_2048_256"   },
    {25, "ECP_192"         },
    {26, "ECP_224"         },
    {27, "BRAINPOOL_P224R1"},
    {28, "BRAINPOOL_P256R1"},
    {29, "BRAINPOOL_P384R1"},
    {30, "BRAINPOOL_P512R1"},
    {31, "CURVE_25519"     },
    {32, "CURVE_448"       },
    {35, "ML_KEM_512"      },
    {36, "ML_KEM_768"      },
    {37, "ML_KEM_1024"     },
};

/// Source: RFC 2409 Appendix A, RFC 3602.
constexpr NumberName v1_encryption_names[] = {
    {1, "DES"         },
    {5, "3DES"        },
    {7, "AES_CBC"     },
    {8, "CAMELLIA_CBC"},
};
constexpr NumberName v1_hash_names[] = {
    {1, "MD5"     },
    {2, "SHA1"    },
    {4, "SHA2_256"},
    {5, "SHA2_384"},
    {6, "SHA2_512"},
};
constexpr NumberName v1_authentication_names[] = {
    {1,     "PSK"          },
    {3,     "RSA_SIGNATURE"},
    {9,     "ECDSA_256"    },
    {65001, "XAUTH_PSK"    },
    {65005, "XAUTH_RSA"    },
};

std::string_view name_in(std::span<const NumberName> rows, std::uint16_t number) noexcept {
    const auto row = std::find_if(rows.begin(), rows.end(), [number](const NumberName& candidate) {
        return candidate.number == number;
    });
    return row == rows.end() ? std::string_view{} : row->name;
}

std::string_view name_in_sorted(std::span<const NumberName> rows, std::uint16_t number) noexcept {
    const auto row = std::lower_bound(
        rows.begin(), rows.end(), number, [](const NumberName& candidate, std::uint16_t wanted) {
            return candidate.number < wanted;
        });
    return row != rows.end() && row->number == number ? row->name : std::string_view{};
}

std::string name_or_number(std::span<const NumberName> rows, std::uint16_t number) {
    const auto name = name_in(rows, number);
    return name.empty() ? std::to_string(number) : std::string(name);
}

std::string value_name(const Transform& transform) {
    const auto id = transform.id;
    if (is_key_exchange(transform.type)) return key_group_name(id);
    switch (transform.type) {
    case transform_type::encryption:
        return transform.version == 1 ? name_or_number(v1_encryption_names, id)
                                      : name_or_number(encryption_names, id);
    case transform_type::pseudorandom: return name_or_number(pseudorandom_names, id);
    case transform_type::integrity: return name_or_number(integrity_names, id);
    case transform_type::v1_hash: return name_or_number(v1_hash_names, id);
    case transform_type::v1_authentication: return name_or_number(v1_authentication_names, id);
    default: return std::to_string(id);
    }
}

std::string type_name(std::uint8_t type) {
    switch (type) {
    case transform_type::encryption: return "encryption";
    case transform_type::pseudorandom: return "prf";
    case transform_type::integrity: return "integrity";
    case transform_type::key_exchange: return "key_exchange";
    case transform_type::v1_hash: return "hash";
    case transform_type::v1_authentication: return "authentication";
    case transform_type::v1_key_length: return "key_bits";
    default: break;
    }
    if (is_key_exchange(type))
        return "additional_key_exchange_" +
               std::to_string(type - transform_type::first_additional_key_exchange + 1);
    return "type_" + std::to_string(type);
}

} // namespace

std::string_view notify_name(std::uint8_t version, std::uint16_t type) noexcept {
    return version == 1 ? name_in_sorted(v1_notify_names, type)
                        : name_in_sorted(notify_names, type);
}

std::string notify_name_or_number(std::uint8_t version, std::uint16_t type) {
    const auto name = notify_name(version, type);
    return name.empty() ? "NOTIFY_" + std::to_string(type) : std::string(name);
}

bool is_telling_notify(std::uint8_t version, std::uint16_t type) noexcept {
    if (type < notify::first_status) return type != 0;
    if (version == 1) return false;
    switch (type) {
    case notify::cookie:
    case notify::redirect:
    case notify::redirected_from:
    case notify::ticket_nack:
    case notify::puzzle: return true;
    default: return false;
    }
}

std::string_view windows_error_text(std::uint16_t error) noexcept {
    for (const auto& known : windows_errors)
        if (known.number == error) return known.text;
    return {};
}

std::string notifies_text(const MessageRecord& message) {
    std::string text;
    const auto version = message.exchange.version;
    for (const auto type : message.notifies) {
        if (type == 0) break;
        text += (text.empty() ? "" : "; ") + notify_name_or_number(version, type);
        if (version == 1) continue;
        if (type == notify::invalid_ke_payload) {
            text += ", wants group " + key_group_text(message.wanted_group);
        } else if (type == notify::ms_notify_status && message.windows_error != 0) {
            text += ", Windows error " + std::to_string(message.windows_error);
            const auto meaning = windows_error_text(message.windows_error);
            if (!meaning.empty()) text += " (" + std::string(meaning) + ")";
        }
    }
    return text;
}

bool is_key_exchange(std::uint8_t type) noexcept {
    return type == transform_type::key_exchange ||
           (type >= transform_type::first_additional_key_exchange &&
            type <= transform_type::last_additional_key_exchange);
}

std::string key_group_name(std::uint16_t group) {
    return name_or_number(key_exchange_names, group);
}

std::string key_group_text(std::uint16_t group) {
    const auto name = name_in(key_exchange_names, group);
    auto text = std::to_string(group);
    if (!name.empty()) (text += " (") += std::string(name) + ")";
    return text;
}

std::string to_string(const Transform& transform) {
    auto text = type_name(transform.type) + "=" + value_name(transform);
    if (transform.key_bits != 0) text += "-" + std::to_string(transform.key_bits);
    return text;
}

} // namespace ikefrag
