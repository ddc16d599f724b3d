// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/file_output.hpp"

#include "tests/support/daemon/temporary_file.hpp"
#include "tests/support/daemon/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <system_error>

using namespace ikefrag;
using testing::read_file;
using testing::TemporaryFolder;

namespace {

/// Where an output of this name is written before it has it: anybody can guess it.
std::filesystem::path planted(const TemporaryFolder& folder) {
    return folder.path / (".report.html." + std::to_string(::getpid()));
}

} // namespace

TEST_CASE("file output: ours alone, under its name only when it is whole", "[file_output]") {
    const TemporaryFolder folder;
    const auto path = folder.path / "report.html";
    const auto mask = ::umask(0);
    {
        FileOutput output(path);
        output.write("half");
        CHECK_FALSE(std::filesystem::exists(path));
        struct stat status {};
        REQUIRE(::lstat(planted(folder).c_str(), &status) == 0);
        CHECK((status.st_mode & 07777) == 0600);
    }
    ::umask(mask);
    CHECK(std::filesystem::is_empty(folder.path)); // given up: nothing remains
    FileOutput output(path);
    output.write("whole");
    output.commit();
    CHECK(read_file(path) == "whole");
    CHECK(std::distance(std::filesystem::directory_iterator(folder.path), {}) == 1);
}

TEST_CASE("file output: what somebody planted at its temporary name is not written to",
          "[file_output]") {
    // In /tmp, say, where root lets a report be written.
    const TemporaryFolder folder;
    const TemporaryFolder elsewhere;
    const auto target = elsewhere.path / "target";
    std::ofstream(target) << "keep me";
    SECTION("a link") { std::filesystem::create_symlink(target, planted(folder)); }
    SECTION("a link to what is not there") {
        std::filesystem::create_symlink(elsewhere.path / "new", planted(folder));
    }
    SECTION("a second name of a file") {
        std::filesystem::create_hard_link(target, planted(folder));
    }
    SECTION("a file that somebody has open") { std::ofstream(planted(folder)) << "mine"; }
    CHECK_THROWS_AS(FileOutput(folder.path / "report.html"), std::system_error);
    CHECK(read_file(target) == "keep me");
    CHECK_FALSE(std::filesystem::exists(elsewhere.path / "new"));
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(planted(folder)))); // not ours
    CHECK_FALSE(std::filesystem::exists(folder.path / "report.html"));
}
