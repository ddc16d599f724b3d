// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/events/line_writer.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

using namespace ikefrag;

namespace {

struct Folder {
    Folder() {
        char name[] = "/tmp/ikefrag-lines-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    std::filesystem::path path;
};

/// A journal that remembers what it was given, and takes it or not.
struct Journal {
    std::vector<std::vector<std::string>> events;
    bool takes = true;

    [[nodiscard]] LineWriter::Journal face() {
        return [this](std::vector<std::string>& fields) {
            events.push_back(fields);
            return takes;
        };
    }
};

std::vector<std::string> lines_of(const std::filesystem::path& file) {
    std::vector<std::string> lines;
    std::ifstream in(file);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

const std::vector<std::string> fields{"MESSAGE=one", "IKEFRAG_EVENT=start"};

} // namespace

TEST_CASE("event lines: with a file named they reach the journal, too", "[events]") {
    const Folder folder;
    const auto file = folder.path / "events.json";
    Journal journal;
    {
        LineWriter writer(file, journal.face());
        writer.write({"{\"one\":1}", fields});
        writer.write({"{\"two\":2}", {"MESSAGE=two"}});
    }
    CHECK(lines_of(file) == std::vector<std::string>{"{\"one\":1}", "{\"two\":2}"});
    REQUIRE(journal.events.size() == 2);
    CHECK(journal.events[0] == fields);
    CHECK(journal.events[1] == std::vector<std::string>{"MESSAGE=two"});
}

TEST_CASE("event lines: one of the two ways that fails does not close the other", "[events]") {
    const Folder folder;
    Journal journal;
    SECTION("a journal that takes nothing") {
        journal.takes = false;
        const auto file = folder.path / "events.json";
        auto writer = std::make_unique<LineWriter>(file, journal.face());
        writer->write({"line", fields});
        while (writer->counters().failures.get() == 0) ::usleep(1000);
        CHECK(writer->counters().written.get() == 0);
        writer.reset();
        CHECK(lines_of(file) == std::vector<std::string>{"line"});
    }
    SECTION("a file that cannot be opened") {
        auto writer =
            std::make_unique<LineWriter>(folder.path / "missing" / "events.json", journal.face());
        writer->write({"line", fields});
        while (writer->counters().failures.get() == 0) ::usleep(1000);
        writer.reset();
        CHECK(journal.events == std::vector<std::vector<std::string>>{fields});
    }
}

TEST_CASE("event lines: stderr with a journal behind it is the journal alone", "[events]") {
    Journal journal;
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    const int kept = ::dup(2);
    REQUIRE(::dup2(ends[1], 2) == 2);
    {
        LineWriter writer("stderr", journal.face());
        writer.write({"the line", fields});
    }
    {
        LineWriter writer("stderr", {});
        writer.write({"without a journal", fields});
    }
    ::dup2(kept, 2);
    for (const int descriptor : {kept, ends[1]}) ::close(descriptor);
    char text[64]{};
    const auto size = ::read(ends[0], text, sizeof text);
    ::close(ends[0]);
    CHECK(journal.events == std::vector<std::vector<std::string>>{fields});
    CHECK(std::string(text, size < 0 ? 0 : static_cast<std::size_t>(size)) ==
          "without a journal\n");
}
