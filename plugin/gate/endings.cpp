// SPDX-License-Identifier: GPL-2.0-or-later
// How a held datagram ends: let through, refused, timed out, let go.
#include "plugin/gate/state.hpp"
#include "plugin/ike/digest.hpp"
#include "plugin/ike/header.hpp"
#include "plugin/ike/payload.hpp"

#include <algorithm>
#include <cassert>

namespace ikefrag {
namespace {

/// Refused for want of room or by will, not for what it is: nothing is known against its key.
bool leaves_key_clean(Reason reason) noexcept {
    return reason == Reason::source_limit || reason == Reason::table_full ||
           reason == Reason::evicted || reason == Reason::policy;
}

/// What is wrong with a UDP datagram that has all its octets (RFC 768, RFC 8200 §8.1).
Reason check_udp(const Datagram& datagram) noexcept {
    const auto udp_bytes = datagram.total_bytes - datagram.udp_offset;
    if (datagram.udp_length != udp_bytes) return Reason::udp_length;
    const bool ipv6 = datagram.family() == Family::ipv6;
    // RFC 6935: tunnels may go without a checksum on IPv6 too, and ESP protects itself.
    const bool may_be_zero = !ipv6 || datagram.packet_class == PacketClass::esp_in_udp;
    if (datagram.udp_checksum == 0) return may_be_zero ? Reason::none : Reason::checksum;
    auto sum = pseudo_header_sum(
        datagram.source_address, datagram.destination_address, protocol::udp, udp_bytes);
    sum.add_word(datagram.sum.folded());
    return sum.folded() == 0xffff ? Reason::none : Reason::checksum;
}

/// The IP packet's size once put together.
std::uint32_t packet_bytes(const Datagram& datagram) noexcept {
    constexpr std::uint32_t fragment_header = 8;
    return datagram.header_bytes + datagram.total_bytes -
           (datagram.family() == Family::ipv6 ? fragment_header : 0);
}

/// Where its IKE message begins in the payload.
std::uint32_t message_at(const Datagram& datagram) noexcept {
    return datagram.end_of_headers() + (datagram.marked ? marker_bytes : 0);
}

bool fits_ip(const Datagram& datagram) noexcept {
    // IPv6's length field does not count its first 40 bytes.
    const std::uint32_t uncounted = datagram.family() == Family::ipv6 ? 40 : 0;
    return packet_bytes(datagram) - uncounted <= 65'535;
}

} // namespace

bool Gate::State::is_over_a_limit(Reason reason) noexcept {
    return reason == Reason::source_limit || reason == Reason::table_full ||
           reason == Reason::evicted || reason == Reason::too_many || reason == Reason::too_big;
}

void Gate::State::complete(Datagram& datagram) {
    auto reason = fits_ip(datagram) ? Reason::none : Reason::bad_length;
    if (reason == Reason::none && datagram.is_udp) reason = check_udp(datagram);
    if (datagram.packet_class == PacketClass::ike) {
        const auto message_bytes =
            datagram.total_bytes - std::min(message_at(datagram), datagram.total_bytes);
        const auto message = message_of(datagram);
        if (reason == Reason::none && !check_ike_message(message, message_bytes))
            reason = Reason::ike_malformed;
        show_message(datagram, message, message_bytes, reason);
    }
    count_hold_time(datagram);
    if (datagram.reordered) counters_.reordered.add();
    if (reason == Reason::none) return release(datagram);
    end(datagram,
        {.verdict = Verdict::drop,
         .reason = reason,
         .outcome = DatagramOutcome::refused,
         .remember = EntryKind::poisoned,
         .enforced = datagram.is_enforced()},
        nullptr);
}

/// The message of a whole datagram, where the tracker finds it: what tells it from others, if the
/// clear part ends in the first 2 KiB (that of IKE_AUTH, the largest, is 32 octets), else all.
Bytes Gate::State::message_of(const Datagram& datagram) {
    auto& output = answers_.output();
    const auto skipped = message_at(datagram);
    const auto front = datagram.payload.front(datagram.total_bytes);
    const auto shown = front.subspan(std::min<std::size_t>(skipped, front.size()));
    const auto header = parse_ike_header(shown);
    if (header) {
        PayloadWalk walk(*header, shown);
        while (walk.next()) {
        }
        if (walk.encrypted_at()) return output.keep(telling_part(shown, walk.encrypted_at()));
    }
    const auto all = output.room_for(datagram.total_bytes);
    datagram.payload.copy_to(all);
    return Bytes(all).subspan(std::min<std::size_t>(skipped, all.size()));
}

/// Lets a whole datagram through: its fragments first to last, or one packet made of them.
void Gate::State::release(Datagram& datagram) {
    const bool enforced = datagram.is_enforced();
    std::span<std::uint8_t> rebuilt;
    if (datagram.action == Action::reassemble) {
        rebuilt = answers_.output().room_for(datagram.header_bytes + datagram.total_bytes);
        datagram.payload.copy_to(rebuilt.subspan(datagram.header_bytes));
        datagram.write_header(rebuilt);
    }
    sort_held(datagram);
    Decision decision;
    decision.packet_class = datagram.packet_class;
    decision.fragment = true;
    decision.rule = datagram.rule;
    for (std::size_t i = 0; i < in_order_.size(); ++i) {
        if (!rebuilt.empty()) decision.intended = i == 0 ? Verdict::replace : Verdict::merge;
        decision.verdict = enforced ? decision.intended : Verdict::accept;
        decision.replacement = decision.verdict == Verdict::replace ? Bytes(rebuilt) : Bytes{};
        in_order_[i]->answer(decision);
    }
    Ending ending;
    ending.verdict = Verdict::drop;
    ending.reason = Reason::duplicate;
    ending.outcome = DatagramOutcome::complete;
    ending.remember = EntryKind::finished;
    ending.enforced = enforced;
    close(datagram, ending, nullptr);
}

void Gate::State::refuse(Datagram& datagram, Reason reason, const Fragment* current) {
    Ending ending{.verdict = Verdict::drop,
                  .reason = reason,
                  .outcome = DatagramOutcome::refused,
                  .remember = leaves_key_clean(reason) ? EntryKind::decided : EntryKind::poisoned,
                  .enforced = datagram.is_enforced()};
    // Nobody's that we know, and no room to wait and see: the firewall's own rules decide.
    const bool strangers = !datagram.packet_class && !datagram.configured_server &&
                           datagram.policy->policy().mode != Mode::exclusive;
    if (strangers && is_over_a_limit(reason)) {
        ending.verdict = Verdict::accept;
        ending.outcome = DatagramOutcome::left;
        ending.remember = EntryKind::decided;
    }
    show_lost(datagram, ending);
    end(datagram, ending, current);
}

void Gate::State::time_out(Datagram& datagram, const Fragment* current) {
    Ending ending{.verdict = Verdict::drop,
                  .reason = Reason::timeout,
                  .outcome = DatagramOutcome::incomplete,
                  .remember = std::nullopt,
                  .enforced = datagram.is_enforced()};
    if (!datagram.packet_class && !datagram.configured_server) {
        if (datagram.policy->policy().mode == Mode::exclusive)
            ending.reason = Reason::policy;
        else
            ending.verdict = Verdict::accept;
    }
    count_hold_time(datagram);
    show_lost(datagram, ending);
    end(datagram, ending, current);
}

void Gate::State::end(Datagram& datagram, const Ending& ending, const Fragment* current) {
    answer_all(datagram, ending, current);
    close(datagram, ending, current);
}

void Gate::State::answer_all(Datagram& datagram, const Ending& ending, const Fragment* current) {
    Decision decision;
    decision.intended = ending.verdict;
    decision.verdict = ending.enforced ? ending.verdict : Verdict::accept;
    decision.reason = ending.reason;
    decision.packet_class = datagram.packet_class;
    decision.fragment = true;
    decision.rule = datagram.rule;
    const auto answer_current = [&] {
        decision.packet = current->packet.id;
        answers_.give(decision, current->ip.family);
    };
    const bool current_is_first = current != nullptr && current->ip.is_first();
    if (current_is_first) answer_current();
    sort_held(datagram);
    for (auto* const held : in_order_) held->answer(decision);
    if (current != nullptr && !current_is_first) answer_current();
}

void Gate::State::sort_held(Datagram& datagram) {
    in_order_.clear();
    datagram.for_each_held([this](HeldPacket& held) { in_order_.push_back(&held); });
    const auto by_offset = [](const HeldPacket* a, const HeldPacket* b) {
        return a->offset() < b->offset();
    };
    if (!std::is_sorted(in_order_.begin(), in_order_.end(), by_offset))
        std::sort(in_order_.begin(), in_order_.end(), by_offset);
}

void Gate::State::close(Datagram& datagram, const Ending& ending, const Fragment* current) {
    counters_.datagrams[index(datagram.family())][index(ending.outcome)].add();
    index_.erase(&datagram);
    if (ending.remember) {
        auto& remembered = memory_.remember(*ending.remember, datagram.key, datagram.hash, now_);
        const bool poisoned = *ending.remember == EntryKind::poisoned;
        remembered.verdict = ending.verdict;
        remembered.reason = poisoned ? Reason::poisoned : ending.reason;
        remembered.enforced = ending.enforced;
        remembered.packet_class = datagram.packet_class;
        remembered.rule = datagram.rule;
        remembered.first_seen = datagram.first_seen;
        if (current != nullptr && current->ip.is_first()) {
            remembered.first_seen = true;
            remembered.first_digest = first_digest_of(current->ip, datagram.packet_class);
        }
        if (*ending.remember == EntryKind::finished)
            for (const auto* const held : in_order_) memory_.add_digest(remembered, held->digest);
    }
    // What is still known of the datagram before it outlives this one.
    if (!ending.remember && datagram.predecessor.count > 0 && now_ < datagram.predecessor_until) {
        auto& before = memory_.remember(EntryKind::finished, datagram.key, datagram.hash, now_);
        before.until = datagram.predecessor_until;
        before.digests = datagram.predecessor;
        before.verdict = Verdict::drop;
        before.reason = Reason::duplicate;
        before.enforced = ending.enforced;
        before.packet_class = datagram.packet_class;
        before.rule = datagram.rule;
    }
    deadlines_.erase(&datagram);
    shares_.leave(*datagram.source, datagram, datagram.usage);
    datagram.payload.release(windows_);
    while (datagram.more_packets != nullptr) {
        auto* const block = datagram.more_packets;
        datagram.more_packets = block->next;
        blocks_.destroy(block);
    }
    --datagram.policy->datagrams_held;
    datagrams_.destroy(&datagram);
}

void Gate::State::show_message(const Datagram& datagram,
                               Bytes message,
                               std::uint32_t message_bytes,
                               Reason reason) {
    MessageSeen seen;
    seen.source = {.address = datagram.source_address, .port = datagram.source_port};
    seen.destination = {.address = datagram.destination_address, .port = datagram.destination_port};
    seen.message = message;
    seen.message_bytes = message_bytes;
    seen.marked = datagram.marked;
    seen.ip_fragments = static_cast<std::uint16_t>(datagram.fragments);
    seen.first_fragment_bytes = datagram.first_fragment_bytes;
    seen.datagram_bytes = packet_bytes(datagram);
    seen.interface = datagram.interface;
    seen.reordered = datagram.reordered;
    seen.reason = reason;
    seen.refused = reason != Reason::none && datagram.is_enforced();
    answers_.output().observations.push_back({.time = now_, .what = seen});
    esp_filter_.reopen(seen.source, seen.destination);
}

/// Only of what is IKE or may have been.
void Gate::State::show_lost(const Datagram& datagram, const Ending& ending) {
    if (datagram.packet_class && datagram.packet_class != PacketClass::ike) return;
    DatagramLost lost;
    lost.source = datagram.source_address;
    lost.destination = datagram.destination_address;
    lost.id = datagram.ip_id;
    lost.packet_class = datagram.packet_class;
    lost.source_port = datagram.source_port;
    lost.destination_port = datagram.destination_port;
    lost.fragments = static_cast<std::uint16_t>(datagram.fragments);
    lost.bytes = datagram.seen_bytes;
    lost.first_seen = datagram.first_seen;
    lost.last_seen = datagram.last_seen;
    lost.first_fragment_bytes = datagram.largest_fragment_bytes;
    lost.first_time = datagram.first_time;
    lost.reason = ending.reason;
    lost.enforced = ending.enforced && ending.verdict == Verdict::drop;
    const auto skipped = message_at(datagram);
    if (datagram.packet_class && datagram.udp_length + datagram.udp_offset >= skipped)
        lost.message_bytes = datagram.udp_length + datagram.udp_offset - skipped;
    if (datagram.packet_class && datagram.first_is_held && datagram.first_bytes > skipped) {
        const auto room = answers_.output().room_for(datagram.first_bytes);
        datagram.payload.copy_to(room);
        lost.message = Bytes(room).subspan(skipped);
    }
    answers_.output().observations.push_back({.time = now_, .what = lost});
}

void Gate::State::count_hold_time(const Datagram& datagram) {
    const auto held = now_ - datagram.first_time;
    const double seconds = std::chrono::duration<double>(held).count();
    const auto* const bound =
        std::lower_bound(hold_time_bounds.begin(), hold_time_bounds.end(), seconds);
    const auto family = index(datagram.family());
    const auto bucket = static_cast<std::size_t>(bound - hold_time_bounds.begin());
    counters_.hold_time[family][bucket].add();
    counters_.hold_time_sum_ns[family].add(static_cast<std::uint64_t>(held.count()));
}

} // namespace ikefrag
