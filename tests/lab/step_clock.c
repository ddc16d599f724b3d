/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into a program: its wall clock goes by as many seconds as the file STEP_CLOCK says (a 64-bit number), so that a test can
 * set "the clock" without touching the machine's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t* step;
static int (*real)(clockid_t, struct timespec*);

__attribute__((constructor)) static void begin(void) {
    real = (int (*)(clockid_t, struct timespec*))dlsym(RTLD_NEXT, "clock_gettime");
    const char* path = getenv("STEP_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void* map = file < 0 ? MAP_FAILED : mmap(NULL, sizeof *step, PROT_READ, MAP_SHARED, file, 0);
    step = map == MAP_FAILED ? NULL : map;
    if (file >= 0) close(file);
}

int clock_gettime(clockid_t clock, struct timespec* time) {
    int result = real(clock, time);
    if (result == 0 && clock == CLOCK_REALTIME && step) time->tv_sec += *step;
    return result;
}

time_t time(time_t* seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds) *seconds = now.tv_sec;
    return now.tv_sec;
}
