// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replay/privileges.hpp"

#include <grp.h>
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace ikefrag {

namespace {

/// "nobody" and "nogroup" everywhere; by number, so that no name service is asked.
constexpr unsigned nobody = 65'534;

void must(bool done, const char* what) {
    if (!done) throw std::system_error(errno, std::generic_category(), what);
}

void clear_capabilities() {
    must(prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) == 0, "clear capabilities");
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    std::array<__user_cap_data_struct, 2> none{};
    must(syscall(SYS_capset, &header, none.data()) == 0, "clear capabilities");
}

} // namespace

void drop_privileges() {
    if (geteuid() == 0 || getuid() == 0) {
        // The bounding set first: nothing this process could ever run gets capabilities back.
        for (int capability = 0; prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; ++capability)
            (void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
        must(setgroups(0, nullptr) == 0, "give up supplementary groups");
        must(setresgid(nobody, nobody, nobody) == 0, "become group nobody");
        must(setresuid(nobody, nobody, nobody) == 0, "become user nobody");
    }
    clear_capabilities();
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "set no_new_privs");
#ifdef __SANITIZE_ADDRESS__
    // The leak checker looks at its own process by ptrace, which a change of user forbids.
    (void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
#endif
    if (setuid(0) == 0) throw std::system_error(EPERM, std::generic_category(), "stay nobody");
}

} // namespace ikefrag
