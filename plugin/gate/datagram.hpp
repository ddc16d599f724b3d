// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/gate/compiled_policy.hpp"
#include "plugin/gate/first_fragment.hpp"
#include "plugin/gate/held_packet.hpp"
#include "plugin/gate/payload_map.hpp"
#include "plugin/gate/remembered.hpp"
#include "plugin/gate/shares.hpp"
#include "plugin/wire/checksum.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <span>

namespace ikefrag {

/// More held packets of a datagram than fit the datagram itself.
struct HeldBlock {
    std::array<HeldPacket, 10> packets;
    HeldBlock* next = nullptr;
};

using HeldBlocks = Pool<HeldBlock>;

/// What a fragment did to its datagram.
enum class Step : std::uint8_t { held, copy, refused, whole };

struct StepResult {
    Step step = Step::held;
    Reason reason = Reason::none;
};

/// A datagram some of whose fragments are held.
struct Datagram : KeyEntry {
    // What every fragment touches stands first.
    Source* source = nullptr;
    Datagram* older = nullptr; ///< neighbours among the source's, by time
    Datagram* newer = nullptr;
    TimePoint first_time;
    TimePoint deadline;
    std::uint32_t heap_place = 0;
    std::uint32_t fragments = 0;   ///< distinct ones that came
    std::uint32_t held = 0;        ///< of them, waiting for a verdict
    std::uint32_t seen_bytes = 0;  ///< IP payload of those
    std::uint32_t highest_end = 0; ///< of all that came
    std::uint32_t total_bytes = 0; ///< end of the last fragment; 0: it has not come
    std::uint32_t least_nonlast_bytes = 0xffff'ffff;
    bool first_seen = false;
    bool last_seen = false;
    bool reordered = false;
    bool configured_server = false; ///< an end is a configured server
    bool first_is_held = false;     ///< its bytes are in `payload`
    bool marked = false;
    bool is_udp = false;
    bool dry_run = false;
    std::uint8_t protocol = 0; ///< of the first fragment, or of the tails until it came
    Action action = Action::pass;
    std::optional<PacketClass> packet_class;
    std::int32_t rule = -1;
    CompiledPolicy* policy = nullptr;
    const DatagramLimits* limits = nullptr;
    InternetSum sum; ///< of all payload, what stands before UDP excepted
    Usage usage;     ///< what its source is charged for it

    // What the first fragment told.
    std::uint32_t udp_offset = 0;   ///< behind extension headers in the payload
    std::uint32_t first_bytes = 0;  ///< payload of the first fragment
    std::uint32_t header_bytes = 0; ///< of its IP header; IPv6: with the Fragment header
    std::uint32_t first_fragment_bytes = 0;
    std::uint32_t largest_fragment_bytes = 0;
    std::uint32_t ip_id = 0;
    std::uint32_t interface = 0; ///< that the fragment seen first came in by
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint16_t udp_length = 0;
    std::uint16_t udp_checksum = 0;
    std::array<std::uint8_t, 60> ipv4_header{};

    IpAddress source_address;
    IpAddress destination_address;
    DigestRange predecessor; ///< of a finished datagram with the same key
    TimePoint predecessor_until;

    PayloadMap payload;
    std::array<HeldPacket, 6> first_packets;
    HeldBlock* more_packets = nullptr; ///< the one being filled

    [[nodiscard]] Family family() const noexcept { return source_address.family; }
    /// Where UDP's payload begins in the datagram's.
    [[nodiscard]] std::uint32_t end_of_headers() const noexcept {
        return udp_offset + UdpHeader::size_bytes;
    }
    [[nodiscard]] bool is_enforced() const noexcept {
        return policy->policy().mode != Mode::observe && !dry_run;
    }

    /// Notes what the first fragment tells. In: facts without a reason
    void take_first(const IpPacket& ip, const FirstFacts& facts) noexcept;
    /// What a rule's or the global limits say against what has come.
    [[nodiscard]] Reason check_limits() const noexcept;
    /// Writes the IPv4 header of the datagram put together, at the front of `packet`: DF, fragment
    /// bits and offset cleared, length and checksum anew.
    /// In: packet: header and payload, as long as the length field shall say
    void write_header(std::span<std::uint8_t> packet) const noexcept;

    /// Checks a fragment against those that came before, and takes its measures.
    ///
    /// In:      a fragment of this datagram, its own length already sound
    /// Out:     held: its bytes are to be put; copy: exactly there already
    [[nodiscard]] StepResult measure(const IpPacket& ip) noexcept;

    /// Whether every octet from first to last fragment is there: by holes.
    [[nodiscard]] bool is_whole() const noexcept;

    /// The place for one more held packet. In: block: from the pool, when needs_block()
    [[nodiscard]] bool needs_block() const noexcept;
    void hold(HeldPacket packet, HeldBlocks& blocks);

    template <class Visit>
    void for_each_held(Visit visit) {
        for (std::uint32_t i = 0; i < std::min<std::uint32_t>(held, 6); ++i)
            visit(first_packets[i]);
        auto left = held > 6 ? held - 6 : 0;
        auto in_block = left % 10 == 0 ? 10 : left % 10;
        for (auto* block = more_packets; left > 0; block = block->next) {
            for (std::uint32_t i = 0; i < in_block; ++i) visit(block->packets[i]);
            left -= in_block;
            in_block = 10;
        }
    }
};

} // namespace ikefrag
