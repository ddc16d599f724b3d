// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/ike/vendor_table.hpp"

#include "plugin/wire/byte_reader.hpp"

#include <algorithm>
#include <limits>

namespace ikefrag {

namespace {

constexpr std::size_t start_bytes = 4;

std::uint32_t start_of(Bytes data) noexcept { return ByteReader(data).u32(); }

} // namespace

VendorTable::VendorTable(std::vector<VendorId> ids) : ids_(std::move(ids)) {
    std::erase_if(ids_, [](const VendorId& id) { return id.prefix.size() < start_bytes; });
    if (ids_.size() > std::numeric_limits<std::uint16_t>::max())
        ids_.resize(std::numeric_limits<std::uint16_t>::max());
    for (const auto& id : ids_) words_.emplace_back(id.vendor);
    for (std::size_t i = 0; i < ids_.size(); ++i)
        by_start_.emplace_back(start_of(ids_[i].prefix), static_cast<std::uint16_t>(i));
    std::sort(by_start_.begin(), by_start_.end(), [this](const auto& a, const auto& b) {
        if (a.first != b.first) return a.first < b.first;
        const auto a_size = ids_[a.second].prefix.size();
        const auto b_size = ids_[b.second].prefix.size();
        return a_size != b_size ? a_size > b_size : a.second < b.second;
    });
}

std::optional<std::uint16_t> VendorTable::find(Bytes data) const noexcept {
    if (data.size() < start_bytes) return std::nullopt;
    const auto start = start_of(data);
    auto row = std::lower_bound(by_start_.begin(),
                                by_start_.end(),
                                start,
                                [](const auto& a, std::uint32_t value) { return a.first < value; });
    for (; row != by_start_.end() && row->first == start; ++row) {
        const auto& prefix = ids_[row->second].prefix;
        if (prefix.size() <= data.size() && std::equal(prefix.begin(), prefix.end(), data.begin()))
            return row->second;
    }
    return std::nullopt;
}

} // namespace ikefrag
