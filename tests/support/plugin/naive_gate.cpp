// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/support/plugin/naive_gate.hpp"

#include <algorithm>

namespace ikefrag::test {
namespace {

constexpr auto linger = std::chrono::seconds(20);
constexpr auto poison = std::chrono::seconds(60);
constexpr auto left_memory = std::chrono::seconds(5);

std::uint32_t word(const Buffer& bytes, std::size_t at, int size) {
    std::uint32_t value = 0;
    for (int i = 0; i < size; ++i) value = value << 8 | bytes.at(at + static_cast<std::size_t>(i));
    return value;
}

/// Two first fragments of one id and class are the same datagram's to a box that remembers a little
/// of the one: protocol, length, flag and the first 64 octets.
bool looks_like(const Piece& a, const Piece& b) {
    if (a.protocol != b.protocol) return false;
    const auto count = static_cast<std::ptrdiff_t>(std::min<std::size_t>(a.bytes.size(), 64));
    return a.bytes.size() == b.bytes.size() && a.more == b.more &&
           std::equal(a.bytes.begin(), a.bytes.begin() + count, b.bytes.begin());
}

bool overlaps(const Piece& a, const Piece& b) { return a.offset < b.end() && b.offset < a.end(); }

/// The datagram, if every octet from 0 to the end of a last fragment is there.
std::optional<Buffer> put_together(const std::vector<Piece>& pieces) {
    const auto last = std::find_if(pieces.begin(), pieces.end(), [](auto& p) { return !p.more; });
    if (last == pieces.end()) return std::nullopt;
    Buffer datagram(last->end());
    std::vector<bool> there(last->end());
    for (const auto& piece : pieces)
        for (std::uint32_t i = piece.offset; i < piece.end(); ++i) {
            datagram.at(i) = piece.bytes[i - piece.offset];
            there.at(i) = true;
        }
    if (std::count(there.begin(), there.end(), false) != 0) return std::nullopt;
    return datagram;
}

/// RFC 7296 §3.1 and §3.2 as far as a message without keys shows.
bool is_sound_ike(const Buffer& message) {
    if (message.size() < 28 || word(message, 24, 4) != message.size()) return false;
    if (word(message, 0, 4) == 0 && word(message, 4, 4) == 0) return false;
    const auto major = message[17] >> 4;
    if (major != 1 && major != 2) return false;
    if (major == 1 && (message[19] & 1) != 0) return true;
    auto next = message[16];
    std::size_t at = 28;
    for (int count = 0; next != 0; ++count) {
        if (count == 64 || message.size() - at < 4) return false;
        const auto length = word(message, at + 2, 2);
        if (length < 4 || length > message.size() - at) return false;
        if (next == 132) return true;
        if (major == 2 && (next == 46 || next == 53)) return at + length == message.size();
        next = message[at];
        at += length;
    }
    return true;
}

} // namespace

Buffer packet_of(const Flow& flow, const Piece& piece) {
    IpOptions options;
    options.id = piece.id;
    options.offset = piece.offset;
    options.more = piece.more;
    return ip(flow.ends, piece.protocol, piece.bytes, options);
}

Reason NaiveGate::fault_of(const Known& known, const Piece& piece) const {
    if (piece.bytes.empty() || (piece.more && piece.bytes.size() % 8 != 0))
        return Reason::bad_length;
    const std::uint32_t header = flow_.ends.source.family == Family::ipv4 ? 20 : 0;
    if (piece.end() + header > 65'535) return Reason::bad_length;
    if (piece.offset == 8) return Reason::tiny_first;
    for (const auto& other : known.open)
        if (piece.protocol != other.protocol) return Reason::header_chain;
    for (const auto& other : known.open) {
        const bool ends_differ = !piece.more && !other.more && piece.end() != other.end();
        const bool goes_past = !piece.more && other.more && other.end() >= piece.end();
        const bool is_past = piece.more && !other.more && piece.end() >= other.end();
        if (ends_differ || goes_past || is_past) return Reason::inconsistent_last;
    }
    for (const auto& other : known.open)
        if (piece.same_as(other)) return Reason::duplicate;
    for (const auto& other : known.open)
        if (overlaps(piece, other)) return Reason::overlap;
    return Reason::none;
}

Reason NaiveGate::over_limits(const std::vector<Piece>& pieces) const {
    std::uint32_t highest = 0;
    bool tiny_first = false;
    bool tiny_nonlast = false;
    for (const auto& piece : pieces) {
        highest = std::max(highest, piece.end());
        if (piece.offset == 0) {
            tiny_first = piece.bytes.size() < limits_.min_first_bytes;
            if (piece.bytes.size() >= 8) highest = std::max(highest, word(piece.bytes, 4, 2));
        } else if (piece.more) {
            tiny_nonlast = tiny_nonlast || piece.bytes.size() < limits_.min_nonlast_bytes;
        }
    }
    if (tiny_first) return Reason::tiny_first;
    if (tiny_nonlast) return Reason::tiny_nonlast;
    if (highest > limits_.max_datagram_bytes) return Reason::too_big;
    if (pieces.size() > limits_.max_fragments) return Reason::too_many;
    return Reason::none;
}

Reason NaiveGate::fault_of_whole(const Buffer& datagram) const {
    if (word(datagram, 4, 2) != datagram.size()) return Reason::udp_length;
    if (word(datagram, 6, 2) == 0) {
        if (flow_.ends.source.family == Family::ipv6) return Reason::checksum;
    } else {
        Buffer pseudo;
        for (const auto& end : {flow_.ends.source, flow_.ends.destination})
            pseudo.insert(pseudo.end(), end.view().begin(), end.view().end());
        pseudo.push_back(static_cast<std::uint8_t>(datagram.size() >> 8));
        pseudo.push_back(static_cast<std::uint8_t>(datagram.size()));
        pseudo.push_back(0);
        pseudo.push_back(17);
        if (checksum(datagram, checksum(pseudo)) != 0xffff) return Reason::checksum;
    }
    const Buffer body(datagram.begin() + 8, datagram.end());
    if (is_sound_ike(body)) return Reason::none;
    const bool marker = body.size() > 4 && word(body, 0, 4) == 0;
    if (marker && is_sound_ike(Buffer(body.begin() + 4, body.end()))) return Reason::none;
    return Reason::ike_malformed;
}

std::vector<Answer> NaiveGate::answer_all(Known& known, Verdict verdict, Reason reason) {
    std::sort(known.open.begin(), known.open.end(), [](const Piece& a, const Piece& b) {
        return a.offset < b.offset;
    });
    std::vector<Answer> answers;
    for (const auto& piece : known.open) answers.push_back({piece.number, verdict, reason});
    known.open.clear();
    return answers;
}

std::vector<Answer> NaiveGate::expire(TimePoint now) {
    std::vector<Answer> answers;
    for (auto& [id, known] : known_) {
        if (known.open.empty() || now < known.opened + std::chrono::seconds(limits_.hold_seconds))
            continue;
        const auto more = answer_all(known, Verdict::drop, Reason::timeout);
        answers.insert(answers.end(), more.begin(), more.end());
    }
    return answers;
}

/// IKE is what has port 500; a first fragment too short to show ports is nobody's else.
PacketClass NaiveGate::class_of(const Piece& piece) const {
    if (piece.protocol == 50) return PacketClass::esp;
    if (piece.protocol != 17) return PacketClass::other;
    const auto& first = piece.bytes;
    const bool ports_shown = first.size() >= 8;
    return !ports_shown || word(first, 0, 2) == 500 || word(first, 2, 2) == 500
               ? PacketClass::ike
               : PacketClass::other;
}

bool NaiveGate::is_left(Known& known, const Piece& piece, TimePoint now) const {
    if (!known.left_until) return false;
    const bool ended = now >= *known.left_until;
    const bool another =
        piece.offset == 0 && known.left_first &&
        (!looks_like(piece, *known.left_first) || class_of(piece) != class_of(*known.left_first));
    if (ended || another) {
        known.left_until.reset();
        return false;
    }
    if (piece.offset == 0) known.left_first = piece;
    return true;
}

std::vector<Answer> NaiveGate::feed(const Piece& piece, TimePoint now) {
    auto answers = expire(now);
    const bool ipv6 = flow_.ends.source.family == Family::ipv6;
    auto& known = known_[{piece.id, ipv6 ? std::uint8_t{17} : piece.protocol}];
    const auto give = [&](Verdict verdict, Reason reason) {
        answers.push_back({piece.number, verdict, reason});
        return answers;
    };
    if (known.poisoned_until && now < *known.poisoned_until)
        return give(Verdict::drop, Reason::poisoned);
    if (is_left(known, piece, now))
        return known.left_dropped ? give(Verdict::drop, Reason::policy)
                                  : give(Verdict::accept, Reason::none);
    if (known.finished_until && now >= *known.finished_until) known.finished_until.reset();
    if (known.finished_until)
        for (const auto& before : known.finished)
            if (piece.same_as(before)) return give(Verdict::drop, Reason::duplicate);

    const auto end_all = [&](Verdict verdict, Reason reason) {
        if (piece.number != 0) known.open.push_back(piece);
        const auto all = answer_all(known, verdict, reason);
        answers.insert(answers.end(), all.begin(), all.end());
        if (verdict == Verdict::drop && reason != Reason::policy) {
            known.poisoned_until = now + poison;
            known.finished_until.reset();
        }
        return answers;
    };
    const bool first_known =
        std::any_of(known.open.begin(), known.open.end(), [](auto& p) { return p.offset == 0; });
    // IPv4's protocol is part of the name; on IPv6 the first fragment alone tells.
    const bool tells = piece.offset == 0 ? !first_known : !ipv6 && piece.protocol != 17;
    if (tells && class_of(piece) != PacketClass::ike) {
        known.left_until = now + left_memory;
        known.left_first.reset();
        if (piece.offset == 0) known.left_first = piece;
        known.finished_until.reset(); // one memory a key: the latest
        known.left_dropped = mode_ == Mode::exclusive && class_of(piece) != PacketClass::esp;
        return known.left_dropped ? end_all(Verdict::drop, Reason::policy)
                                  : end_all(Verdict::accept, Reason::none);
    }
    auto fault = fault_of(known, piece);
    if (fault == Reason::duplicate) return give(Verdict::drop, Reason::duplicate);
    if (fault != Reason::none) return end_all(Verdict::drop, fault);
    if (known.open.empty()) known.opened = now;

    auto pieces = known.open;
    pieces.push_back(piece);
    fault = over_limits(pieces);
    if (fault != Reason::none) return end_all(Verdict::drop, fault);
    const auto whole = put_together(pieces);
    if (!whole) {
        known.open.push_back(piece);
        return answers;
    }
    fault = fault_of_whole(*whole);
    if (fault != Reason::none) return end_all(Verdict::drop, fault);
    ++completed_;
    known.finished = pieces;
    known.finished_until = now + linger;
    known.open.push_back(piece);
    const auto all = answer_all(known, Verdict::accept, Reason::none);
    answers.insert(answers.end(), all.begin(), all.end());
    return answers;
}

std::size_t NaiveGate::held() const noexcept {
    std::size_t count = 0;
    for (const auto& [id, known] : known_) count += known.open.size();
    return count;
}

} // namespace ikefrag::test
