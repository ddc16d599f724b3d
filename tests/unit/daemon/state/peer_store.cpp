// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state/peer_store.hpp"

#include "daemon/state/database.hpp"

#include <catch2/catch.hpp>
#include <sys/mount.h>
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
    peer.capability.fragmentation = Fragmentation::ike;
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
        peer.server = "vpn1";
        peer.capability.intermediate = false;
        peer.intermediate_changed = noon - 2h;
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
    CHECK(all[0].server == "vpn1");
    CHECK(all[0].capability.intermediate == false);
    CHECK(all[0].intermediate_changed == noon - 2h);
    CHECK_FALSE(all[1].server);
    CHECK_FALSE(all[1].capability.intermediate);
    CHECK_FALSE(all[1].intermediate_changed);
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
        store.capability_changed(*parse_address("198.51.100.7"), noon, {Fragmentation::ike});
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
        store.capability_changed(address, noon, {Fragmentation::ike});
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

TEST_CASE("peers.db: a file that is ours by name only is moved aside", "[state]") {
    const std::string capability =
        "CREATE TABLE capability (address BLOB NOT NULL, time INTEGER NOT NULL,"
        " fragmentation TEXT NOT NULL, PRIMARY KEY (address, time)) STRICT, WITHOUT ROWID;";
    const std::string columns =
        "address BLOB NOT NULL PRIMARY KEY, role TEXT, fragmentation TEXT, vendor TEXT,"
        " transition TEXT, embedded BLOB, first_seen INTEGER, last_seen INTEGER,"
        " fragmentation_changed INTEGER, handshakes_ok INTEGER, handshakes_failed INTEGER,"
        " path_mtu_bytes INTEGER";
    struct Case {
        std::string name;
        std::string schema;
        int version;
    };
    const Case cases[] = {
        {"a version 3 without its columns",
         "CREATE TABLE peer (" + columns +
             ", server TEXT);"
             "CREATE INDEX peer_by_last_seen ON peer (last_seen);" +
             capability,                                                                         3},
        {"a version that is not made yet",
         "CREATE TABLE peer (" + columns +
             ", server TEXT);"
             "CREATE INDEX peer_by_last_seen ON peer (last_seen);" +
             capability,                                                                         4},
        {"one column",
         "CREATE TABLE peer (x); CREATE INDEX peer_by_last_seen ON peer (x);" + capability,
         2                                                                                        },
        {"a version 1 of one column",
         "CREATE TABLE peer (x); CREATE INDEX peer_by_last_seen ON peer (x);" + capability,
         1                                                                                        },
        {"a column that is named otherwise",
         "CREATE TABLE peer (" + columns +
             ", host TEXT);"
             "CREATE INDEX peer_by_last_seen ON peer (last_seen);" +
             capability,                                                                         2},
        {"a version 1 with a column more",
         "CREATE TABLE peer (" + columns +
             ", host TEXT);"
             "CREATE INDEX peer_by_last_seen ON peer (last_seen);" +
             capability,                                                                         1},
        {"another history",
         "CREATE TABLE peer (" + columns +
             ", server TEXT);"
             "CREATE INDEX peer_by_last_seen ON peer (last_seen); CREATE TABLE capability (x);", 2},
    };
    for (const auto& c : cases) {
        DYNAMIC_SECTION(c.name) {
            const Directory directory;
            {
                auto foreign = Database::open(directory.path / "peers.db");
                REQUIRE(foreign);
                REQUIRE(foreign->execute((c.schema +
                                          "PRAGMA application_id=0x696b6566;"
                                          "PRAGMA user_version=" +
                                          std::to_string(c.version))
                                             .c_str()));
            }
            {
                PeerStore store(settings_in(directory));
                CHECK_FALSE(store.notice().empty());
                CHECK(store.trouble().empty());
                store.store(peer_at("198.51.100.7", noon));
            }
            CHECK(std::filesystem::exists(directory.path / "peers.db.unreadable"));
            CHECK(PeerStore(settings_in(directory)).load(TimePoint{}).size() == 1);
        }
    }
}

TEST_CASE("peers.db: what was moved aside first stays where it is", "[state]") {
    const Directory directory;
    for (int number = 1; number <= 12; ++number) {
        std::ofstream(directory.path / "peers.db") << std::string(5000, 'x') << number;
        std::filesystem::remove(directory.path / "peers.db-wal");
        const PeerStore store(settings_in(directory));
        CHECK(store.notice().find("unreadable") != std::string::npos);
    }
    const auto text = [&](const char* name) {
        std::ifstream in(directory.path / name);
        return std::string(std::istreambuf_iterator<char>(in), {}).substr(5000);
    };
    CHECK(text("peers.db.unreadable") == "1");
    CHECK(text("peers.db.unreadable.2") == "2");
    CHECK(text("peers.db.unreadable.9") == "12"); // no more than nine are kept
    CHECK_FALSE(std::filesystem::exists(directory.path / "peers.db.unreadable.10"));
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
                              "NULL,1,9000000000000000000,NULL,0,0,0,NULL,NULL,NULL)"));
        REQUIRE(
            database->execute("INSERT INTO peer VALUES (x'01020304','emperor','ike','','native',"
                              "NULL,1,9000000000000000000,NULL,0,0,0,NULL,NULL,NULL)"));
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

namespace {

template <class Condition>
bool wait_for(Condition holds) {
    for (int i = 0; i < 1000 && !holds(); ++i) std::this_thread::sleep_for(10ms);
    return holds();
}

/// A file system of its own for one test, of so many bytes.
struct SmallDisk {
    SmallDisk(std::filesystem::path at, const char* options) : path(std::move(at)) {
        made = mount("none", path.c_str(), "tmpfs", 0, options) == 0;
    }
    ~SmallDisk() {
        if (made) umount2(path.c_str(), MNT_DETACH);
    }
    SmallDisk(const SmallDisk&) = delete;
    SmallDisk& operator=(const SmallDisk&) = delete;
    /// Takes all that is left of it.
    void fill() const {
        std::ofstream file(path / "filler", std::ios::binary);
        const std::string block(4096, 'x');
        while (file.write(block.data(), 4096).flush()) {
        }
    }
    void free() const { std::filesystem::remove(path / "filler"); }
    std::filesystem::path path;
    bool made = false;
};

void store_three(const PeerStore::Settings& settings) {
    PeerStore store(settings);
    for (const auto* address : {"198.51.100.7", "198.51.100.8", "2001:db8::9"})
        store.store(peer_at(address, noon));
}

} // namespace

TEST_CASE("peers.db: a file that cannot be read at the start stays and is read later", "[state]") {
    const Directory directory;
    const auto settings = settings_in(directory);
    store_three(settings);
    // SQLite can make no -shm where a directory stands: "unable to open database file".
    std::filesystem::create_directory(directory.path / "peers.db-shm");
    {
        PeerStore store(settings);
        CHECK(store.load(TimePoint{}).empty());
        CHECK_FALSE(store.complaint().empty());
        CHECK_FALSE(std::filesystem::exists(directory.path / "peers.db.unreadable"));
        store.store(peer_at("203.0.113.1", noon + 1h));
        CHECK(wait_for([&] { return store.counters().failures.get() > 1; }));
        CHECK(store.take_late().empty());
        std::filesystem::remove(directory.path / "peers.db-shm");
        std::vector<Peer> late;
        CHECK(wait_for([&] {
            if (late.empty()) late = store.take_late();
            return !late.empty();
        }));
        // As it was before this run: what the run learned comes on top.
        CHECK(late.size() == 3);
        CHECK(wait_for([&] { return store.counters().waiting.get() == 0; }));
        CHECK(store.take_late().empty());
    }
    CHECK(PeerStore(settings).load(TimePoint{}).size() == 4);
}

TEST_CASE("peers.db: a start on a full disk loses no peer", "[state]") {
    const Directory directory;
    const SmallDisk disk(directory.path, "size=512k,mode=0700");
    if (!disk.made) {
        WARN("no permission to mount: a full disk was not tried");
        return;
    }
    const auto settings = settings_in(directory);
    store_three(settings);
    disk.fill();
    PeerStore store(settings);
    CHECK(store.load(TimePoint{}).empty());
    CHECK_FALSE(store.complaint().empty());
    CHECK_FALSE(std::filesystem::exists(directory.path / "peers.db.unreadable"));
    disk.free();
    std::vector<Peer> late;
    CHECK(wait_for([&] {
        if (late.empty()) late = store.take_late();
        return !late.empty();
    }));
    CHECK(late.size() == 3);
    CHECK(wait_for([&] { return store.complaint().empty(); }));
}

TEST_CASE("peers.db: a file of an older version is taken over", "[state]") {
    const int version = GENERATE(1, 2);
    const std::string server_column = version == 1 ? "" : ", server TEXT";
    const std::string server_value = version == 1 ? "" : ",'vpn1'";
    const Directory directory;
    const auto address = *parse_address("198.51.100.7");
    {
        auto old = Database::open(directory.path / "peers.db");
        REQUIRE(old);
        // As that version made it.
        const auto file =
            "CREATE TABLE peer (address BLOB NOT NULL PRIMARY KEY, role TEXT NOT NULL,"
            " fragmentation TEXT NOT NULL, vendor TEXT NOT NULL, transition TEXT NOT NULL,"
            " embedded BLOB, first_seen INTEGER NOT NULL, last_seen INTEGER NOT NULL,"
            " fragmentation_changed INTEGER, handshakes_ok INTEGER NOT NULL,"
            " handshakes_failed INTEGER NOT NULL, path_mtu_bytes INTEGER NOT NULL" +
            server_column +
            ") STRICT, WITHOUT ROWID;"
            "CREATE INDEX peer_by_last_seen ON peer (last_seen);"
            "CREATE TABLE capability (address BLOB NOT NULL, time INTEGER NOT NULL,"
            " fragmentation TEXT NOT NULL, PRIMARY KEY (address, time)) STRICT, WITHOUT ROWID;"
            "PRAGMA application_id=0x696b6566; PRAGMA user_version=" +
            std::to_string(version) +
            ";"
            "INSERT INTO peer VALUES (x'c6336407','client','ike','windows','native',NULL,"
            "1,2,NULL,3,4,1400" +
            server_value +
            ");"
            "INSERT INTO capability VALUES (x'c6336407',1,'ike')";
        REQUIRE(old->execute(file.c_str()));
    }
    {
        PeerStore store(settings_in(directory));
        CHECK(store.complaint().empty());
        const auto peers = store.load(TimePoint{});
        REQUIRE(peers.size() == 1);
        CHECK(peers[0].handshakes_failed == 4);
        CHECK(peers[0].server.has_value() == (version == 2));
        CHECK_FALSE(peers[0].capability.intermediate);
        auto peer = peers[0];
        peer.server = "";
        peer.capability.intermediate = true;
        store.store(peer);
        store.capability_changed(address, noon, {Fragmentation::ike, true});
    }
    PeerStore store(settings_in(directory));
    REQUIRE(store.load(TimePoint{}).size() == 1);
    CHECK(store.load(TimePoint{})[0].server == "");
    CHECK(store.load(TimePoint{})[0].capability.intermediate == true);
    const CapabilityHistory history{
        {TimePoint{1ns}, {Fragmentation::ike}      },
        {noon,           {Fragmentation::ike, true}}
    };
    CHECK(*store.history(address) == history);
    CHECK_FALSE(std::filesystem::exists(directory.path / "peers.db.unreadable"));
}

TEST_CASE("peers.db: one that comes again in the same batch begins anew", "[state]") {
    const Directory directory;
    const auto settings = settings_in(directory);
    {
        PeerStore store(settings);
        store.store(peer_at("198.51.100.7", noon));
        store.capability_changed(*parse_address("198.51.100.7"), noon, {Fragmentation::ike});
    }
    {
        auto slow = settings;
        slow.batch_every = 1h; // written at the end only
        PeerStore store(slow);
        store.forget(*parse_address("198.51.100.7"));
        store.store(peer_at("198.51.100.7", noon + 5h));
    }
    const auto peers = PeerStore(settings).load(TimePoint{});
    REQUIRE(peers.size() == 1);
    CHECK(peers[0].first_seen == noon + 5h);
    auto database = Database::open(settings.path);
    REQUIRE(database);
    auto count = database->prepare("SELECT count(*) FROM capability");
    REQUIRE(count);
    REQUIRE(count->step());
    CHECK(count->integer(0) == 0);
}

TEST_CASE("peers.db: what waits through several failed batches stays whole", "[state]") {
    const Directory directory;
    auto settings = settings_in(directory);
    settings.path = directory.path / "later" / "peers.db";
    const auto address = *parse_address("198.51.100.7");
    {
        PeerStore store(settings);
        const auto after_another_batch = [&] {
            const auto failures = store.counters().failures.get();
            return wait_for([&] { return store.counters().failures.get() > failures + 1; });
        };
        store.store(peer_at("198.51.100.7", noon));
        store.capability_changed(address, noon, {Fragmentation::ike});
        REQUIRE(after_another_batch());
        store.capability_changed(address, noon + 1h, {Fragmentation::none});
        REQUIRE(after_another_batch());
        std::filesystem::create_directory(directory.path / "later");
        REQUIRE(wait_for([&] { return store.counters().written.get() > 0; }));
    }
    CHECK(PeerStore(settings).load(TimePoint{}).size() == 1);
    auto database = Database::open(settings.path);
    REQUIRE(database);
    auto count = database->prepare("SELECT count(*) FROM capability");
    REQUIRE(count);
    REQUIRE(count->step());
    CHECK(count->integer(0) == 2);
}

TEST_CASE("peers.db: the history of an address is what waits and what is written", "[state]") {
    const Directory directory;
    auto settings = settings_in(directory);
    const auto address = *parse_address("198.51.100.7");
    const auto other = *parse_address("198.51.100.8");
    {
        PeerStore store(settings);
        for (int hour = 0; hour < 9; ++hour)
            store.capability_changed(address,
                                     noon + hour * 1h,
                                     {hour % 2 == 0 ? Fragmentation::ike : Fragmentation::none});
        store.capability_changed(other, noon, {Fragmentation::none});
    }
    settings.batch_every = 10min; // nothing is written until the end
    PeerStore store(settings);
    const CapabilityHistory written{
        {noon, {Fragmentation::none}}
    };
    CHECK(*store.history(other) == written);
    CHECK(store.history(address)->size() == 8);
    store.capability_changed(address, noon + 9h, {Fragmentation::none});
    const auto with_what_waits = store.history(address);
    REQUIRE(with_what_waits);
    CHECK(with_what_waits->size() == 8);
    CHECK(with_what_waits->rbegin()->first == noon + 9h);
    CHECK(with_what_waits->begin()->first == noon + 2h);
    store.forget(address);
    CHECK(store.history(address)->empty());
    store.capability_changed(address, noon + 10h, {Fragmentation::ike});
    CHECK(store.history(address)->size() == 1);
    CHECK(*store.history(other) == written);
    CHECK(store.history(*parse_address("2001:db8::7"))->empty());
}

TEST_CASE("peers.db: its history is told while it is being written, or cannot be", "[state]") {
    const Directory directory;
    const auto settings = settings_in(directory);
    const auto address = *parse_address("198.51.100.7");
    PeerStore store(settings);
    store.capability_changed(address, noon, {Fragmentation::none});
    REQUIRE(wait_for([&] { return store.counters().written.get() > 0; }));
    auto writer = Database::open(settings.path);
    REQUIRE(writer);
    REQUIRE(writer->execute("BEGIN IMMEDIATE"));
    store.capability_changed(address, noon + 1h, {Fragmentation::ike});
    // Whether it waits, is being tried, or waits again, it is never out of sight.
    for (int i = 0; i < 200; ++i) {
        REQUIRE(store.history(address)->size() == 2);
        std::this_thread::sleep_for(1ms);
    }
    REQUIRE(writer->execute("ROLLBACK"));
    REQUIRE(wait_for([&] { return store.counters().written.get() > 1; }));
    CHECK(store.history(address)->size() == 2);
}

TEST_CASE("peers.db: a history that cannot be read is an error in words", "[state]") {
    const Directory directory;
    auto settings = settings_in(directory);
    settings.path = directory.path / "nowhere" / "peers.db";
    const PeerStore store(settings);
    const auto history = store.history(*parse_address("198.51.100.7"));
    REQUIRE_FALSE(history);
    CHECK(history.error().starts_with("peers.db cannot be read: "));
    CHECK_FALSE(std::filesystem::exists(settings.path));
}
