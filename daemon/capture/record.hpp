// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/time.hpp"

#include <cstdint>
#include <string>

namespace ikefrag {

/// One record of a capture file: a frame as the link layer had it.
struct Record {
    TimePoint time;              ///< a record without one has that of the record before
    std::uint32_t link_type = 0; ///< LINKTYPE_ number of the file format
    std::uint32_t interface = 0; ///< pcapng: section-wide interface id, counted from 1; pcap: 0
    std::uint32_t original_bytes = 0; ///< size on the wire; `bytes` may be cut by a snap length
    Bytes bytes;                      ///< lives until the next record is read
};

/// Why a file is not read, or not to its end: a sentence for people.
struct CaptureError {
    std::string text;
};

} // namespace ikefrag
