// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sandbox/system_calls.hpp"

#include <seccomp.h>
#include <sys/socket.h>

#include <cerrno>
#include <memory>
#include <system_error>

namespace ikefrag {
namespace {

void require(int code, const char* step) {
    if (code < 0) throw std::system_error(-code, std::generic_category(), step);
}

/// What the daemon does once it runs: packets, files of its state, its sockets, threads, memory.
// clang-format off
constexpr int needed[] = {
    // sockets and polling
    SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(bind), SCMP_SYS(connect), SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_wait), SCMP_SYS(eventfd2),
    SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(getsockopt), SCMP_SYS(listen),
    SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(recvfrom), SCMP_SYS(recvmmsg), SCMP_SYS(recvmsg),
    SCMP_SYS(sendmmsg), SCMP_SYS(sendmsg), SCMP_SYS(sendto), SCMP_SYS(setsockopt),
    SCMP_SYS(shutdown), SCMP_SYS(timerfd_create), SCMP_SYS(timerfd_settime), SCMP_SYS(pipe2),
    SCMP_SYS(signalfd4), SCMP_SYS(socketpair), SCMP_SYS(select), SCMP_SYS(pselect6),
    // files: configuration, events, peers.db
    SCMP_SYS(access), SCMP_SYS(chmod), SCMP_SYS(chown), SCMP_SYS(close), SCMP_SYS(dup), SCMP_SYS(dup2),
    SCMP_SYS(dup3), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(fallocate), SCMP_SYS(fchmod),
    SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(fchownat), SCMP_SYS(fcntl), SCMP_SYS(fdatasync),
    SCMP_SYS(flock), SCMP_SYS(fstat), SCMP_SYS(fstatfs), SCMP_SYS(fsync), SCMP_SYS(ftruncate),
    SCMP_SYS(getcwd), SCMP_SYS(getdents64), SCMP_SYS(ioctl), SCMP_SYS(lseek), SCMP_SYS(lstat),
    SCMP_SYS(mkdir), SCMP_SYS(mkdirat), SCMP_SYS(newfstatat), SCMP_SYS(open), SCMP_SYS(openat),
    SCMP_SYS(pread64), SCMP_SYS(pwrite64), SCMP_SYS(read), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
    SCMP_SYS(readv), SCMP_SYS(rename), SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(rmdir),
    SCMP_SYS(stat), SCMP_SYS(statfs), SCMP_SYS(statx), SCMP_SYS(umask), SCMP_SYS(unlink),
    SCMP_SYS(unlinkat), SCMP_SYS(utimensat), SCMP_SYS(write), SCMP_SYS(writev),
    // memory, threads, time, identity
    SCMP_SYS(arch_prctl), SCMP_SYS(brk), SCMP_SYS(clock_getres), SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(futex), SCMP_SYS(get_robust_list), SCMP_SYS(getegid), SCMP_SYS(geteuid),
    SCMP_SYS(getgid), SCMP_SYS(getpid), SCMP_SYS(getppid), SCMP_SYS(getrandom), SCMP_SYS(getrlimit),
    SCMP_SYS(getrusage), SCMP_SYS(gettid), SCMP_SYS(gettimeofday), SCMP_SYS(getuid),
    SCMP_SYS(madvise), SCMP_SYS(membarrier), SCMP_SYS(mmap), SCMP_SYS(mprotect), SCMP_SYS(mremap),
    SCMP_SYS(munmap), SCMP_SYS(nanosleep), SCMP_SYS(prlimit64), SCMP_SYS(restart_syscall),
    SCMP_SYS(rseq), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigtimedwait), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_yield),
    SCMP_SYS(set_robust_list), SCMP_SYS(set_tid_address), SCMP_SYS(sigaltstack), SCMP_SYS(sysinfo),
    SCMP_SYS(tgkill), SCMP_SYS(time), SCMP_SYS(uname),
};

/// What only somebody else's code in our process would call.
constexpr int deadly[] = {
    SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(init_module),
    SCMP_SYS(finit_module), SCMP_SYS(bpf), SCMP_SYS(mount), SCMP_SYS(setns), SCMP_SYS(unshare),
};
// clang-format on

constexpr unsigned thread_clone_flag = 0x00010000; // CLONE_THREAD

} // namespace

void allow_only_needed_system_calls() {
    const std::unique_ptr<void, decltype(&seccomp_release)> filter(
        seccomp_init(SCMP_ACT_ERRNO(EPERM)), &seccomp_release);
    if (!filter) throw std::system_error(ENOMEM, std::generic_category(), "seccomp: begin");
    for (const int call : needed)
        require(seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0), "seccomp: allow");
    for (const int call : deadly)
        require(seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0), "seccomp: forbid");
    for (const int domain : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK})
        require(seccomp_rule_add(filter.get(),
                                 SCMP_ACT_ALLOW,
                                 SCMP_SYS(socket),
                                 1,
                                 SCMP_A0(SCMP_CMP_EQ, static_cast<scmp_datum_t>(domain))),
                "seccomp: allow a socket");
    // Threads, not processes. clone3 hides its flags behind a pointer, so it says "not there" and
    // the C library falls back to clone, whose flags can be seen.
    require(seccomp_rule_add(filter.get(),
                             SCMP_ACT_ALLOW,
                             SCMP_SYS(clone),
                             1,
                             SCMP_A0(SCMP_CMP_MASKED_EQ, thread_clone_flag, thread_clone_flag)),
            "seccomp: allow threads");
    require(seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0),
            "seccomp: hide clone3");
    require(seccomp_load(filter.get()), "seccomp: load");
}

} // namespace ikefrag
