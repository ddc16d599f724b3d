// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <boost/json/object.hpp>

namespace ikefrag {

class Daemon;
class Recorder;
class MetricsCollector;

/// The daemon at one glance: what `ikefragctl status` shows.
[[nodiscard]] boost::json::object status_json(const Daemon& daemon,
                                              const MetricsCollector& metrics);
/// What the doctor asks: kernel settings asked and got, conntrack, others' rules.
[[nodiscard]] boost::json::object facts_json(const Daemon& daemon);
/// What `ikefragctl capture` shows beside the list of files.
[[nodiscard]] boost::json::object capture_json(const Recorder& recorder);

} // namespace ikefrag
