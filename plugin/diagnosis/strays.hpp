// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/diagnosis.hpp"
#include "plugin/observation.hpp"
#include "plugin/policy.hpp"

#include <cstddef>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

namespace ikefrag {

/// Findings about fragments that belong to no handshake: attacks, and our own limits (D29, D30).
/// One for each diagnosis, source and destination, told again at most once a second, closed after a
/// quiet minute. Bounds: max_findings; while there are so many, further sources are not told.
class Strays {
public:
    static constexpr std::size_t max_findings = 64;
    enum class Change : std::uint8_t { opened, updated, closed };
    using Tell = std::function<void(Change, const Finding&, TimePoint)>;

    void take(const DatagramLost& lost, const Policy& policy, TimePoint now, const Tell& tell);
    /// Closes what has been quiet. Bounds: does nothing more often than once a second.
    void expire(TimePoint now, const Tell& tell);
    void for_each(const std::function<void(const Finding&)>& visit) const;

private:
    struct Entry {
        Finding finding;
        TimePoint last;
        std::size_t count = 0;
        std::string detail;
    };
    std::map<std::tuple<const Diagnosis*, IpAddress, IpAddress>, Entry> entries_;
    std::vector<Finding> closed_; ///< bounded as entries_
    TimePoint expired_;
};

} // namespace ikefrag
