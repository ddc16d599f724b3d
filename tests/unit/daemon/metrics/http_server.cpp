// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/http_server.hpp"

#include "daemon/asio.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

using Tcp = asio::ip::tcp;

/// A server on a thread of its own, on a port the kernel chose.
class Served {
public:
    explicit Served(Family family = Family::ipv4) : family_(family) {
        Endpoint endpoint{*parse_address(family == Family::ipv4 ? "127.0.0.1" : "::1"), 0};
        server_ = std::make_unique<HttpServer>(
            io_, std::vector{endpoint}, [](std::string_view p) { return answer(p); });
        port_ = server_->ports().at(0);
        thread_ = std::thread([this] { io_.run(); });
    }
    ~Served() {
        asio::post(io_, [this] { server_.reset(); });
        thread_.join();
    }
    Served(const Served&) = delete;
    Served& operator=(const Served&) = delete;

    [[nodiscard]] Tcp::socket connect() {
        Tcp::socket socket(client_);
        const auto host = family_ == Family::ipv4 ? "127.0.0.1" : "::1";
        socket.connect({asio::ip::make_address(host), port_});
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
        if (path == "/fail") throw std::runtime_error("it went wrong");
        return nullptr;
    }

    asio::io_context io_;
    asio::io_context client_;
    Family family_;
    std::unique_ptr<HttpServer> server_;
    std::uint16_t port_ = 0;
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

TEST_CASE("http: GET has a body, HEAD the same headers without", "[http]") {
    Served served;
    const auto got = served.ask("GET /metrics HTTP/1.1\r\n\r\n");
    const auto head = served.ask("HEAD /metrics HTTP/1.1\r\n\r\n");
    CHECK(got.ends_with("\r\n\r\nm 1\n"));
    CHECK(head == got.substr(0, got.size() - 4));
    CHECK(head.find("Content-Length: 4\r\n") != std::string::npos);
}

TEST_CASE("http: served over IPv6, too", "[http]") {
    Served served(Family::ipv6);
    CHECK(status_of(served.ask("GET /metrics HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
}

TEST_CASE("http: a methods' refusal names what is allowed", "[http]") {
    Served served;
    CHECK(served.ask("DELETE /metrics HTTP/1.1\r\n\r\n").find("Allow: GET, HEAD\r\n") !=
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
    std::vector<Tcp::socket> silent;
    for (int i = 0; i < 8; ++i) silent.push_back(served.connect());
    const auto start = std::chrono::steady_clock::now();
    CHECK(status_of(served.ask("GET /metrics HTTP/1.1\r\n\r\n")) == "HTTP/1.1 200 OK");
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took > 3s);
    CHECK(took < 8s);
}
