// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/capture_store.hpp"

#include "tests/support/daemon/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iterator>
#include <thread>

using namespace ikefrag;
using namespace std::chrono_literals;
using testing::TemporaryFolder;

namespace {

std::string name_of(int number, const char* client = "203.0.113.7") {
    const auto now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
    char text[32];
    (void)std::strftime(text, sizeof text, "%Y%m%dT%H%M%S", std::gmtime(&now));
    char fraction[16];
    (void)std::snprintf(fraction, sizeof fraction, ".%06d", number);
    return std::string(text) + fraction + "Z_" + client +
           "_0011223344556677_auth_unanswered.pcapng";
}

template <class Condition>
bool comes_true(Condition condition) {
    for (int i = 0; i < 500; ++i) {
        if (condition()) return true;
        std::this_thread::sleep_for(10ms);
    }
    return false;
}

int mode_of(const std::filesystem::path& path) {
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    return status.st_mode & 0777;
}

} // namespace

TEST_CASE("captures: written for us alone, listed, read back", "[recorder]") {
    const TemporaryFolder folder;
    const auto place = folder.path / "captures";
    CaptureStore store(place, {});
    CHECK(store.list().empty());
    const auto name = name_of(1);
    store.add(name, "content");
    REQUIRE(comes_true([&] { return store.counters().written.get() == 1; }));
    CHECK(mode_of(place) == 0700);
    CHECK(mode_of(place / name) == 0600);
    CHECK(store.read(name) == "content");
    REQUIRE(store.list().size() == 1);
    CHECK(store.list()[0].name == name);
    CHECK(store.list()[0].bytes == 7);
    CHECK(std::distance(std::filesystem::directory_iterator(place), {}) == 1); // no temporary left
}

TEST_CASE("captures: nothing but captures is read", "[recorder]") {
    const TemporaryFolder folder;
    const auto place = folder.path / "captures";
    CaptureStore store(place, {});
    store.add(name_of(1), "content");
    REQUIRE(comes_true([&] { return store.counters().written.get() == 1; }));
    std::ofstream(place / "other.pcapng") << "secret";
    std::ofstream(folder.path / "outside") << "secret";
    const auto link = name_of(2);
    std::filesystem::create_symlink(folder.path / "outside", place / link);
    CHECK_FALSE(store.read("other.pcapng"));
    CHECK_FALSE(store.read("../outside"));
    CHECK_FALSE(store.read(link));
    CHECK_FALSE(store.read(name_of(3)));
    CHECK(store.list().size() == 1); // nor is the link listed
}

TEST_CASE("captures: a folder that is a link is not written to", "[recorder]") {
    const TemporaryFolder folder;
    std::filesystem::create_directory(folder.path / "elsewhere");
    std::filesystem::create_symlink(folder.path / "elsewhere", folder.path / "captures");
    CaptureStore store(folder.path / "captures", {});
    store.add(name_of(1), "content");
    REQUIRE(comes_true([&] { return store.counters().failures.get() == 1; }));
    CHECK(std::filesystem::is_empty(folder.path / "elsewhere"));
}

TEST_CASE("captures: a link at the file's own name is replaced, not followed", "[recorder]") {
    const TemporaryFolder folder;
    const auto place = folder.path / "captures";
    std::filesystem::create_directory(place);
    std::ofstream(folder.path / "target") << "keep me";
    const auto name = name_of(1);
    std::filesystem::create_symlink(folder.path / "target", place / name);
    CaptureStore store(place, {});
    store.add(name, "content");
    REQUIRE(comes_true([&] { return store.counters().written.get() == 1; }));
    std::string kept;
    std::getline(std::ifstream(folder.path / "target"), kept);
    CHECK(kept == "keep me");
    CHECK_FALSE(std::filesystem::is_symlink(place / name));
    CHECK(store.read(name) == "content");
}

TEST_CASE("captures: while the disk stands still, sixteen wait and the others are lost",
          "[recorder]") {
    const TemporaryFolder folder;
    // The writer's first line in the log goes to a pipe that is full: there it stands.
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const int room = ::fcntl(ends[1], F_SETPIPE_SZ, 4096);
    REQUIRE(room > 0);
    REQUIRE(::write(ends[1],
                    std::string(static_cast<std::size_t>(room), '-').data(),
                    static_cast<std::size_t>(room)) == room);
    const int stderr_before = ::dup(2);
    CaptureStore store(folder.path / "captures", {});
    REQUIRE(::dup2(ends[1], 2) == 2);
    store.add(name_of(0), "first");
    const bool stands = comes_true([&] { return store.counters().written.get() == 1; });
    for (int i = 1; i <= 100; ++i) store.add(name_of(i), "content");
    const auto lost = store.counters().lost.get();
    ::dup2(stderr_before, 2);
    ::close(stderr_before);
    ::close(ends[1]);
    std::thread reader([end = ends[0]] {
        char bytes[4096];
        while (::read(end, bytes, sizeof bytes) > 0) {
        }
        ::close(end);
    });
    const bool went_on = comes_true([&] { return store.counters().written.get() == 17; });
    reader.join();
    CHECK(stands);
    CHECK(lost == 84);
    CHECK(went_on);
}

TEST_CASE("captures: the oldest go, by number and by age", "[recorder]") {
    const TemporaryFolder folder;
    const auto place = folder.path / "captures";
    std::filesystem::create_directory(place);
    const std::string old =
        "20200101T000000.000000Z_203.0.113.7_0011223344556677_auth_unanswered.pcapng";
    std::ofstream(place / old) << "old";
    std::ofstream(place / "not-ours.txt") << "stays";
    CaptureStore store(place, {.files = 3, .keep_days = 14});
    store.tidy();
    CHECK(comes_true([&] { return !std::filesystem::exists(place / old); }));
    for (int i = 0; i < 5; ++i) {
        store.add(name_of(i), "content");
        REQUIRE(comes_true(
            [&] { return store.counters().written.get() == static_cast<std::uint64_t>(i) + 1; }));
    }
    CHECK(comes_true([&] { return store.list().size() == 3; }));
    CHECK(store.list()[0].name == name_of(4));
    CHECK(std::filesystem::exists(place / "not-ours.txt"));
}

TEST_CASE("captures: a client is forgotten, and it alone", "[recorder]") {
    const TemporaryFolder folder;
    CaptureStore store(folder.path / "captures", {});
    store.add(name_of(1, "203.0.113.7"), "a");
    store.add(name_of(2, "2001-db8--5"), "b");
    store.add(name_of(3, "203.0.113.77"), "c");
    REQUIRE(comes_true([&] { return store.counters().written.get() == 3; }));
    CHECK(store.forget(*parse_address("203.0.113.7")) == 1);
    CHECK(store.forget(*parse_address("2001:db8::5")) == 1);
    CHECK(store.list().size() == 1);
}

TEST_CASE("captures: of a forgotten client the masked ones of its network go, too", "[recorder]") {
    const TemporaryFolder folder;
    CaptureStore store(folder.path / "captures", {});
    int number = 0;
    const char* const clients[] = {"203.0.113.7", // before the mask
                                   "203.0.113.0",
                                   "203.0.113.0",
                                   "203.0.113.8",
                                   "203.0.114.0",
                                   "2001-db8-0-1200--",
                                   "2001-db8-0-1300--"};
    for (const auto* client : clients) store.add(name_of(++number, client), "content");
    REQUIRE(comes_true([&] { return store.counters().written.get() == std::size(clients); }));
    CHECK(store.forget(*parse_address("203.0.113.7")) == 3);
    CHECK(store.forget(*parse_address("2001:db8:0:12ff::7")) == 1);
    const auto left = store.list();
    REQUIRE(left.size() == 3);
    CHECK(left[2].name.find("203.0.113.8") != std::string::npos);
    CHECK(left[1].name.find("203.0.114.0") != std::string::npos);
    CHECK(left[0].name.find("2001-db8-0-1300--") != std::string::npos);
}

TEST_CASE("captures: what cannot be written is counted, and nothing waits for it", "[recorder]") {
    CaptureStore store("/proc/no-such-place/captures", {});
    for (int i = 0; i < 100; ++i) store.add(name_of(i), std::string(1000, 'x'));
    CHECK(comes_true(
        [&] { return store.counters().failures.get() + store.counters().lost.get() == 100; }));
    CHECK(store.counters().written.get() == 0);
    CHECK(store.list().empty());
}
