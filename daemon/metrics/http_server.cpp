// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_server.hpp"

#include "daemon/asio.hpp"
#include "daemon/log.hpp"

#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>

#include <algorithm>
#include <chrono>
#include <exception>
#include <optional>

namespace ikefrag {
namespace {

namespace http = boost::beast::http;
using Tcp = asio::ip::tcp;

constexpr std::size_t max_connections = 8;
constexpr auto connection_seconds = std::chrono::seconds(5);
constexpr std::chrono::milliseconds accept_again_after{100};
constexpr auto bind_again_after = std::chrono::seconds(10);
constexpr std::uint32_t max_header_bytes = 8192;
constexpr std::size_t max_target_bytes = 1024;

using Answer = HttpServer::Answer;
using Response = http::response<http::string_body>;

Response make_response(unsigned status, std::string body) {
    Response response(static_cast<http::status>(status), 11);
    response.set(http::field::server, "ikefragd");
    response.set(http::field::content_type, "text/plain; charset=utf-8");
    response.set(http::field::cache_control, "no-store");
    response.set("X-Content-Type-Options", "nosniff");
    response.body() = std::move(body);
    return response;
}

Response answer_request(const http::request<http::empty_body>& request, const Answer& answer) {
    if (request.method() != http::verb::get) {
        auto response = make_response(405, "only GET\n");
        response.set(http::field::allow, "GET");
        return response;
    }
    const std::string_view target(request.target().data(), request.target().size());
    if (target.size() > max_target_bytes) return make_response(414, "too long a path\n");
    try {
        const auto page = answer(target.substr(0, target.find('?')));
        if (!page) return make_response(404, "no such page: try /metrics\n");
        auto response = make_response(page->status, std::move(page->body));
        response.set(http::field::content_type, page->content_type);
        return response;
    } catch (const std::exception& error) {
        log_error(std::string("a page could not be made: ") + error.what());
        return make_response(500, "it went wrong; the daemon's log says how\n");
    }
}

/// One connection: reads a request, answers, ends.
class Connection : public std::enable_shared_from_this<Connection> {
public:
    Connection(Tcp::socket socket,
               std::shared_ptr<const Answer> answer,
               std::function<void()> ended)
        : socket_(std::move(socket)), deadline_(socket_.get_executor()), answer_(std::move(answer)),
          ended_(std::move(ended)) {
        parser_.header_limit(max_header_bytes);
        parser_.body_limit(0);
    }
    ~Connection() { ended_(); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    void start() {
        deadline_.expires_after(connection_seconds);
        deadline_.async_wait([self = shared_from_this()](ErrorCode error) {
            if (!error) self->end();
        });
        http::async_read_header(
            socket_, buffer_, parser_, [self = shared_from_this()](ErrorCode error, std::size_t) {
                self->on_header(error);
            });
    }
    void end() {
        ErrorCode ignored;
        socket_.close(ignored);
        deadline_.cancel();
    }

private:
    void on_header(ErrorCode error) {
        if (error == http::error::header_limit) return send(make_response(431, "too long\n"));
        if (error && error.category() == make_error_code(http::error::bad_target).category())
            return send(make_response(400, "not HTTP\n"));
        if (error) return end();
        send(answer_request(parser_.get(), *answer_));
    }

    void send(Response response) {
        response_ = std::move(response);
        response_.keep_alive(false);
        response_.prepare_payload();
        // An answer to HEAD never has a body, not even the one that says no.
        serializer_.emplace(response_);
        const auto sent = [self = shared_from_this()](ErrorCode, std::size_t) { self->finish(); };
        if (parser_.get().method() == http::verb::head)
            http::async_write_header(socket_, *serializer_, sent);
        else
            http::async_write(socket_, *serializer_, sent);
    }

    void finish() {
        ErrorCode ignored;
        socket_.shutdown(Tcp::socket::shutdown_send, ignored);
        end();
    }

    Tcp::socket socket_;
    asio::steady_timer deadline_;
    std::shared_ptr<const Answer> answer_;
    std::function<void()> ended_;
    boost::beast::flat_buffer buffer_{max_header_bytes};
    http::request_parser<http::empty_body> parser_;
    Response response_;
    std::optional<http::response_serializer<http::string_body>> serializer_;
};

Tcp::endpoint tcp_endpoint(const Endpoint& endpoint) {
    const auto bytes = endpoint.address.view();
    if (endpoint.address.family == Family::ipv4) {
        asio::ip::address_v4::bytes_type four{};
        std::copy(bytes.begin(), bytes.end(), four.begin());
        return {asio::ip::address_v4(four), endpoint.port};
    }
    asio::ip::address_v6::bytes_type sixteen{};
    std::copy(bytes.begin(), bytes.end(), sixteen.begin());
    return {asio::ip::address_v6(sixteen), endpoint.port};
}

} // namespace

class HttpServer::State : public std::enable_shared_from_this<State> {
public:
    State(asio::io_context& io, const std::vector<Endpoint>& endpoints, Answer answer)
        : answer_(std::make_shared<const Answer>(std::move(answer))) {
        for (const auto& endpoint : endpoints)
            listeners_.push_back(std::make_unique<Listener>(io, tcp_endpoint(endpoint)));
    }

    void start() {
        for (const auto& listener : listeners_) listen(*listener);
    }

    void stop() {
        stopped_ = true;
        ErrorCode ignored;
        for (const auto& listener : listeners_) {
            listener->acceptor.close(ignored);
            listener->again.cancel();
        }
        for (const auto& connection : connections_)
            if (const auto alive = connection.lock()) alive->end();
    }

    [[nodiscard]] std::vector<std::uint16_t> ports() const {
        std::vector<std::uint16_t> ports;
        ErrorCode error;
        for (const auto& listener : listeners_) {
            const auto endpoint = listener->acceptor.local_endpoint(error);
            ports.push_back(error ? std::uint16_t{0} : endpoint.port());
        }
        return ports;
    }

private:
    struct Listener {
        Listener(asio::io_context& io, Tcp::endpoint where)
            : endpoint(std::move(where)), acceptor(io), again(io) {}
        Tcp::endpoint endpoint;
        Tcp::acceptor acceptor;
        asio::steady_timer again;
        bool accepting = false;
        bool told = false;
    };

    static ErrorCode bind(Listener& listener) {
        ErrorCode error;
        auto& acceptor = listener.acceptor;
        acceptor.open(listener.endpoint.protocol(), error);
        if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
        if (!error && listener.endpoint.address().is_v6())
            acceptor.set_option(asio::ip::v6_only(true), error);
        if (!error) acceptor.bind(listener.endpoint, error);
        if (!error) acceptor.listen(static_cast<int>(max_connections), error);
        if (!error) acceptor.non_blocking(true, error);
        return error;
    }

    void listen(Listener& listener) {
        if (const auto error = bind(listener)) {
            ErrorCode ignored;
            listener.acceptor.close(ignored);
            const auto where = listener.endpoint.address().to_string() + " port " +
                               std::to_string(listener.endpoint.port());
            if (!listener.told)
                log_warning("metrics cannot be served on " + where + " (" + error.message() +
                            "): trying again");
            listener.told = true;
            listener.again.expires_after(bind_again_after);
            listener.again.async_wait([self = shared_from_this(), &listener](ErrorCode stopped) {
                if (!stopped) self->listen(listener);
            });
            return;
        }
        accept(listener);
    }

    void accept(Listener& listener) {
        if (listener.accepting || open_ >= max_connections || stopped_) return;
        listener.accepting = true;
        listener.acceptor.async_wait(
            Tcp::acceptor::wait_read, [self = shared_from_this(), &listener](ErrorCode error) {
                listener.accepting = false;
                if (error == asio::error::operation_aborted || self->stopped_) return;
                self->take(listener, error);
            });
    }

    /// Another listener may have taken the last place since: then who knocks waits.
    void take(Listener& listener, ErrorCode error) {
        if (open_ >= max_connections) return;
        Tcp::socket socket(listener.acceptor.get_executor());
        if (!error) listener.acceptor.accept(socket, error);
        if (error && error != asio::error::would_block) return accept_later(listener);
        if (!error) open(std::move(socket));
        accept(listener);
    }

    /// No descriptors left, perhaps: asking again at once would only burn the processor.
    void accept_later(Listener& listener) {
        listener.again.expires_after(accept_again_after);
        listener.again.async_wait([self = shared_from_this(), &listener](ErrorCode stopped) {
            if (!stopped) self->accept(listener);
        });
    }

    void open(Tcp::socket socket) {
        ++open_;
        const auto connection =
            std::make_shared<Connection>(std::move(socket), answer_, [weak = weak_from_this()] {
                if (const auto self = weak.lock()) self->closed();
            });
        std::erase_if(connections_, [](const auto& old) { return old.expired(); });
        connections_.push_back(connection);
        connection->start();
    }

    void closed() {
        --open_;
        for (const auto& listener : listeners_)
            if (listener->acceptor.is_open()) accept(*listener);
    }

    std::shared_ptr<const Answer> answer_;
    std::vector<std::unique_ptr<Listener>> listeners_;
    std::vector<std::weak_ptr<Connection>> connections_;
    std::size_t open_ = 0;
    bool stopped_ = false;
};

HttpServer::HttpServer(asio::io_context& io, const std::vector<Endpoint>& endpoints, Answer answer)
    : state_(std::make_shared<State>(io, endpoints, std::move(answer))) {
    state_->start();
}

HttpServer::~HttpServer() { state_->stop(); }

std::vector<std::uint16_t> HttpServer::ports() const { return state_->ports(); }

} // namespace ikefrag
