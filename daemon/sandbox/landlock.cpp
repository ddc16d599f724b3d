// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/landlock.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

// Debian 12's headers end at an older Landlock than its users' kernels have: the numbers are the
// kernel's ABI (Documentation/userspace-api/landlock.rst), written down here.
namespace ikefrag {
namespace {

struct RulesetAttributes {
    std::uint64_t handled_files;
    std::uint64_t handled_network;
    std::uint64_t scoped;
};
/// The kernel's structure is packed, 12 bytes.
struct [[gnu::packed]] PathRule {
    std::uint64_t allowed;
    std::int32_t parent;
};
struct PortRule {
    std::uint64_t allowed;
    std::uint64_t port;
};

constexpr std::uint64_t execute = 1u << 0, write_file = 1u << 1, read_file = 1u << 2,
                        read_directory = 1u << 3, remove_directory = 1u << 4, remove_file = 1u << 5,
                        make_directory = 1u << 7, make_regular = 1u << 8, make_socket = 1u << 9,
                        refer = 1u << 13, truncate = 1u << 14, device_ioctl = 1u << 15;
constexpr std::uint64_t all_of_version_1 = (1u << 13) - 1;
constexpr std::uint64_t bind_tcp = 1u << 0, connect_tcp = 1u << 1;
constexpr std::uint64_t scope_abstract_socket = 1u << 0, scope_signal = 1u << 1;
constexpr int rule_path = 1, rule_port = 2;
constexpr std::uint64_t file_rights = execute | write_file | read_file | truncate | device_ioctl;

constexpr long create_ruleset = 444, add_rule = 445, restrict_self = 446;
constexpr std::uint32_t ask_version = 1;

void require(bool done, const char* step) {
    if (!done) throw std::system_error(errno, std::generic_category(), step);
}

std::uint64_t files_known_to(int version) {
    std::uint64_t files = all_of_version_1;
    if (version >= 2) files |= refer;
    if (version >= 3) files |= truncate;
    if (version >= 5) files |= device_ioctl;
    return files;
}

void allow_below(int ruleset, const std::filesystem::path& path, std::uint64_t rights) {
    const int parent = open(path.c_str(), O_PATH | O_CLOEXEC);
    if (parent < 0) return;
    struct stat facts {};
    if (fstat(parent, &facts) == 0 && !S_ISDIR(facts.st_mode)) rights &= file_rights;
    const PathRule rule{.allowed = rights, .parent = parent};
    const bool added = syscall(add_rule, ruleset, rule_path, &rule, 0) == 0;
    const int reason = errno;
    close(parent);
    errno = reason;
    require(added, "Landlock: allow a path");
}

} // namespace

int shut_into(const Reach& reach) {
    const auto version = static_cast<int>(syscall(create_ruleset, nullptr, 0, ask_version));
    if (version < 1) return 0;
    const std::uint64_t files = files_known_to(version);
    RulesetAttributes attributes{.handled_files = files,
                                 .handled_network = version >= 4 ? bind_tcp | connect_tcp : 0,
                                 .scoped = version >= 6 ? scope_signal : 0};
    // The notify socket of a container's service manager may be an abstract one: not scoped.
    static_assert(scope_abstract_socket != scope_signal);
    const std::size_t size = version >= 6   ? sizeof attributes
                             : version >= 4 ? sizeof attributes - sizeof attributes.scoped
                                            : sizeof attributes.handled_files;
    const auto ruleset = static_cast<int>(syscall(create_ruleset, &attributes, size, 0));
    require(ruleset >= 0, "Landlock: make a ruleset");
    for (const auto& path : reach.read) allow_below(ruleset, path, read_file | read_directory);
    for (const auto& path : reach.write)
        allow_below(ruleset,
                    path,
                    files & (read_file | read_directory | write_file | truncate | make_regular |
                             make_socket | make_directory | remove_file | remove_directory));
    if (version >= 4) {
        for (const auto port : reach.listen_tcp) {
            const PortRule rule{.allowed = bind_tcp, .port = port};
            require(syscall(add_rule, ruleset, rule_port, &rule, 0) == 0, "Landlock: allow a port");
        }
    }
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    require(syscall(restrict_self, ruleset, 0) == 0, "Landlock: shut");
    close(ruleset);
    return version;
}

} // namespace ikefrag
