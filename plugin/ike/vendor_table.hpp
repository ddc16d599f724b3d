// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/vendor_id.hpp"

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace ikefrag {

/// Finds the name of a vendor ID: the longest known prefix of its data.
class VendorTable {
public:
    explicit VendorTable(std::vector<VendorId> ids);

    /// In:     a vendor ID payload's data, any length
    /// Out:    index for at(); empty: not known
    /// Bounds: O(log of the table) plus the prefixes that share the first four bytes
    [[nodiscard]] std::optional<std::uint16_t> find(Bytes data) const noexcept;
    [[nodiscard]] const VendorId& at(std::uint16_t index) const noexcept { return ids_[index]; }
    /// Its hint word, ready to be shared.
    [[nodiscard]] const VendorWord& word(std::uint16_t index) const noexcept {
        return words_[index];
    }

private:
    std::vector<VendorId> ids_;
    std::vector<VendorWord> words_; ///< of each
    /// First four bytes and index; sorted, longer prefixes first among equals.
    std::vector<std::pair<std::uint32_t, std::uint16_t>> by_start_;
};

} // namespace ikefrag
