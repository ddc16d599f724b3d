// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/unseen_packets.hpp"

#include <algorithm>

namespace ikefrag {

UnseenPackets::Sum UnseenPackets::look(const Look& now) {
    auto queued = now.rule_count + uncounted_;
    // All that the rules had counted at the last look was read since, if it ever came. A count that
    // rests tells less: with a backlog it looks the same.
    const bool caught_up = now.emptied > last_.read_at;
    if (now.table_repairs != last_.table_repairs) {
        count_lost_ = true;
    } else if (count_lost_ && caught_up && queued == last_.rule_count &&
               now.accounted == last_.accounted) {
        // The end of a rule that another tool removed takes along what it counted since we last
        // read it: that is what we account for beyond its count, once both rest.
        count_lost_ = false;
        const auto ours = now.accounted + unseen_;
        uncounted_ += ours - std::min(ours, queued);
        queued = std::max(ours, queued);
    } else if (caught_up) {
        // Twice, as a packet may be between the rule and the socket.
        const auto lacking = last_.rule_count - std::min(last_.rule_count, now.received);
        unseen_ = std::max(unseen_, std::min(lacking, lacking_));
        lacking_ = lacking;
    }
    unseen_ = std::max(unseen_, now.missed);
    last_ = now;
    last_.rule_count = queued;
    return {queued, unseen_};
}

} // namespace ikefrag
