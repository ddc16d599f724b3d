// SPDX-License-Identifier: GPL-2.0-or-later
// ikefrag_copies: the bare yardstick of a copy reader: reads a log group, counts, does nothing
// else. Prints "ready", and at its end (SIGTERM or --seconds): copies lost.
#include "daemon/clock.hpp"
#include "daemon/kernel/log_reader.hpp"

#include <CLI/CLI.hpp>
#include <poll.h>
#include <signal.h>

#include <cstdio>
#include <exception>

using namespace ikefrag;

namespace {
volatile sig_atomic_t stopped = 0;
} // namespace

int main(int argc, char** argv) {
    CLI::App app("reads a log group and does nothing else");
    LogSettings settings;
    app.add_option("--group", settings.group);
    CLI11_PARSE(app, argc, argv);
    try {
        struct sigaction action {};
        action.sa_handler = [](int) { stopped = 1; };
        sigaction(SIGTERM, &action, nullptr);
        const Clock clock;
        LogReader reader(settings, clock);
        std::puts("ready");
        std::fflush(stdout);
        while (stopped == 0) {
            pollfd wait{reader.descriptor(), POLLIN, 0};
            ::poll(&wait, 1, 100);
            while (!reader.read().empty()) {
            }
        }
        std::printf("%llu %llu\n",
                    static_cast<unsigned long long>(reader.counters().copies.get()),
                    static_cast<unsigned long long>(reader.counters().lost.get()));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ikefrag_copies: %s\n", error.what());
        return 1;
    }
}
