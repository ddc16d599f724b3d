// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/pcapng_reader.hpp"

#include "daemon/capture/field_reader.hpp"
#include "daemon/capture/pcapng.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace ikefrag {

namespace {

constexpr std::uint32_t max_block_bytes = 16u << 20;
constexpr std::size_t max_interfaces = 65'536;

/// "Units a second" of an if_tsresol option; empty for one finer than a nanosecond's 2^63 seconds
/// could ever need.
std::optional<std::uint64_t> units_of(std::uint8_t resolution) noexcept {
    const unsigned power = resolution & 0x7f;
    if ((resolution & 0x80) != 0) {
        if (power > 63) return std::nullopt;
        return std::uint64_t{1} << power;
    }
    if (power > 19) return std::nullopt;
    std::uint64_t units = 1;
    for (unsigned i = 0; i < power; ++i) units *= 10;
    return units;
}

} // namespace

Result<PcapngReader, CaptureError> PcapngReader::open(ByteSource source) {
    PcapngReader reader(std::move(source));
    if (!reader.read_section()) return fail(CaptureError{"the pcapng section header is damaged"});
    return reader;
}

/// Reads a section header block, which sets the byte order of all that follows.
bool PcapngReader::read_section() {
    const Bytes head = source_.peek(12);
    FieldReader magic(head.size() == 12 ? head.subspan(8) : Bytes{}, std::endian::little);
    const std::uint32_t order = magic.u32();
    if (order == pcapng::byte_order_magic)
        order_ = std::endian::little;
    else if (order == __builtin_bswap32(pcapng::byte_order_magic))
        order_ = std::endian::big;
    else
        return false;
    FieldReader reader(head.subspan(4), order_);
    const std::uint32_t length = reader.u32();
    if (length < 28 || length > max_block_bytes || length % 4 != 0) return false;
    FieldReader body(source_.peek(length), order_);
    (void)body.take(12);
    const std::uint16_t major = body.u16();
    (void)body.take(length - 18);
    if (body.u32() != length || body.failed() || major != 1) return false;
    source_.take(length);
    interfaces_.clear();
    return true;
}

bool PcapngReader::next(Record& record) {
    source_.take(std::exchange(shown_, 0));
    while (!ended_) {
        const Step step = read_block(record);
        if (step == Step::record) return true;
        ended_ = step == Step::end;
    }
    return false;
}

PcapngReader::Step PcapngReader::read_block(Record& record) {
    const Bytes head = source_.peek(8);
    if (head.empty()) return Step::end;
    FieldReader reader(head, order_);
    const std::uint32_t type = reader.u32();
    std::uint32_t length = reader.u32();
    if (reader.failed()) return damaged();
    if (type == pcapng::section_block) return read_section() ? Step::other : damaged();
    // A length must be a multiple of 4; writers that forgot still padded the block.
    if (length < 12 || length > std::numeric_limits<std::uint32_t>::max() - 3) return damaged();
    length = (length + 3) & ~3u;
    const bool wanted = type == pcapng::interface_block || type == pcapng::enhanced_packet_block ||
                        type == pcapng::simple_packet_block || type == pcapng::packet_block;
    if (!wanted) return source_.skip(length) ? Step::other : damaged();
    if (length > max_block_bytes) return damaged();
    const Bytes block = source_.peek(length);
    if (block.size() < length) return damaged();
    FieldReader tail(block.last(4), order_);
    if (((tail.u32() + 3) & ~3u) != length) return damaged();
    const Bytes body = block.subspan(8, length - 12);
    if (type == pcapng::interface_block) {
        if (!read_interface(body)) return damaged();
        source_.take(length);
        return Step::other;
    }
    const Step step = read_packet(type, body, record);
    shown_ = step == Step::record ? length : 0;
    return step;
}

bool PcapngReader::read_interface(Bytes body) {
    if (interfaces_.size() == max_interfaces) return false;
    FieldReader reader(body, order_);
    Interface interface;
    interface.link_type = reader.u16();
    (void)reader.u16();
    interface.snap_bytes = reader.u32();
    if (reader.failed()) return false;
    while (reader.rest().size() >= 4) {
        const std::uint16_t code = reader.u16();
        const std::size_t length = reader.u16();
        FieldReader value(reader.take(length), order_);
        (void)reader.take((4 - length % 4) % 4);
        if (reader.failed()) return false;
        if (code == pcapng::option_end) break;
        if (code == pcapng::option_time_resolution) {
            const auto units = units_of(value.u8());
            if (!units || value.failed()) return false;
            interface.units_a_second = *units;
        }
        if (code == pcapng::option_time_offset) {
            interface.offset_seconds = static_cast<std::int64_t>(value.u64());
            if (value.failed()) return false;
        }
    }
    interfaces_.push_back(interface);
    return true;
}

TimePoint PcapngReader::time_of(const Interface& interface, std::uint64_t units) {
    constexpr std::uint64_t nanoseconds = 1'000'000'000;
    // Years beyond what 63 bits of nanoseconds hold (2262) are held a day before that end: the
    // clock runs on after the last record.
    constexpr std::int64_t day = 86'400;
    constexpr std::int64_t max_seconds =
        std::numeric_limits<std::int64_t>::max() / static_cast<std::int64_t>(nanoseconds) - day;
    const std::uint64_t whole = units / interface.units_a_second;
    const std::uint64_t rest = units % interface.units_a_second;
    std::int64_t fraction = 0;
    if (nanoseconds % interface.units_a_second == 0)
        fraction = static_cast<std::int64_t>(rest * (nanoseconds / interface.units_a_second));
    else
        fraction = static_cast<std::int64_t>(static_cast<long double>(rest) * nanoseconds /
                                             static_cast<long double>(interface.units_a_second));
    const auto seconds = static_cast<std::int64_t>(
        std::min<std::uint64_t>(whole, static_cast<std::uint64_t>(max_seconds)));
    const auto offset = std::clamp(interface.offset_seconds, -seconds, max_seconds - seconds);
    return TimePoint(std::chrono::seconds(seconds + offset) + std::chrono::nanoseconds(fraction));
}

PcapngReader::Step PcapngReader::read_packet(std::uint32_t type, Bytes body, Record& record) {
    FieldReader reader(body, order_);
    std::uint32_t interface = 0;
    std::uint64_t units = 0;
    std::uint32_t captured = 0;
    if (type == pcapng::enhanced_packet_block) interface = reader.u32();
    if (type == pcapng::packet_block) {
        interface = reader.u16();
        (void)reader.u16(); // drops
    }
    if (interface >= interfaces_.size()) return damaged();
    const Interface& from = interfaces_[interface];
    if (type == pcapng::simple_packet_block) {
        record.original_bytes = reader.u32();
        captured = record.original_bytes;
        if (from.snap_bytes != 0) captured = std::min(captured, from.snap_bytes);
    } else {
        units = std::uint64_t{reader.u32()} << 32;
        units |= reader.u32();
        captured = reader.u32();
        record.original_bytes = reader.u32();
        last_time_ = time_of(from, units);
    }
    record.bytes = reader.take(captured);
    if (reader.failed()) return damaged();
    record.time = last_time_;
    record.link_type = from.link_type;
    record.interface = interface + 1;
    return Step::record;
}

} // namespace ikefrag
