// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/path_size.hpp"

#include <algorithm>
#include <array>
#include <vector>

namespace ikefrag::probe {

namespace {

/// MTUs of links people have: Ethernet less PPPoE, tunnels, mobile and cable networks, the smallest
/// IPv6, the smallest everybody takes. Tried first; any other is found by halving.
constexpr std::array<std::uint32_t, 32> common_sizes{
    68,   296,  508,  552,  576,  1006, 1280, 1300, 1320, 1340, 1350, 1358, 1360, 1370, 1380, 1390,
    1400, 1410, 1420, 1428, 1430, 1438, 1440, 1450, 1452, 1454, 1460, 1472, 1480, 1492, 1500, 9000};

} // namespace

SizeSearch::SizeSearch(Family family, std::uint32_t passed, std::uint32_t interface_mtu)
    : low_(passed), high_(std::max(interface_mtu, passed) + 1), top_(high_), family_(family) {}

std::optional<std::uint32_t> SizeSearch::next() const {
    if (low_ + 1 >= high_) return std::nullopt;
    if (!tried_top_) return high_ - 1;
    if (told_ > low_ && told_ < high_) return told_;
    std::vector<std::uint32_t> between;
    for (const auto size : common_sizes)
        if (size > low_ && size < high_ && (family_ == Family::ipv4 || size >= 1280))
            between.push_back(size);
    if (!between.empty()) return between[between.size() / 2];
    // Between two common sizes: most often the lower one is it.
    if (std::find(common_sizes.begin(), common_sizes.end(), low_) != common_sizes.end())
        return low_ + 1;
    return low_ + (high_ - low_) / 2;
}

void SizeSearch::passed(std::uint32_t bytes) {
    tried_top_ = true;
    low_ = std::max(low_, bytes);
    // Something larger had been lost by chance.
    if (high_ <= low_) high_ = std::max(top_, low_ + 1);
    // The router said that this is what its link takes, and it does: it throws away one octet more.
    if (told_ == low_) high_ = low_ + 1;
}

void SizeSearch::lost(std::uint32_t bytes) {
    tried_top_ = true;
    silent_ = true;
    high_ = std::max(std::min(high_, bytes), low_ + 1);
}

void SizeSearch::told(std::uint32_t bytes, std::uint32_t mtu) {
    tried_top_ = true;
    high_ = std::max(std::min(high_, bytes), low_ + 1);
    if (mtu > low_ && mtu < bytes) told_ = mtu;
    if (mtu == low_) {
        told_ = mtu;
        high_ = low_ + 1;
    }
}

PathSize SizeSearch::result() const {
    PathSize size;
    size.bytes = low_;
    size.exact = low_ + 1 == high_;
    size.told_by_icmp = told_ != 0 && told_ == low_;
    size.silent_loss = silent_ && !size.told_by_icmp && high_ < top_;
    return size;
}

} // namespace ikefrag::probe
