// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state/peer_file.hpp"

#include "plugin/words.hpp"

#include <array>
#include <cstdlib>
#include <iterator>

namespace ikefrag {
namespace {

/// Times are nanoseconds since 1970 UTC; addresses 4 or 16 bytes; words are those of
/// plugin/words.hpp. `capability` is the history: one row for each change seen, the newest eight of
/// an address. `server`: name of the listed server it last spoke with, '' for one that is not
/// listed, NULL for a row of version 1, which did not keep it. `intermediate`: whether it does
/// IKE_INTERMEDIATE, 0 or 1, NULL where that is not known. Columns are added at the end, as ALTER
/// TABLE does. ikefragd(8) has the tables, too.
constexpr const char* schema = R"sql(
CREATE TABLE IF NOT EXISTS peer (
  address BLOB NOT NULL PRIMARY KEY,
  role TEXT NOT NULL,
  fragmentation TEXT NOT NULL,
  vendor TEXT NOT NULL,
  transition TEXT NOT NULL,
  embedded BLOB,
  first_seen INTEGER NOT NULL,
  last_seen INTEGER NOT NULL,
  fragmentation_changed INTEGER,
  handshakes_ok INTEGER NOT NULL,
  handshakes_failed INTEGER NOT NULL,
  path_mtu_bytes INTEGER NOT NULL,
  server TEXT,
  intermediate INTEGER,
  intermediate_changed INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS peer_by_last_seen ON peer (last_seen);
CREATE TABLE IF NOT EXISTS capability (
  address BLOB NOT NULL,
  time INTEGER NOT NULL,
  fragmentation TEXT NOT NULL,
  intermediate INTEGER,
  PRIMARY KEY (address, time)
) STRICT, WITHOUT ROWID;
)sql";
/// "ikef": says whose file this is.
constexpr std::int64_t application_id = 0x696b6566;
/// Tables, the index, nothing else: a trigger or view was put there by others.
constexpr std::int64_t schema_objects = 3;

constexpr const char* upsert_peer = R"sql(
INSERT INTO peer VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)
ON CONFLICT (address) DO UPDATE SET role=?2, fragmentation=?3, vendor=?4, transition=?5, embedded=?6,
  last_seen=?8, fragmentation_changed=?9, handshakes_ok=?10, handshakes_failed=?11, path_mtu_bytes=?12,
  server=?13, intermediate=?14, intermediate_changed=?15
)sql";
constexpr const char* insert_capability = "INSERT OR REPLACE INTO capability VALUES (?1,?2,?3,?4)";
constexpr const char* select_capability =
    "SELECT time, fragmentation, intermediate FROM capability WHERE address=?1 "
    "ORDER BY time DESC LIMIT 8";

/// A version of the schema. A file may be one by its number and still have other columns: then
/// nothing could ever be stored. So all but `upgrade` is prepared to see whether it fits, and not
/// run.
struct Version {
    std::array<const char*, 4> fits;
    const char* upgrade; ///< to the next
};
constexpr Version versions[] = {
    {{"INSERT INTO peer VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12)",
      "SELECT address, role, fragmentation, vendor, transition, embedded, first_seen, last_seen,"
      " fragmentation_changed, handshakes_ok, handshakes_failed, path_mtu_bytes FROM peer",
      "INSERT INTO capability VALUES (?1,?2,?3)",
      "SELECT address, time, fragmentation FROM capability"},
     "BEGIN IMMEDIATE; ALTER TABLE peer ADD COLUMN server TEXT; PRAGMA user_version=2; COMMIT"},
    {{"INSERT INTO peer VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)",
      "SELECT address, role, fragmentation, vendor, transition, embedded, first_seen, last_seen,"
      " fragmentation_changed, handshakes_ok, handshakes_failed, path_mtu_bytes, server FROM peer",
      "INSERT INTO capability VALUES (?1,?2,?3)",
      "SELECT address, time, fragmentation FROM capability"},
     "BEGIN IMMEDIATE; ALTER TABLE peer ADD COLUMN intermediate INTEGER;"
     " ALTER TABLE peer ADD COLUMN intermediate_changed INTEGER;"
     " ALTER TABLE capability ADD COLUMN intermediate INTEGER; PRAGMA user_version=3; COMMIT" },
    {{upsert_peer,
      "SELECT address, role, fragmentation, vendor, transition, embedded, first_seen, last_seen,"
      " fragmentation_changed, handshakes_ok, handshakes_failed, path_mtu_bytes, server,"
      " intermediate, intermediate_changed FROM peer",
      insert_capability,
      select_capability},
     nullptr                                                                                  },
};

constexpr const char* trim_capability =
    "DELETE FROM capability WHERE address=?1 AND time NOT IN "
    "(SELECT time FROM capability WHERE address=?1 ORDER BY time DESC LIMIT 8)";
constexpr const char* delete_peer = "DELETE FROM peer WHERE address=?1";
constexpr const char* delete_capability = "DELETE FROM capability WHERE address=?1";
constexpr const char* delete_peers_before = "DELETE FROM peer WHERE last_seen<?1";
constexpr const char* delete_capability_orphans =
    "DELETE FROM capability WHERE address NOT IN (SELECT address FROM peer)";
constexpr const char* select_peers = "SELECT * FROM peer WHERE last_seen>=?1 "
                                     "ORDER BY last_seen DESC LIMIT ?2";
constexpr const char* trim_peers =
    "DELETE FROM peer WHERE address IN "
    "(SELECT address FROM peer ORDER BY last_seen DESC LIMIT -1 OFFSET ?1)";

std::int64_t to_number(TimePoint time) { return time.time_since_epoch().count(); }
TimePoint to_time(std::int64_t number) { return TimePoint(Duration(number)); }

std::optional<IpAddress> to_address(std::optional<Bytes> blob) {
    if (!blob) return std::nullopt;
    if (blob->size() == 4) return IpAddress::v4(*blob);
    if (blob->size() == 16) return IpAddress::v6(*blob);
    return std::nullopt;
}

template <class E>
std::optional<E> to_word(std::optional<std::string_view> text) {
    return text ? parse_word<E>(*text) : std::nullopt;
}

std::optional<std::uint32_t> to_count(std::optional<std::int64_t> number) {
    if (!number || *number < 0 || *number > 0xffffffffLL) return std::nullopt;
    return static_cast<std::uint32_t>(*number);
}

std::optional<bool> to_flag(std::optional<std::int64_t> number) {
    return number ? std::optional(*number != 0) : std::nullopt;
}

void bind_flag(Statement& statement, int parameter, std::optional<bool> flag) {
    if (flag)
        statement.bind(parameter, std::int64_t{*flag ? 1 : 0});
    else
        statement.bind_null(parameter);
}

void bind_time(Statement& statement, int parameter, std::optional<TimePoint> time) {
    if (time)
        statement.bind(parameter, to_number(*time));
    else
        statement.bind_null(parameter);
}

/// The row at hand as a peer; empty when any value is not one we could have written.
std::optional<Peer> read_peer(const Statement& row) {
    const auto address = to_address(row.blob(0));
    const auto role = row.text(1);
    const auto fragmentation = to_word<Fragmentation>(row.text(2));
    const auto vendor = row.text(3);
    const auto transition = to_word<Transition>(row.text(4));
    const auto first_seen = row.integer(6);
    const auto last_seen = row.integer(7);
    const auto ok = to_count(row.integer(9));
    const auto failed = to_count(row.integer(10));
    const auto path_mtu = to_count(row.integer(11));
    if (!address || !role || !fragmentation || !vendor || !transition || !first_seen ||
        !last_seen || !ok || !failed || !path_mtu)
        return std::nullopt;
    Peer peer;
    peer.address = *address;
    if (*role == to_string(PeerRole::server))
        peer.role = PeerRole::server;
    else if (*role != to_string(PeerRole::client))
        return std::nullopt;
    peer.capability = {.fragmentation = *fragmentation, .intermediate = to_flag(row.integer(13))};
    constexpr std::size_t longest_vendor_word = 64;
    peer.vendor = vendor->substr(0, longest_vendor_word);
    peer.transition = *transition;
    peer.embedded = to_address(row.blob(5));
    peer.first_seen = to_time(*first_seen);
    peer.last_seen = to_time(*last_seen);
    if (const auto changed = row.integer(8)) peer.fragmentation_changed = to_time(*changed);
    peer.handshakes_ok = *ok;
    peer.handshakes_failed = *failed;
    peer.path_mtu_bytes = *path_mtu;
    if (const auto server = row.text(12)) peer.server = *server;
    if (const auto changed = row.integer(14)) peer.intermediate_changed = to_time(*changed);
    return peer;
}

/// First column of the first row. Errors: whether the disk was at fault, not the file's content.
Result<std::string, bool> read_value(Database& database, std::string_view sql) {
    auto statement = database.prepare(sql);
    if (!statement) return fail(database.out_of_reach());
    const auto row = statement->step();
    if (!row) return fail(Database::out_of_reach(row.error()));
    if (!*row) return fail(false);
    if (const auto number = statement->integer(0)) return std::to_string(*number);
    if (const auto text = statement->text(0)) return std::string(*text);
    return fail(false);
}

/// quick_check tells a page that could not be read in words, with SQLite's code.
bool says_disk_failed(std::string_view answer) {
    constexpr std::string_view mark = "error code=";
    const auto at = answer.find(mark);
    if (at == std::string_view::npos) return false;
    return Database::out_of_reach(std::atoi(std::string(answer.substr(at + mark.size())).c_str()));
}

bool run_with_address(Statement& statement, const IpAddress& address) {
    statement.bind(1, address.view());
    const bool done = statement.step().has_value();
    statement.reset();
    return done;
}

bool write_peer(Statement& upsert, const Peer& peer) {
    upsert.bind(1, peer.address.view());
    upsert.bind(2, to_string(peer.role));
    upsert.bind(3, to_string(peer.capability.fragmentation));
    upsert.bind(4, std::string_view(peer.vendor));
    upsert.bind(5, to_string(peer.transition));
    if (peer.embedded)
        upsert.bind(6, peer.embedded->view());
    else
        upsert.bind_null(6);
    upsert.bind(7, to_number(peer.first_seen));
    upsert.bind(8, to_number(peer.last_seen));
    bind_time(upsert, 9, peer.fragmentation_changed);
    upsert.bind(10, std::int64_t{peer.handshakes_ok});
    upsert.bind(11, std::int64_t{peer.handshakes_failed});
    upsert.bind(12, std::int64_t{peer.path_mtu_bytes});
    if (peer.server)
        upsert.bind(13, std::string_view(*peer.server));
    else
        upsert.bind_null(13);
    bind_flag(upsert, 14, peer.capability.intermediate);
    bind_time(upsert, 15, peer.intermediate_changed);
    const bool done = upsert.step().has_value();
    upsert.reset();
    return done;
}

} // namespace

Result<PeerFile, std::string> PeerFile::open(const std::filesystem::path& path) {
    auto database = Database::open(path);
    if (!database) return fail(database.error());
    return PeerFile(std::move(*database));
}

PeerFile::Found PeerFile::look() {
    const auto otherwise = [](bool disk) { return disk ? Found::out_of_reach : Found::foreign; };
    const auto objects = read_value(
        database_,
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    if (!objects) return otherwise(objects.error());
    const auto id = read_value(database_, "PRAGMA application_id");
    if (!id) return otherwise(id.error());
    if (*objects == "0" && *id == "0") return Found::empty;
    const auto version = read_value(database_, "PRAGMA user_version");
    if (!version) return otherwise(version.error());
    version_ = static_cast<std::size_t>(std::atoi(version->c_str()));
    if (*id != std::to_string(application_id) || version_ < 1 || version_ > std::size(versions) ||
        *objects != std::to_string(schema_objects))
        return Found::foreign;
    const auto check = read_value(database_, "PRAGMA quick_check(1)");
    if (!check) return otherwise(check.error());
    if (*check != "ok") return otherwise(says_disk_failed(*check));
    for (const auto* sql : versions[version_ - 1].fits)
        if (!database_.prepare(sql)) return otherwise(database_.out_of_reach());
    return version_ == std::size(versions) ? Found::ours : Found::older;
}

bool PeerFile::upgrade() {
    for (; version_ < std::size(versions); ++version_)
        if (!database_.execute(versions[version_ - 1].upgrade)) return false;
    return true;
}

bool PeerFile::prepare() {
    return database_.execute("PRAGMA journal_mode=WAL") &&
           database_.execute("PRAGMA synchronous=NORMAL") &&
           database_.execute("PRAGMA journal_size_limit=4194304") &&
           database_.execute("PRAGMA application_id=0x696b6566") &&
           database_.execute("PRAGMA user_version=3") && database_.execute(schema);
}

std::optional<std::vector<Peer>>
PeerFile::read(TimePoint oldest, std::size_t max, Counter& unreadable) {
    auto select = database_.prepare(select_peers);
    if (!select) return std::nullopt;
    select->bind(1, to_number(oldest));
    select->bind(2, static_cast<std::int64_t>(max));
    std::vector<Peer> peers;
    auto row = select->step();
    for (; row && *row; row = select->step()) {
        if (auto peer = read_peer(*select))
            peers.push_back(std::move(*peer));
        else
            unreadable.add();
    }
    if (!row) return std::nullopt;
    return peers;
}

std::optional<std::string> PeerFile::write(const PeerChanges& changes, std::size_t max) {
    if (database_.execute("BEGIN IMMEDIATE") && write_all(changes, max) &&
        database_.execute("COMMIT"))
        return std::nullopt;
    auto fault = database_.last_error();
    (void)database_.execute("ROLLBACK");
    return fault;
}

bool PeerFile::write_all(const PeerChanges& changes, std::size_t max) {
    auto upsert = database_.prepare(upsert_peer);
    auto remove = database_.prepare(delete_peer);
    auto forget_history = database_.prepare(delete_capability);
    auto insert = database_.prepare(insert_capability);
    auto trim = database_.prepare(trim_capability);
    auto remove_before = database_.prepare(delete_peers_before);
    auto trim_all = database_.prepare(trim_peers);
    if (!upsert || !remove || !forget_history || !insert || !trim || !remove_before || !trim_all)
        return false;
    for (const auto& [address, change] : changes.by_address) {
        if (change.forget &&
            (!run_with_address(*remove, address) || !run_with_address(*forget_history, address)))
            return false;
        if (change.peer && !write_peer(*upsert, *change.peer)) return false;
        for (const auto& [time, capability] : change.capabilities) {
            insert->bind(2, to_number(time));
            insert->bind(3, to_string(capability.fragmentation));
            bind_flag(*insert, 4, capability.intermediate);
            if (!run_with_address(*insert, address)) return false;
        }
        if (!change.capabilities.empty() && !run_with_address(*trim, address)) return false;
    }
    if (changes.forget_before) {
        remove_before->bind(1, to_number(*changes.forget_before));
        if (!remove_before->step()) return false;
    }
    trim_all->bind(1, static_cast<std::int64_t>(max));
    if (!trim_all->step()) return false;
    return !changes.forget_before || database_.execute(delete_capability_orphans).has_value();
}

std::optional<std::string> read_history(const std::filesystem::path& path,
                                        const IpAddress& address,
                                        CapabilityHistory& history) {
    auto database = Database::open_to_read(path);
    if (!database) return database.error();
    auto select = database->prepare(select_capability);
    if (!select) return select.error();
    select->bind(1, address.view());
    auto row = select->step();
    for (; row && *row; row = select->step()) {
        const auto time = select->integer(0);
        const auto fragmentation = to_word<Fragmentation>(select->text(1));
        if (time && fragmentation)
            history.emplace(to_time(*time),
                            Capability{*fragmentation, to_flag(select->integer(2))});
    }
    if (!row) return database->last_error();
    return std::nullopt;
}

} // namespace ikefrag
