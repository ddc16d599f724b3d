// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/ctl/command.hpp"

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

int main(int argc, char** argv) {
    try {
        return ikefrag::ctl::run_command_line(
            std::vector<std::string>(argv + 1, argv + argc), stdout, stderr);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ikefragctl: %s\n", error.what());
        return 1;
    }
}
