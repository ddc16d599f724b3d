// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/reader.hpp"

#include "daemon/capture/field_reader.hpp"
#include "daemon/capture/pcapng.hpp"

#include <cstring>
#include <utility>

namespace ikefrag {

Result<CaptureReader, CaptureError> CaptureReader::open(int descriptor) {
    ByteSource source(descriptor);
    const Bytes head = source.peek(4);
    if (source.error() != 0) return fail(CaptureError{std::strerror(source.error())});
    if (head.empty()) return fail(CaptureError{"the file is empty"});
    FieldReader reader(head, std::endian::little);
    const std::uint32_t magic = reader.u32();
    if (reader.failed()) return fail(CaptureError{"not a capture: too short"});
    if (magic == pcapng::section_block) {
        auto opened = PcapngReader::open(std::move(source));
        if (!opened) return fail(opened.error());
        return CaptureReader(Reader(std::in_place_type<PcapngReader>, *std::move(opened)));
    }
    if ((magic & 0xffff) == 0x8b1f)
        return fail(CaptureError{"gzip-compressed; unpack it first (zcat FILE | … -)"});
    switch (magic) {
    // Micro- and nanoseconds, and the variants libpcap reads as well, in both byte orders.
    case 0xa1b2c3d4:
    case 0xd4c3b2a1:
    case 0xa1b23c4d:
    case 0x4d3cb2a1:
    case 0xa1b2cd34:
    case 0x34cdb2a1: break;
    default: return fail(CaptureError{"not a capture (neither pcap nor pcapng)"});
    }
    auto opened = PcapReader::open(std::move(source));
    if (!opened) return fail(CaptureError{"damaged pcap header: " + opened.error().text});
    return CaptureReader(Reader(std::in_place_type<PcapReader>, *std::move(opened)));
}

bool CaptureReader::next(Record& record) {
    return std::visit([&](auto& reader) { return reader.next(record); }, reader_);
}

bool CaptureReader::truncated() const noexcept {
    return std::visit([](const auto& reader) { return reader.truncated(); }, reader_);
}

} // namespace ikefrag
