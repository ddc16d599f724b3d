// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/metrics/families.hpp"
#include "daemon/metrics/snapshot.hpp"

#include <cstddef>

namespace ikefrag::metrics {

/// What the messages of all servers were like.
void export_totals(Families& out, const MetricsSnapshot& snapshot);
/// Handshakes, diagnoses and peers of one server. In: index in `snapshot.servers`
void export_server(Families& out, const MetricsSnapshot& snapshot, std::size_t index);

} // namespace ikefrag::metrics
