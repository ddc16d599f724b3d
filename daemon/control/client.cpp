// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/client.hpp"

#include <boost/json.hpp>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <system_error>

namespace ikefrag {
namespace {

/// A whole network's handshakes fit; a foreign listener cannot fill our memory.
constexpr std::size_t max_answer_bytes = 256u << 20;

struct Descriptor {
    int value = -1;
    ~Descriptor() {
        if (value >= 0) close(value);
    }
};

ControlError failed(ExitCode code, std::string words) {
    return {.exit_code = code, .error = std::move(words)};
}

ControlError why_not_connected(const std::filesystem::path& socket) {
    const int reason = errno;
    if (reason == EACCES || reason == EPERM)
        return failed(ExitCode::permission,
                      "no permission to open " + socket.string() +
                          ": be root or a member of group ikefragd");
    return failed(ExitCode::not_running,
                  "ikefragd is not running: " + socket.string() + ": " +
                      std::generic_category().message(reason));
}

bool send_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto sent = send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

} // namespace

ControlAnswer ask_daemon(const std::filesystem::path& socket, const ControlRequest& request) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    const auto path = socket.string();
    if (path.size() >= sizeof name.sun_path)
        return failed(ExitCode::usage, "socket path is too long: " + path);
    std::memcpy(name.sun_path, path.data(), path.size());
    const Descriptor connection{::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    const timeval patience{.tv_sec = control_deadline.count(), .tv_usec = 0};
    setsockopt(connection.value, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection.value, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(connection.value, reinterpret_cast<sockaddr*>(&name), sizeof name) != 0)
        return why_not_connected(socket);
    // A refusal may come before all is sent (too long a request): read on in any case.
    const bool sent = send_all(connection.value, encode_request(request));
    std::string answer;
    std::array<char, 65536> buffer{};
    while (answer.empty() || answer.back() != '\n') {
        const auto got = recv(connection.value, buffer.data(), buffer.size(), 0);
        if (got <= 0 || answer.size() > max_answer_bytes)
            return failed(ExitCode::failure,
                          sent ? "ikefragd did not answer in time"
                               : "ikefragd closed the connection");
        answer.append(buffer.data(), static_cast<std::size_t>(got));
    }
    return parse_answer(answer);
}

} // namespace ikefrag
