// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/state/peer_file.hpp"
#include "plugin/address.hpp"
#include "plugin/counter.hpp"
#include "plugin/peer.hpp"
#include "plugin/result.hpp"
#include "plugin/time.hpp"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace ikefrag {

/// What was learned of peers, kept over restarts in `peers.db` (SQLite, WAL; schema:
/// peer_file.cpp).
///
/// The observation thread hands over what changed; a thread of the store writes it in batches, so
/// that a slow or full disk never delays anything. What cannot be written waits, newest state per
/// address, at most `max_peers` of it, and is tried again.
class PeerStore {
public:
    struct Settings {
        std::filesystem::path path;
        std::size_t max_peers = 100'000;
        Duration batch_every = std::chrono::seconds(1);
    };
    /// Raised by the store's thread, read by any.
    struct Counters {
        Counter written;    ///< rows
        Counter failures;   ///< batches that could not be written
        Counter dropped;    ///< changes given up because too many were waiting
        Counter waiting;    ///< gauge
        Counter unreadable; ///< rows of the file that were no peers of ours
    };

    /// Opens or makes the file. A file that is no database of ours is moved aside
    /// (`peers.db.unreadable`) and a new one made; one that cannot be read for the disk's sake
    /// (full, faulty, locked) stays as it is. Never throws for the file's sake: where nothing can
    /// be kept, the store counts failures and goes on trying.
    explicit PeerStore(Settings settings);
    /// Writes what waits, once, and ends the thread.
    ~PeerStore();
    PeerStore(const PeerStore&) = delete;
    PeerStore& operator=(const PeerStore&) = delete;

    /// Peers last seen at or after `oldest`, read at start; newest first, at most max_peers.
    /// Where the file cannot be read then, they come by take_late().
    [[nodiscard]] std::vector<Peer> load(TimePoint oldest);
    /// What load() should have given, once the file could be read; empty otherwise.
    [[nodiscard]] std::vector<Peer> take_late();

    void store(const Peer& peer);
    void capability_changed(const IpAddress& address, TimePoint time, const Capability& after);
    /// The newest eight changes seen of an address, those that wait to be written included. Reads
    /// the file, so it is for an admin's question; waits neither for the store's thread nor for
    /// what that writes. Errors: why the file cannot be read.
    [[nodiscard]] Result<CapabilityHistory, std::string> history(const IpAddress& address) const;
    void forget(const IpAddress& address);
    void forget_before(TimePoint time);

    [[nodiscard]] const Counters& counters() const noexcept;
    /// That a file was moved aside at the start of this run; empty: none was.
    [[nodiscard]] std::string notice() const;
    /// Why nothing can be stored now; empty: it can.
    [[nodiscard]] std::string trouble() const;
    /// Both: what an admin should know of the file's state; empty when all is well.
    [[nodiscard]] std::string complaint() const;

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace ikefrag
