// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/result.hpp"
#include "plugin/shared_list.hpp"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

/// A hint word of the vendor table ("windows"); copies share its text.
class VendorWord {
public:
    static constexpr std::size_t max_bytes = 15;

    VendorWord() = default;
    /// What does not fit is cut off.
    VendorWord(std::string_view text);
    VendorWord(const char* text) : VendorWord(std::string_view(text)) {}
    VendorWord(const std::string& text) : VendorWord(std::string_view(text)) {}

    [[nodiscard]] std::string_view view() const noexcept { return {text_.begin(), text_.size()}; }
    [[nodiscard]] bool empty() const noexcept { return text_.empty(); }
    operator std::string_view() const noexcept { return view(); }
    operator std::string() const { return std::string(view()); }
    bool operator==(const VendorWord&) const = default;

private:
    SharedList<char> text_;
};
[[nodiscard]] std::string operator+(std::string text, const VendorWord& word);

/// A vendor ID to know: `prefix` are the first bytes of the payload's data.
struct VendorId {
    std::string name;
    std::vector<std::uint8_t> prefix;
    std::string vendor; ///< hint word ("windows"), or empty
};

/// The vendor IDs known without any file. Source: PROTOCOL §2.8.
[[nodiscard]] std::vector<VendorId> default_vendor_ids();

/// What is wrong with one line of a vendor-ID file.
struct VendorIdError {
    std::size_t line = 0; ///< from 1
    std::string message;
};

/// Reads a vendor-ID file: one `name<TAB>hex prefix[<TAB>vendor word]` a line, `#` begins a
/// comment line, empty lines are allowed.
///
/// In:      name: 1 to 64 printable ASCII characters; prefix: 4 to 64 bytes as hex digits, spaces
///          between them allowed; vendor word: 1 to 15 of a-z, 0-9, `_` and `-`
/// Errors:  all of them, each with its line: a missing field, a bad character, a length out of
///          bounds, a prefix given twice, more than 4096 entries
[[nodiscard]] Result<std::vector<VendorId>, std::vector<VendorIdError>>
parse_vendor_ids(std::string_view text);

} // namespace ikefrag
