// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/client.hpp"

#include <boost/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>

namespace ikefrag {
namespace {

constexpr std::size_t max_answer_bytes = std::size_t{256} << 20;

class Socket {
public:
    Socket() : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
    Socket(const Socket&) = delete;
    Socket& operator=(const Socket&) = delete;
    ~Socket() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    [[nodiscard]] int get() const noexcept { return descriptor_; }

private:
    int descriptor_;
};

Failure<ControlError> refuse(ControlFault fault, std::string message) {
    return fail(ControlError{fault, std::move(message), {}});
}

Failure<ControlError> hangs(const std::string& path, std::chrono::seconds patience) {
    return refuse(ControlFault::silent,
                  "the daemon listens on " + path + " but did not answer within " +
                      std::to_string(patience.count()) + " s");
}

Failure<ControlError>
cannot_connect(const std::string& path, int error, std::chrono::seconds patience) {
    // Its backlog is full.
    if (error == EAGAIN) return hangs(path, patience);
    const auto because = path + ": " + std::strerror(error);
    if (error == EACCES || error == EPERM)
        return refuse(ControlFault::permission,
                      "not allowed to ask ikefragd (" + because +
                          "): root may, and members of the group ikefragd");
    return refuse(ControlFault::not_running, "ikefragd does not answer (" + because + ")");
}

bool send_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto sent = ::send(descriptor, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR) continue;
        if (sent <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

/// Reads up to the end of the line, or of the stream, or too much: then empty. Out: nothing when it
/// took too long
std::optional<std::string> receive_line(int descriptor, std::chrono::seconds patience) {
    std::string line;
    char buffer[65536];
    const auto end = std::chrono::steady_clock::now() + patience;
    for (;;) {
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
            end - std::chrono::steady_clock::now());
        pollfd waiting{descriptor, POLLIN, 0};
        if (left.count() <= 0 || ::poll(&waiting, 1, static_cast<int>(left.count())) == 0)
            return std::nullopt;
        const auto got = ::recv(descriptor, buffer, sizeof buffer, 0);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return line;
        line.append(buffer, static_cast<std::size_t>(got));
        if (line.back() == '\n') return line;
        if (line.size() > max_answer_bytes) return std::string();
    }
}

std::string text_of(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    return value != nullptr && value->is_string() ? std::string(value->get_string())
                                                  : std::string();
}

std::size_t number_of(const boost::json::object& object, std::string_view key) {
    const auto* value = object.if_contains(key);
    boost::json::error_code error;
    return value == nullptr ? 0 : value->to_number<std::size_t>(error);
}

ControlError read_error(const boost::json::object& error) {
    ControlError out{ControlFault::failure, text_of(error, "message"), {}};
    const auto kind = text_of(error, "kind");
    for (const auto fault : {ControlFault::usage,
                             ControlFault::not_found,
                             ControlFault::config,
                             ControlFault::permission,
                             ControlFault::busy})
        if (to_string(fault) == kind) out.fault = fault;
    const auto* list = error.if_contains("diagnostics");
    if (list == nullptr || !list->is_array()) return out;
    for (const auto& item : list->get_array()) {
        if (!item.is_object()) continue;
        const auto& row = item.get_object();
        out.diagnostics.push_back({
            text_of(row, "file"),
            {number_of(row, "line"), number_of(row, "column")},
            text_of(row, "message"),
            text_of(row, "source_line")
        });
    }
    return out;
}

} // namespace

Result<boost::json::object, ControlError> ask_daemon(const std::string& path,
                                                     std::string_view command,
                                                     const boost::json::object& arguments,
                                                     std::chrono::seconds patience) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path)
        return refuse(ControlFault::usage, path + ": too long for a socket's path");
    std::memcpy(address.sun_path, path.data(), path.size());
    const Socket socket;
    if (socket.get() < 0) return refuse(ControlFault::failure, std::strerror(errno));
    // A daemon that hangs accepts nobody: with its backlog full, connecting would wait for ever.
    const timeval longest{.tv_sec = patience.count(), .tv_usec = 0};
    ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &longest, sizeof longest);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast): how sockets take addresses
    const auto* generic = reinterpret_cast<const sockaddr*>(&address);
    if (::connect(socket.get(), generic, sizeof address) != 0)
        return cannot_connect(path, errno, patience);
    auto request = arguments;
    request["command"] = command;
    const auto text = boost::json::serialize(request) + '\n';
    if (text.size() > max_request_bytes)
        return refuse(ControlFault::usage, "a request of more than 64 KiB");
    if (!send_all(socket.get(), text))
        return refuse(ControlFault::failure, "ikefragd closed the connection");
    const auto received = receive_line(socket.get(), patience);
    if (!received) return hangs(path, patience);
    const auto& line = *received;
    boost::json::error_code error;
    auto answer = boost::json::parse(line, error);
    if (line.empty() || error || !answer.is_object())
        return refuse(ControlFault::failure,
                      line.empty() ? "ikefragd gave no answer" : "ikefragd's answer is no JSON");
    auto& object = answer.get_object();
    if (const auto* wrong = object.if_contains("error"); wrong != nullptr && wrong->is_object())
        return fail(read_error(wrong->get_object()));
    auto* result = object.if_contains("result");
    if (result == nullptr || !result->is_object())
        return refuse(ControlFault::failure, "ikefragd's answer has no result");
    return std::move(result->get_object());
}

} // namespace ikefrag
