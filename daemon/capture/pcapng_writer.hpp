// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/time.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace ikefrag {

/// Writes a pcapng file into memory: one section, little-endian, nanosecond times.
class PcapngWriter {
public:
    /// In: `application` names the writer; `comment` is the file's, empty for none
    explicit PcapngWriter(std::string_view application, std::string_view comment = {});

    /// Out: the interface's id for add_packet()
    std::uint32_t add_interface(std::uint16_t link_type, std::string_view name);
    /// In: an interface that was added; `original_bytes` at least the packet's size; comment: text
    /// that is already safe to show, or empty
    void add_packet(std::uint32_t interface,
                    TimePoint time,
                    Bytes packet,
                    std::uint32_t original_bytes,
                    std::string_view comment = {});

    [[nodiscard]] const std::string& file() const noexcept { return file_; }

private:
    void u16(std::uint16_t value);
    void u32(std::uint32_t value);
    void padded(std::string_view bytes);
    void option(std::uint16_t code, std::string_view value);
    /// Opens a block; close() fills in both its lengths.
    void open(std::uint32_t type);
    void close();

    std::string file_;
    std::size_t block_ = 0;
    std::uint32_t interfaces_ = 0;
};

} // namespace ikefrag
