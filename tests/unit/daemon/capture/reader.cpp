// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/capture/reader.hpp"

#include "daemon/capture/pcapng_writer.hpp"

#include "tests/support/daemon/temporary_file.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

#include <bit>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;
using testing::TemporaryFile;

namespace {

struct Seen {
    std::int64_t nanoseconds;
    std::uint32_t link_type;
    std::uint32_t interface;
    std::uint32_t original;
    std::string bytes;
    bool operator==(const Seen&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Seen& seen) {
    return out << seen.nanoseconds << "ns link " << seen.link_type << " if "
               << seen.interface << " original " << seen.original << " captured "
               << seen.bytes.size();
}

template <class... T>
std::vector<Seen> list(const T&... seen) {
    return {seen...};
}

struct All {
    std::vector<Seen> records;
    bool truncated = false;
    std::string error;
};

All read_all(const std::string& content) {
    const TemporaryFile file(content);
    auto reader = CaptureReader::open(file.open());
    All all;
    if (!reader) {
        all.error = reader.error().text;
        return all;
    }
    Record record;
    while (reader->next(record))
        all.records.push_back({
            record.time.time_since_epoch().count(),
            record.link_type,
            record.interface,
            record.original_bytes,
            {record.bytes.begin(), record.bytes.end()}
        });
    all.truncated = reader->truncated();
    return all;
}

/// Builds capture files field by field, in either byte order.
class File {
public:
    explicit File(std::endian order) : order_(order) {}
    File& number(std::uint64_t value, int size) {
        for (int i = 0; i < size; ++i) {
            const int shift = 8 * (order_ == std::endian::little ? i : size - 1 - i);
            text += static_cast<char>(value >> shift & 0xff);
        }
        return *this;
    }
    File& u16(std::uint64_t value) { return number(value, 2); }
    File& u32(std::uint64_t value) { return number(value, 4); }
    File& u64(std::uint64_t value) { return number(value, 8); }
    File& bytes(const std::string& value) {
        text += value;
        return *this;
    }
    File& padded(const std::string& value) {
        text += value;
        text.append((4 - value.size() % 4) % 4, '\0');
        return *this;
    }
    /// A pcapng block around a body.
    File& block(std::uint32_t type, const File& body) {
        u32(type).u32(body.text.size() + 12).bytes(body.text);
        return u32(body.text.size() + 12);
    }
    [[nodiscard]] File empty() const { return File(order_); }
    File& section() { return block(0x0a0d0d0a, empty().u32(0x1a2b3c4d).u16(1).u16(0).u64(~0ull)); }
    File& interface(std::uint16_t link, std::uint32_t snap = 0) {
        return block(1, empty().u16(link).u16(0).u32(snap));
    }
    File& interface(std::uint16_t link, std::uint16_t option, const std::string& value) {
        return block(1,
                     empty().u16(link).u16(0).u32(0).u16(option).u16(value.size()).padded(value));
    }
    File& enhanced(std::uint32_t interface,
                   std::uint64_t time,
                   const std::string& data,
                   std::uint32_t original) {
        return block(6,
                     empty()
                         .u32(interface)
                         .u32(time >> 32)
                         .u32(time & 0xffffffff)
                         .u32(data.size())
                         .u32(original)
                         .padded(data));
    }
    File& pcap_header(std::uint32_t magic, std::uint32_t link) {
        return u32(magic).u16(2).u16(4).u32(0).u32(0).u32(65535).u32(link);
    }
    File& pcap_record(std::uint32_t seconds,
                      std::uint32_t fraction,
                      const std::string& data,
                      std::uint32_t original) {
        return u32(seconds).u32(fraction).u32(data.size()).u32(original).bytes(data);
    }

    std::string text;

private:
    std::endian order_;
};

constexpr std::endian orders[] = {std::endian::little, std::endian::big};

std::string name(std::endian order) {
    return order == std::endian::little ? "little-endian" : "big-endian";
}

} // namespace

TEST_CASE("capture: pcap in both byte orders, micro- and nanoseconds", "[capture]") {
    for (const auto order : orders) {
        DYNAMIC_SECTION(name(order)) {
            File micro(order);
            micro.pcap_header(0xa1b2c3d4, 1).pcap_record(10, 5, "abc", 3).pcap_record(11, 0, "", 9);
            const auto all = read_all(micro.text);
            CHECK(all.error.empty());
            CHECK(all.records ==
                  list(Seen{10'000'005'000, 1, 0, 3, "abc"}, Seen{11'000'000'000, 1, 0, 9, ""}));
            CHECK_FALSE(all.truncated);
            File nano(order);
            nano.pcap_header(0xa1b23c4d, 113).pcap_record(10, 5, "abc", 3);
            CHECK(read_all(nano.text).records == list(Seen{10'000'000'005, 113, 0, 3, "abc"}));
        }
    }
}

TEST_CASE("capture: pcapng blocks, sections, link types, resolutions", "[capture]") {
    for (const auto order : orders) {
        DYNAMIC_SECTION(name(order) + ": enhanced, simple and old packets, two link types") {
            File file(order);
            file.section().interface(1).interface(101, 4);
            file.enhanced(0, 1'000'002, "abc", 3);
            file.block(0x0bad, File(order).bytes("whatever"));
            file.enhanced(1, 2'000'000, "defg", 9);
            file.block(3, File(order).u32(2).padded("hi"));
            file.block(2,
                       File(order).u16(1).u16(7).u32(0).u32(3'000'000).u32(1).u32(1).padded("x"));
            const auto all = read_all(file.text);
            CHECK(all.error.empty());
            CHECK(all.records == list(Seen{1'000'002'000, 1, 1, 3, "abc"},
                                      Seen{2'000'000'000, 101, 2, 9, "defg"},
                                      Seen{2'000'000'000, 1, 1, 2, "hi"},
                                      Seen{3'000'000'000, 101, 2, 1, "x"}));
            CHECK_FALSE(all.truncated);
        }
        DYNAMIC_SECTION(name(order) + ": a second section in the other byte order") {
            const auto other =
                order == std::endian::little ? std::endian::big : std::endian::little;
            File first(order);
            first.section().interface(1).enhanced(0, 1, "a", 1);
            File second(other);
            second.section().interface(101).enhanced(0, 2, "b", 1);
            CHECK(read_all(first.text + second.text).records ==
                  list(Seen{1000, 1, 1, 1, "a"}, Seen{2000, 101, 1, 1, "b"}));
        }
        DYNAMIC_SECTION(name(order) + ": interfaces of an old section are gone in the next") {
            File file(order);
            file.section().interface(1).section().enhanced(0, 1, "a", 1);
            const auto all = read_all(file.text);
            CHECK(all.records.empty());
            CHECK(all.truncated);
        }
    }
    const std::string zero(1, '\0');
    struct Resolution {
        std::string name;
        std::string option;
        std::uint64_t units;
        std::int64_t nanoseconds;
    };
    const Resolution resolutions[] = {
        {"nanoseconds",                "\x09", 1'234'567'891,                 1'234'567'891            },
        {"milliseconds",               "\x03", 1500,                          1'500'000'000            },
        {"seconds",                    zero,   7,                             7'000'000'000            },
        {"picoseconds are cut",        "\x0c", 1'999'999,                     1'999                    },
        {"2^-10 s",                    "\x8a", 1536,                          1'500'000'000            },
        {"2^-63 s",                    "\xbf", 1ull << 62,                    500'000'000              },
        {"10^-19 s",                   "\x13", 10'000'000'000'000'000'000ull, 1'000'000'000            },
        {"years past 2262 stay there", zero,   ~0ull,                         9'223'285'636'000'000'000},
    };
    for (const auto& r : resolutions) DYNAMIC_SECTION("resolution: " << r.name) {
            File file(std::endian::little);
            file.section().interface(1, 9, r.option).enhanced(0, r.units, "a", 1);
            CHECK(read_all(file.text).records == list(Seen{r.nanoseconds, 1, 1, 1, "a"}));
        }
    SECTION("an offset in seconds") {
        File file(std::endian::little);
        const auto offset = File(std::endian::little).u64(100).text;
        file.section().interface(1, 14, offset).enhanced(0, 5, "a", 1);
        CHECK(read_all(file.text).records == list(Seen{100'000'005'000, 1, 1, 1, "a"}));
    }
    SECTION("an offset before 1970 stops there") {
        File file(std::endian::little);
        const auto offset = File(std::endian::little).u64(1ull << 63).text;
        file.section().interface(1, 14, offset).enhanced(0, 5'000'000, "a", 1);
        CHECK(read_all(file.text).records == list(Seen{0, 1, 1, 1, "a"}));
    }
}

TEST_CASE("capture: what is no capture, and why", "[capture]") {
    struct Case {
        std::string name;
        std::string content;
        std::string error;
    };
    const Case cases[] = {
        {"empty",         "",                         "the file is empty"                                   },
        {"three bytes",   "abc",                      "not a capture: too short"                            },
        {"text",          "hello, world",             "not a capture (neither pcap nor pcapng)"             },
        {"gzip",          "\x1f\x8b\x08 zipped",      "gzip-compressed; unpack it first (zcat FILE | … -)"},
        {"no byte order", "\x0a\x0d\x0d\x0axxxxxxxx", "the pcapng section header is damaged"                },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) CHECK(read_all(c.content).error == c.error);
    File header(std::endian::little);
    header.pcap_header(0xa1b2c3d4, 1);
    CHECK(read_all(header.text.substr(0, 20)).error.find("damaged pcap header") == 0);
}

TEST_CASE("capture: cut at every length, the whole records are given", "[capture]") {
    for (const auto order : orders) {
        File pcap(order);
        pcap.pcap_header(0xa1b2c3d4, 1).pcap_record(1, 0, "first", 5).pcap_record(2, 0, "more", 4);
        File pcapng(order);
        pcapng.section().interface(1, 9, "\x06");
        pcapng.enhanced(0, 1'000'000, "first", 5).enhanced(0, 2'000'000, "more", 4);
        for (const auto& text : {pcap.text, pcapng.text}) {
            const auto whole = read_all(text);
            REQUIRE(whole.records.size() == 2);
            std::size_t last = 0;
            bool clean_end = false;
            for (std::size_t size = 0; size < text.size(); ++size) {
                CAPTURE(size);
                const auto cut = read_all(text.substr(0, size));
                REQUIRE(cut.records.size() >= last);
                REQUIRE(cut.records.size() <= 2);
                for (std::size_t i = 0; i < cut.records.size(); ++i)
                    CHECK(cut.records[i] == whole.records[i]);
                clean_end = clean_end || (cut.records.size() == 1 && !cut.truncated);
                last = cut.records.size();
            }
            CHECK(clean_end); // cut exactly between the two
            CHECK(last == 1);
        }
    }
}

TEST_CASE("capture: damaged blocks end the file and are told", "[capture]") {
    const auto le = std::endian::little;
    const auto check = [&](const std::string& name, const File& tail) {
        DYNAMIC_SECTION(name) {
            File file(le);
            file.section().interface(1).enhanced(0, 1, "a", 1);
            const auto all = read_all(file.text + tail.text);
            CHECK(all.records.size() == 1);
            CHECK(all.truncated);
        }
    };
    check("length below the smallest", File(le).u32(6).u32(8).u32(8));
    check("length of 4 GiB", File(le).u32(6).u32(0xfffffffc).u32(0));
    check("a packet block past the bound", File(le).u32(6).u32((16u << 20) + 4));
    check("a foreign block cut", File(le).u32(0x99).u32(16).u32(0));
    check("second length differs", File(le).u32(6).u32(32).u32(0).u64(0).u32(0).u32(0).u32(36));
    check("captured more than the block has",
          File(le).block(6, File(le).u32(0).u64(0).u32(5).u32(5).padded("abcd")));
    check("an interface that is not there",
          File(le).block(6, File(le).u32(9).u64(0).u32(4).u32(4).padded("abcd")));
    check("an option past the block",
          File(le).block(1, File(le).u16(1).u16(0).u32(0).u16(2).u16(99)));
    check("a resolution of 2^-64", File(le).interface(1, 9, "\xc0"));
    check("a resolution without a value", File(le).interface(1, 9, ""));
    check("an enhanced block too short", File(le).block(6, File(le).u32(0)));
}

TEST_CASE("capture: pcapng is written as it is read", "[capture]") {
    PcapngWriter writer("ikefrag test", "what it is");
    const auto eth0 = writer.add_interface(1, "eth0");
    const auto raw = writer.add_interface(101, "");
    const std::string data = "abcde";
    const Bytes bytes(reinterpret_cast<const std::uint8_t*>(data.data()), data.size());
    writer.add_packet(eth0, TimePoint(1'234'567'890'123'456'789ns), bytes, 1500, "a comment");
    writer.add_packet(raw, TimePoint(5ns), bytes.first(4), 4);
    const auto all = read_all(writer.file());
    CHECK(all.error.empty());
    CHECK_FALSE(all.truncated);
    CHECK(all.records ==
          list(Seen{1'234'567'890'123'456'789, 1, 1, 1500, "abcde"}, Seen{5, 101, 2, 4, "abcd"}));
}

TEST_CASE("capture: a pipe is read like a file", "[capture]") {
    File file(std::endian::little);
    file.section().interface(1);
    for (int i = 0; i < 100; ++i) file.enhanced(0, 1, std::string(100, 'x'), 100);
    int ends[2];
    REQUIRE(pipe(ends) == 0);
    REQUIRE(write(ends[1], file.text.data(), file.text.size()) ==
            static_cast<ssize_t>(file.text.size()));
    close(ends[1]);
    auto reader = CaptureReader::open(ends[0]);
    REQUIRE(reader);
    Record record;
    int records = 0;
    while (reader->next(record)) ++records;
    CHECK(records == 100);
    CHECK_FALSE(reader->truncated());
}

TEST_CASE("capture: flipped bytes never do harm", "[capture]") {
    File pcapng(std::endian::little);
    pcapng.section().interface(1, 9, "\x06").enhanced(0, 1, "abcdefg", 7).enhanced(0, 2, "b", 1);
    File pcap(std::endian::big);
    pcap.pcap_header(0xa1b2c3d4, 1).pcap_record(1, 0, "first", 5).pcap_record(2, 0, "more", 4);
    const auto seed = std::random_device{}();
    CAPTURE(seed);
    std::mt19937 random(seed);
    for (const auto& text : {pcapng.text, pcap.text})
        for (int round = 0; round < 500; ++round) {
            auto flipped = text;
            for (int i = 0; i < 3; ++i)
                flipped[random() % flipped.size()] = static_cast<char>(random() & 0xff);
            const auto all = read_all(flipped);
            for (const auto& seen : all.records) CHECK(seen.bytes.size() <= text.size());
        }
}
