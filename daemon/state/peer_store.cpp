// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state/peer_store.hpp"

#include "daemon/state/peer_changes.hpp"
#include "daemon/state/peer_file.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <utility>

namespace ikefrag {

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
    [[nodiscard]] std::string notice() const {
        const std::lock_guard lock(mutex_);
        return notice_;
    }
    [[nodiscard]] std::string trouble() const {
        const std::lock_guard lock(mutex_);
        return trouble_;
    }

private:
    void open();
    bool set_aside();
    std::vector<Peer> read_peers();
    bool reopen();
    void run();
    bool write(const PeerChanges& batch);
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
    std::optional<PeerFile> file_; ///< used by one thread at a time: the opener, then ours
    std::mutex file_mutex_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    PeerChanges waiting_;
    PeerChanges batch_; ///< on its way to the disk; changed by our thread alone, under mutex_
    std::optional<TimePoint> load_late_; ///< load() found no file it could read: from when on
    std::vector<Peer> late_;
    bool stopping_ = false;
    std::string notice_;
    std::string trouble_;
    std::thread thread_;
};

namespace {

/// No more are kept: the last is written over.
constexpr int most_set_aside = 9;

/// `path`, or where something is there, the first of `path.2`, `path.3` … that is free: what was
/// set aside first is what an admin wants to look at.
std::filesystem::path free_place(const std::string& path) {
    std::filesystem::path place = path;
    for (int number = 2; number <= most_set_aside; ++number) {
        std::error_code error;
        // Of a link, it is the link that would be replaced.
        if (!std::filesystem::exists(std::filesystem::symlink_status(place, error))) break;
        place = path + "." + std::to_string(number);
    }
    return place;
}

} // namespace

void PeerStore::State::open() {
    using Found = PeerFile::Found;
    auto file = PeerFile::open(settings_.path);
    if (!file) return set_trouble("peers.db cannot be opened: " + file.error());
    file_ = std::move(*file);
    const auto found = file_->look();
    std::string_view trouble;
    // A full or faulty disk says nothing of what the file holds: it is read once it can be.
    if (found == Found::out_of_reach)
        trouble = "read now";
    else if (found == Found::foreign && !set_aside())
        return;
    else if (found == Found::older && !file_->upgrade())
        trouble = "brought to this version";
    else if (!file_->prepare())
        trouble = "prepared";
    if (trouble.empty()) return;
    set_trouble("peers.db cannot be " + std::string(trouble) + ": " + file_->last_error());
    file_.reset();
}

/// Begins a new file in place of one that is not ours.
bool PeerStore::State::set_aside() {
    file_.reset();
    std::error_code error;
    const auto aside = free_place(settings_.path.string() + ".unreadable");
    std::filesystem::rename(settings_.path, aside, error);
    if (error) {
        set_trouble("peers.db is not a database of ours and cannot be moved aside: " +
                    error.message());
        return false;
    }
    for (const char* companion : {"-wal", "-shm"})
        std::filesystem::remove(settings_.path.string() + companion, error);
    auto fresh = PeerFile::open(settings_.path);
    if (!fresh) {
        set_trouble("peers.db cannot be made: " + fresh.error());
        return false;
    }
    file_ = std::move(*fresh);
    const std::lock_guard lock(mutex_);
    notice_ = "peers.db was unreadable; it was moved to " + aside.filename().string() +
              " and a new one begun";
    return true;
}

std::vector<Peer> PeerStore::State::load(TimePoint oldest) {
    const std::lock_guard lock(file_mutex_);
    load_late_ = oldest;
    return file_ ? read_peers() : std::vector<Peer>();
}

/// With the file at hand, its mutex held. What cannot be read now is read later.
std::vector<Peer> PeerStore::State::read_peers() {
    auto peers = file_->read(*load_late_, settings_.max_peers, counters.unreadable);
    if (!peers) return {};
    load_late_.reset();
    return std::move(*peers);
}

/// Opens the file where that failed before, and reads what it holds before anything is written.
/// With the file's mutex held.
bool PeerStore::State::reopen() {
    if (!file_) open();
    if (!file_) return false;
    if (!load_late_) return true;
    auto peers = read_peers();
    if (load_late_) {
        set_trouble("peers.db cannot be read now: " + file_->last_error());
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
    const auto known = waiting_.by_address.find(address);
    if (known != waiting_.by_address.end()) {
        apply(known->second);
    } else if (waiting_.by_address.size() < settings_.max_peers) {
        apply(waiting_.by_address[address]);
    } else {
        counters.dropped.add();
    }
    counters.waiting.set(waiting_.by_address.size());
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
            counters.written.add(batch_.by_address.size());
            set_trouble({});
        } else {
            counters.failures.add();
        }
        const std::lock_guard lock(mutex_);
        if (!written) take_back();
        batch_ = {};
        counters.waiting.set(waiting_.by_address.size());
    }
}

bool PeerStore::State::write(const PeerChanges& batch) {
    const std::lock_guard lock(file_mutex_);
    if (!reopen()) return false;
    if (batch.empty()) return true;
    const auto fault = file_->write(batch, settings_.max_peers);
    if (fault) set_trouble("peers.db cannot be written: " + *fault);
    return !fault;
}

/// What could not be written waits again, behind what has been learned since. With mutex_ held.
void PeerStore::State::take_back() {
    if (batch_.forget_before && !waiting_.forget_before)
        waiting_.forget_before = batch_.forget_before;
    for (auto& [address, change] : batch_.by_address) {
        if (!waiting_.by_address.contains(address) &&
            waiting_.by_address.size() >= settings_.max_peers) {
            counters.dropped.add();
            continue;
        }
        auto& waiting = waiting_.by_address[address];
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
            const auto found = waiting->by_address.find(address);
            if (found == waiting->by_address.end()) continue;
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
    while (history.size() > most_capabilities) history.erase(history.begin());
    return history;
}

PeerStore::PeerStore(Settings settings) : state_(std::make_unique<State>(std::move(settings))) {}
PeerStore::~PeerStore() = default;

std::vector<Peer> PeerStore::load(TimePoint oldest) { return state_->load(oldest); }
std::vector<Peer> PeerStore::take_late() { return state_->take_late(); }

void PeerStore::store(const Peer& peer) {
    state_->change(peer.address, [&](PeerChange& change) { change.peer = peer; });
}

void PeerStore::capability_changed(const IpAddress& address,
                                   TimePoint time,
                                   const Capability& after) {
    state_->change(address, [&](PeerChange& change) { change.add(time, after); });
}

Result<CapabilityHistory, std::string> PeerStore::history(const IpAddress& address) const {
    return state_->history(address);
}

void PeerStore::forget(const IpAddress& address) {
    state_->change(address, [](PeerChange& change) {
        change = {.forget = true, .peer = {}, .capabilities = {}};
    });
}

void PeerStore::forget_before(TimePoint time) { state_->forget_before(time); }

const PeerStore::Counters& PeerStore::counters() const noexcept { return state_->counters; }
std::string PeerStore::notice() const { return state_->notice(); }
std::string PeerStore::trouble() const { return state_->trouble(); }

std::string PeerStore::complaint() const {
    const auto was = notice();
    const auto is = trouble();
    return was.empty() || is.empty() ? was + is : was + "; " + is;
}

} // namespace ikefrag
