// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/capture/byte_source.hpp"
#include "daemon/capture/record.hpp"
#include "plugin/result.hpp"

#include <memory>

struct pcap;

namespace ikefrag {

/// Reads classic pcap files, all their variants, by libpcap.
class PcapReader {
public:
    /// In: the source stands at the file's first byte.
    static Result<PcapReader, CaptureError> open(ByteSource source);
    ~PcapReader();
    PcapReader(PcapReader&&) noexcept;

    /// Out: false at the end.
    bool next(Record& record);
    /// The file ended inside a record, or is damaged there.
    [[nodiscard]] bool truncated() const noexcept { return truncated_; }

private:
    struct Close {
        void operator()(pcap* handle) const noexcept;
    };
    PcapReader(std::unique_ptr<ByteSource> source, std::unique_ptr<pcap, Close> handle);

    std::unique_ptr<ByteSource> source_; ///< outlives the handle, which reads from it
    std::unique_ptr<pcap, Close> handle_;
    std::uint32_t link_type_ = 0;
    bool truncated_ = false;
};

} // namespace ikefrag
