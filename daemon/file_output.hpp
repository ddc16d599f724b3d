// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>
#include <string_view>

namespace ikefrag {

/// A file being written: under a temporary name in its directory, mode 0600, never through a link;
/// commit() gives it its name. Dropped uncommitted, nothing remains.
class FileOutput {
public:
    /// Errors: std::system_error
    explicit FileOutput(const std::string& path);
    ~FileOutput();
    FileOutput(const FileOutput&) = delete;
    FileOutput& operator=(const FileOutput&) = delete;

    /// Errors: std::system_error
    void write(std::string_view content);
    /// Gives the file its name. Errors: std::system_error
    void commit();

private:
    std::string name_;
    std::string temporary_;
    int directory_ = -1;
    int descriptor_ = -1;
};

} // namespace ikefrag
