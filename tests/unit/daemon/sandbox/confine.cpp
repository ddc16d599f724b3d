// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/confine.hpp"

#include "daemon/config/config.hpp"
#include "daemon/sandbox/landlock.hpp"

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <system_error>

using namespace ikefrag;

namespace {

/// A host's folders for one daemon.
struct Folders {
    std::string root = "/var/tmp/ikefrag-confine-XXXXXX";
    Settings settings;

    Folders() {
        REQUIRE(mkdtemp(root.data()) != nullptr);
        std::filesystem::permissions(root, std::filesystem::perms::all);
        for (const char* name : {"/etc", "/run", "/elsewhere"}) {
            std::filesystem::create_directory(root + name);
            std::filesystem::permissions(root + name, std::filesystem::perms::all);
        }
        std::ofstream(config()) << "mode = \"observe\"\n";
        std::ofstream(root + "/elsewhere/secret") << "secret\n";
        settings.state_directory = root + "/state";
        settings.control_socket = root + "/run/control.sock";
    }
    ~Folders() { std::filesystem::remove_all(root); }
    Folders(const Folders&) = delete;
    Folders& operator=(const Folders&) = delete;

    [[nodiscard]] std::string config() const { return root + "/etc/ikefragd.toml"; }
};

bool opens(const std::string& path, int flags) {
    const int file = open(path.c_str(), flags | O_CLOEXEC, 0600);
    if (file >= 0) close(file);
    return file >= 0;
}
bool can_read(const std::string& path) { return opens(path, O_RDONLY); }
bool can_write(const std::string& path) { return opens(path, O_WRONLY | O_CREAT); }

/// What a confined child found out, one bit each.
enum Found : int {
    reads_config = 1,
    writes_state = 2,
    writes_socket = 4,
    reads_secret = 8,
    writes_config = 16,
    writes_elsewhere = 32,
    is_root = 64,
};

/// Confines a child and lets it try. Out: the bits of Found; nothing: it ended otherwise.
std::optional<int> tried_as(const std::string& user, const Folders& folders) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        int found = 0;
        try {
            confine(user, folders.config(), "", folders.settings);
        } catch (const std::exception& error) {
            std::fprintf(stderr, "confine: %s\n", error.what());
            _exit(127);
        }
        if (can_read(folders.config())) found |= reads_config;
        if (can_write(folders.root + "/state/peers.db")) found |= writes_state;
        if (can_write(folders.root + "/run/x")) found |= writes_socket;
        if (can_read(folders.root + "/elsewhere/secret")) found |= reads_secret;
        if (can_write(folders.root + "/etc/x")) found |= writes_config;
        if (can_write(folders.root + "/elsewhere/x")) found |= writes_elsewhere;
        if (geteuid() == 0) found |= is_root;
        _exit(found);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) == 127) return std::nullopt;
    return WEXITSTATUS(status);
}

/// Tried in a child: whoever asks by shutting itself in stays so.
bool has_landlock() {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(shut_into({.read = {}, .write = {}, .listen_tcp = {}}) > 0 ? 1 : 0);
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    return WEXITSTATUS(status) == 1;
}

} // namespace

TEST_CASE("confine: its own files are left, nobody else's; who has no user stays root",
          "[sandbox]") {
    if (geteuid() != 0) {
        WARN("skipped: needs root to have something to give up");
        return;
    }
    const Folders folders;
    const auto found = tried_as("no-such-user-of-ikefrag", folders);
    REQUIRE(found);
    CHECK((*found & (reads_config | writes_state | writes_socket)) ==
          (reads_config | writes_state | writes_socket));
    CHECK((*found & is_root) != 0);
    if (has_landlock()) CHECK((*found & (reads_secret | writes_config | writes_elsewhere)) == 0);
    struct stat state {};
    REQUIRE(stat((folders.root + "/state").c_str(), &state) == 0);
    CHECK((state.st_mode & 07777) == 0700);
    CHECK(state.st_uid == 0);
}

TEST_CASE("confine: the daemon's user owns its state and is root no more", "[sandbox]") {
    const auto* nobody = getpwnam("nobody");
    if (geteuid() != 0 || nobody == nullptr) {
        WARN("skipped: needs root and the user nobody");
        return;
    }
    const Folders folders;
    const auto found = tried_as("nobody", folders);
    REQUIRE(found);
    CHECK((*found & (reads_config | writes_state)) == (reads_config | writes_state));
    CHECK((*found & is_root) == 0);
    struct stat state {};
    REQUIRE(stat((folders.root + "/state").c_str(), &state) == 0);
    CHECK(state.st_uid == nobody->pw_uid);
}

TEST_CASE("confine: a state directory that cannot be made is named", "[sandbox]") {
    Folders folders;
    folders.settings.state_directory = folders.root + "/missing/state";
    CHECK_THROWS_WITH(confine("nobody", folders.config(), "", folders.settings),
                      Catch::Contains("make state directory " + folders.root + "/missing/state"));
}

TEST_CASE("confine: a state directory that was there is tightened, or refused", "[sandbox]") {
    const auto* nobody = getpwnam("nobody");
    if (geteuid() != 0 || nobody == nullptr) {
        WARN("skipped: needs root and the user nobody");
        return;
    }
    struct Case {
        std::string name;
        uid_t owner;
        mode_t mode;
        bool taken;
        mode_t after;
    };
    const Case cases[] = {
        {"the daemon's own, wide",      nobody->pw_uid, 0755,  true,  0700 },
        {"the daemon's own, for all",   nobody->pw_uid, 0777,  true,  0700 },
        {"root's, used by others, too", 0,              0755,  true,  0755 },
        {"root's, all may write",       0,              0777,  false, 0777 },
        {"root's, a tmpfs as mounted",  0,              01777, true,  01777},
        {"somebody else's",             1,              0700,  false, 0700 },
        {"somebody else's, for all",    1,              0777,  false, 0777 },
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const Folders folders;
            const auto state = folders.root + "/state";
            REQUIRE(mkdir(state.c_str(), 0700) == 0);
            REQUIRE(chown(state.c_str(), c.owner, c.owner) == 0);
            REQUIRE(chmod(state.c_str(), c.mode) == 0);
            CHECK(tried_as("nobody", folders).has_value() == c.taken);
            struct stat facts {};
            REQUIRE(stat(state.c_str(), &facts) == 0);
            CHECK((facts.st_mode & 07777) == c.after);
        }
}
