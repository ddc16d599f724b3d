// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/capture/pcap_reader.hpp"
#include "daemon/capture/pcapng_reader.hpp"
#include "daemon/capture/record.hpp"
#include "plugin/result.hpp"

#include <string>
#include <variant>

namespace ikefrag {

/// Reads a capture file record by record, pcap or pcapng, from a file or a pipe. Hostile files give
/// an error, fewer records or `truncated`, never more.
class CaptureReader {
public:
    /// In:      an open descriptor, taken over
    /// Errors:  not a capture at all, or its header is damaged
    static Result<CaptureReader, CaptureError> open(int descriptor);

    /// Out: false at the end. The record's bytes live until the next call.
    bool next(Record& record);
    [[nodiscard]] bool truncated() const noexcept;

private:
    using Reader = std::variant<PcapReader, PcapngReader>;
    explicit CaptureReader(Reader reader) : reader_(std::move(reader)) {}

    Reader reader_;
};

} // namespace ikefrag
