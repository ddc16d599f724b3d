// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/peer.hpp"

namespace ikefrag {

std::string_view to_string(PeerRole role) noexcept {
    return role == PeerRole::client ? "client" : "server";
}

} // namespace ikefrag
