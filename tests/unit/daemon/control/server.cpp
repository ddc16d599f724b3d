// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/control/server.hpp"

#include "daemon/asio.hpp"
#include "daemon/control/arguments.hpp"
#include "daemon/control/client.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <grp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

struct Folder {
    Folder() {
        char name[] = "/tmp/ikefrag-control-XXXXXX";
        path = ::mkdtemp(name);
    }
    ~Folder() { std::filesystem::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    [[nodiscard]] std::string socket() const { return path + "/control.sock"; }
    std::string path;
};

/// More than the kernel keeps of a connection nobody reads.
constexpr std::size_t large = 4'000'000;

/// A server on a thread of its own that gives back what it is asked.
class Echo {
public:
    explicit Echo(const std::string& path)
        : server_(io_, path, "no-such-group-here", answer), thread_([this] { io_.run(); }) {}
    ~Echo() {
        io_.stop();
        thread_.join();
    }
    Echo(const Echo&) = delete;
    Echo& operator=(const Echo&) = delete;

private:
    static ControlResult answer(const ControlRequest& request, const Caller& caller) {
        if (request.command == "fail") throw std::runtime_error("it went wrong");
        if (request.command == "large")
            return json::object{
                {"text", std::string(large, 'x')}
            };
        if (request.command == "refuse")
            return fail(ControlError{ControlFault::permission, "only root may", {}});
        if (request.command == "mistakes") {
            ControlError error{ControlFault::config, "mistakes", {}};
            error.diagnostics.push_back({
                "f.toml", {3, 14},
                 "unknown key \x1b", "  a = 1"
            });
            return fail(std::move(error));
        }
        return json::object{
            {"command",   request.command  },
            {"arguments", request.arguments},
            {"user",      caller.user      }
        };
    }
    asio::io_context io_;
    ControlServer server_;
    std::thread thread_;
};

int connect_to(const std::string& path) {
    sockaddr_un name{};
    name.sun_family = AF_UNIX;
    std::memcpy(name.sun_path, path.c_str(), path.size());
    const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(connection, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0);
    return connection;
}

/// A client that asks for much and does not read it.
int ask_unread(const std::string& path) {
    const int connection = connect_to(path);
    const auto request = std::string(R"({"command":"large","arguments":{}})") + '\n';
    REQUIRE(::send(connection, request.data(), request.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(request.size()));
    return connection;
}

/// Whether something can be read, at once or after a while; the end can, too.
bool has_answer(int connection, std::chrono::milliseconds within) {
    pollfd polled{connection, POLLIN, 0};
    return ::poll(&polled, 1, static_cast<int>(within.count())) == 1;
}

std::size_t read_rest(int connection) {
    std::string room(70'000, '\0');
    std::size_t total = 0;
    for (;;) {
        const auto got = ::recv(connection, room.data(), room.size(), 0);
        if (got <= 0) return total;
        total += static_cast<std::size_t>(got);
    }
}

std::string raw_exchange(const std::string& path, const std::string& text) {
    const int connection = connect_to(path);
    (void)::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    std::string answer(70'000, '\0');
    const auto got = ::recv(connection, answer.data(), answer.size(), 0);
    ::close(connection);
    answer.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return answer;
}

ControlFault fault_of(const Result<json::object, ControlError>& answer) {
    REQUIRE_FALSE(answer);
    return answer.error().fault;
}

} // namespace

TEST_CASE("control: socket and directory are the group's, wherever they lie", "[control]") {
    const Folder folder;
    const auto directory = folder.path + "/own";
    const auto path = directory + "/another.sock";
    const auto* group = ::getgrnam(::geteuid() == 0 ? "daemon" : "no-such-group-here");
    const auto mask = ::umask(0077); // as the unit has it
    asio::io_context io;
    const ControlServer server(io, path, group == nullptr ? "" : group->gr_name, {});
    CHECK(::umask(mask) == 0077);
    const auto wanted = group == nullptr ? ::getegid() : group->gr_gid;
    struct stat status {};
    REQUIRE(::lstat(path.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0660);
    CHECK(status.st_gid == wanted);
    REQUIRE(::lstat(directory.c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0750);
    CHECK(status.st_gid == wanted);
}

TEST_CASE("control: a question is answered, with the asker known", "[control]") {
    const Folder folder;
    const Echo echo(folder.socket());
    const auto answer = ask_daemon(folder.socket(),
                                   "peers",
                                   {
                                       {"missing_fragmentation", true}
    });
    REQUIRE(answer);
    CHECK(answer->at("command").as_string() == "peers");
    CHECK(answer->at("arguments").at("missing_fragmentation").as_bool());
    CHECK(answer->at("arguments").as_object().size() == 1);
    CHECK(answer->at("user").to_number<uid_t>() == ::geteuid());
}

TEST_CASE("control: who asks is the other side's user, not ours", "[control]") {
    if (::geteuid() != 0) {
        WARN("skipped: only root may be somebody else for a moment");
        return;
    }
    const Folder folder;
    const Echo echo(folder.socket());
    REQUIRE(::chmod(folder.path.c_str(), 0711) == 0);
    REQUIRE(::chmod(folder.socket().c_str(), 0666) == 0);
    // By the bare system call it is this thread alone; the kernel notes who connects.
    constexpr uid_t nobody = 65534, same = static_cast<uid_t>(-1);
    REQUIRE(::syscall(SYS_setresuid, same, nobody, same) == 0);
    const auto answer = ask_daemon(folder.socket(), "status", {});
    REQUIRE(::syscall(SYS_setresuid, same, 0, same) == 0);
    REQUIRE(answer);
    CHECK(answer->at("user").to_number<uid_t>() == nobody);
}

TEST_CASE("control: nobody but owner and group may connect", "[control]") {
    const Folder folder;
    const Echo echo(folder.socket());
    struct stat status {};
    REQUIRE(::stat(folder.socket().c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0660);
}

TEST_CASE("control: failures come back with their kind and words", "[control]") {
    const Folder folder;
    CHECK(fault_of(ask_daemon(folder.socket(), "status", {})) == ControlFault::not_running);
    const Echo echo(folder.socket());
    CHECK(fault_of(ask_daemon(folder.socket(), "refuse", {})) == ControlFault::permission);
    const auto failed = ask_daemon(folder.socket(), "fail", {});
    CHECK(fault_of(failed) == ControlFault::failure);
    CHECK(failed.error().message == "it went wrong");
    const auto mistakes = ask_daemon(folder.socket(), "mistakes", {});
    CHECK(fault_of(mistakes) == ControlFault::config);
    REQUIRE(mistakes.error().diagnostics.size() == 1);
    CHECK(to_string(mistakes.error().diagnostics[0]) ==
          "f.toml:3:14: unknown key \x1b\n      a = 1\n           ^\n");
}

TEST_CASE("control: a daemon that hangs is told from one that is gone", "[control]") {
    const Folder folder;
    const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    folder.socket().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener, 0) == 0);
    // The first is let in by the kernel and never read; then the backlog is full.
    std::vector<int> waiting;
    for (int i = 0; i < 2; ++i) {
        const auto answer = ask_daemon(folder.socket(), "status", {}, 1s);
        CHECK(fault_of(answer) == ControlFault::silent);
        CHECK(to_string(answer.error().fault) == "silent");
        CHECK(answer.error().message ==
              "the daemon listens on " + folder.socket() + " but did not answer within 1 s");
        waiting.push_back(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
        (void)::connect(
            waiting.back(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    }
    for (const int client : waiting) ::close(client);
    ::close(listener);
    CHECK(fault_of(ask_daemon(folder.socket(), "status", {}, 1s)) == ControlFault::not_running);
}

TEST_CASE("control: every fault has the exit code DESIGN gives it", "[control]") {
    CHECK(exit_code(ControlFault::failure) == 1);
    CHECK(exit_code(ControlFault::not_found) == 1);
    CHECK(exit_code(ControlFault::usage) == 2);
    CHECK(exit_code(ControlFault::not_running) == 3);
    CHECK(exit_code(ControlFault::silent) == 3);
    CHECK(exit_code(ControlFault::config) == 4);
    CHECK(exit_code(ControlFault::permission) == 5);
}

TEST_CASE("control: what is no request is told so", "[control]") {
    struct Case {
        std::string name;
        std::string request;
        std::string says;
    };
    const std::string deep = R"({"command":"x","a":)" + std::string(100, '[') + "\n";
    const std::string lengthy = std::string(70'000, ' ') + "\n";
    const Case cases[] = {
        {"not JSON",                "status\n",                  "not JSON"          },
        {"not an object",           "[1]\n",                     "no JSON object"    },
        {"no command",              "{}\n",                      "names no command"  },
        {"command of a wrong type", "{\"command\": 7}\n",        "names no command"  },
        {"too deep",                deep,                        "not JSON"          },
        {"too long",                lengthy,                     "longer than 64 KiB"},
        {"not UTF-8",               "{\"command\": \"\xff\"}\n", "not JSON"          },
    };
    const Folder folder;
    const Echo echo(folder.socket());
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const auto answer = raw_exchange(folder.socket(), c.request);
            CAPTURE(answer);
            CHECK(answer.find("\"kind\":\"usage\"") != std::string::npos);
            CHECK(answer.find(c.says) != std::string::npos);
        }
}

TEST_CASE("control: a request of 64 KiB is answered, one octet more is too long", "[control]") {
    const Folder folder;
    const Echo echo(folder.socket());
    const auto request_of = [](std::size_t bytes) {
        std::string text = R"({"command":"status"})";
        text.resize(bytes - 1, ' ');
        return text + '\n';
    };
    const auto largest = raw_exchange(folder.socket(), request_of(65'536));
    CHECK(largest.find("\"command\":\"status\"") != std::string::npos);
    const auto larger = raw_exchange(folder.socket(), request_of(65'537));
    CHECK(larger.find("longer than 64 KiB") != std::string::npos);
}

TEST_CASE("control: silent clients hold nobody up", "[control]") {
    const Folder folder;
    const Echo echo(folder.socket());
    std::vector<int> silent;
    for (int i = 0; i < 15; ++i) silent.push_back(connect_to(folder.socket()));
    for (int i = 0; i < 5; ++i) {
        const auto start = std::chrono::steady_clock::now();
        CHECK(ask_daemon(folder.socket(), "status", {}));
        CHECK(std::chrono::steady_clock::now() - start < 1s);
    }
    for (const int connection : silent) ::close(connection);
}

TEST_CASE("control: with all sixteen places taken, the next waits until one is free", "[control]") {
    const Folder folder;
    const Echo echo(folder.socket());
    std::vector<int> silent;
    for (int i = 0; i < 16; ++i) silent.push_back(connect_to(folder.socket()));
    const int next = ask_unread(folder.socket());
    CHECK_FALSE(has_answer(next, 300ms));
    ::close(silent.back());
    silent.pop_back();
    CHECK(has_answer(next, 4s));
    ::close(next);
    for (const int connection : silent) ::close(connection);
}

TEST_CASE("control: after five seconds who is silent or does not read makes room", "[control]") {
    const Folder folder;
    const Echo echo(folder.socket());
    std::vector<int> unread;
    for (int i = 0; i < 15; ++i) {
        unread.push_back(ask_unread(folder.socket()));
        REQUIRE(has_answer(unread.back(), 4s));
    }
    const int silent = connect_to(folder.socket());
    const auto start = std::chrono::steady_clock::now();
    CHECK(ask_daemon(folder.socket(), "status", {}, 30s));
    // The silent one came last: when its time is over, so is that of those who do not read.
    CHECK(read_rest(silent) == 0);
    const auto took = std::chrono::steady_clock::now() - start;
    CHECK(took > 4s);
    CHECK(took < 7s);
    for (const int connection : unread) CHECK(read_rest(connection) < large);
    for (const int connection : unread) ::close(connection);
    ::close(silent);
}

TEST_CASE("control: a dead daemon's socket is taken over, a living one's is not", "[control]") {
    const Folder folder;
    {
        asio::io_context io;
        const asio::local::stream_protocol::acceptor left_over(
            io, asio::local::stream_protocol::endpoint(folder.socket()));
    }
    REQUIRE(std::filesystem::exists(folder.socket()));
    {
        const Echo echo(folder.socket());
        CHECK(ask_daemon(folder.socket(), "status", {}));
        CHECK_THROWS_AS(Echo(folder.socket()), std::system_error);
        CHECK(ask_daemon(folder.socket(), "status", {}));
    }
    CHECK_FALSE(std::filesystem::exists(folder.socket()));
}

TEST_CASE("control arguments: types, words and leftovers are checked", "[control]") {
    struct Case {
        std::string name;
        json::object given;
        std::string says;
    };
    const std::vector<Case> cases{
        Case{"all absent",          {},                                                             ""                                       },
        Case{"null is absent",      {{"limit", nullptr}},                                           ""                                       },
        Case{"right",               {{"limit", 5}, {"outcome", "failed"}, {"address", "10.0.0.1"}}, ""                                       },
        Case{"zero",                {{"limit", 0}},                                                 "argument limit: expected 1..100000"     },
        Case{"too many",            {{"limit", 100001}},                                            "argument limit: expected 1..100000"     },
        Case{"a text for a number", {{"limit", "5"}},                                               "argument limit: expected a whole number"},
        Case{"negative",            {{"limit", -1}},                                                "argument limit: expected a whole number"},
        Case{"unknown word",
             {{"outcome", "won"}},
             "argument outcome: expected one of in_progress, established, failed, unknown"                                                   },
        Case{"no address",
             {{"address", "vpn1"}},
             "argument address: expected an IPv4 or IPv6 address"                                                                            },
        Case{"not a flag",          {{"open", 1}},                                                  "argument open: expected true or false"  },
        Case{"unknown",             {{"\x1b", 1}},                                                  "unknown argument \\x1b"                 },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            ControlArguments arguments(c.given);
            (void)arguments.limit();
            (void)arguments.flag("open");
            (void)arguments.address("address");
            (void)arguments.word<Outcome>("outcome");
            const auto error = arguments.error();
            CHECK((error ? error->message : "") == c.says);
            if (error) CHECK(error->fault == ControlFault::usage);
        }
    const json::object nothing;
    ControlArguments none(nothing);
    (void)none.required_text("mode");
    REQUIRE(none.error());
    CHECK(none.error()->message == "argument mode: expected a string; it is required");
}
