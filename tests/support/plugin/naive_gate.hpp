// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/policy.hpp"
#include "plugin/time.hpp"
#include "plugin/words.hpp"

#include "tests/support/plugin/packets.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace ikefrag::test {

/// One fragment as the oracle sees it: no headers to be misread.
struct Piece {
    std::uint32_t number = 0; ///< the packet's
    std::uint32_t id = 0;     ///< which datagram
    std::uint32_t offset = 0;
    bool more = false;
    Buffer bytes{};
    std::uint8_t protocol = 17; ///< IPv6: what the Fragment header says comes next

    [[nodiscard]] std::uint32_t end() const noexcept {
        return offset + static_cast<std::uint32_t>(bytes.size());
    }
    [[nodiscard]] bool same_as(const Piece& other) const noexcept {
        return offset == other.offset && more == other.more && bytes == other.bytes;
    }
};

/// The packet of a piece, from client to server.
[[nodiscard]] Buffer packet_of(const Flow& flow, const Piece& piece);

struct Answer {
    std::uint32_t number = 0;
    Verdict verdict = Verdict::accept;
    Reason reason = Reason::none;
    bool operator==(const Answer&) const = default;
};

/// DESIGN §2 for the fragments of one flow to a configured server in `guard` or `exclusive` (where
/// ESP is left and what is neither its nor IKE's is dropped), word for word and without a thought
/// for speed: lists of pieces, all compared with all. Knows no limit by source or table. What is
/// not UDP is IPv6's to confuse with it: there one id is one datagram, whatever its pieces call
/// themselves, and its first fragment decides (RFC 8200 §4.5).
class NaiveGate {
public:
    NaiveGate(Flow flow, Limits limits, Mode mode = Mode::guard)
        : flow_(flow), limits_(limits), mode_(mode) {}

    /// Answers in the order they are given; pieces that wait have none yet.
    [[nodiscard]] std::vector<Answer> feed(const Piece& piece, TimePoint now);
    [[nodiscard]] std::vector<Answer> expire(TimePoint now);

    [[nodiscard]] std::size_t held() const noexcept;
    [[nodiscard]] std::uint64_t completed() const noexcept { return completed_; }

private:
    struct Known {
        std::vector<Piece> open;
        TimePoint opened;
        std::vector<Piece> finished;
        std::optional<TimePoint> finished_until;
        std::optional<TimePoint> poisoned_until;
        std::optional<TimePoint> left_until;
        std::optional<Piece> left_first;
        bool left_dropped = false; ///< what is left is dropped: `exclusive`
    };

    [[nodiscard]] PacketClass class_of(const Piece& piece) const;
    /// Whether what is left already answers the piece; else what was known may be forgotten.
    [[nodiscard]] bool is_left(Known& known, const Piece& piece, TimePoint now) const;

    [[nodiscard]] Reason fault_of(const Known& known, const Piece& piece) const;
    [[nodiscard]] Reason over_limits(const std::vector<Piece>& pieces) const;
    [[nodiscard]] Reason fault_of_whole(const Buffer& datagram) const;
    std::vector<Answer> answer_all(Known& known, Verdict verdict, Reason reason);

    Flow flow_;
    Limits limits_;
    Mode mode_;
    std::map<std::pair<std::uint32_t, std::uint8_t>, Known> known_; ///< by id (IPv4: and protocol)
    std::uint64_t completed_ = 0;
};

} // namespace ikefrag::test
