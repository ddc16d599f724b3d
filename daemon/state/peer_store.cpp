// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state/peer_store.hpp"

#include "daemon/state/database.hpp"
#include "plugin/words.hpp"

#include <condition_variable>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>

namespace ikefrag {
namespace {

/// Times are nanoseconds since 1970 UTC; addresses 4 or 16 bytes; words are those of
/// plugin/words.hpp. `capability` is the history: one row for each change seen, the newest eight of
/// an address. `server`: name of the listed server it last spoke with, '' for one that is not
/// listed, NULL for a row of version 1, which did not keep it. ikefragd(8) has the table, too.
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
  server TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS peer_by_last_seen ON peer (last_seen);
CREATE TABLE IF NOT EXISTS capability (
  address BLOB NOT NULL,
  time INTEGER NOT NULL,
  fragmentation TEXT NOT NULL,
  PRIMARY KEY (address, time)
) STRICT, WITHOUT ROWID;
)sql";
/// "ikef": says whose file this is.
constexpr std::int64_t application_id = 0x696b6566;
constexpr std::int64_t schema_version = 2;
constexpr const char* from_version_1 =
    "BEGIN IMMEDIATE; ALTER TABLE peer ADD COLUMN server TEXT; PRAGMA user_version=2; COMMIT";
/// Tables, the index, nothing else: a trigger or view was put there by others.
constexpr std::int64_t schema_objects = 3;

constexpr const char* upsert_peer = R"sql(
INSERT INTO peer VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13)
ON CONFLICT (address) DO UPDATE SET role=?2, fragmentation=?3, vendor=?4, transition=?5, embedded=?6,
  last_seen=?8, fragmentation_changed=?9, handshakes_ok=?10, handshakes_failed=?11, path_mtu_bytes=?12,
  server=?13
)sql";
constexpr const char* insert_capability = "INSERT OR REPLACE INTO capability VALUES (?1,?2,?3)";
constexpr const char* trim_capability =
    "DELETE FROM capability WHERE address=?1 AND time NOT IN "
    "(SELECT time FROM capability WHERE address=?1 ORDER BY time DESC LIMIT 8)";
constexpr const char* select_capability =
    "SELECT time, fragmentation FROM capability WHERE address=?1 ORDER BY time DESC LIMIT 8";
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
    peer.fragmentation = *fragmentation;
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
    return peer;
}

/// Adds what the file holds of an address. Out: why that cannot be read, if it cannot
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
        if (time && fragmentation) history.emplace(to_time(*time), *fragmentation);
    }
    if (!row) return database->last_error();
    return std::nullopt;
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

enum class Found { ours, older, empty, foreign, out_of_reach };

/// Whether the file is a sound database of ours, a new one, something else, or cannot be told.
Found look_at(Database& database) {
    const auto otherwise = [](bool disk) { return disk ? Found::out_of_reach : Found::foreign; };
    const auto objects = read_value(
        database,
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'");
    if (!objects) return otherwise(objects.error());
    const auto id = read_value(database, "PRAGMA application_id");
    if (!id) return otherwise(id.error());
    if (*objects == "0" && *id == "0") return Found::empty;
    const auto version = read_value(database, "PRAGMA user_version");
    if (!version) return otherwise(version.error());
    if (*id != std::to_string(application_id) ||
        (*version != std::to_string(schema_version) && *version != "1") ||
        *objects != std::to_string(schema_objects))
        return Found::foreign;
    const auto check = read_value(database, "PRAGMA quick_check(1)");
    if (!check) return otherwise(check.error());
    if (*check != "ok") return otherwise(says_disk_failed(*check));
    return *version == "1" ? Found::older : Found::ours;
}

} // namespace

/// What waits for the disk, newest state for each address.
struct Waiting {
    static constexpr std::size_t most_capabilities = 8;
    struct Change {
        bool forget = false; ///< what the file has of the address, before the rest
        std::optional<Peer> peer;
        std::vector<std::pair<TimePoint, Fragmentation>> capabilities;

        /// The newest are kept.
        void add(TimePoint time, Fragmentation after) {
            capabilities.emplace_back(time, after);
            if (capabilities.size() > most_capabilities) capabilities.erase(capabilities.begin());
        }
        /// Adds what came after this.
        void follow(Change&& next) {
            if (next.forget) {
                *this = std::move(next);
                return;
            }
            if (next.peer) peer = std::move(next.peer);
            for (const auto& [time, after] : next.capabilities) add(time, after);
        }
    };
    std::map<IpAddress, Change> changes;
    std::optional<TimePoint> forget_before;

    [[nodiscard]] bool empty() const { return changes.empty() && !forget_before; }
};

class PeerStore::State {
public:
    explicit State(Settings settings) : settings_(std::move(settings)) {
        open();
        thread_ = std::thread([this] { run(); });
    }
    ~State() {
        {
            const std::lock_guard lock(mutex_);
            stopping_ = true;
        }
        wake_.notify_one();
        thread_.join();
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    std::vector<Peer> load(TimePoint oldest);
    std::vector<Peer> take_late();
    template <class Change>
    void change(const IpAddress& address, Change&& apply);
    void forget_before(TimePoint time);
    [[nodiscard]] Result<CapabilityHistory, std::string> history(const IpAddress& address) const;

    Counters counters;
    [[nodiscard]] std::string complaint() const {
        const std::lock_guard lock(mutex_);
        return notice_.empty() || trouble_.empty() ? notice_ + trouble_ : notice_ + "; " + trouble_;
    }

private:
    void open();
    bool set_aside();
    bool prepare_file();
    std::vector<Peer> read_peers();
    bool reopen();
    void run();
    bool write(const Waiting& batch);
    bool write_changes(const Waiting& batch);
    void take_back();
    [[nodiscard]] bool in_trouble() const {
        const std::lock_guard lock(mutex_);
        return !trouble_.empty();
    }
    void set_trouble(std::string text) {
        const std::lock_guard lock(mutex_);
        trouble_ = std::move(text);
    }

    Settings settings_;
    std::optional<Database> database_; ///< used by one thread at a time: the opener, then ours
    std::mutex database_mutex_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    Waiting waiting_;
    Waiting batch_; ///< on its way to the disk; changed by our thread alone, under mutex_
    std::optional<TimePoint> load_late_; ///< load() found no file it could read: from when on
    std::vector<Peer> late_;
    bool stopping_ = false;
    std::string notice_;
    std::string trouble_;
    std::thread thread_;
};

void PeerStore::State::open() {
    auto database = Database::open(settings_.path);
    if (!database) {
        set_trouble("peers.db cannot be opened: " + database.error());
        return;
    }
    database_ = std::move(*database);
    const auto found = look_at(*database_);
    if (found == Found::out_of_reach) {
        // A full or faulty disk says nothing of what the file holds: it is read once it can be.
        set_trouble("peers.db cannot be read now: " + database_->last_error());
        database_.reset();
        return;
    }
    if (found == Found::foreign && !set_aside()) return;
    if (found == Found::older && !database_->execute(from_version_1)) {
        set_trouble("peers.db cannot be brought to this version: " + database_->last_error());
        database_.reset();
        return;
    }
    if (!prepare_file()) database_.reset();
}

/// Begins a new file in place of one that is not ours.
bool PeerStore::State::set_aside() {
    database_.reset();
    std::error_code error;
    auto aside = settings_.path;
    aside += ".unreadable";
    std::filesystem::rename(settings_.path, aside, error);
    if (error) {
        set_trouble("peers.db is not a database of ours and cannot be moved aside: " +
                    error.message());
        return false;
    }
    for (const char* companion : {"-wal", "-shm"})
        std::filesystem::remove(settings_.path.string() + companion, error);
    auto fresh = Database::open(settings_.path);
    if (!fresh) {
        set_trouble("peers.db cannot be made: " + fresh.error());
        return false;
    }
    database_ = std::move(*fresh);
    const std::lock_guard lock(mutex_);
    notice_ = "peers.db was unreadable; it was moved to " + aside.filename().string() +
              " and a new one begun";
    return true;
}

bool PeerStore::State::prepare_file() {
    const bool made = database_->execute("PRAGMA journal_mode=WAL") &&
                      database_->execute("PRAGMA synchronous=NORMAL") &&
                      database_->execute("PRAGMA journal_size_limit=4194304") &&
                      database_->execute("PRAGMA application_id=0x696b6566") &&
                      database_->execute("PRAGMA user_version=2") && database_->execute(schema);
    if (!made) set_trouble("peers.db cannot be prepared: " + database_->last_error());
    return made;
}

std::vector<Peer> PeerStore::State::load(TimePoint oldest) {
    const std::lock_guard lock(database_mutex_);
    load_late_ = oldest;
    return database_ ? read_peers() : std::vector<Peer>();
}

/// With the database at hand, its mutex held. What cannot be read now is read later.
std::vector<Peer> PeerStore::State::read_peers() {
    std::vector<Peer> peers;
    auto select = database_->prepare(select_peers);
    if (!select) return peers;
    select->bind(1, to_number(*load_late_));
    select->bind(2, static_cast<std::int64_t>(settings_.max_peers));
    auto row = select->step();
    for (; row && *row; row = select->step()) {
        if (auto peer = read_peer(*select))
            peers.push_back(std::move(*peer));
        else
            counters.unreadable.add();
    }
    if (row) load_late_.reset();
    return peers;
}

/// Opens the file where that failed before, and reads what it holds before anything is written.
/// With the database's mutex held.
bool PeerStore::State::reopen() {
    if (!database_) open();
    if (!database_) return false;
    if (!load_late_) return true;
    auto peers = read_peers();
    if (load_late_) {
        set_trouble("peers.db cannot be read now: " + database_->last_error());
        return false;
    }
    const std::lock_guard lock(mutex_);
    late_ = std::move(peers);
    return true;
}

std::vector<Peer> PeerStore::State::take_late() {
    const std::lock_guard lock(mutex_);
    return std::exchange(late_, {});
}

template <class Change>
void PeerStore::State::change(const IpAddress& address, Change&& apply) {
    const std::lock_guard lock(mutex_);
    const auto known = waiting_.changes.find(address);
    if (known != waiting_.changes.end()) {
        apply(known->second);
    } else if (waiting_.changes.size() < settings_.max_peers) {
        apply(waiting_.changes[address]);
    } else {
        counters.dropped.add();
    }
    counters.waiting.set(waiting_.changes.size());
}

void PeerStore::State::forget_before(TimePoint time) {
    const std::lock_guard lock(mutex_);
    if (!waiting_.forget_before || *waiting_.forget_before < time) waiting_.forget_before = time;
}

void PeerStore::State::run() {
    for (bool last = false; !last;) {
        {
            std::unique_lock lock(mutex_);
            wake_.wait_for(lock, settings_.batch_every, [this] { return stopping_; });
            last = stopping_;
            batch_ = std::exchange(waiting_, {});
        }
        if (batch_.empty() && !in_trouble()) continue;
        const bool written = write(batch_);
        if (written) {
            counters.written.add(batch_.changes.size());
            set_trouble({});
        } else {
            counters.failures.add();
        }
        const std::lock_guard lock(mutex_);
        if (!written) take_back();
        batch_ = {};
        counters.waiting.set(waiting_.changes.size());
    }
}

bool PeerStore::State::write(const Waiting& batch) {
    const std::lock_guard lock(database_mutex_);
    if (!reopen()) return false;
    if (batch.empty()) return true;
    const bool written = database_->execute("BEGIN IMMEDIATE") && write_changes(batch) &&
                         database_->execute("COMMIT");
    if (!written) {
        set_trouble("peers.db cannot be written: " + database_->last_error());
        (void)database_->execute("ROLLBACK");
    }
    return written;
}

namespace {

bool run_with_address(Statement& statement, const IpAddress& address) {
    statement.bind(1, address.view());
    const bool done = statement.step().has_value();
    statement.reset();
    return done;
}

bool write_peer(Statement& upsert, const Peer& peer) {
    upsert.bind(1, peer.address.view());
    upsert.bind(2, to_string(peer.role));
    upsert.bind(3, to_string(peer.fragmentation));
    upsert.bind(4, std::string_view(peer.vendor));
    upsert.bind(5, to_string(peer.transition));
    if (peer.embedded)
        upsert.bind(6, peer.embedded->view());
    else
        upsert.bind_null(6);
    upsert.bind(7, to_number(peer.first_seen));
    upsert.bind(8, to_number(peer.last_seen));
    if (peer.fragmentation_changed)
        upsert.bind(9, to_number(*peer.fragmentation_changed));
    else
        upsert.bind_null(9);
    upsert.bind(10, std::int64_t{peer.handshakes_ok});
    upsert.bind(11, std::int64_t{peer.handshakes_failed});
    upsert.bind(12, std::int64_t{peer.path_mtu_bytes});
    if (peer.server)
        upsert.bind(13, std::string_view(*peer.server));
    else
        upsert.bind_null(13);
    const bool done = upsert.step().has_value();
    upsert.reset();
    return done;
}

} // namespace

bool PeerStore::State::write_changes(const Waiting& batch) {
    auto upsert = database_->prepare(upsert_peer);
    auto remove = database_->prepare(delete_peer);
    auto forget_history = database_->prepare(delete_capability);
    auto insert = database_->prepare(insert_capability);
    auto trim = database_->prepare(trim_capability);
    auto remove_before = database_->prepare(delete_peers_before);
    auto trim_all = database_->prepare(trim_peers);
    if (!upsert || !remove || !forget_history || !insert || !trim || !remove_before || !trim_all)
        return false;
    for (const auto& [address, change] : batch.changes) {
        if (change.forget &&
            (!run_with_address(*remove, address) || !run_with_address(*forget_history, address)))
            return false;
        if (change.peer && !write_peer(*upsert, *change.peer)) return false;
        for (const auto& [time, fragmentation] : change.capabilities) {
            insert->bind(2, to_number(time));
            insert->bind(3, to_string(fragmentation));
            if (!run_with_address(*insert, address)) return false;
        }
        if (!change.capabilities.empty() && !run_with_address(*trim, address)) return false;
    }
    if (batch.forget_before) {
        remove_before->bind(1, to_number(*batch.forget_before));
        if (!remove_before->step()) return false;
    }
    trim_all->bind(1, static_cast<std::int64_t>(settings_.max_peers));
    if (!trim_all->step()) return false;
    return !batch.forget_before || database_->execute(delete_capability_orphans).has_value();
}

/// What could not be written waits again, behind what has been learned since. With mutex_ held.
void PeerStore::State::take_back() {
    if (batch_.forget_before && !waiting_.forget_before)
        waiting_.forget_before = batch_.forget_before;
    for (auto& [address, change] : batch_.changes) {
        if (!waiting_.changes.contains(address) && waiting_.changes.size() >= settings_.max_peers) {
            counters.dropped.add();
            continue;
        }
        auto& waiting = waiting_.changes[address];
        change.follow(std::move(waiting));
        waiting = std::move(change);
    }
}

Result<CapabilityHistory, std::string> PeerStore::State::history(const IpAddress& address) const {
    CapabilityHistory history;
    bool is_forgotten = false;
    {
        // The memory before the file: what is written meanwhile is seen twice, never not at all.
        const std::lock_guard lock(mutex_);
        for (const auto* waiting : {&batch_, &waiting_}) {
            const auto found = waiting->changes.find(address);
            if (found == waiting->changes.end()) continue;
            if (found->second.forget) {
                history.clear();
                is_forgotten = true;
            }
            for (const auto& [time, after] : found->second.capabilities)
                history.insert_or_assign(time, after);
        }
    }
    if (!is_forgotten)
        if (auto fault = read_history(settings_.path, address, history))
            return fail("peers.db cannot be read: " + *fault);
    while (history.size() > Waiting::most_capabilities) history.erase(history.begin());
    return history;
}

PeerStore::PeerStore(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}
PeerStore::~PeerStore() = default;

std::vector<Peer> PeerStore::load(TimePoint oldest) { return state_->load(oldest); }
std::vector<Peer> PeerStore::take_late() { return state_->take_late(); }

void PeerStore::store(const Peer& peer) {
    state_->change(peer.address, [&](Waiting::Change& change) { change.peer = peer; });
}

void PeerStore::capability_changed(const IpAddress& address, TimePoint time, Fragmentation after) {
    state_->change(address, [&](Waiting::Change& change) { change.add(time, after); });
}

Result<CapabilityHistory, std::string> PeerStore::history(const IpAddress& address) const {
    return state_->history(address);
}

void PeerStore::forget(const IpAddress& address) {
    state_->change(address, [](Waiting::Change& change) {
        change = {.forget = true, .peer = {}, .capabilities = {}};
    });
}

void PeerStore::forget_before(TimePoint time) { state_->forget_before(time); }

const PeerStore::Counters& PeerStore::counters() const noexcept { return state_->counters; }
std::string PeerStore::complaint() const { return state_->complaint(); }

} // namespace ikefrag
