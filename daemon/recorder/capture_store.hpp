// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/address.hpp"
#include "plugin/counter.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace ikefrag {

/// The folder of captures: made 0700, its files 0600, written through a temporary name and a
/// rename, no link followed. A thread of its own writes, so that a slow or full disk never delays
/// anything; at most 16 files wait, more are lost and counted.
class CaptureStore {
public:
    struct Limits {
        std::size_t files = 100; ///< the oldest go first
        std::uint32_t keep_days = 14;
    };
    /// Raised by the store's thread (lost: by the caller's), read by any.
    struct Counters {
        Counter written;
        Counter failures;
        Counter lost;
    };
    struct File {
        std::string name;
        std::uint64_t bytes = 0;
    };

    CaptureStore(std::string folder, Limits limits);
    /// Writes what waits and ends the thread.
    ~CaptureStore();
    CaptureStore(const CaptureStore&) = delete;
    CaptureStore& operator=(const CaptureStore&) = delete;

    void set_limits(Limits limits);
    void add(std::string name, std::string content);
    /// Removes what is too old or too many; by itself after each file.
    void tidy();

    /// Newest first. Empty where the folder cannot be read.
    [[nodiscard]] std::vector<File> list() const;
    /// Empty: there is no such capture, or it cannot be read.
    [[nodiscard]] std::optional<std::string> read(const std::string& name) const;
    /// Removes the captures that name this client, and the masked ones of its network: which of
    /// them are its own can no longer be told, and the hashes in them may tell its address
    /// (RFC 7296 §2.23). Out: how many there were
    std::size_t forget(const IpAddress& client);

    [[nodiscard]] const Counters& counters() const noexcept;
    [[nodiscard]] const std::string& folder() const noexcept;

private:
    class State;
    std::unique_ptr<State> state_;
};

/// What a capture's name tells; empty: it is none of ours.
struct CaptureName {
    std::string time; ///< "2026-11-23T08:00:00.000000Z"
    std::string client;
    std::string initiator_spi;
    std::string diagnosis;
};
[[nodiscard]] std::optional<CaptureName> parse_capture_name(const std::string& name);

} // namespace ikefrag
