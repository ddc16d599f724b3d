// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ikefrag {

/// A descriptor that a thread can wait on (readable while raised) and any thread can raise.
class EventFlag {
public:
    EventFlag() : descriptor_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
        if (descriptor_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
    }
    ~EventFlag() { ::close(descriptor_); }
    EventFlag(const EventFlag&) = delete;
    EventFlag& operator=(const EventFlag&) = delete;
    [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
    void raise() const noexcept { ::eventfd_write(descriptor_, 1); }
    void lower() const noexcept {
        eventfd_t ignored = 0;
        ::eventfd_read(descriptor_, &ignored);
    }

private:
    int descriptor_;
};

} // namespace ikefrag
