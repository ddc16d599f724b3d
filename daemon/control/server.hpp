// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/control/request.hpp"

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
} // namespace boost::asio

namespace ikefrag {

/// Who asks, by the kernel's word (SO_PEERCRED).
struct Caller {
    uid_t user = 0;
    pid_t process = 0;
};

/// Listens on the control socket and answers through one function, on the io_context's thread.
///
/// Bounds: max_control_clients at once (more wait in the kernel's backlog), one request each of at
/// most max_request_bytes, control_seconds for all of it. A slow or silent client costs its place,
/// nobody's time.
class ControlServer {
public:
    using Answer = std::function<ControlResult(const ControlRequest&, const Caller&)>;

    /// Makes the socket, 0660, of `group` where there is such a group; where its directory is
    /// missing that, too, 0750 of the same group. Neither depends on the mask. A socket left by a
    /// dead daemon is replaced, one that a living daemon answers on is not.
    /// Errors: std::system_error naming the path.
    ControlServer(boost::asio::io_context& io,
                  std::string path,
                  const std::string& group,
                  Answer answer);
    /// Ends every connection and removes the socket.
    ~ControlServer();
    ControlServer(const ControlServer&) = delete;
    ControlServer& operator=(const ControlServer&) = delete;

private:
    class State;
    std::shared_ptr<State> state_;
};

} // namespace ikefrag
