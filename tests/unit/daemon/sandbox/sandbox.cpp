// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/landlock.hpp"
#include "daemon/sandbox/privileges.hpp"
#include "daemon/sandbox/system_calls.hpp"

#include <arpa/inet.h>
#include <catch2/catch.hpp>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <thread>

using namespace ikefrag;

namespace {

/// Runs `inside` in a child. Out: its wait status. A child says yes by exit code 0.
template <class Inside>
int status_of(Inside inside) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int code = 99;
        try {
            code = inside() ? 0 : 1;
        } catch (const std::exception& error) {
            std::fprintf(stderr, "inside: %s\n", error.what());
        }
        _exit(code);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return status;
}

template <class Inside>
bool says_yes(Inside inside) {
    const int status = status_of(inside);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool can_read(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file >= 0) close(file);
    return file >= 0;
}

bool can_write(const std::string& path) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
    return file >= 0;
}

bool can_listen(std::uint16_t port) {
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in name{};
    name.sin_family = AF_INET;
    name.sin_port = htons(port);
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool bound = bind(listener, reinterpret_cast<sockaddr*>(&name), sizeof name) == 0;
    close(listener);
    return bound;
}

} // namespace

TEST_CASE("sandbox: Landlock leaves state to write, configuration to read, nothing else",
          "[sandbox]") {
    std::string directory = "/tmp/ikefrag-sandbox-XXXXXX";
    REQUIRE(mkdtemp(directory.data()) != nullptr);
    const auto state = directory + "/state";
    std::filesystem::create_directory(state);
    int version = 0;
    CHECK(says_yes([&] {
        version = shut_into({
            .read = {"/usr",      "/proc", "/nowhere"},
              .write = {state},
              .listen_tcp = {39786      }
        });
        if (version == 0) return true; // no Landlock in this kernel: nothing was promised
        const bool inside = can_write(state + "/file") && can_read("/usr/bin/env") &&
                            std::filesystem::remove(state + "/file");
        const bool outside = can_read("/etc/hostname") || can_read("/root/.profile") ||
                             can_write(directory + "/escaped") || can_write("/usr/escaped");
        // If it runs, its exit code says no.
        const bool runs = execl("/usr/bin/false", "false", nullptr) == 0;
        const bool ports = version < 4 || (can_listen(39786) && !can_listen(39787));
        return inside && !outside && !runs && ports;
    }));
    std::filesystem::remove_all(directory);
}

TEST_CASE("sandbox: the system call filter kills who would execute", "[sandbox]") {
    const int status = status_of([] {
        allow_only_needed_system_calls();
        execl("/usr/bin/true", "true", nullptr);
        return false;
    });
    REQUIRE(WIFSIGNALED(status));
    CHECK(WTERMSIG(status) == SIGSYS);
}

TEST_CASE("sandbox: under the filter threads start, netlink opens, other families do not",
          "[sandbox]") {
    CHECK(says_yes([] {
        allow_only_needed_system_calls();
        bool ran = false;
        std::thread([&ran] { ran = true; }).join();
        const int netlink = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, 12);
        const int packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
        const bool refused = packets < 0 && errno == EPERM;
        return ran && netlink >= 0 && refused;
    }));
}

TEST_CASE("sandbox: without root's rights nothing of root's is left", "[sandbox]") {
    if (geteuid() != 0) {
        WARN("skipped: needs root to have something to give up");
        return;
    }
    CHECK(says_yes([] {
        give_up_all_privileges();
        const bool back = setuid(0) == 0 || seteuid(0) == 0;
        const bool mounts = mount("none", "/mnt", "tmpfs", 0, nullptr) == 0;
        return getuid() != 0 && !back && !mounts && !can_read("/etc/shadow");
    }));
    CHECK(says_yes([] {
        const gid_t another = 1;
        const bool had_group = setgroups(1, &another) == 0 && getgroups(0, nullptr) == 1;
        keep_only_net_admin("nobody");
        if (!had_group || getgroups(0, nullptr) != 0) return false;
        const bool back = setuid(0) == 0;
        // CAP_NET_ADMIN: a socket's mark may be set; CAP_NET_RAW: gone.
        const int udp = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        const int mark = 1;
        const bool marked = setsockopt(udp, SOL_SOCKET, SO_MARK, &mark, sizeof mark) == 0;
        const bool raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP) >= 0;
        return !back && marked && !raw && !can_read("/etc/shadow");
    }));
}
