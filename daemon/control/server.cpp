// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/server.hpp"

#include "daemon/asio.hpp"
#include "daemon/log.hpp"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <exception>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

namespace ikefrag {
namespace {

using Local = asio::local::stream_protocol;
constexpr std::chrono::milliseconds accept_again_after{100};

Failure<ControlError> refuse(ControlFault fault, std::string message) {
    return fail(ControlError{fault, std::move(message), {}});
}

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
        deadline_.expires_after(std::chrono::seconds(control_seconds));
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
            return send(refuse(ControlFault::usage, "the request is longer than 64 KiB"));
        if (error) return end();
        send(answer_line(std::string_view(request_).substr(0, length - 1)));
    }

    ControlResult answer_line(std::string_view line) {
        auto request = parse_request(line);
        if (!request) return fail(std::move(request).error());
        const auto caller = peer();
        if (!caller) return refuse(ControlFault::permission, "the kernel does not say who asks");
        try {
            return (*answer_)(*request, *caller);
        } catch (const std::exception& error) {
            // A command's failure is that client's answer, not the daemon's end.
            log_error("control command " + request->command + ": " + error.what());
            return refuse(ControlFault::failure, error.what());
        }
    }

    std::optional<Caller> peer() {
        ucred credentials{};
        socklen_t size = sizeof credentials;
        if (::getsockopt(socket_.native_handle(), SOL_SOCKET, SO_PEERCRED, &credentials, &size) !=
            0)
            return std::nullopt;
        return Caller{credentials.uid, credentials.pid};
    }

    void send(const ControlResult& result) {
        reply_ = encode_result(result);
        // The answer's own time begins now: making it may have waited for others.
        deadline_.expires_after(std::chrono::seconds(control_seconds));
        deadline_.async_wait([self = shared_from_this()](ErrorCode error) {
            if (!error) self->end();
        });
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

bool somebody_answers(asio::io_context& io, const std::string& path) {
    Local::socket probe(io);
    ErrorCode error;
    probe.connect(Local::endpoint(path), error);
    return !error;
}

void require(bool done, const std::string& path, const char* step) {
    if (!done)
        throw std::system_error(errno, std::generic_category(), std::string(step) + ' ' + path);
}

/// What is made meanwhile has the mode its maker wants, whatever mask we were started with, and has
/// it from the first moment on.
class Mask {
public:
    explicit Mask(mode_t taken_away) : before_(::umask(taken_away)) {}
    ~Mask() { ::umask(before_); }
    Mask(const Mask&) = delete;
    Mask& operator=(const Mask&) = delete;

private:
    mode_t before_;
};

/// Gives what we have just made to a group, where there is one of that name. Whoever is not root
/// must be a member; else it stays our own group's, and that is told.
void give(const std::string& path, const std::string& group) {
    const auto* entry = ::getgrnam(group.c_str());
    if (entry == nullptr) return;
    struct stat status {};
    require(::lstat(path.c_str(), &status) == 0, path, "look at");
    // Nothing to do is the usual case where changing it is forbidden (the unit's filter of calls).
    if (status.st_gid == entry->gr_gid ||
        ::lchown(path.c_str(), static_cast<uid_t>(-1), entry->gr_gid) == 0)
        return;
    require(::geteuid() != 0, path, "set the group of");
    log_warning(path + " cannot be given to the group " + group + ": its members may not read it");
}

} // namespace

class ControlServer::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context& io, std::string path, Answer answer)
        : path_(std::move(path)), answer_(std::make_shared<const Answer>(std::move(answer))),
          acceptor_(io), pause_(io) {}

    void listen(asio::io_context& io, const std::string& group) {
        take_place(io, group);
        const Local::endpoint endpoint(path_);
        acceptor_.open(endpoint.protocol());
        ErrorCode error;
        {
            const Mask mask(0117);
            acceptor_.bind(endpoint, error);
        }
        errno = error.value();
        require(!error, path_, "make control socket");
        give(path_, group);
        acceptor_.listen(static_cast<int>(max_control_clients));
        accept();
    }

    void stop() {
        ErrorCode ignored;
        acceptor_.close(ignored);
        pause_.cancel();
        for (const auto& session : std::exchange(sessions_, {}))
            if (const auto alive = session.lock()) alive->end();
        ::unlink(path_.c_str());
    }

private:
    static void make_directory(const std::string& path, const std::string& group) {
        const Mask mask(0027);
        if (::mkdir(path.c_str(), 0777) == 0) return give(path, group);
        require(errno == EEXIST, path, "make directory");
    }

    void take_place(asio::io_context& io, const std::string& group) {
        const auto directory = path_.substr(0, path_.rfind('/'));
        if (!directory.empty()) make_directory(directory, group);
        struct stat status {};
        if (::lstat(path_.c_str(), &status) != 0 || !S_ISSOCK(status.st_mode)) return;
        if (somebody_answers(io, path_)) {
            errno = EADDRINUSE;
            require(false, path_, "another ikefragd answers on");
        }
        require(::unlink(path_.c_str()) == 0, path_, "replace control socket");
    }

    void accept() {
        acceptor_.async_accept([self = shared_from_this()](ErrorCode error, Local::socket socket) {
            if (error == asio::error::operation_aborted) return;
            if (error) return self->accept_later();
            self->open(std::move(socket));
            if (self->open_ < max_control_clients)
                self->accept();
            else
                self->waiting_ = true;
        });
    }

    /// No descriptors left, perhaps: asking again at once would only burn the processor.
    void accept_later() {
        pause_.expires_after(accept_again_after);
        pause_.async_wait([self = shared_from_this()](ErrorCode stopped) {
            if (!stopped && self->acceptor_.is_open()) self->accept();
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

    std::string path_;
    std::shared_ptr<const Answer> answer_;
    Local::acceptor acceptor_;
    asio::steady_timer pause_;
    std::vector<std::weak_ptr<Session>> sessions_;
    std::size_t open_ = 0;
    bool waiting_ = false;
};

ControlServer::ControlServer(asio::io_context& io,
                             std::string path,
                             const std::string& group,
                             Answer answer)
    : state_(std::make_shared<State>(io, std::move(path), std::move(answer))) {
    state_->listen(io, group);
}

ControlServer::~ControlServer() { state_->stop(); }

} // namespace ikefrag
