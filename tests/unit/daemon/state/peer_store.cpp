// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state/peer_store.hpp"

#include "daemon/state/database.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

/// A directory of its own for one test, gone at its end.
struct Directory {
    Directory() {
        std::string name = "/tmp/ikefrag-peers-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::filesystem::path path;
};

Peer peer_at(const char* address, TimePoint seen) {
    Peer peer;
    peer.address = *parse_address(address);
    peer.fragmentation = Fragmentation::ike;
    peer.vendor = "windows";
    peer.first_seen = seen;
    peer.last_seen = seen;
    peer.handshakes_ok = 3;
    peer.path_mtu_bytes = 1400;
    return peer;
}

const TimePoint noon{1'700'000'000s};

PeerStore::Settings settings_in(const Directory& directory) {
    return {.path = directory.path / "peers.db", .max_peers = 1000, .batch_every = 10ms};
}

} // namespace

TEST_CASE("peers.db: what was learned is there after a restart", "[state]") {
    const Directory directory;
    {
        PeerStore store(settings_in(directory));
        auto peer = peer_at("2002:c633:6453::1", noon);
        peer.transition = Transition::six_to_four;
        peer.embedded = parse_address("198.51.100.83");
        peer.fragmentation_changed = noon - 1h;
        store.store(peer);
        store.store(peer_at("198.51.100.7", noon - 100h));
    }
    PeerStore store(settings_in(directory));
    CHECK(store.complaint().empty());
    const auto all = store.load(TimePoint{});
    REQUIRE(all.size() == 2);
    CHECK(to_string(all[0].address) == "2002:c633:6453::1");
    CHECK(all[0].transition == Transition::six_to_four);
    CHECK(all[0].embedded == parse_address("198.51.100.83"));
    CHECK(all[0].fragmentation_changed == noon - 1h);
    CHECK(all[0].handshakes_ok == 3);
    CHECK(all[0].path_mtu_bytes == 1400);
    CHECK(all[0].vendor == "windows");
    CHECK(store.load(noon - 1h).size() == 1);
}

TEST_CASE("peers.db: nobody else may read it", "[state]") {
    const Directory directory;
    PeerStore store(settings_in(directory));
    store.store(peer_at("198.51.100.7", noon));
    std::this_thread::sleep_for(100ms);
    for (const auto& entry : std::filesystem::directory_iterator(directory.path)) {
        struct stat facts {};
        REQUIRE(stat(entry.path().c_str(), &facts) == 0);
        INFO(entry.path());
        CHECK((facts.st_mode & 0777) == 0600);
    }
}

TEST_CASE("peers.db: a forgotten address leaves nothing", "[state]") {
    const Directory directory;
    {
        PeerStore store(settings_in(directory));
        store.store(peer_at("198.51.100.7", noon));
        store.capability_changed(*parse_address("198.51.100.7"), noon, Fragmentation::ike);
    }
    {
        PeerStore store(settings_in(directory));
        store.forget(*parse_address("198.51.100.7"));
    }
    CHECK(PeerStore(settings_in(directory)).load(TimePoint{}).empty());
    auto database = Database::open(directory.path / "peers.db");
    REQUIRE(database);
    auto count = database->prepare("SELECT count(*) FROM capability");
    REQUIRE(count);
    REQUIRE(count->step());
    CHECK(count->integer(0) == 0);
}

TEST_CASE("peers.db: an address that comes back after it was forgotten has no past", "[state]") {
    const bool is_refused = GENERATE(false, true); // by the disk, until both changes wait
    const Directory directory;
    const auto address = *parse_address("198.51.100.7");
    {
        PeerStore store(settings_in(directory));
        store.store(peer_at("198.51.100.7", noon));
        store.capability_changed(address, noon, Fragmentation::ike);
    }
    auto settings = settings_in(directory);
    settings.batch_every = is_refused ? 10ms : 10min; // the second: all at the end
    {
        PeerStore store(settings);
        auto other = Database::open(settings.path);
        REQUIRE(other);
        if (is_refused) REQUIRE(other->execute("BEGIN EXCLUSIVE"));
        store.forget(address);
        if (is_refused)
            for (int i = 0; i < 2000 && store.counters().failures.get() == 0; ++i)
                std::this_thread::sleep_for(10ms);
        CHECK((store.counters().failures.get() > 0) == is_refused);
        store.store(peer_at("198.51.100.7", noon + 1h));
        if (is_refused) REQUIRE(other->execute("ROLLBACK"));
    }
    const auto peers = PeerStore(settings_in(directory)).load(TimePoint{});
    REQUIRE(peers.size() == 1);
    CHECK(peers[0].first_seen == noon + 1h);
    auto database = Database::open(settings.path);
    REQUIRE(database);
    auto count = database->prepare("SELECT count(*) FROM capability");
    REQUIRE(count);
    REQUIRE(count->step());
    CHECK(count->integer(0) == 0);
}

TEST_CASE("peers.db: old peers go, and no more stay than the bound", "[state]") {
    const Directory directory;
    auto settings = settings_in(directory);
    settings.max_peers = 10;
    {
        PeerStore store(settings);
        for (int i = 0; i < 10; ++i)
            store.store(peer_at(("192.0.2." + std::to_string(i)).c_str(), noon + i * 1h));
    }
    {
        PeerStore store(settings);
        for (int i = 0; i < 5; ++i)
            store.store(peer_at(("203.0.113." + std::to_string(i)).c_str(), noon + 100h));
        store.forget_before(noon + 7h);
    }
    CHECK(PeerStore(settings).load(TimePoint{}).size() == 8);
}

TEST_CASE("peers.db: a file that is none is moved aside and said", "[state]") {
    const std::string rubbish =
        GENERATE(as<std::string>{},
                 std::string(5000, 'x'),
                 std::string("SQLite format 3\0 and then lies", 30) + std::string(4096, '\1'));
    const Directory directory;
    std::ofstream(directory.path / "peers.db") << rubbish;
    PeerStore store(settings_in(directory));
    CHECK(store.complaint().find("unreadable") != std::string::npos);
    CHECK(std::filesystem::exists(directory.path / "peers.db.unreadable"));
    CHECK(store.load(TimePoint{}).empty());
}

TEST_CASE("peers.db: somebody else's database is not written into", "[state]") {
    const Directory directory;
    {
        auto foreign = Database::open(directory.path / "peers.db");
        REQUIRE(foreign);
        REQUIRE(foreign->execute("CREATE TABLE peer (address TEXT)"));
    }
    PeerStore store(settings_in(directory));
    CHECK_FALSE(store.complaint().empty());
    CHECK(std::filesystem::exists(directory.path / "peers.db.unreadable"));
}

TEST_CASE("peers.db: a row nobody of us wrote is skipped and counted", "[state]") {
    const Directory directory;
    {
        PeerStore store(settings_in(directory));
        store.store(peer_at("198.51.100.7", noon));
    }
    {
        auto database = Database::open(directory.path / "peers.db");
        REQUIRE(database);
        REQUIRE(
            database->execute("INSERT INTO peer VALUES (x'0102030405','client','ike','','native',"
                              "NULL,1,9000000000000000000,NULL,0,0,0)"));
        REQUIRE(
            database->execute("INSERT INTO peer VALUES (x'01020304','emperor','ike','','native',"
                              "NULL,1,9000000000000000000,NULL,0,0,0)"));
    }
    PeerStore store(settings_in(directory));
    CHECK(store.load(TimePoint{}).size() == 1);
    CHECK(store.counters().unreadable.get() == 2);
}

TEST_CASE("peers.db: a link in its place is not followed", "[state]") {
    const Directory directory;
    std::ofstream(directory.path / "target") << "keep me";
    std::filesystem::create_symlink(directory.path / "target", directory.path / "peers.db");
    {
        PeerStore store(settings_in(directory));
        store.store(peer_at("198.51.100.7", noon));
        std::this_thread::sleep_for(100ms);
        CHECK(store.counters().failures.get() > 0);
        CHECK_FALSE(store.complaint().empty());
    }
    std::string text;
    std::getline(std::ifstream(directory.path / "target"), text);
    CHECK(text == "keep me");
}

TEST_CASE("peers.db: a link to an empty file makes no database of it", "[state]") {
    const Directory directory;
    std::ofstream(directory.path / "target").close();
    std::filesystem::create_symlink(directory.path / "target", directory.path / "peers.db");
    {
        PeerStore store(settings_in(directory));
        store.store(peer_at("198.51.100.7", noon));
    }
    CHECK(std::filesystem::file_size(directory.path / "target") == 0);
    CHECK(std::filesystem::is_symlink(directory.path / "peers.db"));
}

TEST_CASE("peers.db: one that others may read is so no more", "[state]") {
    const Directory directory;
    { PeerStore(settings_in(directory)).store(peer_at("198.51.100.7", noon)); }
    std::filesystem::permissions(directory.path / "peers.db",
                                 static_cast<std::filesystem::perms>(0644));
    PeerStore store(settings_in(directory));
    CHECK(store.load(TimePoint{}).size() == 1);
    struct stat facts {};
    REQUIRE(stat((directory.path / "peers.db").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0600);
}

TEST_CASE("peers.db: what the disk refuses is kept and written when it can be", "[state]") {
    const Directory directory;
    auto settings = settings_in(directory);
    settings.path = directory.path / "later" / "peers.db";
    {
        PeerStore store(settings);
        store.store(peer_at("198.51.100.7", noon));
        std::this_thread::sleep_for(60ms);
        CHECK(store.counters().failures.get() > 0);
        CHECK(store.counters().waiting.get() == 1);
        std::filesystem::create_directory(directory.path / "later");
        for (int i = 0; i < 200 && store.counters().written.get() == 0; ++i)
            std::this_thread::sleep_for(10ms);
        CHECK(store.counters().written.get() == 1);
        CHECK(store.complaint().empty());
    }
    CHECK(PeerStore(settings).load(TimePoint{}).size() == 1);
}
