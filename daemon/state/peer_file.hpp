// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/state/database.hpp"
#include "daemon/state/peer_changes.hpp"
#include "plugin/counter.hpp"
#include "plugin/peer.hpp"
#include "plugin/result.hpp"
#include "plugin/time.hpp"

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ikefrag {

/// What an address could do, from when on.
using CapabilityHistory = std::map<TimePoint, Capability>;

/// The file `peers.db`: its schema (peer_file.cpp), and how a peer gets into and out of it.
///
/// Not thread-safe.
class PeerFile {
public:
    /// What stands in the place of the file.
    enum class Found { ours, older, empty, foreign, out_of_reach };

    /// Errors: SQLite's words for what went wrong.
    static Result<PeerFile, std::string> open(const std::filesystem::path& path);

    /// Whether it is a sound database of ours, a new one, something else, or cannot be told.
    [[nodiscard]] Found look();
    /// Brings what look() found to be of an older version of ours to this one.
    [[nodiscard]] bool upgrade();
    /// Makes the tables, where they are not there, and sets how the file is written.
    [[nodiscard]] bool prepare();

    /// Peers last seen at or after `oldest`, newest first, at most `max`; rows that are none of
    /// ours are counted. Out: empty if the file could not be read to its end
    [[nodiscard]] std::optional<std::vector<Peer>>
    read(TimePoint oldest, std::size_t max, Counter& unreadable);
    /// All of it or nothing; at most `max` peers stay. Out: why it was not written, if it was not
    [[nodiscard]] std::optional<std::string> write(const PeerChanges& changes, std::size_t max);

    [[nodiscard]] std::string last_error() const { return database_.last_error(); }

private:
    explicit PeerFile(Database database) : database_(std::move(database)) {}
    bool write_all(const PeerChanges& changes, std::size_t max);

    Database database_;
    std::size_t version_ = 0; ///< of what look() found
};

/// Adds what the file holds of an address, beside its writer. Out: why that cannot be read, if it
/// cannot
[[nodiscard]] std::optional<std::string> read_history(const std::filesystem::path& path,
                                                      const IpAddress& address,
                                                      CapabilityHistory& history);

} // namespace ikefrag
