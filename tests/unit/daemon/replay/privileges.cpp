// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/privileges.hpp"

#include "tests/support/daemon/run_program.hpp"
#include "tests/support/daemon/temporary_file.hpp"

#include <catch2/catch.hpp>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

using namespace ikefrag;

namespace {

/// A member of /proc/self/status: "Uid:", "CapEff:".
std::string status_line(const std::string& name) {
    const auto text = testing::read_file("/proc/self/status");
    const auto at = text.find('\n' + name);
    if (at == std::string::npos) return "?";
    return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

} // namespace

TEST_CASE("privileges: gone for good, in a child", "[replay]") {
    if (geteuid() != 0) {
        WARN("skipped: only root has privileges to give up");
        return;
    }
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        give_up_all_privileges();
        int wrong = 0;
        if (status_line("Uid:") != "Uid:\t65534\t65534\t65534\t65534") wrong |= 1;
        if (status_line("Gid:") != "Gid:\t65534\t65534\t65534\t65534") wrong |= 2;
        for (const char* set : {"CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"})
            if (status_line(set).find("0000000000000000") == std::string::npos) wrong |= 4;
        if (status_line("NoNewPrivs:") != "NoNewPrivs:\t1") wrong |= 8;
        if (status_line("Groups:").find_first_of("0123456789") != std::string::npos) wrong |= 16;
        if (setuid(0) == 0 || access("/etc/shadow", R_OK) == 0) wrong |= 32;
        _exit(wrong);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("privileges: root replays a file only root may read", "[replay]") {
    if (geteuid() != 0) {
        WARN("skipped: needs root");
        return;
    }
    const testing::TemporaryFile secret(
        testing::read_file(TESTS_DIR "/captures/v2-rekey-ip4.pcap"));
    REQUIRE(chmod(secret.path().c_str(), 0600) == 0);
    CHECK(testing::run_ctl({"replay", "--json", secret.path()}).code == 0);
}
