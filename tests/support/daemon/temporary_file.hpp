// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ikefrag::testing {

/// A file of given content, removed at the end.
class TemporaryFile {
public:
    explicit TemporaryFile(std::string_view content);
    ~TemporaryFile();
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    [[nodiscard]] const std::string& path() const noexcept { return path_; }
    /// A new descriptor at the file's first byte; the caller closes it.
    [[nodiscard]] int open() const;

private:
    std::string path_;
};

/// A whole file. Throws where it cannot be read.
[[nodiscard]] std::string read_file(const std::string& path);

} // namespace ikefrag::testing
