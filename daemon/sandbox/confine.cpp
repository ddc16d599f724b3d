// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/confine.hpp"

#include "daemon/config/config.hpp"
#include "daemon/log.hpp"
#include "daemon/sandbox/landlock.hpp"
#include "daemon/sandbox/privileges.hpp"
#include "daemon/sandbox/system_calls.hpp"

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

/// The state directory: nobody else's business, not even to list.
void make_state_directory(const std::string& path, const passwd* owner) {
    if (::mkdir(path.c_str(), 0700) != 0) {
        require(errno == EEXIST, "make state directory " + path);
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
