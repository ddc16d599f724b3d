// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate.hpp"

#include <algorithm>
#include <cassert>

namespace ikefrag {
namespace {

/// Larger than the largest IP packet, so that every message fits one chunk.
constexpr std::size_t chunk_bytes = std::size_t{128} * 1024;

/// Kept from call to call: enough for 64 messages of 8 KiB. What a stall made of many lost
/// datagrams at once goes back.
constexpr std::size_t kept_chunks = 4;

} // namespace

void GateOutput::clear() {
    decisions.clear();
    observations.clear();
    chunks_.resize(std::min(chunks_.size(), kept_chunks));
    chunk_ = 0;
    chunk_used_ = 0;
}

Bytes GateOutput::keep(Bytes bytes) {
    const auto room = room_for(bytes.size());
    std::copy(bytes.begin(), bytes.end(), room.begin());
    return room;
}

std::span<std::uint8_t> GateOutput::room_for(std::size_t size) {
    assert(size <= chunk_bytes);
    if (chunk_ < chunks_.size() && size > chunk_bytes - chunk_used_) {
        ++chunk_;
        chunk_used_ = 0;
    }
    if (chunk_ == chunks_.size())
        chunks_.push_back(std::make_unique_for_overwrite<std::uint8_t[]>(chunk_bytes));
    auto* const begin = chunks_[chunk_].get() + chunk_used_;
    chunk_used_ += size;
    return {begin, size};
}

} // namespace ikefrag
