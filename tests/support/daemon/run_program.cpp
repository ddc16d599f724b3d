// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/daemon/run_program.hpp"

#include "tests/support/daemon/temporary_file.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <stdexcept>

namespace ikefrag::testing {

Ran run_program(const std::vector<std::string>& command, const std::string& input) {
    const TemporaryFile in(input);
    const TemporaryFile out("");
    const TemporaryFile err("");
    std::vector<char*> arguments;
    for (const auto& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    const pid_t child = ::fork();
    if (child < 0) throw std::runtime_error("fork");
    if (child == 0) {
        const int files[] = {::open(in.path().c_str(), O_RDONLY),
                             ::open(out.path().c_str(), O_WRONLY),
                             ::open(err.path().c_str(), O_WRONLY)};
        for (int i = 0; i < 3; ++i) ::dup2(files[i], i);
        ::execvp(arguments[0], arguments.data());
        ::_exit(127);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    Ran ran;
    ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    ran.out = read_file(out.path());
    ran.err = read_file(err.path());
    return ran;
}

Ran run_ctl(std::vector<std::string> arguments, const std::string& input) {
    arguments.insert(arguments.begin(), BUILD_DIR "/ikefragctl");
    return run_program(arguments, input);
}

} // namespace ikefrag::testing
