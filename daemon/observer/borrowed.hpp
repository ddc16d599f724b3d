// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/asio.hpp"

#include <utility>

namespace ikefrag {

/// A descriptor somebody else owns, waited for by Asio. Its end cancels the waiting and leaves the
/// descriptor open.
class Borrowed {
public:
    Borrowed(asio::io_context& io, int descriptor) : stream_(io, descriptor) {}
    ~Borrowed() {
        if (stream_.is_open()) stream_.release();
    }
    Borrowed(const Borrowed&) = delete;
    Borrowed& operator=(const Borrowed&) = delete;

    /// Calls `ready(ErrorCode)` once, when the descriptor can be read.
    template <class Ready>
    void wait(Ready ready) {
        stream_.async_wait(asio::posix::stream_descriptor::wait_read, std::move(ready));
    }

private:
    asio::posix::stream_descriptor stream_;
};

} // namespace ikefrag
