// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_server.hpp"

#include "daemon/asio.hpp"
#include "daemon/metrics/kept_text.hpp"

#include <catch2/catch.hpp>
#include <poll.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

using Tcp = asio::ip::tcp;

/// More than the kernel keeps of a connection nobody reads.
constexpr std::size_t large = 16'000'000;

/// A server on a thread of its own, on a port the kernel chose.
class Served {
public:
    explicit Served(Family family = Family::ipv4, std::size_t listeners = 1) : family_(family) {
        Endpoint endpoint{*parse_address(family == Family::ipv4 ? "127.0.0.1" : "::1"), 0};
        server_ = std::make_unique<HttpServer>(
            io_, std::vector(listeners, endpoint), [](std::string_view p) { return answer(p); });
        ports_ = server_->ports();
        thread_ = std::thread([this] { io_.run(); });
    }
    ~Served() {
        asio::post(io_, [this] { server_.reset(); });
        thread_.join();
    }
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;

    [[nodiscard]] Tcp::socket connect(std::size_t listener = 0) {
        const auto host = family_ == Family::ipv4 ? "127.0.0.1" : "::1";
        const Tcp::endpoint where(asio::ip::make_address(host), ports_.at(listener));
        Tcp::socket socket(client_, where.protocol());
        // Little room, so that a large page does not fit between the two.
        socket.set_option(asio::socket_base::receive_buffer_size(16'384));
        socket.connect(where);
        return socket;
    }
    /// One that asks for the large page, and does not read it.
    [[nodiscard]] Tcp::socket ask_unread(std::size_t listener = 0) {
        auto socket = connect(listener);
        asio::write(socket, asio::buffer(std::string_view("GET /large HTTP/1.1\r\n\r\n")));
        return socket;
    }
    /// Everything the server sends before it closes.
    std::string ask(const std::string& request) {
        auto socket = connect();
        ErrorCode error;
        asio::write(socket, asio::buffer(request), error);
        std::string answer;
        asio::read(socket, asio::dynamic_buffer(answer), error);
        return answer;
    }

private:
    static std::unique_ptr<HttpPage> answer(std::string_view path) {
        if (path == "/metrics") return std::make_unique<HttpPage>(HttpPage{.body = "m 1\n"});
        if (path == "/large")
            return std::make_unique<HttpPage>(HttpPage{.body = std::string(large, 'm')});
        if (path == "/fail") throw std::runtime_error("it went wrong");
        return nullptr;
    }

    asio::io_context io_;
    asio::io_context client_;
    Family family_;
    std::unique_ptr<HttpServer> server_;
    std::vector<std::uint16_t> ports_;
    std::thread thread_;
};

std::string status_of(const std::string& answer) { return answer.substr(0, answer.find("\r\n")); }

} // namespace

TEST_CASE("http: each request gets what it deserves", "[http]") {
    struct Case {
        std::string name;
        std::string request;
        std::string status;
    };
    const std::string long_path(2000, 'a');
    const std::string long_header(9000, 'a');
    const Case cases[] = {
        {"a page",            "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "HTTP/1.1 200 OK"                   },
        {"with a query",      "GET /metrics?x=1 HTTP/1.1\r\n\r\n",        "HTTP/1.1 200 OK"                   },
        {"no such page",      "GET / HTTP/1.1\r\n\r\n",                   "HTTP/1.1 404 Not Found"            },
        {"another method",    "POST /metrics HTTP/1.1\r\n\r\n",           "HTTP/1.1 405 Method Not Allowed"   },
        {"HEAD",              "HEAD /metrics HTTP/1.1\r\n\r\n",           "HTTP/1.1 405 Method Not Allowed"   },
        {"a path too long",   "GET /" + long_path + " HTTP/1.1\r\n\r\n",  "HTTP/1.1 414 URI Too Long"         },
        {"headers too long",
         "GET / HTTP/1.1\r\nX: " + long_header + "\r\n\r\n",
         "HTTP/1.1 431 Request Header Fields Too Large"                                                       },
        {"a page that fails", "GET /fail HTTP/1.1\r\n\r\n",               "HTTP/1.1 500 Internal Server Error"},
        {"not HTTP",          "hello\r\n\r\n",                            "HTTP/1.1 400 Bad Request"          },
    };
    Served served;
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            CHECK(status_of(served.ask(c.request)) == c.status);
        }
}

TEST_CASE("http: GET has a body, the refusal of HEAD none", "[http]") {
    Served served;
    const auto got = served.ask("GET /metrics HTTP/1.1\r\n\r\n");
    CHECK(got.ends_with("\r\n\r\nm 1\n"));
    CHECK(got.find("Content-Length: 4\r\n") != std::string::npos);
    CHECK(served.ask("HEAD /metrics HTTP/1.1\r\n\r\n").ends_with("\r\n\r\n"));
}

TEST_CASE("http: served over IPv6, too", "[http]") {
    Served served(Family::ipv6);
    CHECK(status_of(served.ask("GET /metrics HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("http: a methods' refusal names what is allowed", "[http]") {
    Served served;
    CHECK(served.ask("DELETE /metrics HTTP/1.1\r\n\r\n").find("Allow: GET\r\n") !=
          std::string::npos);
}

TEST_CASE("http: silent clients hold nobody up", "[http]") {
    Served served;
    std::vector<Tcp::socket> silent;
    for (int i = 0; i < 7; ++i) silent.push_back(served.connect());
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        CHECK(status_of(served.ask("GET /metrics HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
        CHECK(std::chrono::steady_clock::now() - start < 1s);
    }
}

TEST_CASE("http: with every place taken, the deadline makes room", "[http]") {
    Served served;
    const auto start = std::chrono::steady_clock::now();
    std::vector<Tcp::socket> unread;
    for (int i = 0; i < 7; ++i) {
        unread.push_back(served.ask_unread());
        unread.back().wait(Tcp::socket::wait_read);
    }
    auto silent = served.connect();
    CHECK(status_of(served.ask("GET /metrics HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took > 4s);
    CHECK(took < 7s);
    // The silent one came last: when its time is over, so is that of those who do not read.
    ErrorCode error;
    std::string got;
    asio::read(silent, asio::dynamic_buffer(got), error);
    CHECK(got.empty());
    for (auto& socket : unread) {
        std::string rest;
        asio::read(socket, asio::dynamic_buffer(rest), error);
        CHECK(rest.size() < large);
    }
}

TEST_CASE("http: two listeners share the eight places", "[http]") {
    Served served(Family::ipv4, 2);
    std::vector<Tcp::socket> unread;
    for (std::size_t i = 0; i < 20; ++i) unread.push_back(served.ask_unread(i % 2));
    const auto taken = [&] {
        std::vector<pollfd> polled;
        for (auto& socket : unread) polled.push_back({socket.native_handle(), POLLIN, 0});
        return ::poll(polled.data(), polled.size(), 0);
    };
    for (int i = 0; i < 400 && taken() < 8; ++i) std::this_thread::sleep_for(10ms);
    std::this_thread::sleep_for(300ms);
    CHECK(taken() == 8);
}

TEST_CASE("metrics text: made anew when a fifth of the time allows it", "[http]") {
    Duration now = 100s;
    Duration costs = 2ms;
    int made = 0;
    KeptText text(
        [&] {
            now += costs;
            return std::to_string(++made);
        },
        [&] { return now; });
    CHECK(text.get() == "1");
    now += 7ms;
    CHECK(text.get() == "1");
    now += 1ms;
    costs = 10s;
    CHECK(text.get() == "2");
    now += 99ms;
    CHECK(text.get() == "2");
    now += 1ms;
    CHECK(text.get() == "3");
}
