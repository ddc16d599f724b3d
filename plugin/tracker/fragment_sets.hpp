// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/handshake.hpp"
#include "plugin/ike/fragment.hpp"
#include "plugin/seldom_list.hpp"

#include <cstddef>
#include <cstdint>

namespace ikefrag {

/// What one more SKF or payload 132 did to its set.
struct SetChange {
    FragmentSet* set = nullptr; ///< null: ignored (RFC 7383 §2.6: a smaller total)
    bool started = false;       ///< a new message, or a larger total began anew
    bool completed = false;     ///< by this one
    bool ended = false;         ///< by the last piece of a set too large to be told complete
    bool repeated = false;      ///< this number was there already
    bool abandoned = false;     ///< the set it began anew was not complete, nor counted so yet
};

/// The message a fragment belongs to.
struct FragmentOf {
    Exchange exchange;
    Direction direction = Direction::to_server;
    Role role = Role::request;
    Transport transport = Transport::skf;
    std::uint16_t id = 0; ///< payload 132's
    TimePoint time;
    std::uint32_t message_bytes = 0;
    std::uint32_t datagram_bytes = 0;
    bool ip_fragmented = false;
    bool same_bytes_seen = false; ///< a message of the same digest is in the timeline
};

/// Adds one fragment to the set of its message.
///
/// A larger total begins the set anew, a smaller one is ignored. Payload 132 has no message of its
/// own in the header: another fragment id is another message, and as many senders use one id for
/// all, a number already there with other bytes begins the next message.
///
/// Bounds: at most `max_sets` remain, the oldest goes; numbers are told apart up to
///         NumberSet::max_number, a set of more is never complete
SetChange
add_fragment(SeldomList<FragmentSet>& sets, const FragmentOf& of, const FragmentHeader& fragment);

inline constexpr std::size_t max_sets = 16;

} // namespace ikefrag
