// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/asio.hpp"
#include "daemon/control/client.hpp"
#include "daemon/control/protocol.hpp"
#include "daemon/control/server.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct Directory {
    Directory() {
        std::string name = "/tmp/ikefrag-control-XXXXXX";
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Directory() { std::filesystem::remove_all(path); }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    std::filesystem::path path;
};

/// A server on a thread of its own that gives back what it is asked.
class Echo {
public:
    explicit Echo(const std::filesystem::path& path)
        : server_(io_, path, "no-such-group-here", answer), thread_([this] { io_.run(); }) {}
    ~Echo() {
        io_.stop();
        thread_.join();
    }
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;

private:
    static ControlAnswer answer(const ControlRequest& request, const Caller& caller) {
        if (request.command == "fail") throw std::runtime_error("it went wrong");
        if (request.command == "refuse")
            return ControlError{.exit_code = ExitCode::permission, .error = "only root may"};
        return json::value{
            {"command",   request.command  },
            {"arguments", request.arguments},
            {"user",      caller.user      }
        };
    }
    asio::io_context io_;
    ControlServer server_;
    std::thread thread_;
};

/// A raw connection, for what our own client never does.
int connect_to(const std::filesystem::path& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.c_str(), path.string().size());
    const int connection = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(connect(connection, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    return connection;
}

std::string raw_exchange(const std::filesystem::path& path, const std::string& text) {
    const int connection = connect_to(path);
    (void)send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    std::string answer(70'000, '\0');
    const auto got = recv(connection, answer.data(), answer.size(), 0);
    close(connection);
    answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return answer;
}

ExitCode code_of(const ControlAnswer& answer) {
    const auto* error = std::get_if<ControlError>(&answer);
    return error != nullptr ? error->exit_code : ExitCode::ok;
}

} // namespace

TEST_CASE("control socket: a question is answered, with the asker known", "[control]") {
    const Directory directory;
    const Echo echo(directory.path / "control.sock");
    const auto answer =
        ask_daemon(directory.path / "control.sock",
                   {.command = "peers", .arguments = {{"missing_fragmentation", true}}});
    REQUIRE(std::holds_alternative<json::value>(answer));
    const auto& value = std::get<json::value>(answer);
    CHECK(value.at("command").as_string() == "peers");
    CHECK(value.at("arguments").at("missing_fragmentation").as_bool());
    CHECK(value.at("user").to_number<uid_t>() == geteuid());
}

TEST_CASE("control socket: only its group may reach it", "[control]") {
    const Directory directory;
    const Echo echo(directory.path / "control.sock");
    struct stat facts {};
    REQUIRE(stat((directory.path / "control.sock").c_str(), &facts) == 0);
    CHECK((facts.st_mode & 0777) == 0660);
}

TEST_CASE("control socket: failures come back as words and exit codes", "[control]") {
    const Directory directory;
    const auto path = directory.path / "control.sock";
    CHECK(code_of(ask_daemon(path, {.command = "status", .arguments = {}})) ==
          ExitCode::not_running);
    const Echo echo(path);
    CHECK(code_of(ask_daemon(path, {.command = "refuse", .arguments = {}})) ==
          ExitCode::permission);
    const auto failed = ask_daemon(path, {.command = "fail", .arguments = {}});
    REQUIRE(code_of(failed) == ExitCode::failure);
    CHECK(std::get<ControlError>(failed).error == "it went wrong");
}

TEST_CASE("control socket: what is no request is told so", "[control]") {
    struct Case {
        std::string name;
        std::string request;
        std::string says;
    };
    const std::string deep = R"({"command":"x","arguments":{"a":)" + std::string(100, '[') + "\n";
    const std::string lengthy = std::string(70'000, ' ') + "\n";
    const Case cases[] = {
        {"not JSON",                "status\n",                                  "not JSON"                 },
        {"not an object",           "[1]\n",                                     "not a JSON object"        },
        {"no command",              "{}\n",                                      "names no command"         },
        {"command of a wrong type", "{\"command\": 7}\n",                        "mistyped member 'command'"},
        {"unknown member",          "{\"command\": \"x\", \"\\u001b[2J\": 1}\n", "member '\\\\x1b[2J'"      },
        {"too deep",                deep,                                        "not JSON"                 },
        {"too long",                lengthy,                                     "longer than 65536 bytes"  },
    };
    const Directory directory;
    const Echo echo(directory.path / "control.sock");
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const auto answer = raw_exchange(directory.path / "control.sock", c.request);
            INFO(answer);
            CHECK(answer.find("\"exit_code\":2") != std::string::npos);
            CHECK(answer.find(c.says) != std::string::npos);
        }
}

TEST_CASE("control socket: silent clients hold nobody up", "[control]") {
    const Directory directory;
    const auto path = directory.path / "control.sock";
    const Echo echo(path);
    std::vector<int> silent;
    for (std::size_t i = 0; i + 1 < max_control_clients; ++i) silent.push_back(connect_to(path));
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        CHECK(code_of(ask_daemon(path, {.command = "status", .arguments = {}})) == ExitCode::ok);
        CHECK(std::chrono::steady_clock::now() - start < 1s);
    }
    for (const int connection : silent) close(connection);
}

TEST_CASE("control socket: with every place taken, the deadline makes room", "[control][.slow]") {
    const Directory directory;
    const auto path = directory.path / "control.sock";
    const Echo echo(path);
    std::vector<int> silent;
    for (std::size_t i = 0; i < max_control_clients; ++i) silent.push_back(connect_to(path));
    std::this_thread::sleep_for(control_deadline - 1s);
    CHECK(code_of(ask_daemon(path, {.command = "status", .arguments = {}})) == ExitCode::ok);
    for (const int connection : silent) close(connection);
}

TEST_CASE("control socket: a dead daemon's socket is taken over, a living one's is not",
          "[control]") {
    const Directory directory;
    const auto path = directory.path / "control.sock";
    {
        asio::io_context io;
        asio::local::stream_protocol::acceptor left_over(
            io, asio::local::stream_protocol::endpoint(path.string()));
    }
    REQUIRE(std::filesystem::exists(path));
    {
        const Echo echo(path);
        CHECK(code_of(ask_daemon(path, {.command = "status", .arguments = {}})) == ExitCode::ok);
        CHECK_THROWS_WITH(Echo(path), Catch::Contains("another ikefragd"));
        CHECK(code_of(ask_daemon(path, {.command = "status", .arguments = {}})) == ExitCode::ok);
    }
    CHECK_FALSE(std::filesystem::exists(path));
}
