// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: a vendor-ID file that is accepted, written out again, reads the same; every ID of it
// is found by its own bytes, under a prefix at least as long. One that is refused names lines that
// are there.
#include "plugin/ike/vendor_table.hpp"

#include "plugin/vendor_id.hpp"

#include <algorithm>
#include <cstdlib>
#include <string>
#include <string_view>

using namespace ikefrag;

namespace {

std::string written(const std::vector<VendorId>& ids) {
    static constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (const auto& id : ids) {
        text += id.name + "\t";
        for (const auto byte : id.prefix) {
            text += digits[byte >> 4];
            text += digits[byte & 15];
        }
        if (!id.vendor.empty()) text += "\t" + id.vendor;
        text += "\n";
    }
    return text;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::string text(data, data + size);
    const auto ids = parse_vendor_ids(text);
    if (!ids) {
        const auto lines = static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
        if (ids.error().empty()) std::abort();
        for (const auto& error : ids.error())
            if (error.line == 0 || error.line > lines || error.message.empty()) std::abort();
        return 0;
    }
    const auto again = parse_vendor_ids(written(*ids));
    if (!again || again->size() != ids->size()) std::abort();
    const VendorTable table(*ids);
    for (std::size_t i = 0; i < ids->size(); ++i) {
        const auto& id = (*ids)[i];
        if ((*again)[i].prefix != id.prefix || (*again)[i].name != id.name ||
            (*again)[i].vendor != id.vendor)
            std::abort();
        const auto found = table.find(id.prefix);
        if (!found || table.at(*found).prefix.size() < id.prefix.size()) std::abort();
    }
    return 0;
}
