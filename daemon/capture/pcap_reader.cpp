// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/pcap_reader.hpp"

#include <pcap/pcap.h>

#include <array>
#include <cstdio>
#include <utility>

namespace ikefrag {

namespace {

ssize_t read_source(void* source, char* to, std::size_t count) {
    return static_cast<ssize_t>(
        static_cast<ByteSource*>(source)->read(reinterpret_cast<std::uint8_t*>(to), count));
}

} // namespace

void PcapReader::Close::operator()(pcap* handle) const noexcept { pcap_close(handle); }

PcapReader::PcapReader(std::unique_ptr<ByteSource> source, std::unique_ptr<pcap, Close> handle)
    : source_(std::move(source)), handle_(std::move(handle)),
      link_type_(static_cast<std::uint32_t>(pcap_datalink(handle_.get()))) {}

PcapReader::~PcapReader() = default;
PcapReader::PcapReader(PcapReader&&) noexcept = default;

Result<PcapReader, CaptureError> PcapReader::open(ByteSource source) {
    auto kept = std::make_unique<ByteSource>(std::move(source));
    std::FILE* file = fopencookie(kept.get(), "rb", {read_source, nullptr, nullptr, nullptr});
    if (file == nullptr) return fail(CaptureError{"out of memory"});
    std::setvbuf(file, nullptr, _IOFBF, 1u << 16);
    std::array<char, PCAP_ERRBUF_SIZE> why{};
    std::unique_ptr<pcap, Close> handle(
        pcap_fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, why.data()));
    if (!handle) {
        std::fclose(file);
        return fail(CaptureError{why.data()});
    }
    return PcapReader(std::move(kept), std::move(handle));
}

bool PcapReader::next(Record& record) {
    // libpcap reads on behind what it could not take for a record.
    if (truncated_) return false;
    pcap_pkthdr* header = nullptr;
    const u_char* data = nullptr;
    const int got = pcap_next_ex(handle_.get(), &header, &data);
    if (got != 1) {
        truncated_ = got != PCAP_ERROR_BREAK;
        return false;
    }
    // With nanosecond precision asked for, tv_usec holds nanoseconds; a hostile file may hold more
    // than a second of them.
    record.time = TimePoint(std::chrono::seconds(header->ts.tv_sec) +
                            std::chrono::nanoseconds(header->ts.tv_usec));
    record.link_type = link_type_;
    record.interface = 0;
    record.original_bytes = header->len;
    record.bytes = Bytes(data, header->caplen);
    return true;
}

} // namespace ikefrag
