/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Code in the daemon's own process: preloaded, it waits until the daemon has told that it is ready, hence has shut itself in, and then
 * tries what an attacker would. Answers go to its state folder; the last attempt is to execute a program. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

static FILE* answers;

static void tell(const char* what, const char* where, int worked) {
    if (worked) fprintf(answers, "%s%s: yes\n", what, where);
    else fprintf(answers, "%s%s: no, %s\n", what, where, strerror(errno));
    fflush(answers);
}

static void try_open(const char* what, const char* path, int flags) {
    int file = open(path, flags | O_CLOEXEC, 0600);
    tell(what, path, file >= 0);
    if (file >= 0) close(file);
}

static void try_port(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(4444)};
    int door = socket(AF_INET, SOCK_STREAM, 0);
    tell("listen ", "4444", door >= 0 && bind(door, (struct sockaddr*)&address, sizeof address) == 0 && listen(door, 1) == 0);
    address.sin_port = htons(22);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int line = socket(AF_INET, SOCK_STREAM, 0);
    int worked = line >= 0 && connect(line, (struct sockaddr*)&address, sizeof address) == 0;
    tell("connect ", "127.0.0.1:22", worked || errno == ECONNREFUSED);
    tell("raw ", "socket", socket(AF_PACKET, SOCK_RAW, 0) >= 0);
}

static void attempt(void) {
    static int done;
    static const char* reads[] = {"/etc/ikefragd/ikefragd.toml", "/root/secret", "/home/alice/secret", "/etc/passwd", "/var/log/dpkg.log"};
    static const char* writes[] = {"/var/lib/ikefragd/x", "/etc/ikefragd/x", "/etc/x", "/usr/x", "/tmp/x", "/dev/shm/x", "/var/x"};
    static char* arguments[] = {"true", NULL};
    if (done++) return;
    answers = fopen("/var/lib/ikefragd/hijack.log", "w");
    if (!answers) return;
    for (unsigned i = 0; i < sizeof reads / sizeof *reads; ++i) try_open("read ", reads[i], O_RDONLY);
    for (unsigned i = 0; i < sizeof writes / sizeof *writes; ++i) try_open("write ", writes[i], O_WRONLY | O_CREAT);
    try_port();
    execv("/bin/true", arguments);
    tell("execute ", "/bin/true", 0);
}

/* The daemon's own call, and then ours. */
int sd_notify(int unset, const char* state) {
    int (*real)(int, const char*) = (int (*)(int, const char*))dlsym(RTLD_NEXT, "sd_notify");
    int result = real(unset, state);
    if (strstr(state, "READY=1")) attempt();
    return result;
}
int sd_notifyf(int unset, const char* format, ...) {
    char state[1024];
    va_list list;
    va_start(list, format);
    vsnprintf(state, sizeof state, format, list);
    va_end(list);
    return sd_notify(unset, state);
}
