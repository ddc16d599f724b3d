// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/vendor_list.hpp"

#include "plugin/hex.hpp"

#include <algorithm>

namespace ikefrag {

void VendorList::add_name(std::string_view name) {
    const std::vector<std::uint8_t> bytes(name.begin(), name.end());
    add(0, bytes);
}

void VendorList::add_unknown(Bytes start) { add(is_unknown, start); }

void VendorList::add_all(const VendorList& other) {
    for (const auto entry : other.entries())
        add(static_cast<std::uint8_t>(entry[0] & is_unknown), entry.subspan(1));
}

std::vector<std::string> VendorList::texts() const {
    std::vector<std::string> texts;
    for (const auto entry : entries()) {
        const auto bytes = entry.subspan(1);
        texts.push_back((entry[0] & is_unknown) != 0 ? to_hex(bytes)
                                                     : std::string(bytes.begin(), bytes.end()));
    }
    return texts;
}

std::vector<Bytes> VendorList::entries() const {
    std::vector<Bytes> found;
    for (Bytes rest(packed_.begin(), packed_.end()); !rest.empty();) {
        const auto entry = rest.first(std::size_t{1} + rest[0] % is_unknown);
        found.push_back(entry);
        rest = rest.subspan(entry.size());
    }
    return found;
}

void VendorList::add(std::uint8_t kind, Bytes bytes) {
    bytes = bytes.first(std::min(bytes.size(), max_entry_bytes));
    std::vector<std::uint8_t> entry{static_cast<std::uint8_t>(kind | bytes.size())};
    entry.insert(entry.end(), bytes.begin(), bytes.end());
    const auto known = entries();
    const bool is_there = std::any_of(known.begin(), known.end(), [&entry](Bytes other) {
        return std::equal(other.begin(), other.end(), entry.begin(), entry.end());
    });
    if (is_there || known.size() == max_entries) return;
    std::vector<std::uint8_t> packed(packed_.begin(), packed_.end());
    packed.insert(packed.end(), entry.begin(), entry.end());
    packed_ = SharedList<std::uint8_t>(std::move(packed));
}

} // namespace ikefrag
