// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: a packet read whole reads the same with padding behind it, and its parts lie within
// it; what cannot be read whole is never more than the copy; any bytes get one decision.
#include "plugin/wire/ip_packet.hpp"

#include "plugin/gate.hpp"
#include "plugin/wire/icmp_quote.hpp"

#include <cstdlib>
#include <memory>
#include <vector>

using namespace ikefrag;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> bytes(data, data + size);
    const auto whole = parse_ip(bytes);
    const auto cut = parse_ip(bytes, Copy::cut);
    if (whole && !cut) std::abort();
    if (cut && cut->header_bytes + cut->payload.size() > size) std::abort();
    // Of one with length 0 and hop-by-hop options the fixed header does not say where it ends.
    const bool has_length = whole && (bytes[0] >> 4 == 4 || (bytes[4] | bytes[5] | bytes[6]) != 0);
    if (has_length) {
        auto padded = bytes;
        padded.resize(size + 7, 0xaa);
        const auto again = parse_ip(padded);
        if (!again || again->payload.size() != whole->payload.size() ||
            again->protocol != whole->protocol || again->reason != whole->reason)
            std::abort();
    }
    if (whole) {
        if (whole->total_bytes > size || whole->payload.size() != whole->payload_bytes())
            std::abort();
        const auto icmp = parse_icmp_quote({}, *whole);
        if (icmp && icmp->quoted_message.size() > whole->payload.size()) std::abort();
    }
    Gate gate(std::make_shared<const Policy>(), {});
    GateOutput out;
    Packet packet;
    packet.bytes = bytes;
    TimePoint now{std::chrono::seconds(1)};
    gate.feed(packet, now, out);
    gate.expire(now + std::chrono::seconds(30), out);
    if (out.decisions.size() != 1) std::abort();
    if (!whole && out.decisions[0].verdict != Verdict::accept) std::abort();
    return 0;
}
