// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/counter.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace ikefrag {

/// One event as it is written: the line for a file, and the journal's native fields.
struct EventLine {
    std::string line;                ///< without the end of line
    std::vector<std::string> fields; ///< "NAME=value"
};

/// Writes events on a thread of its own, so that a slow or full disk, or a journal that hangs,
/// never delays anything. At most 4096 lines wait; more are lost and counted.
class LineWriter {
public:
    /// Raised by the writer's thread (lost: by the caller's), read by any.
    struct Counters {
        Counter written;
        Counter failures; ///< events the file, or the journal besides, did not take
        Counter lost;     ///< given up because too many were waiting
    };

    /// Takes an event's fields into the journal. Out: whether it did
    using Journal = std::function<bool(std::vector<std::string>& fields)>;
    /// The journal that systemd has put behind our stderr; empty where there is none.
    [[nodiscard]] static Journal journal_of_stderr();

    /// In: file: "stderr", or a path: made if missing, mode 0640, no link followed; opened again by
    /// reopen(). A file that cannot be opened is tried again with every line. journal: gets every
    /// event besides; "stderr" means it alone, as both would end there
    explicit LineWriter(std::string file, Journal journal = journal_of_stderr());
    /// Writes what waits and ends the thread.
    ~LineWriter();
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;

    void write(EventLine line);
    /// Opens the file anew (it was rotated), or another one.
    void reopen(std::string file);

    [[nodiscard]] const Counters& counters() const noexcept;

private:
    class State;
    std::unique_ptr<State> state_;
};

} // namespace ikefrag
