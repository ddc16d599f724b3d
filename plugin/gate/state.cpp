// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/gate/state.hpp"

#include <algorithm>

namespace ikefrag {
namespace {

std::uint64_t word_of(const std::array<std::uint8_t, 16>& seed) noexcept {
    std::uint64_t word = 0;
    std::memcpy(&word, seed.data() + 8, sizeof word);
    return word;
}

/// The queue shows no more of a packet than this. A longer fragment is judged by its headers, and
/// refused where it were held: it cannot be checked. One that a capture cut is let go, unreadable.
/// Source:  NFQNL_MAX_COPY_RANGE of Linux; read back where 65 535 was asked for
constexpr std::size_t largest_copy = 65'531;

/// What is remembered of ended datagrams takes a part of table_bytes, however small that is.
constexpr std::size_t table_bytes_per_remembered = 16'384;

/// What may be held, of what table_bytes leaves beside the fixed tables, in tenths. A flood whose
/// shape changes takes each pool to its own high water: most payload windows with the longest
/// datagrams, most datagrams with one window each (a third of what they take), most blocks of held
/// packets with seven fragments in one window (an eighth). Together: 1.43 times what may be held.
constexpr std::uint64_t tenths_held = 7;

/// Even a table of hardly any bytes holds one datagram of ordinary size in each half.
constexpr std::uint64_t least_bytes = std::uint64_t{64} * 1024;

} // namespace

Gate::State::State(PolicyPointer policy, const std::array<std::uint8_t, 16>& seed)
    : hash_(seed), digest_(word_of(seed)), shares_(hash_), esp_filter_(hash_) {
    set_policy(std::move(policy));
}

Gate::State::~State() {
    // Nobody is left to answer to: the caller has released what it wanted released.
    begin_call(now_, nullptr);
    while (!deadlines_.empty()) close(*deadlines_.soonest(), {.remember = std::nullopt}, nullptr);
}

void Gate::State::begin_call(TimePoint now, GateOutput* out) {
    now_ = std::max(now_, now);
    answers_.set_output(out);
}

void Gate::State::end_call() {
    answers_.set_output(nullptr);
    const auto bytes = held_bytes();
    counters_.held_datagrams.set(shares_.total().datagrams);
    counters_.held_packets.set(shares_.total().packets);
    counters_.held_bytes.set(bytes);
    counters_.held_bytes_max.set(std::max<std::uint64_t>(counters_.held_bytes_max.get(), bytes));
}

void Gate::State::feed(const Packet& packet, TimePoint now, GateOutput& out) {
    begin_call(now, &out);
    expire_due();
    const auto ip = parse_ip(packet.bytes, packet.truncated ? Copy::cut : Copy::whole);
    if (!ip) {
        take_unreadable(packet, false);
    } else if (!ip->fragment) {
        take_whole(packet, *ip);
    } else if (packet.truncated && packet.bytes.size() < largest_copy) {
        take_unreadable(packet, true);
    } else {
        take_fragment(packet, *ip);
        end_call();
    }
    answers_.set_output(nullptr);
}

void Gate::State::take_unreadable(const Packet& packet, bool fragment) {
    Decision decision;
    decision.packet = packet.id;
    decision.reason = Reason::unreadable;
    decision.fragment = fragment;
    const bool ipv6 = !packet.bytes.empty() && packet.bytes[0] >> 4 == 6;
    answers_.give(decision, ipv6 ? Family::ipv6 : Family::ipv4);
}

void Gate::State::take_whole(const Packet& packet, const IpPacket& ip) {
    const auto seen =
        look_at_whole(policy_->policy(), ip, packet, now_, answers_.output(), &esp_filter_);
    Decision decision;
    decision.packet = packet.id;
    decision.reason = seen.reason;
    decision.packet_class = seen.packet_class;
    answers_.give(decision, ip.family);
}

void Gate::State::expire(TimePoint now, GateOutput& out) {
    begin_call(now, &out);
    expire_due();
    end_call();
}

void Gate::State::expire_due() {
    while (!deadlines_.empty() && deadlines_.deadline() <= now_)
        time_out(*deadlines_.soonest(), nullptr);
    memory_.expire(now_);
}

std::optional<TimePoint> Gate::State::next_deadline() const {
    if (deadlines_.empty()) return std::nullopt;
    return deadlines_.deadline();
}

void Gate::State::release_all(TimePoint now, GateOutput& out) {
    begin_call(now, &out);
    while (!deadlines_.empty()) end(*deadlines_.soonest(), {.remember = std::nullopt}, nullptr);
    end_call();
}

void Gate::State::set_policy(PolicyPointer policy) {
    policies_.push_back(std::make_unique<CompiledPolicy>(std::move(policy)));
    policy_ = policies_.back().get();
    std::erase_if(policies_, [this](const auto& compiled) {
        return compiled->datagrams_held == 0 && compiled.get() != policy_;
    });
    apply_limits();
}

void Gate::State::apply_limits() {
    const auto& limits = policy_->policy().limits;
    // More than table_bytes can hold need no places in tables that are part of it.
    constexpr auto bytes_of_one = sizeof(Datagram) + sizeof(Source) + sizeof(PayloadWindow);
    const auto room_for = std::max<std::uint64_t>(limits.table_bytes, 2 * least_bytes);
    const auto most = std::min<std::uint64_t>(limits.table_datagrams, room_for / bytes_of_one + 1);
    const std::size_t datagrams = std::max<std::size_t>(most, deadlines_.size());
    const auto remembered = std::min<std::size_t>(limits.table_datagrams,
                                                  limits.table_bytes / table_bytes_per_remembered);
    // One more than may be held: a newcomer is in the table while it is asked whether it may stay.
    const Usage source{.datagrams = limits.source_datagrams,
                       .packets = limits.source_packets,
                       .bytes = limits.source_bytes};
    Usage table{.datagrams = most, .packets = limits.table_packets, .bytes = limits.table_bytes};
    shares_.set_limits(table, source);
    memory_.resize(remembered);
    index_.reserve(datagrams + 1 + memory_.capacity());
    deadlines_.reserve(datagrams + 1);
    const auto fixed = fixed_bytes();
    const auto left = table.bytes > fixed ? table.bytes - fixed : 0;
    table.bytes = std::max(left / 10 * tenths_held, 2 * least_bytes);
    shares_.set_limits(table, source);
}

std::size_t Gate::State::fixed_bytes() const noexcept {
    return sizeof(State) + index_.allocated_bytes() + memory_.allocated_bytes() +
           shares_.allocated_bytes() + deadlines_.allocated_bytes() +
           esp_filter_.allocated_bytes() + in_order_.capacity() * sizeof(void*) +
           interfaces_.capacity() * sizeof(interfaces_[0]) + policy_bytes();
}

std::size_t Gate::State::policy_bytes() const noexcept {
    std::size_t bytes = policies_.capacity() * sizeof(decltype(policies_)::value_type);
    for (const auto& compiled : policies_)
        bytes += sizeof(CompiledPolicy) + compiled->allocated_bytes();
    return bytes;
}

std::size_t Gate::State::held_bytes() const noexcept {
    return windows_.in_use() * sizeof(PayloadWindow) + blocks_.in_use() * sizeof(HeldBlock) +
           datagrams_.in_use() * sizeof(Datagram) + shares_.source_count() * sizeof(Source);
}

GateMemory Gate::State::memory() const noexcept {
    return {.fixed_bytes = fixed_bytes(),
            .reserved_bytes = windows_.allocated_bytes() + blocks_.allocated_bytes() +
                              datagrams_.allocated_bytes() + shares_.pool_bytes(),
            .held_bytes = held_bytes()};
}

double Gate::State::mean_probes() const noexcept {
    if (index_.searches() == 0) return 0;
    return static_cast<double>(index_.probes()) / static_cast<double>(index_.searches());
}

} // namespace ikefrag
