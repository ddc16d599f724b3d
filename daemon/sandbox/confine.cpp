// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/confine.hpp"

#include "daemon/config/config.hpp"
#include "daemon/log.hpp"
#include "daemon/sandbox/landlock.hpp"
#include "daemon/sandbox/privileges.hpp"
#include "daemon/sandbox/system_calls.hpp"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

namespace ikefrag {
namespace {

// The sanitizers' own threads and tracers need calls the daemon never makes.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool is_sanitized = true;
#else
constexpr bool is_sanitized = false;
#endif

void require(bool done, const std::string& step) {
    if (!done) throw std::system_error(errno, std::generic_category(), step);
}

/// One that was there before: tightened if it belongs to the daemon's user alone. Root's is left as
/// it is, for it may be used by others, too (somebody may have set it to /var/lib, or mounted a
/// tmpfs there); where all may write, its sticky bit must keep them from each other's files.
void tighten_state_directory(const std::string& path, uid_t user) {
    const int directory = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    require(directory >= 0, "open state directory " + path);
    struct stat status {};
    const bool known = ::fstat(directory, &status) == 0;
    const bool is_ours = known && status.st_uid == user;
    const bool is_trusted = is_ours || (known && status.st_uid == 0);
    bool done = is_trusted;
    if (is_ours && user != 0 && (status.st_mode & 0777) != 0700)
        done = ::fchmod(directory, 0700) == 0;
    else if (is_trusted && (status.st_mode & S_IWOTH) != 0)
        done = (status.st_mode & S_ISVTX) != 0;
    ::close(directory);
    if (!done) {
        errno = EPERM;
        require(false, "state directory " + path + " belongs to others, or all may write to it");
    }
}

/// The state directory: nobody else's business, not even to list.
void make_state_directory(const std::string& path, const passwd* owner) {
    if (::mkdir(path.c_str(), 0700) != 0) {
        require(errno == EEXIST, "make state directory " + path);
        tighten_state_directory(path, owner != nullptr ? owner->pw_uid : ::geteuid());
        return;
    }
    if (owner != nullptr)
        require(::chown(path.c_str(), owner->pw_uid, owner->pw_gid) == 0,
                "give state directory " + path);
}

std::filesystem::path folder_of(const std::string& file) {
    auto folder = std::filesystem::path(file).parent_path();
    return folder.empty() ? std::filesystem::path(".") : folder;
}

Reach reach_of(const std::string& config_path,
               const std::string& rules_directory,
               const Settings& settings) {
    Reach reach;
    reach.read = {folder_of(config_path), "/etc/ikefragd", "/usr", "/proc"};
    if (!rules_directory.empty()) reach.read.emplace_back(rules_directory);
    reach.write = {settings.state_directory, folder_of(settings.control_socket)};
    if (settings.events.file != "stderr") reach.write.push_back(folder_of(settings.events.file));
    for (const auto& endpoint : settings.metrics_listen) reach.listen_tcp.push_back(endpoint.port);
    return reach;
}

} // namespace

void confine(const std::string& user,
             const std::string& config_path,
             const std::string& rules_directory,
             const Settings& settings) {
    const bool root = ::geteuid() == 0;
    const auto* owner = root ? ::getpwnam(user.c_str()) : nullptr;
    make_state_directory(settings.state_directory, owner);
    forbid_dumps();
    if (owner != nullptr)
        keep_only_net_admin(user);
    else if (root)
        log_warning("there is no user " + user +
                    ": the daemon stays root, with Landlock and "
                    "seccomp around it");
    if (shut_into(reach_of(config_path, rules_directory, settings)) == 0)
        log_warning("this kernel has no Landlock: file access is not confined");
    if (!is_sanitized) allow_only_needed_system_calls();
}

} // namespace ikefrag
