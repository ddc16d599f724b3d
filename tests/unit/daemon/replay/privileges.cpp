// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/privileges.hpp"

#include "tests/support/daemon/run_program.hpp"
#include "tests/support/daemon/temporary_file.hpp"
#include "tests/support/daemon/temporary_folder.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace ikefrag;

namespace {

/// A member of a process's status: "Uid:", "CapEff:".
std::string status_line(const std::string& name, const std::string& process = "self") {
    std::ifstream file("/proc/" + process + "/status");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    const auto at = text.find('\n' + name);
    if (at == std::string::npos) return "?";
    return text.substr(at + 1, text.find('\n', at + 1) - at - 1);
}

bool has_none(const std::string& process) {
    return status_line("Uid:", process) == "Uid:\t65534\t65534\t65534\t65534" &&
           status_line("CapEff:", process) == "CapEff:\t0000000000000000" &&
           status_line("CapPrm:", process) == "CapPrm:\t0000000000000000";
}

/// ikefragctl whose standard input is open and silent: a capture of which no byte has come yet.
class Waiting {
public:
    explicit Waiting(std::vector<std::string> arguments) {
        int ends[2];
        if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
        arguments.insert(arguments.begin(), BUILD_DIR "/ikefragctl");
        std::vector<char*> words;
        for (auto& word : arguments) words.push_back(word.data());
        words.push_back(nullptr);
        pid_ = fork();
        if (pid_ == 0) {
            const int nowhere = open("/dev/null", O_WRONLY);
            dup2(ends[0], 0);
            dup2(nowhere, 1);
            dup2(nowhere, 2);
            execv(words[0], words.data());
            _exit(127);
        }
        close(ends[0]);
        writer_ = ends[1];
    }
    ~Waiting() {
        close(writer_);
        int status = 0;
        waitpid(pid_, &status, 0);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;

    /// Whether it, or the child it has read for it, comes to be without privileges.
    [[nodiscard]] bool gives_up_privileges() const {
        for (int i = 0; i < 1'500; ++i) {
            for (const auto& process : family())
                if (has_none(process)) return true;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        return false;
    }

private:
    /// It and its children, as far as they are there.
    [[nodiscard]] std::vector<std::string> family() const {
        const auto own = std::to_string(pid_);
        std::vector<std::string> found;
        for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
            const auto name = entry.path().filename().string();
            if (name.find_first_not_of("0123456789") != std::string::npos) continue;
            if (name == own || status_line("PPid:", name) == "PPid:\t" + own) found.push_back(name);
        }
        return found;
    }

    pid_t pid_ = -1;
    int writer_ = -1;
};

} // namespace

TEST_CASE("privileges: every command gives them up before the capture's first byte", "[replay]") {
    if (geteuid() != 0) {
        WARN("skipped: only root has privileges to give up");
        return;
    }
    const testing::TemporaryFolder folder;
    const std::vector<std::string> commands[] = {
        {"replay",                                "-"        },
        {    "replay",                               "--json",         "-"},
        {    "explain",                         "198.51.100.7", "--capture", "-"},
        { "report",                                "--capture", "-", "--output", (folder.path / "report.html").string()},
        {"rules", "test",            "-"},
    };
    for (const auto& command : commands) {
        INFO(command[0]);
        CHECK(Waiting(command).gives_up_privileges());
    }
}

TEST_CASE("privileges: gone for good, in a child", "[replay]") {
    if (geteuid() != 0) {
        WARN("skipped: only root has privileges to give up");
        return;
    }
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const gid_t another = 1;
        int wrong =
            setgroups(1, &another) == 0 && status_line("Groups:").find('1') != std::string::npos
                ? 0
                : 64;
        give_up_all_privileges();
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
