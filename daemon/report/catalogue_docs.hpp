// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <string>

namespace ikefrag {

/// The catalogue of diagnoses as the manual page ikefragd-diagnoses(7), in roff.
[[nodiscard]] std::string diagnoses_manual();
/// The same as Markdown.
[[nodiscard]] std::string diagnoses_markdown();

} // namespace ikefrag
