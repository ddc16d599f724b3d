// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/config.hpp"
#include "daemon/config/toml.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace ikefrag {
namespace {

constexpr std::size_t max_file_bytes = 1 << 20;
constexpr std::size_t max_files = 256;

Failure<Diagnostics> refuse(const std::string& path, std::string message) {
    return fail(Diagnostics{
        {path, {}, std::move(message), {}}
    });
}

Failure<Diagnostics> refuse_errno(const std::string& path, const char* what) {
    return refuse(path, std::string("cannot ") + what + ": " + std::strerror(errno));
}

class Descriptor {
public:
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    [[nodiscard]] int get() const noexcept { return value_; }

private:
    int value_;
};

bool is_trusted(uid_t owner, Ownership ownership) {
    return ownership == Ownership::lenient || owner == 0 || owner == ::geteuid();
}

/// Why somebody else could have written this; empty if nobody could.
std::string doubt(const struct stat& status, Ownership ownership) {
    if ((status.st_mode & S_IWOTH) != 0) return "others may write it: refused (chmod o-w)";
    if (ownership == Ownership::strict && (status.st_mode & S_IWGRP) != 0 && status.st_gid != 0)
        return "its group may write it: refused (chmod g-w)";
    if (!is_trusted(status.st_uid, ownership))
        return "it belongs to user " + std::to_string(status.st_uid) + ": refused (chown root)";
    return {};
}

/// Reads a regular file nobody else may write. `label` is what messages call it.
Result<TextFile, Diagnostics>
read_text(const std::string& path, const std::string& label, Ownership ownership) {
    struct stat link {};
    if (::lstat(path.c_str(), &link) != 0) return refuse_errno(path, "read");
    if (S_ISLNK(link.st_mode) && !is_trusted(link.st_uid, ownership))
        return refuse(path,
                      "it is a symbolic link of user " + std::to_string(link.st_uid) +
                          ": refused (only root's are followed)");
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (file.get() < 0) return refuse_errno(path, "read");
    struct stat status {};
    if (::fstat(file.get(), &status) != 0) return refuse_errno(path, "read");
    if (!S_ISREG(status.st_mode)) return refuse(path, "not a regular file");
    if (const auto reason = doubt(status, ownership); !reason.empty()) return refuse(path, reason);
    TextFile text{label, {}};
    char buffer[16384];
    for (;;) {
        const auto got = ::read(file.get(), buffer, sizeof buffer);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return refuse_errno(path, "read");
        if (got == 0) return text;
        text.text.append(buffer, static_cast<std::size_t>(got));
        if (text.text.size() > max_file_bytes) return refuse(path, "larger than 1 MiB");
    }
}

} // namespace

Result<TextFile, Diagnostics> read_config_file(const std::string& path, Ownership ownership) {
    return read_text(path, path, ownership);
}

Result<std::vector<TextFile>, Diagnostics> read_rule_files(const std::string& path,
                                                           Ownership ownership) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return refuse_errno(path, "read");
    if (!S_ISDIR(status.st_mode)) {
        auto file = read_text(path, path, ownership);
        if (!file) return fail(std::move(file).error());
        return std::vector<TextFile>{std::move(*file)};
    }
    if (const auto reason = doubt(status, ownership); !reason.empty()) return refuse(path, reason);
    const auto close_directory = [](DIR* directory) { ::closedir(directory); };
    const std::unique_ptr<DIR, decltype(close_directory)> directory(::opendir(path.c_str()),
                                                                    close_directory);
    if (!directory) return refuse_errno(path, "read");
    std::vector<std::string> names;
    while (const auto* entry = ::readdir(directory.get())) {
        const std::string name = entry->d_name;
        if (name.ends_with(".toml") && name.front() != '.') names.push_back(name);
    }
    if (names.size() > max_files)
        return refuse(path, "more than " + std::to_string(max_files) + " rule files");
    std::sort(names.begin(), names.end());
    std::vector<TextFile> files;
    Diagnostics diagnostics;
    for (const auto& name : names) {
        const auto full = path + (path.ends_with('/') ? "" : "/") + name;
        auto file = read_text(full, full, ownership);
        if (file)
            files.push_back(std::move(*file));
        else
            diagnostics.push_back(file.error().front());
    }
    if (!diagnostics.empty()) return fail(std::move(diagnostics));
    return files;
}

Result<Config, Diagnostics>
read_config(const std::string& path, const std::string& rules_directory, Ownership ownership) {
    auto directory = rules_directory;
    if (directory.empty()) {
        const auto slash = path.rfind('/');
        directory = (slash == std::string::npos ? "." : path.substr(0, slash)) + "/rules.d";
        struct stat status {};
        if (::stat(directory.c_str(), &status) != 0 && errno == ENOENT) directory.clear();
    }
    Diagnostics diagnostics;
    auto file = read_config_file(path, ownership);
    std::vector<TextFile> rules;
    if (!directory.empty()) {
        auto files = read_rule_files(directory, ownership);
        if (files)
            rules = std::move(*files);
        else
            diagnostics = std::move(files).error();
    }
    if (!file) diagnostics.insert(diagnostics.begin(), file.error().front());
    if (!diagnostics.empty()) return fail(std::move(diagnostics));
    auto config = parse_config(*file, rules);
    if (config) config->rules_directory = directory;
    return config;
}

TextFile shipped_rule_file() { return {"00-default.toml", std::string(shipped_rules())}; }

} // namespace ikefrag
