// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/reasons.hpp"

namespace ikefrag {

bool is_own_limit(Reason reason) noexcept {
    switch (reason) {
    case Reason::policy:
    case Reason::tiny_nonlast:
    case Reason::too_many:
    case Reason::too_big:
    case Reason::source_limit:
    case Reason::table_full:
    case Reason::evicted: return true;
    default: return false;
    }
}

bool is_attack(Reason reason) noexcept {
    switch (reason) {
    case Reason::overlap:
    case Reason::inconsistent_last:
    case Reason::bad_length:
    case Reason::tiny_first:
    case Reason::checksum:
    case Reason::udp_length:
    case Reason::header_chain:
    case Reason::ip_options:
    case Reason::ike_malformed:
    case Reason::poisoned: return true;
    default: return false;
    }
}

std::string_view limit_text(Reason reason) noexcept {
    switch (reason) {
    case Reason::policy: return "a rule or the mode forbids it";
    case Reason::tiny_nonlast: return "a fragment is smaller than min_nonlast_bytes";
    case Reason::too_many: return "it has more fragments than max_fragments";
    case Reason::too_big: return "it is larger than max_datagram_bytes";
    case Reason::source_limit: return "its sender holds all of its share (source_datagrams)";
    case Reason::table_full: return "the table of held fragments was full";
    case Reason::evicted: return "it was evicted from the full table of held fragments";
    default: return "it was refused";
    }
}

std::string_view attack_text(Reason reason) noexcept {
    switch (reason) {
    case Reason::overlap: return "they overlap";
    case Reason::inconsistent_last: return "they have two different ends";
    case Reason::bad_length: return "a length is impossible";
    case Reason::tiny_first: return "the first fragment hides the IKE header";
    case Reason::too_many: return "they are more than max_fragments";
    case Reason::too_big: return "together they are larger than max_datagram_bytes";
    case Reason::checksum: return "the UDP checksum is wrong";
    case Reason::udp_length: return "the UDP length does not fit";
    case Reason::header_chain: return "the IPv6 header chain is not allowed";
    case Reason::ip_options: return "the IP options are not allowed";
    case Reason::ike_malformed: return "they are no IKE message";
    case Reason::poisoned: return "they belong to a datagram that was found bad";
    default: return "they are not in order";
    }
}

std::string_view done_text(bool enforced) noexcept {
    return enforced ? "refused" : "let through (mode observe, or a rule's dry_run)";
}

std::string limit_hint(Reason reason) {
    switch (reason) {
    case Reason::policy:
        return "See which rule it was (ikefragctl rules test, or replay --packets) and change its "
               "action to pass, or its match.";
    case Reason::table_full:
    case Reason::evicted:
        return "Something fills the table: see ikefragctl status for the sources; raise "
               "table_datagrams, table_packets and table_bytes in [limits] only if the load is "
               "honest.";
    case Reason::source_limit:
        return "If many clients share that address (NAT), raise source_datagrams and source_bytes "
               "in [limits].";
    case Reason::too_many:
        return "Raise max_fragments in [limits], or in the limits of a rule for that network; "
               "better: IKE fragmentation at both ends.";
    case Reason::too_big:
        return "Raise max_datagram_bytes in [limits], or in the limits of a rule for that network; "
               "better: IKE fragmentation at both ends.";
    case Reason::tiny_nonlast: return "Lower min_nonlast_bytes in the rule that sets it.";
    default: return "See ikefragctl status.";
    }
}

} // namespace ikefrag
