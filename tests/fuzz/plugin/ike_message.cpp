// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: a sound message stays so however its end is cut; the walk's payloads lie within the
// message and end.
#include "plugin/ike/header.hpp"
#include "plugin/ike/payload.hpp"

#include <cstdlib>
#include <vector>

using namespace ikefrag;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> bytes(data, data + size);
    const auto sound = check_ike_message(bytes, size);
    const auto header = parse_ike_header(bytes);
    if (sound && !header) std::abort();
    if (!header) return 0;
    PayloadWalk walk(*header, bytes);
    unsigned count = 0;
    while (const auto payload = walk.next()) {
        if (++count > PayloadWalk::max_payloads || payload->body.size() > size) std::abort();
    }
    for (std::size_t cut = IkeHeader::size_bytes; sound && cut < size; cut += 1 + size / 64)
        if (!check_ike_message(Bytes(bytes).first(cut), size)) std::abort();
    return 0;
}
