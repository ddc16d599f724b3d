// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/file_output.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <system_error>

namespace ikefrag {

namespace {

[[noreturn]] void trouble(const std::string& what) {
    throw std::system_error(errno, std::generic_category(), what);
}

} // namespace

FileOutput::FileOutput(const std::string& path) {
    const auto slash = path.rfind('/');
    const std::string directory =
        slash == std::string::npos ? "." : (slash == 0 ? "/" : path.substr(0, slash));
    name_ = slash == std::string::npos ? path : path.substr(slash + 1);
    if (name_.empty()) {
        errno = EISDIR;
        trouble(path);
    }
    directory_ = ::open(directory.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (directory_ < 0) trouble(directory);
    temporary_ = '.' + name_ + '.' + std::to_string(::getpid());
    descriptor_ = ::openat(
        directory_, temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor_ < 0) {
        const int error = errno;
        ::close(directory_);
        errno = error;
        trouble(path);
    }
}

FileOutput::~FileOutput() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
        (void)::unlinkat(directory_, temporary_.c_str(), 0);
    }
    ::close(directory_);
}

void FileOutput::write(std::string_view content) {
    while (!content.empty()) {
        const ssize_t written = ::write(descriptor_, content.data(), content.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) trouble(name_);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
}

void FileOutput::commit() {
    if (::renameat(directory_, temporary_.c_str(), directory_, name_.c_str()) != 0) trouble(name_);
    ::close(descriptor_);
    descriptor_ = -1;
}

} // namespace ikefrag
