// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdio>
#include <string>
#include <string_view>

namespace ikefrag {

class Replay;

/// Writes what a replay found as one JSON object on one line (DESIGN §6). In: `file` is the
/// capture's name as given; "packets" is there if the replay kept them.
void write_replay_json(std::FILE* out, const Replay& replay, std::string_view file);

} // namespace ikefrag
