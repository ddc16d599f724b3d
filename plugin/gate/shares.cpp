// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/shares.hpp"

#include "plugin/gate/datagram.hpp"
#include "plugin/gate/datagram_key.hpp"

#include <algorithm>
#include <bit>
#include <cassert>

namespace ikefrag {
namespace {

constexpr std::size_t ordinary = 0;
constexpr std::size_t reserved = 1;

Usage half_of(const Usage& limit) noexcept {
    return {
        .datagrams = limit.datagrams / 2, .packets = limit.packets / 2, .bytes = limit.bytes / 2};
}

} // namespace

Usage& Usage::operator+=(const Usage& other) noexcept {
    datagrams += other.datagrams;
    packets += other.packets;
    bytes += other.bytes;
    return *this;
}

Usage& Usage::operator-=(const Usage& other) noexcept {
    assert(datagrams >= other.datagrams && packets >= other.packets && bytes >= other.bytes);
    datagrams -= other.datagrams;
    packets -= other.packets;
    bytes -= other.bytes;
    return *this;
}

bool Usage::fits(const Usage& more, const Usage& limit) const noexcept {
    return datagrams + more.datagrams <= limit.datagrams &&
           packets + more.packets <= limit.packets && bytes + more.bytes <= limit.bytes;
}

SourceKey source_key_of(const IpAddress& address, bool from_server) noexcept {
    const std::uint64_t kind = index(address.family) | (from_server ? 2u : 0u);
    if (address.family == Family::ipv4)
        return {
            {word_at(address, 0) & 0xffffffffu, 0, kind}
        };
    return {
        {word_at(address, 0), 0, kind}
    };
}

void Shares::set_limits(const Usage& table, const Usage& source) {
    table_limit_ = table;
    source_limit_ = source;
    // One more than may be: a newcomer's account is made before it is asked for room.
    index_.reserve(std::max<std::size_t>(table.datagrams, index_.size()) + 1);
}

void Shares::set_proven(const std::vector<IpAddress>& sources) {
    proven_.clear();
    proven_.reserve(sources.size());
    for (const auto& source : sources) proven_.push_back(source_key_of(source, false));
    std::sort(proven_.begin(), proven_.end());
}

bool Shares::is_proven(const SourceKey& key) const noexcept {
    return std::binary_search(proven_.begin(), proven_.end(), key);
}

Source& Shares::source_of(const IpPacket& ip, bool from_server, bool to_server) {
    const bool servers_own = from_server && !to_server;
    const auto key = source_key_of(servers_own ? ip.destination : ip.source, servers_own);
    const auto hash = hash_(key.words);
    if (auto* const known = index_.find(hash, key)) return *known;
    auto* const source = pool_.create();
    source->key = key;
    source->hash = hash;
    source->exempt = from_server;
    source->reserved = from_server || is_proven(key);
    index_.insert(source);
    return *source;
}

std::uint8_t Shares::weight_of(const Usage& usage) const noexcept {
    // One datagram weighs the same whatever its size: else nobody's long message would get in where
    // a flood of short pieces, each from a source of its own, has filled the table.
    if (usage.datagrams == 1) return 1;
    // Eighths of the source's limit, rounded up.
    const auto eighths = [](std::uint64_t used, std::uint64_t limit) {
        return (used * 8 + limit - 1) / limit;
    };
    const auto heaviest = std::max({eighths(usage.datagrams, source_limit_.datagrams),
                                    eighths(usage.packets, source_limit_.packets),
                                    eighths(usage.bytes, source_limit_.bytes)});
    return static_cast<std::uint8_t>(std::min<std::uint64_t>(heaviest, weights - 1));
}

Datagram* Shares::oldest_but(const Source& source, const Datagram* keep) noexcept {
    return source.oldest == keep ? keep->newer : source.oldest;
}

Datagram* Shares::pick_victim(const Half& half, const Datagram* keep) noexcept {
    auto present = half.present;
    while (present != 0) {
        const auto weight = static_cast<std::uint32_t>(std::bit_width(present)) - 1;
        for (auto* source = half.first[weight]; source != nullptr; source = source->behind) {
            auto* const candidate = oldest_but(*source, keep);
            if (candidate != nullptr) return candidate;
            // Only the source of `keep` has nothing else: at most one is passed over.
        }
        present &= ~(1u << weight);
    }
    return nullptr;
}

Room Shares::room_for(const Source& source, const Usage& more, const Datagram* keep) noexcept {
    if (!source.exempt && !source.usage.fits(more, source_limit_)) {
        victim_ = oldest_but(source, keep);
        return victim_ == nullptr ? Room::source_limit : Room::evict_own;
    }
    const bool half_full =
        !source.reserved && !halves_[ordinary].usage.fits(more, half_of(table_limit_));
    if (!half_full && total_.fits(more, table_limit_)) return Room::there;
    victim_ = pick_victim(halves_[half_full ? ordinary : reserved], keep);
    if (victim_ == nullptr) return Room::none;
    auto after = source.usage;
    after += more;
    const bool own = victim_->source == &source;
    if (own || victim_->source->weight >= weight_of(after)) return Room::evict;
    victim_ = oldest_but(source, keep);
    return victim_ == nullptr ? Room::none : Room::evict;
}

void Shares::link(Source& source) noexcept {
    auto& half = halves_[source.reserved ? reserved : ordinary];
    auto& last = half.last[source.weight];
    source.before = last;
    source.behind = nullptr;
    (last != nullptr ? last->behind : half.first[source.weight]) = &source;
    last = &source;
    half.present |= 1u << source.weight;
}

void Shares::unlink(Source& source) noexcept {
    auto& half = halves_[source.reserved ? reserved : ordinary];
    auto& first = half.first[source.weight];
    auto& last = half.last[source.weight];
    (source.before != nullptr ? source.before->behind : first) = source.behind;
    (source.behind != nullptr ? source.behind->before : last) = source.before;
    if (first == nullptr) half.present &= ~(1u << source.weight);
}

void Shares::weigh(Source& source) noexcept {
    const auto weight = weight_of(source.usage);
    if (weight == source.weight) return;
    if (source.weight != 0) unlink(source);
    source.weight = weight;
    if (weight != 0) link(source);
}

void Shares::add(Source& source, const Usage& more) noexcept {
    source.usage += more;
    halves_[source.reserved ? reserved : ordinary].usage += more;
    total_ += more;
    weigh(source);
}

void Shares::enter(Source& source, Datagram& datagram) noexcept {
    datagram.source = &source;
    datagram.older = source.newest;
    datagram.newer = nullptr;
    (source.newest != nullptr ? source.newest->newer : source.oldest) = &datagram;
    source.newest = &datagram;
}

void Shares::leave(Source& source, Datagram& datagram, const Usage& usage) noexcept {
    (datagram.older != nullptr ? datagram.older->newer : source.oldest) = datagram.newer;
    (datagram.newer != nullptr ? datagram.newer->older : source.newest) = datagram.older;
    source.usage -= usage;
    halves_[source.reserved ? reserved : ordinary].usage -= usage;
    total_ -= usage;
    weigh(source);
    drop_if_unused(source);
}

void Shares::drop_if_unused(Source& source) noexcept {
    if (source.oldest != nullptr) return;
    assert(source.weight == 0 && source.usage.bytes == 0);
    index_.erase(&source);
    pool_.destroy(&source);
}

} // namespace ikefrag
