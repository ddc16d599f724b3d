// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/capture/byte_source.hpp"
#include "daemon/capture/record.hpp"
#include "plugin/result.hpp"

#include <bit>
#include <cstdint>
#include <optional>
#include <vector>

namespace ikefrag {

class FieldReader;

/// Reads pcapng files: any number of sections in either byte order, interfaces of different link
/// types, packets in enhanced, simple and (obsolete) packet blocks. Every other block is passed
/// over.
///
/// Bounds:  a packet block of at most 16 MiB, 65 536 interfaces a section; beyond, the file counts
///          as damaged
/// Source:  draft-ietf-opsawg-pcapng
class PcapngReader {
public:
    /// In: the source stands at the file's first byte.
    static Result<PcapngReader, CaptureError> open(ByteSource source);

    /// Out: false at the end.
    bool next(Record& record);
    /// The file ended inside a block, or is damaged there.
    [[nodiscard]] bool truncated() const noexcept { return truncated_; }

private:
    struct Interface {
        std::uint32_t link_type = 0;
        std::uint32_t snap_bytes = 0; ///< 0: none
        std::uint64_t units_a_second = 1'000'000;
        std::int64_t offset_seconds = 0;
    };
    enum class Step { record, other, end };

    explicit PcapngReader(ByteSource source) : source_(std::move(source)) {}
    bool read_section();
    Step read_block(Record& record);
    bool read_interface(Bytes body);
    Step read_packet(std::uint32_t type, Bytes body, Record& record);
    [[nodiscard]] static TimePoint time_of(const Interface& interface, std::uint64_t units);
    Step damaged() noexcept {
        truncated_ = true;
        return Step::end;
    }

    ByteSource source_;
    std::endian order_ = std::endian::little;
    std::vector<Interface> interfaces_;
    TimePoint last_time_;
    std::size_t shown_ = 0; ///< bytes of the block whose record is out, taken before the next
    bool truncated_ = false;
    bool ended_ = false;
};

} // namespace ikefrag
