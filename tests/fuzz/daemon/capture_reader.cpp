// SPDX-License-Identifier: GPL-2.0-or-later
// Relations: a capture gives the same records through a pipe as from a file, no more than its bytes
// can hold; cut anywhere it gives the first of the same records; written anew as pcapng it gives
// them again; and what the link layer leaves lies within the frame.
#include "daemon/capture/link.hpp"
#include "daemon/capture/pcapng_writer.hpp"
#include "daemon/capture/reader.hpp"

#include "tests/fuzz/choices.hpp"

#include <sys/mman.h>
#include <unistd.h>

using namespace ikefrag;
using namespace ikefrag::test;

namespace {

struct Seen {
    TimePoint time;
    std::uint32_t link_type = 0;
    std::uint32_t original = 0;
    ByteVector bytes;
    bool operator==(const Seen&) const = default;
};

struct All {
    bool opened = false;
    bool truncated = false;
    std::vector<Seen> records;
};

All read_all(int descriptor) {
    auto reader = CaptureReader::open(descriptor);
    All all;
    if (!reader) {
        must(!reader.error().text.empty());
        return all;
    }
    all.opened = true;
    Record record;
    while (reader->next(record)) {
        const auto unwrapped = unwrap_link(record.link_type, record.bytes);
        must(lies_within(unwrapped.packet, record.bytes));
        all.records.push_back({
            record.time,
            record.link_type,
            record.original_bytes,
            {record.bytes.begin(), record.bytes.end()}
        });
    }
    must(!reader->next(record));
    all.truncated = reader->truncated();
    return all;
}

void write_all(int descriptor, Bytes bytes) {
    must(write(descriptor, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
}

All from_file(Bytes bytes) {
    const int descriptor = memfd_create("capture", 0);
    must(descriptor >= 0);
    write_all(descriptor, bytes);
    must(lseek(descriptor, 0, SEEK_SET) == 0);
    return read_all(descriptor);
}

All from_pipe(Bytes bytes) {
    int ends[2];
    must(pipe(ends) == 0);
    write_all(ends[1], bytes);
    close(ends[1]);
    return read_all(ends[0]);
}

void check_rewritten(const std::vector<Seen>& records) {
    PcapngWriter writer("fuzz");
    std::vector<Seen> written;
    for (const auto& seen : records) {
        // What the writer's own format cannot say is not asked of it.
        if (seen.time < TimePoint{} || seen.link_type > 0xffff) continue;
        auto copy = seen;
        copy.original =
            std::max<std::uint32_t>(copy.original, static_cast<std::uint32_t>(copy.bytes.size()));
        const auto interface =
            writer.add_interface(static_cast<std::uint16_t>(seen.link_type), "fuzz");
        writer.add_packet(interface, copy.time, copy.bytes, copy.original);
        written.push_back(std::move(copy));
    }
    const auto& text = writer.file();
    const auto again = from_file(ByteVector(text.begin(), text.end()));
    must(again.opened && !again.truncated && again.records == written);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::size_t pipe_holds = 65'536;
    if (size > pipe_holds) return 0;
    const Bytes bytes(data, size);
    const auto whole = from_file(bytes);
    must(whole.records.size() <= size / 12);
    const auto piped = from_pipe(bytes);
    must(piped.opened == whole.opened && piped.truncated == whole.truncated &&
         piped.records == whole.records);
    if (size > 0) {
        const auto part = from_file(bytes.first(data[size / 2] * size / 256));
        must(part.records.size() <= whole.records.size());
        must(std::equal(part.records.begin(), part.records.end(), whole.records.begin()));
    }
    check_rewritten(whole.records);
    return 0;
}
