// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/pcapng_writer.hpp"

#include "daemon/capture/pcapng.hpp"

#include <algorithm>
#include <cassert>
#include <limits>

namespace ikefrag {

namespace {
/// An option's length field has 16 bits; longer text is cut.
constexpr std::size_t max_option_bytes = 65'532;
constexpr std::string_view nanosecond_resolution = "\x09";
} // namespace

PcapngWriter::PcapngWriter(std::string_view application, std::string_view comment) {
    open(pcapng::section_block);
    u32(pcapng::byte_order_magic);
    u16(1);
    u16(0);
    u32(std::numeric_limits<std::uint32_t>::max()); // section length not given
    u32(std::numeric_limits<std::uint32_t>::max());
    if (!comment.empty()) option(pcapng::option_comment, comment);
    option(pcapng::option_user_application, application);
    option(pcapng::option_end, {});
    close();
}

std::uint32_t PcapngWriter::add_interface(std::uint16_t link_type, std::string_view name) {
    open(pcapng::interface_block);
    u16(link_type);
    u16(0);
    u32(0); // no snap length
    if (!name.empty()) option(pcapng::option_interface_name, name);
    option(pcapng::option_time_resolution, nanosecond_resolution);
    option(pcapng::option_end, {});
    close();
    return interfaces_++;
}

void PcapngWriter::add_packet(std::uint32_t interface,
                              TimePoint time,
                              Bytes packet,
                              std::uint32_t original_bytes,
                              std::string_view comment) {
    assert(interface < interfaces_ && packet.size() <= original_bytes);
    const auto units =
        static_cast<std::uint64_t>(std::max(time.time_since_epoch().count(), Duration::rep{0}));
    open(pcapng::enhanced_packet_block);
    u32(interface);
    u32(static_cast<std::uint32_t>(units >> 32));
    u32(static_cast<std::uint32_t>(units));
    u32(static_cast<std::uint32_t>(packet.size()));
    u32(original_bytes);
    padded({reinterpret_cast<const char*>(packet.data()), packet.size()});
    if (!comment.empty()) {
        option(pcapng::option_comment, comment);
        option(pcapng::option_end, {});
    }
    close();
}

void PcapngWriter::u16(std::uint16_t value) {
    file_.push_back(static_cast<char>(value & 0xff));
    file_.push_back(static_cast<char>(value >> 8));
}

void PcapngWriter::u32(std::uint32_t value) {
    u16(static_cast<std::uint16_t>(value));
    u16(static_cast<std::uint16_t>(value >> 16));
}

void PcapngWriter::padded(std::string_view bytes) {
    file_.append(bytes);
    file_.append((4 - bytes.size() % 4) % 4, '\0');
}

void PcapngWriter::option(std::uint16_t code, std::string_view value) {
    value = value.substr(0, max_option_bytes);
    u16(code);
    u16(static_cast<std::uint16_t>(value.size()));
    padded(value);
}

void PcapngWriter::open(std::uint32_t type) {
    block_ = file_.size();
    u32(type);
    u32(0);
}

void PcapngWriter::close() {
    const auto length = static_cast<std::uint32_t>(file_.size() - block_ + 4);
    u32(length);
    for (unsigned i = 0; i < 4; ++i)
        file_[block_ + 4 + i] = static_cast<char>(length >> (8 * i) & 0xff);
}

} // namespace ikefrag
