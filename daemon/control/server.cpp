// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/server.hpp"

#include "daemon/asio.hpp"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <exception>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace ikefrag {
namespace {

using Local = asio::local::stream_protocol;

/// One connection: read a line, answer, end.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(Local::socket socket,
            std::shared_ptr<const ControlServer::Answer> answer,
            std::function<void()> ended)
        : socket_(std::move(socket)), deadline_(socket_.get_executor()), answer_(std::move(answer)),
          ended_(std::move(ended)) {}
    ~Session() { ended_(); }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void start() {
        deadline_.expires_after(control_deadline);
        deadline_.async_wait([self = shared_from_this()](ErrorCode error) {
            if (!error) self->end();
        });
        asio::async_read_until(socket_,
                               asio::dynamic_buffer(request_, max_request_bytes),
                               '\n',
                               [self = shared_from_this()](ErrorCode error, std::size_t length) {
                                   self->on_request(error, length);
                               });
    }
    void end() {
        ErrorCode ignored;
        socket_.close(ignored);
        deadline_.cancel();
    }

private:
    void on_request(ErrorCode error, std::size_t length) {
        if (error == asio::error::not_found)
            return send(ControlError{.exit_code = ExitCode::usage,
                                     .error = "request is longer than 65536 bytes"});
        if (error) return end();
        send(answer_line(std::string_view(request_).substr(0, length - 1)));
    }

    ControlAnswer answer_line(std::string_view line) {
        auto request = parse_request(line);
        if (auto* wrong = std::get_if<ControlError>(&request)) return std::move(*wrong);
        const auto caller = peer();
        if (!caller)
            return ControlError{.exit_code = ExitCode::permission, .error = "who are you?"};
        try {
            return (*answer_)(std::get<ControlRequest>(request), *caller);
        } catch (const std::exception& failure) {
            // A command's failure is that client's answer, not the daemon's end.
            return ControlError{.exit_code = ExitCode::failure, .error = failure.what()};
        }
    }

    std::optional<Caller> peer() {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (getsockopt(socket_.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) != 0)
            return std::nullopt;
        return Caller{.user = credentials.uid, .process = credentials.pid};
    }

    void send(const ControlAnswer& answer) {
        reply_ = encode_answer(answer);
        asio::async_write(socket_,
                          asio::buffer(reply_),
                          [self = shared_from_this()](ErrorCode, std::size_t) { self->end(); });
    }

    Local::socket socket_;
    asio::steady_timer deadline_;
    std::shared_ptr<const ControlServer::Answer> answer_;
    std::function<void()> ended_;
    std::string request_;
    std::string reply_;
};

bool somebody_answers(asio::io_context& io, const std::filesystem::path& path) {
    Local::socket probe(io);
    ErrorCode error;
    probe.connect(Local::endpoint(path.string()), error);
    return !error;
}

void require(bool done, const std::filesystem::path& path, const char* step) {
    if (!done)
        throw std::system_error(
            errno, std::generic_category(), std::string(step) + " " + path.string());
}

} // namespace

class ControlServer::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context& io, std::filesystem::path path, Answer answer)
        : path_(std::move(path)), answer_(std::make_shared<const Answer>(std::move(answer))),
          acceptor_(io) {}

    void listen(asio::io_context& io, const std::string& group) {
        struct stat facts {};
        if (lstat(path_.c_str(), &facts) == 0 && S_ISSOCK(facts.st_mode)) {
            if (somebody_answers(io, path_)) {
                errno = EADDRINUSE;
                require(false, path_, "another ikefragd answers on");
            }
            require(unlink(path_.c_str()) == 0, path_, "replace control socket");
        }
        const Local::endpoint endpoint(path_.string());
        acceptor_.open(endpoint.protocol());
        // From its first moment nobody else may connect; the mode comes before listen().
        require(fchmod(acceptor_.native_handle(), 0660) == 0, path_, "set mode of");
        ErrorCode error;
        acceptor_.bind(endpoint, error);
        errno = error.value();
        require(!error, path_, "make control socket");
        if (const auto* entry = getgrnam(group.c_str()); entry != nullptr && geteuid() == 0)
            require(lchown(path_.c_str(), static_cast<uid_t>(-1), entry->gr_gid) == 0,
                    path_,
                    "set group of");
        require(chmod(path_.c_str(), 0660) == 0, path_, "set mode of");
        acceptor_.listen(static_cast<int>(max_control_clients));
        accept();
    }

    void stop() {
        ErrorCode ignored;
        acceptor_.close(ignored);
        for (const auto& session : std::exchange(sessions_, {}))
            if (const auto alive = session.lock()) alive->end();
        unlink(path_.c_str());
    }

private:
    void accept() {
        acceptor_.async_accept([self = shared_from_this()](ErrorCode error, Local::socket socket) {
            if (error == asio::error::operation_aborted) return;
            if (!error) self->open(std::move(socket));
            if (self->open_ < max_control_clients)
                self->accept();
            else
                self->waiting_ = true;
        });
    }

    void open(Local::socket socket) {
        ++open_;
        const auto session =
            std::make_shared<Session>(std::move(socket), answer_, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->closed();
            });
        std::erase_if(sessions_, [](const auto& old) { return old.expired(); });
        sessions_.push_back(session);
        session->start();
    }

    void closed() {
        --open_;
        if (acceptor_.is_open() && std::exchange(waiting_, false)) accept();
    }

    std::filesystem::path path_;
    std::shared_ptr<const Answer> answer_;
    Local::acceptor acceptor_;
    std::vector<std::weak_ptr<Session>> sessions_;
    std::size_t open_ = 0;
    bool waiting_ = false;
};

ControlServer::ControlServer(boost::asio::io_context& io,
                             std::filesystem::path path,
                             const std::string& group,
                             Answer answer)
    : state_(std::make_shared<State>(io, std::move(path), std::move(answer))) {
    state_->listen(io, group);
}

ControlServer::~ControlServer() { state_->stop(); }

} // namespace ikefrag
