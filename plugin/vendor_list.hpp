// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/shared_list.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

/// The vendor IDs one side sent: names of the known ones, the first bytes of the others, each once.
/// Packed into one block that sides of one kind share: whoever makes up his own, as a flood of
/// spoofed clients may, costs little.
///
/// Bounds:  max_entries, later ones are ignored; of one, max_entry_bytes
class VendorList {
public:
    static constexpr std::size_t max_entries = 24;
    static constexpr std::size_t max_entry_bytes = 64;

    void add_name(std::string_view name);
    void add_unknown(Bytes start);
    /// Those of another list that this one lacks.
    void add_all(const VendorList& other);

    /// Names, and hex digits of the others, in order.
    [[nodiscard]] std::vector<std::string> texts() const;
    [[nodiscard]] bool empty() const noexcept { return packed_.empty(); }

private:
    /// Of each entry: its size, with `is_unknown` set for bytes, then these or the name.
    static constexpr std::uint8_t is_unknown = 0x80;
    static_assert(max_entry_bytes < is_unknown);

    [[nodiscard]] std::vector<Bytes> entries() const; ///< with their first byte
    void add(std::uint8_t kind, Bytes bytes);

    SharedList<std::uint8_t> packed_;
};

} // namespace ikefrag
