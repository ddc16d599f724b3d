// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "plugin/vendor_id.hpp"

#include <string>
#include <vector>

namespace ikefrag {

/// The vendor IDs to know: those compiled in, and behind them those of `vendor-ids.txt` beside the
/// configuration file, if there is one; one of the same prefix stands in the place of the built-in.
/// Errors: as read_config_file; each line that is wrong.
[[nodiscard]] Result<std::vector<VendorId>, Diagnostics>
read_vendor_ids(const std::string& config_path, Ownership ownership);

} // namespace ikefrag
