// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/daemon/temporary_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <stdexcept>

namespace ikefrag::testing {

TemporaryFile::TemporaryFile(std::string_view content) : path_("/tmp/ikefrag-test-XXXXXX") {
    const int descriptor = mkstemp(path_.data());
    if (descriptor < 0) throw std::runtime_error("mkstemp");
    ::close(descriptor);
    std::ofstream(path_, std::ios::binary) << content;
}

TemporaryFile::~TemporaryFile() { ::unlink(path_.c_str()); }

int TemporaryFile::open() const { return ::open(path_.c_str(), O_RDONLY | O_CLOEXEC); }

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file) throw std::runtime_error("cannot read " + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

} // namespace ikefrag::testing
