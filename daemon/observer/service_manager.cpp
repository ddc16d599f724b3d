// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/observer/service_manager.hpp"

#include <systemd/sd-daemon.h>

#include <ctime>

namespace ikefrag {

void tell_service_manager(const std::string& state) { (void)::sd_notify(0, state.c_str()); }

void tell_reloading() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds = now.tv_sec * 1'000'000 + now.tv_nsec / 1000;
    tell_service_manager("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

} // namespace ikefrag
