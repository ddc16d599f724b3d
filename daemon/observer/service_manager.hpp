// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ikefrag {

/// Tells systemd (sd_notify); without systemd nothing happens.
void tell_service_manager(const std::string& state);
/// "RELOADING=1" with the time systemd wants beside it (Type=notify-reload).
void tell_reloading();

} // namespace ikefrag
