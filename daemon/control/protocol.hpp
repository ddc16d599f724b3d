// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/diagnostics.hpp"

#include <cstdint>
#include <string>
#include <string_view>

/// What is spoken on the control socket (a Unix stream socket, 0660, group ikefragd).
///
/// A client sends one JSON object on one line and gets one on one line; then the daemon closes.
///
///     → {"command": "peers", "missing_fragmentation": true}
///     ← {"ok": true, "result": {"format": 1, "peers": [ … ], "more": 0}}
///     ← {"ok": false, "error": {"kind": "usage", "message": "…", "diagnostics": [ … ]}}
///
/// | command     | arguments, all optional unless marked *          | result                      |
/// | ----------- | ------------------------------------------------ | --------------------------- |
/// | version     |                                                  | version, revision, compiler |
/// | status      |                                                  | the daemon at one glance    |
/// | handshakes  | address, server, outcome, limit                  | handshakes, more            |
/// | peers       | address, role, missing_fragmentation, limit      | peers, more                 |
/// | history     | address*                                         | address, history            |
/// | diagnoses   | address, server, kind, open, limit               | diagnoses, more             |
/// | explain     | target* (address or SPI), form: text·json,       | text, or attempts           |
/// |             | colour, mask                                     |                             |
/// | report      | server, since_seconds, mask                      | html                        |
/// | metrics     |                                                  | text (Prometheus format)    |
/// | facts       |                                                  | what the doctor asks about  |
/// | reload      |                                  (uid 0)         | hash, rules, servers, notes |
/// | mode        | mode*                            (uid 0)         | mode, before                |
/// | forget      | address*                         (uid 0)         | forgotten                   |
/// | capture     | action: list·get·take·on·off,    (uid 0)         | captures, or name and       |
/// |             | name, target (address or SPI)                    | content (hex digits)        |
///
/// Lists come newest first, `limit` (default 1000, at most 100 000) of them; `more` says how many
/// there are besides. An unknown command or argument, and an argument of a wrong type, is an error
/// of kind `usage`. A request is at most 64 KiB, 16 clients are served at once, each for 5 s.
namespace ikefrag {

inline constexpr std::string_view default_control_socket = "/run/ikefragd/control.sock";
inline constexpr std::size_t max_request_bytes = 65536;
inline constexpr std::size_t max_control_clients = 16;
inline constexpr int control_seconds = 5;

/// Why there is no result; ikefragctl's exit codes follow from it.
enum class ControlFault : std::uint8_t {
    usage,       ///< the request is wrong
    not_found,   ///< nothing is known of what was asked for
    config,      ///< the configuration on disk is wrong: `diagnostics` tells; nothing has changed
    permission,  ///< uid 0 only
    failure,     ///< it did not work: `message` tells
    busy,        ///< too many clients
    not_running, ///< made by the client: nobody is there
    silent,      ///< made by the client: somebody listens and does not answer in time
};
[[nodiscard]] std::string_view to_string(ControlFault fault) noexcept;
/// DESIGN §6: 1 failure, 2 usage, 3 not running or silent, 4 configuration, 5 permission.
[[nodiscard]] int exit_code(ControlFault fault) noexcept;

struct ControlError {
    ControlFault fault = ControlFault::failure;
    std::string message;
    Diagnostics diagnostics{};
};

} // namespace ikefrag
