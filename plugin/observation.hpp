// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/bytes.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include <cstdint>
#include <optional>
#include <variant>

/// What the gate tells the tracker. The byte views live as long as the gate's output
/// (plugin/gate.hpp) or the buffer the caller gave; a reader that keeps them copies them.
namespace ikefrag {

/// One IKE message: a UDP datagram on an IKE port, whole or complete out of IP fragments. An SKF or
/// payload-132 fragment is a message too.
struct MessageSeen {
    Endpoint source;
    Endpoint destination;
    /// From the IKE header on, marker removed; may be cut. Of a message in IP fragments no more
    /// than tells it from others (ike/digest.hpp).
    Bytes message;
    std::uint32_t message_bytes = 0;        ///< its real size (UDP payload less marker)
    bool marked = false;                    ///< behind the non-ESP marker
    std::uint16_t ip_fragments = 0;         ///< 0: came in one packet
    std::uint32_t first_fragment_bytes = 0; ///< IP total length of the first fragment; whole: of it
    std::uint32_t datagram_bytes = 0;       ///< IP total length, reassembled
    /// Index of the interface it (its fragment seen first) came in by; output and postrouting: goes
    /// out by. 0: not known.
    std::uint32_t interface = 0;
    bool reordered = false;       ///< its fragments did not come in order
    Reason reason = Reason::none; ///< what is wrong with it (ike_malformed, udp_length …)
    bool refused = false;         ///< complete, but not let through
    /// The first bytes of the whole message a fragmented first look gives (postrouting): the copy
    /// is of a first fragment, the message goes on.
    bool first_fragment_only = false;
};

/// A fragmented datagram that never became whole, or was refused.
struct DatagramLost {
    IpAddress source;
    IpAddress destination;
    std::uint32_t id = 0;                    ///< IP identification
    std::optional<PacketClass> packet_class; ///< known once the first fragment came
    std::uint16_t source_port = 0;           ///< 0: the first fragment never came
    std::uint16_t destination_port = 0;
    Bytes message;                   ///< IKE bytes of the first fragment, if it came
    std::uint32_t message_bytes = 0; ///< by the UDP length field; 0 if unknown
    std::uint16_t fragments = 0;     ///< seen
    std::uint32_t bytes = 0;         ///< IP payload seen
    bool first_seen = false;
    bool last_seen = false;
    std::uint32_t first_fragment_bytes = 0; ///< IP total length of the largest fragment seen
    TimePoint first_time;                   ///< of its first fragment seen
    Reason reason = Reason::timeout;
    bool enforced = true; ///< false: observe, or a dry-run rule
};

/// An ICMP error that quotes IKE.
struct IcmpSeen {
    IpAddress reporter; ///< who sent it
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::uint32_t mtu = 0; ///< next-hop MTU of frag-needed / packet-too-big, else 0
    Endpoint quoted_source;
    Endpoint quoted_destination;
    bool quoted_marked = false;
    Bytes quoted_message;               ///< as many IKE bytes as were quoted, maybe none
    std::uint32_t quoted_bytes = 0;     ///< IP total length of the quoted packet
    std::uint16_t quoted_udp_bytes = 0; ///< its UDP Length field: of the whole datagram
};

/// ESP flowed between two addresses (in UDP or plain). The kernel shows one packet a pair and
/// minute; a capture shows all.
struct EspSeen {
    Endpoint source; ///< port 0: plain ESP
    Endpoint destination;
};

/// TCP SYN to port 4500 of a server (RFC 9329 fallback).
struct TcpFallbackSeen {
    Endpoint source;
    Endpoint destination;
};

/// A tunnel packet of 6to4 or Teredo from its client, and whether the IPv4 address inside its IPv6
/// source is the one it came from (RFC 3964 §5, RFC 4380 §5.3, §5.4): a mismatch is a spoof, or a
/// NAT or relay between.
struct OuterSeen {
    Transition transition = Transition::native;
    bool matches = true;
};

/// Copies were lost before we saw them (kernel log group, or our own bounded queue): findings of
/// silence are muted for a while.
struct CopiesLost {
    std::uint64_t count = 0;
};

struct Observation {
    TimePoint time;
    Leg leg = Leg::prerouting;
    std::variant<MessageSeen,
                 DatagramLost,
                 IcmpSeen,
                 EspSeen,
                 TcpFallbackSeen,
                 OuterSeen,
                 CopiesLost>
        what;
    /// `time` is when it was read: the kernel stamps nothing that this host sends, it may be older.
    bool at_latest = false;
};

} // namespace ikefrag
