// SPDX-License-Identifier: GPL-2.0-or-later
// R1: in whatever order fragments come, the gate says what the naive oracle says.
#include "tests/support/plugin/gate_script.hpp"
#include "tests/support/plugin/naive_gate.hpp"

#include <catch2/catch.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <random>
#include <sstream>

using namespace ikefrag;
using namespace ikefrag::test;
using namespace std::chrono_literals;

namespace {

/// In which mode, or by which action, the same datagrams go the same way.
enum class Way : std::uint8_t { guard, observe, exclusive, reassemble };

Policy roomy_policy(Way way = Way::guard) {
    auto policy = shipped_policy(way == Way::observe     ? Mode::observe
                                 : way == Way::exclusive ? Mode::exclusive
                                                         : Mode::guard);
    if (way == Way::reassemble) policy.rules[0].action = Action::reassemble;
    policy.limits.source_datagrams = 64;
    policy.limits.source_packets = 512;
    policy.limits.source_bytes = 4u << 20;
    return policy;
}

/// One fragment as the fuzzer of this file makes them.
std::string text_of(const std::vector<Piece>& pieces) {
    std::ostringstream text;
    for (const auto& piece : pieces)
        text << piece.id << ':' << piece.offset << '+' << piece.bytes.size()
             << (piece.more ? "m " : "l ");
    return text.str();
}

/// The gate and the oracle, fed the same; tells the first difference.
class Pair {
public:
    explicit Pair(const Flow& flow, Way way = Way::guard)
        : flow_(flow), way_(way), gate_(std::make_shared<const Policy>(roomy_policy(way)), {}),
          oracle_(make_oracle()) {}

    void feed(const std::vector<Piece>& pieces, Duration step = 1ms) {
        for (const auto& piece : pieces) {
            now_ += step;
            const auto packet = packet_of(flow_, piece);
            Packet fed;
            fed.id.value = piece.number;
            fed.bytes = packet;
            gate_.feed(fed, now_, out_);
            take(oracle_.feed(piece, now_));
        }
    }
    void expire(Duration later) {
        now_ += later;
        gate_.expire(now_, out_);
        take(oracle_.expire(now_));
    }

    /// Whether both gave the same answers, let through in the same order, and hold as much.
    [[nodiscard]] bool agree() {
        std::vector<Answer> ours;
        bool as_the_way_says = true;
        for (const auto& decision : out_.decisions) {
            as_the_way_says = as_the_way_says && is_of_the_way(decision);
            // One packet made of all: its parts go where the fragments would have gone.
            const bool put_together =
                decision.intended == Verdict::replace || decision.intended == Verdict::merge;
            ours.push_back({decision.packet.value,
                            put_together ? Verdict::accept : decision.intended,
                            decision.reason});
        }
        const bool same_order = let_through(ours) == let_through(oracles_);
        // Datagrams that time out at one moment may do so in any order.
        const auto by_number = [](const Answer& a, const Answer& b) { return a.number < b.number; };
        std::sort(ours.begin(), ours.end(), by_number);
        std::sort(oracles_.begin(), oracles_.end(), by_number);
        const bool same = as_the_way_says && same_order && ours == oracles_ &&
                          gate_.counters().held_packets.get() == oracle_.held();
        if (!same) explain(ours);
        return same;
    }
    /// The one packet that was made of all; empty where none was.
    [[nodiscard]] Bytes replacement() const {
        for (const auto& decision : out_.decisions)
            if (decision.verdict == Verdict::replace) return decision.replacement;
        return {};
    }
    [[nodiscard]] const Gate& gate() const noexcept { return gate_; }
    [[nodiscard]] std::size_t held() const noexcept { return oracle_.held(); }
    [[nodiscard]] std::uint64_t completed() const noexcept { return oracle_.completed(); }
    [[nodiscard]] std::size_t answered() const noexcept { return oracles_.size(); }
    void clear() {
        out_.clear();
        oracles_.clear();
    }
    /// The oracle forgets: what comes next has ids of its own.
    void begin_anew() {
        clear();
        oracle_ = make_oracle();
    }

private:
    [[nodiscard]] NaiveGate make_oracle() const {
        return NaiveGate(
            flow_, roomy_policy().limits, way_ == Way::exclusive ? Mode::exclusive : Mode::guard);
    }
    [[nodiscard]] bool is_of_the_way(const Decision& decision) const {
        if (way_ == Way::observe) return decision.verdict == Verdict::accept;
        const bool put_together =
            decision.verdict == Verdict::replace || decision.verdict == Verdict::merge;
        const bool may_be = way_ == Way::reassemble && flow_.ends.source.family == Family::ipv4;
        return decision.verdict == decision.intended && (may_be || !put_together);
    }
    static std::vector<Answer> let_through(std::vector<Answer> answers) {
        std::erase_if(answers, [](const Answer& a) { return a.verdict != Verdict::accept; });
        return answers;
    }
    void take(const std::vector<Answer>& answers) {
        oracles_.insert(oracles_.end(), answers.begin(), answers.end());
    }
    void explain(const std::vector<Answer>& ours) const {
        const auto show = [](const char* who, const std::vector<Answer>& answers) {
            std::ostringstream text;
            text << who << ':';
            for (const auto& answer : answers)
                text << ' ' << answer.number << '=' << to_string(answer.verdict) << '/'
                     << to_string(answer.reason);
            UNSCOPED_INFO(text.str());
        };
        show("gate  ", ours);
        show("oracle", oracles_);
    }

    Flow flow_;
    Way way_;
    Gate gate_;
    NaiveGate oracle_;
    GateOutput out_;
    std::vector<Answer> oracles_;
    TimePoint now_ = start_of_script;
};

std::vector<Piece> cut(const Buffer& datagram, const std::vector<std::uint32_t>& ends) {
    std::vector<Piece> pieces;
    std::uint32_t begin = 0;
    for (const auto end : ends) {
        Piece piece{.offset = begin, .more = end != datagram.size()};
        piece.bytes.assign(datagram.begin() + begin, datagram.begin() + end);
        pieces.push_back(piece);
        begin = end;
    }
    return pieces;
}

std::vector<Piece> cut_evenly(const Buffer& datagram, std::uint32_t count) {
    const auto size = static_cast<std::uint32_t>(datagram.size());
    const auto step = (size / count + 8) / 8 * 8;
    std::vector<std::uint32_t> ends;
    for (std::uint32_t i = 1; i < count; ++i) ends.push_back(i * step);
    ends.push_back(size);
    return cut(datagram, ends);
}

/// All orders of `count` fragments, alone and with each fragment once more at each place.
std::uint64_t try_all_orders(const Flow& flow,
                             std::uint32_t count,
                             std::size_t message_bytes = 700,
                             Way way = Way::guard) {
    const auto datagram = udp(flow, ike_auth(message_bytes));
    const auto pieces = cut_evenly(datagram, count);
    std::vector<std::size_t> order(count);
    std::iota(order.begin(), order.end(), std::size_t{0});
    Pair pair(flow, way);
    const bool put_together = way == Way::reassemble && flow.ends.source.family == Family::ipv4;
    std::uint32_t number = 0;
    std::uint32_t id = 0;
    std::uint64_t tried = 0;
    const auto run = [&](const std::vector<std::size_t>& sequence) {
        std::vector<Piece> fed;
        id = id % 60'000 + 1;
        for (const auto which : sequence) {
            fed.push_back(pieces[which]);
            fed.back().number = ++number;
            fed.back().id = id;
        }
        const auto completed = pair.completed();
        pair.feed(fed, 0ms);
        INFO(text_of(fed));
        ++tried;
        if (!pair.agree() || pair.answered() != fed.size() || pair.held() != 0 ||
            pair.completed() != completed + 1)
            FAIL("differs");
        if (put_together) {
            IpOptions options;
            options.id = id;
            const auto made = pair.replacement();
            if (Buffer(made.begin(), made.end()) != ip(flow.ends, 17, datagram, options))
                FAIL("put together wrongly");
        }
        // The oracle looks through all it knows at every step: from time to time it forgets.
        if (id % 64 == 0) pair.begin_anew();
        pair.clear();
    };
    do {
        run(order);
        for (std::size_t twice = 0; twice < count; ++twice)
            for (std::size_t place = 0; place <= count; ++place) {
                auto sequence = order;
                sequence.insert(sequence.begin() + static_cast<std::ptrdiff_t>(place), twice);
                run(sequence);
            }
        if (id > 50'000) pair.expire(30s); // ids come round
    } while (std::next_permutation(order.begin(), order.end()));
    return tried;
}

unsigned seed_of_run() {
    if (const char* const given = std::getenv("IKEFRAG_SEED"))
        return static_cast<unsigned>(std::strtoul(given, nullptr, 10));
    return std::random_device{}();
}

/// A set of at most 45 fragments of a few datagrams: cut at random, some twice, some altered,
/// shifted, missing, with the wrong flag, in any order.
class RandomSet {
public:
    RandomSet(std::mt19937& random, Flow flow) : random_(random), flow_(flow) {}

    std::vector<Piece> make(std::uint32_t& number) {
        std::vector<Piece> set;
        const auto datagrams = 1 + below(3);
        for (std::uint32_t i = 0; i < datagrams; ++i) {
            auto pieces = cut_at_random(datagram());
            for (auto& piece : pieces) piece.id = 1 + below(3);
            if (below(2) == 0)
                for (auto& piece : pieces) piece.id = pieces[0].id;
            set.insert(set.end(), pieces.begin(), pieces.end());
        }
        for (std::uint32_t i = below(4); i > 0; --i) spoil(set);
        if (set.size() > 45) set.resize(45);
        if (below(4) != 0) std::shuffle(set.begin(), set.end(), random_);
        // All of a datagram in one piece is no fragment.
        std::erase_if(set, [](const Piece& piece) { return piece.offset == 0 && !piece.more; });
        for (auto& piece : set) piece.number = ++number;
        return set;
    }

private:
    static constexpr std::uint32_t window = 2048; ///< the gate keeps bytes by so many

    std::uint32_t below(std::uint32_t bound) {
        return static_cast<std::uint32_t>(random_()) % bound;
    }

    Buffer datagram() {
        // Windows of 2 KiB hold the bytes: some datagrams have four of them.
        const auto size =
            32 + below(std::array{300u, 300u, 300u, 300u, 1500u, 1500u, 7000u}[below(7)]);
        auto flow = flow_;
        switch (below(12)) {
        case 0: flow.source_port = flow.destination_port = 53; return udp(flow, ike_auth(size));
        case 1: return udp(flow, marked(ike_auth(size)));
        case 2: return udp(flow, Buffer(size, 3));
        case 3: {
            auto lying = udp(flow, ike_auth(size));
            lying[5] ^= 1;
            return lying;
        }
        case 4: {
            auto unsummed = udp(flow, ike_auth(size));
            unsummed[6] = unsummed[7] = 0;
            return unsummed;
        }
        case 5: {
            auto wrong = udp(flow, ike_auth(size));
            wrong[8 + below(size)] ^= 0x40;
            return wrong;
        }
        default: return udp(flow, ike_auth(size, static_cast<std::uint8_t>(1 + below(3))));
        }
    }

    std::vector<Piece> cut_at_random(const Buffer& whole) {
        const auto size = static_cast<std::uint32_t>(whole.size());
        std::vector<std::uint32_t> ends;
        const auto most = 1 + below(30);
        const std::uint32_t longest = size > window ? 144 : 12; // blocks of 8
        std::uint32_t at = below(8) == 0 ? 8 * (1 + below(5)) : 40 + 8 * below(8);
        while (at < size && ends.size() < most) {
            ends.push_back(at);
            at += 8 * (1 + below(longest));
            const auto border = ends.back() / window * window + window;
            if (at > border && below(3) == 0) at = border;
        }
        ends.push_back(size);
        return cut(whole, ends);
    }

    void spoil(std::vector<Piece>& set) {
        if (set.empty()) return;
        auto piece = set[below(static_cast<std::uint32_t>(set.size()))];
        const auto border = piece.offset / window * window + window;
        switch (below(13)) {
        case 0: break; // an exact copy
        case 1:
            if (piece.bytes.empty()) break;
            piece.bytes[below(static_cast<std::uint32_t>(piece.bytes.size()))] ^= 1;
            break;
        case 2: piece.offset = std::min(piece.offset + 8, 65'528u); break;
        case 3: piece.more = !piece.more; break;
        case 4: piece.bytes.resize(piece.bytes.size() + 8); break;
        case 5: piece.bytes.resize(piece.bytes.size() / 2); break;
        case 6: piece.offset = 65'528 - 8 * below(4); break;
        case 7: piece.id = 1 + below(3); break;
        case 8: piece.protocol = below(2) == 0 ? 6 : 50; break;
        case 9: // with its neighbour, true bytes
            for (const auto& other : set)
                if (other.id == piece.id && other.offset == piece.end()) {
                    piece.bytes.insert(piece.bytes.end(), other.bytes.begin(), other.bytes.end());
                    piece.more = other.more;
                    break;
                }
            break;
        case 10: // its front part, true bytes; where it lies in two windows, up to their border
            if (piece.bytes.size() < 16) break;
            piece.bytes.resize(piece.end() > border ? border - piece.offset
                                                    : piece.bytes.size() / 16 * 8);
            piece.more = true;
            break;
        case 11: // its back part
            if (piece.bytes.size() < 16 || piece.offset == 65'528) break;
            piece.bytes.erase(piece.bytes.begin(), piece.bytes.begin() + 8);
            piece.offset += 8;
            break;
        default: set.erase(set.begin() + below(static_cast<std::uint32_t>(set.size()))); return;
        }
        set.push_back(piece);
    }

    std::mt19937& random_;
    Flow flow_;
};

void try_random_sets(std::uint32_t count, Way way = Way::guard) {
    const auto seed = seed_of_run();
    INFO("IKEFRAG_SEED=" << seed);
    std::mt19937 random(seed);
    std::array<Pair, 2> pairs{Pair(flow4(), way), Pair(flow6(), way)};
    std::uint64_t completed = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
        auto& pair = pairs[i % 2];
        RandomSet sets(random, i % 2 == 0 ? flow4() : flow6());
        std::uint32_t number = 0;
        auto set = sets.make(number);
        for (auto& piece : set) piece.id += i / 2 % 16'000 * 4;
        // Steps of up to a second: timers, lingering and poison come into it.
        const auto step = random() % 3 == 0 ? Duration(random() % 1000 * 1ms) : Duration(0ms);
        pair.begin_anew();
        pair.feed(set, step);
        pair.expire(4s);
        pair.expire(1s);
        if (!pair.agree() || pair.held() != 0 || pair.answered() != set.size()) {
            INFO("set " << i << ": " << text_of(set));
            FAIL("differs");
        }
        if (pair.gate().counters().held_bytes.get() != 0) FAIL("bytes left in set " << i);
        completed += pair.completed();
    }
    // The sets are of use only if many of them come through.
    CHECK(completed > count / 10);
}

} // namespace

TEST_CASE("R1: every order of up to 5 fragments, each alone and twice", "[gate][order]") {
    const auto flow = GENERATE(flow4(), flow6());
    for (const std::uint32_t count : {2u, 3u, 4u, 5u}) CHECK(try_all_orders(flow, count) > 0);
}

TEST_CASE("R1: every order of 3 long fragments, each alone and twice, whatever mode",
          "[gate][order]") {
    const auto flow = GENERATE(flow4(), flow6());
    const auto way = GENERATE(Way::guard, Way::observe, Way::exclusive, Way::reassemble);
    CHECK(try_all_orders(flow, 3, 6'900, way) == 6u * 13u);
}

TEST_CASE("R1: every order of 6 fragments, each alone and twice", "[gate][order][.slow]") {
    CHECK(try_all_orders(GENERATE(flow4(), flow6()), 6) == 720u * 43u);
}

TEST_CASE("R1: random sets of up to 45 fragments", "[gate][order]") { try_random_sets(3'000); }

TEST_CASE("R1: random sets in other modes than guard", "[gate][order]") {
    try_random_sets(600, GENERATE(Way::observe, Way::exclusive, Way::reassemble));
}

TEST_CASE("R1: a million random sets", "[gate][order][.slow]") { try_random_sets(1'000'000); }
