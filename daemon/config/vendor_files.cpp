// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/vendor_files.hpp"

#include "daemon/config/toml.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

namespace ikefrag {

Result<std::vector<VendorId>, Diagnostics> read_vendor_ids(const std::string& config_path,
                                                           Ownership ownership) {
    auto known = default_vendor_ids();
    const auto slash = config_path.rfind('/');
    const auto path =
        (slash == std::string::npos ? "." : config_path.substr(0, slash)) + "/vendor-ids.txt";
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0 && errno == ENOENT) return known;
    const auto file = read_config_file(path, ownership);
    if (!file) return fail(file.error());
    auto own = parse_vendor_ids(file->text);
    if (!own) {
        Diagnostics mistakes;
        for (const auto& error : own.error())
            mistakes.push_back({
                path,
                {error.line, 1},
                error.message,
                std::string(line_of(file->text, error.line))
            });
        return fail(std::move(mistakes));
    }
    // Who names a built-in prefix means it: their name and word go before ours.
    std::erase_if(known, [&own](const VendorId& built_in) {
        return std::any_of(own->begin(), own->end(), [&built_in](const VendorId& id) {
            return id.prefix == built_in.prefix;
        });
    });
    known.insert(known.end(), own->begin(), own->end());
    return known;
}

} // namespace ikefrag
