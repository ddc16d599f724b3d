// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/number_set.hpp"
#include "plugin/seldom_list.hpp"
#include "plugin/shared_list.hpp"
#include "plugin/time.hpp"
#include "plugin/vendor_id.hpp"
#include "plugin/vendor_list.hpp"
#include "plugin/words.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

using Spi = std::array<std::uint8_t, 8>;

/// The initiator SPIs of `ikefragctl probe` begin so ("ikpb"): the tracker knows its own probe by
/// it, and does not count its end as a client's failure.
inline constexpr std::array<std::uint8_t, 4> probe_spi_start{0x69, 0x6b, 0x70, 0x62};
[[nodiscard]] bool is_probe(const Spi& initiator_spi) noexcept;

/// 16 lower-case hex digits.
[[nodiscard]] std::string to_string(const Spi& spi);
[[nodiscard]] bool is_zero(const Spi& spi) noexcept;

/// Where one IKE message stands in its exchange (RFC 7296 §3.1, RFC 2408 §3.1).
struct Exchange {
    std::uint8_t version = 2; ///< major
    std::uint8_t type = 0;
    std::uint32_t message_id = 0;
    auto operator<=>(const Exchange&) const = default;
};

/// "IKE_AUTH", "MAIN_MODE", "EXCHANGE_250" (DESIGN §6 has the list).
[[nodiscard]] std::string exchange_name(std::uint8_t version, std::uint8_t type);

/// "NO_PROPOSAL_CHOSEN", "COOKIE"; empty for a type that has no name here (PROTOCOL §2.4). IKEv1's
/// numbers mean other things.
[[nodiscard]] std::string_view notify_name(std::uint8_t version, std::uint16_t type) noexcept;
/// The same; "NOTIFY_40960" where no name is known.
[[nodiscard]] std::string notify_name_or_number(std::uint8_t version, std::uint16_t type);
/// Whether a clear notify of this type is kept in the timeline: errors, and what sends the client
/// to another try or another server.
[[nodiscard]] bool is_telling_notify(std::uint8_t version, std::uint16_t type) noexcept;
/// What Windows means by an error number of NOTIFY_STATUS; empty for one not known here.
[[nodiscard]] std::string_view windows_error_text(std::uint16_t error) noexcept;

/// Kinds of Transform: IKEv2's own numbers (RFC 7296 §3.3.2), then IKEv1's attributes that have no
/// counterpart there.
namespace transform_type {
inline constexpr std::uint8_t encryption = 1;
inline constexpr std::uint8_t pseudorandom = 2;
inline constexpr std::uint8_t integrity = 3;
inline constexpr std::uint8_t key_exchange = 4;
inline constexpr std::uint8_t first_additional_key_exchange = 6; ///< ADDKE1..7: RFC 9370
inline constexpr std::uint8_t last_additional_key_exchange = 12;
inline constexpr std::uint8_t v1_hash = 200;
inline constexpr std::uint8_t v1_authentication = 201;
inline constexpr std::uint8_t v1_key_length = 202;
} // namespace transform_type
/// Whether transforms of that type name a group; RFC 9370's additional ones do.
[[nodiscard]] bool is_key_exchange(std::uint8_t transform_type) noexcept;

/// One algorithm of an SA payload.
struct Transform {
    std::uint8_t version = 2;
    std::uint8_t type = 0;
    std::uint16_t id = 0;
    std::uint16_t key_bits = 0; ///< 0: none given
    auto operator<=>(const Transform&) const = default;
};
/// Distinct ones kept of an offer. strongSwan's default proposals have 48.
inline constexpr std::size_t max_transforms = 64;

/// "encryption=AES_GCM_16-256", "key_exchange=ECP_256"; a number where no name is known.
[[nodiscard]] std::string to_string(const Transform& transform);
/// "MODP_2048", "ML_KEM_768"; the number where no name is known.
[[nodiscard]] std::string key_group_name(std::uint16_t group);
/// "31 (CURVE_25519)"; the number alone where no name is known.
[[nodiscard]] std::string key_group_text(std::uint16_t group);

/// Clear-text facts of one message, as a set of flags: what detectors ask about.
enum class Note : std::uint8_t {
    sa,                      ///< SA payload
    ke,                      ///< KE payload
    nonce,                   ///< Nonce payload
    fragmentation_supported, ///< N(16430)
    intermediate_supported,  ///< N(16438)
    cookie,                  ///< N(16390)
    invalid_ke,              ///< N(17)
    no_proposal,             ///< N(14), v1 too
    redirect,                ///< N(16407)
    redirect_supported,      ///< N(16406)
    invalid_spi,             ///< N(4) in clear
    invalid_major_version,   ///< N(5)
    other_error,             ///< any other error notify in clear
    nat_detection,           ///< N(16388) and N(16389), or v1 NAT-D
    v1_fragmentation_vid,    ///< MD5("FRAGMENTATION")
    known_vendor,            ///< some vendor ID of the table
    childless,               ///< N(16418)
    encrypted,               ///< SK, SKF or v1's E flag
    ticket_nack,             ///< N(16412)
};

class Notes {
public:
    void set(Note note) noexcept { bits_ |= bit(note); }
    [[nodiscard]] bool has(Note note) const noexcept { return (bits_ & bit(note)) != 0; }
    void merge(Notes other) noexcept { bits_ |= other.bits_; }
    auto operator<=>(const Notes&) const = default;

private:
    static constexpr std::uint32_t bit(Note note) noexcept {
        return 1u << static_cast<unsigned>(note);
    }
    std::uint32_t bits_ = 0;
};

/// One message of a handshake's timeline: an IKE datagram, an SKF or payload-132 fragment, or a
/// fragmented one that never became whole.
struct MessageRecord {
    TimePoint time;                     ///< seen first on any leg
    std::optional<TimePoint> left_time; ///< seen going out (postrouting)
    Leg leg = Leg::prerouting;          ///< where `time` was taken
    Exchange exchange;
    Direction direction = Direction::to_server;
    Role role = Role::request;
    bool from_initiator = true; ///< the original initiator's (flag I; v1: by cookie order)
    Transport transport = Transport::whole;
    bool complete = true; ///< false: fragments missing (first_seen … tell which)
    bool refused = false; ///< by our gate; `reason` says why
    Reason reason = Reason::none;
    bool retransmit = false; ///< DIAGNOSES §1.6
    /// Does not count: an answer to nothing asked, or not from where it was asked; an opening in a
    /// running handshake from an address that is not its client's.
    bool unasked = false;
    bool marked = false;    ///< behind the non-ESP marker
    bool first_seen = true; ///< the first IP fragment came
    bool last_seen = true;  ///< the last IP fragment came
    bool reordered = false;
    std::uint16_t ip_fragments = 0;   ///< 0: one packet
    std::uint16_t skf_number = 0;     ///< or payload-132 number; 0: none
    std::uint16_t skf_total = 0;      ///< payload 132: known with the last, else 0
    std::uint16_t windows_error = 0;  ///< of N(NOTIFY_STATUS); 0: none, or none of Windows' errors
    std::uint32_t message_bytes = 0;  ///< IKE Length
    std::uint32_t datagram_bytes = 0; ///< IP total length, reassembled
    std::uint32_t first_fragment_bytes =
        0; ///< IP total length of the first fragment or whole packet
    /// Indexes of the interfaces it came in (leg output: goes out) and went out by; 0: not known.
    std::uint32_t interface = 0;
    std::uint32_t left_interface = 0;
    std::uint64_t digest = 0;       ///< of its size and what tells it from others (ike/digest.hpp)
    std::uint32_t head_digest = 0;  ///< of its first 64 bytes: joins copies cut short
    std::uint16_t wanted_group = 0; ///< of N(INVALID_KE_PAYLOAD)
    std::uint16_t key_group = 0;    ///< of the KE payload
    std::uint16_t error_notify = 0; ///< first clear error notify
    /// The first distinct telling ones in clear (is_telling_notify); 0: no more.
    std::array<std::uint16_t, 3> notifies{};
    Notes notes;
    Endpoint source; ///< as seen on `leg`
    Endpoint destination;
    std::optional<Endpoint> left_source; ///< as seen going out, where NAT changed it
    std::optional<Endpoint> left_destination;
};

/// What its clear notifies say: "INVALID_KE_PAYLOAD, wants group 31 (CURVE_25519)"; empty: none.
[[nodiscard]] std::string notifies_text(const MessageRecord& message);

/// An SKF or payload-132 set of one message.
struct FragmentSet {
    Exchange exchange;
    Direction direction = Direction::to_server;
    Role role = Role::request;
    Transport transport = Transport::skf;
    TimePoint first_time;
    TimePoint last_time;
    std::uint16_t id = 0;             ///< payload 132's fragment id
    std::uint16_t total = 0;          ///< 0: not known (payload 132 without its last)
    std::uint16_t seen = 0;           ///< distinct numbers, as far as they are told apart
    std::uint16_t attempts = 0;       ///< times number 1 was seen
    std::uint32_t bytes = 0;          ///< of distinct fragments, IKE lengths added up
    std::uint32_t largest_bytes = 0;  ///< largest IP datagram of the set
    std::uint16_t previous_total = 0; ///< of the smaller set it replaced (RFC 7383 §2.5.2)
    std::uint32_t previous_largest_bytes = 0;
    bool complete = false;
    bool given_up = false;      ///< was counted as incomplete
    bool ip_fragmented = false; ///< some of its messages came in IP fragments
    NumberSet present;

    /// More pieces than are told apart: whether it is complete is not known.
    [[nodiscard]] bool is_too_large() const noexcept { return total > NumberSet::max_number; }
};

/// What ICMP said about a handshake's packets.
struct IcmpRecord {
    TimePoint time;
    IpAddress reporter;
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    Family family = Family::ipv4;
    std::uint32_t mtu = 0;
    Direction direction = Direction::to_server; ///< of the quoted packet
};

/// What one side of a handshake showed of itself.
struct SideFacts {
    Fragmentation fragmentation = Fragmentation::unknown;
    bool intermediate_supported = false;
    std::optional<bool> behind_nat; ///< by its NAT_DETECTION_SOURCE_IP hash; empty: none sent
    /// By its NAT_DETECTION_DESTINATION_IP hash: the address it sends to is not the one we see.
    std::optional<bool> other_behind_nat;
    VendorWord vendor; ///< hint from vendor IDs ("windows", "strongswan", …), or empty
    VendorList vendor_ids;
};

/// An attempt of a client to build an IKE SA, or an SA met later in its life. Tens of thousands are
/// kept: members of one size stand together, and what few have costs the others a pointer.
struct Handshake {
    std::uint64_t number = 0; ///< counts handshakes; stable name within one run
    Spi initiator_spi{};
    Spi responder_spi{}; ///< zero until known
    TimePoint first_time;
    TimePoint last_time;
    /// Last answer of IKE_AUTH, or of IKEv1's phase 1.
    std::optional<TimePoint> auth_answered;
    SideFacts client_side;
    SideFacts server_side;
    SharedList<Transform> offered;       ///< by the initiator's latest SA payload; max_transforms
    SharedList<Transform> chosen;        ///< by the answer to it
    std::vector<MessageRecord> messages; ///< in time order, bounded
    SeldomList<FragmentSet> sets;        ///< bounded
    SeldomList<IcmpRecord> icmp;         ///< bounded
    /// What the path is known to carry, by Direction; 0 unknown.
    std::array<std::uint32_t, 2> path_mtu_bytes{};
    std::uint32_t retransmits = 0;
    std::uint32_t client_addresses = 1; ///< distinct, MOBIKE and NAT rebinding included
    std::uint32_t server_addresses = 1;
    std::uint32_t messages_forgotten = 0; ///< timeline entries beyond its bound
    Endpoint client;                      ///< as answered, till then as first seen; DESIGN §6
    Endpoint server;
    std::optional<IpAddress> server_inside;    ///< where our DNAT sent it
    std::optional<std::uint16_t> server_index; ///< into Policy::servers
    std::optional<Transport> auth_request_transport;
    std::optional<Transport> auth_response_transport;
    std::uint8_t version = 2;
    Outcome outcome = Outcome::in_progress;
    Basis basis = Basis::none;
    bool client_is_initiator = true;
    bool ended = false;      ///< its outcome is final
    bool mid_stream = false; ///< first seen after its IKE_SA_INIT
    bool rekeyed = false;    ///< mid-stream, and the pair had an SA: its IKE SA was rekeyed
    bool half_view = false;  ///< answers take another way
    bool esp_seen = false;
    bool init_answered = false; ///< a response with SA, KE and Nonce came (v1: the second message)
    /// Copies were lost, we had just started, or this server's answers take another way.
    bool muted = false;
    bool proven = false;            ///< the client showed that it receives (DESIGN §9)
    bool probe = false;             ///< our own `ikefragctl probe`
    bool offered_truncated = false; ///< more was offered than `offered` has
};

} // namespace ikefrag
