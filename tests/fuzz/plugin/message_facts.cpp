// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: a message cut short says nothing that the whole one does not; what is read is within
// its bounds; a message taken apart twice says the same twice.
#include "plugin/ike/message.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

using namespace ikefrag;

namespace {

const VendorTable& vendors() {
    static const VendorTable table(default_vendor_ids());
    return table;
}

Result<MessageFacts, IkeFault> parse(Bytes bytes, std::size_t size, OpeningFacts& opening) {
    return parse_message(bytes, size, Endpoint{}, Endpoint{}, vendors(), opening);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::vector<std::uint8_t> bytes(data, data + size);
    OpeningFacts opening;
    const auto whole = parse(bytes, size, opening);
    if (whole.has_value() != parse_ike_header(bytes).has_value()) std::abort();
    if (!whole) return 0;
    const auto& fragment = whole->fragment;
    if (whole->is_skf && whole->is_vendor_fragment) std::abort();
    if (whole->is_skf && fragment.number > fragment.total) std::abort();
    const bool is_piece = whole->is_skf || whole->is_vendor_fragment;
    if (is_piece && fragment.number == 0 && !whole->malformed && !whole->cut) std::abort();
    if (fragment.number != 0 && !whole->is_skf && !whole->is_vendor_fragment) std::abort();
    OpeningFacts twice;
    const auto again = parse(bytes, size, twice);
    if (!again || again->digest != whole->digest || again->notes != whole->notes ||
        twice.notifies.size() != opening.notifies.size())
        std::abort();
    for (std::size_t cut = IkeHeader::size_bytes; cut < size; cut += 1 + size / 32) {
        const std::vector<std::uint8_t> shorter(data, data + cut);
        OpeningFacts less;
        const auto part = parse(shorter, size, less);
        if (!part) std::abort();
        if (part->malformed && !whole->malformed) std::abort();
        auto both = whole->notes;
        both.merge(part->notes);
        if (both != whole->notes || part->payloads > whole->payloads) std::abort();
        if (less.notifies.size() > opening.notifies.size()) std::abort();
    }
    return 0;
}
