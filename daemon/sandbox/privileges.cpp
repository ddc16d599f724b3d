// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <stdexcept>
#include <system_error>

namespace ikefrag {
namespace {

/// "nobody" and "nogroup" everywhere; by number, so that no name service is asked.
constexpr uid_t nobody = 65534;

void require(bool done, const char* step) {
    if (!done) throw std::system_error(errno, std::generic_category(), step);
}

/// In: `kept`: bits of the capabilities to keep, of the first 32.
void set_capabilities(std::uint32_t kept) {
    __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
    std::array<__user_cap_data_struct, 2> data{};
    data[0] = {.effective = kept, .permitted = kept, .inheritable = 0};
    require(syscall(SYS_capset, &header, data.data()) == 0, "set capabilities");
}

void drop_bounding_set(std::uint32_t kept) {
    for (unsigned long capability = 0;; ++capability) {
        if (capability < 32 && ((kept >> capability) & 1u) != 0) continue;
        // EINVAL: beyond the kernel's last capability; EPERM: not ours to drop, nor to use.
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) {
            if (errno == EINVAL) return;
            if (errno != EPERM) require(false, "drop bounding set");
            return;
        }
    }
}

void become(uid_t user, gid_t group) {
    require(setgroups(0, nullptr) == 0, "drop groups");
    require(setresgid(group, group, group) == 0, "set group");
    require(setresuid(user, user, user) == 0, "set user");
}

} // namespace

void keep_only_net_admin(const std::string& user) {
    constexpr std::uint32_t net_admin = 1u << CAP_NET_ADMIN;
    if (geteuid() == 0) {
        errno = 0;
        const passwd* entry = getpwnam(user.c_str());
        if (entry == nullptr)
            throw std::runtime_error("user '" + user + "' does not exist (see --user)");
        const uid_t uid = entry->pw_uid;
        const gid_t gid = entry->pw_gid;
        drop_bounding_set(net_admin);
        require(prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) == 0, "keep capabilities");
        become(uid, gid);
        require(prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) == 0, "keep capabilities");
    }
    require(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "clear ambient set");
    set_capabilities(net_admin);
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
}

void give_up_all_privileges() {
    if (geteuid() == 0 || getuid() == 0) {
        drop_bounding_set(0);
        become(nobody, nobody);
    }
    require(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "clear ambient set");
    set_capabilities(0);
    require(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
#ifdef __SANITIZE_ADDRESS__
    // The leak checker looks at its own process by ptrace, which a change of user forbids.
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
    if (setuid(0) == 0) throw std::system_error(EPERM, std::generic_category(), "stay nobody");
}

void forbid_dumps() {
    const rlimit none{0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

} // namespace ikefrag
