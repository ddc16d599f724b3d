// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/rule_effect.hpp"

#include "plugin/words.hpp"

#include <algorithm>
#include <array>

namespace ikefrag {
namespace {

using ruleset::Chain;
using ruleset::Hook;
using ruleset::Match;
using ruleset::Move;
using ruleset::Range;
using ruleset::Rule;
using ruleset::Ruleset;
using ruleset::Subject;
using ruleset::Table;

constexpr std::size_t most_steps = 100'000;
/// Matches that nobody can answer but once for all rules; each may double the steps.
constexpr std::size_t most_keys = 8;
using Keys = std::uint8_t; ///< a bit for each
/// The kernel refuses deeper jumps (NFT_JUMP_STACK_SIZE).
constexpr int most_jumps = 16;

/// A peer has IKE's ports, or one that a NAT gave it.
constexpr std::uint16_t port_of_a_nat = 40000;

enum class Piece : std::uint8_t { whole, first, trailing };

/// One packet of IKE.
struct Packet {
    Family family;
    Direction direction;
    Piece piece;
    bool marked;
};

enum class Answer : std::uint8_t { no, perhaps, yes };

Answer opposite(Answer answer) {
    return answer == Answer::no ? Answer::yes : answer == Answer::yes ? Answer::no : answer;
}

/// What a packet may have there; nullopt: anything.
using Numbers = std::vector<std::uint64_t>;
using Values = std::optional<Numbers>;

Values fragment_word(Piece piece) {
    // With and without DF; a trailing fragment is the last or another. 185 · 8 = 1480 octets.
    switch (piece) {
    case Piece::whole: return Numbers{0, 0x4000};
    case Piece::first: return Numbers{0x2000, 0x6000};
    case Piece::trailing: break;
    }
    return Numbers{185, 185 | 0x2000, 185 | 0x4000, 185 | 0x6000};
}

/// Of the IPv6 Fragment header; none in a whole packet.
Values fragment_header(Subject subject, Piece piece) {
    if (piece == Piece::whole) return Numbers{};
    const bool first = piece == Piece::first;
    if (subject == Subject::fragment_offset) return first ? Numbers{0} : Numbers{185};
    if (subject == Subject::more_fragments) return first ? Numbers{1} : Numbers{0, 1};
    return std::nullopt;
}

Values port(const Packet& packet, Direction of_server, const IkeTraffic& traffic) {
    if (packet.piece == Piece::trailing) return Numbers{};
    Numbers ports(traffic.ports.begin(), traffic.ports.end());
    if (packet.direction != of_server) ports.push_back(port_of_a_nat);
    return ports;
}

/// Empty: the packet has no such thing, and neither a match nor its reverse holds.
Values values_of(const Match& match, const Packet& packet, const IkeTraffic& traffic) {
    const bool whole = packet.piece == Piece::whole;
    switch (match.subject) {
    case Subject::never: return Numbers{};
    case Subject::family: return packet.family == Family::ipv4 ? Numbers{2} : Numbers{10};
    case Subject::protocol: return Numbers{17};
    case Subject::next_header: return whole ? Numbers{17} : Numbers{44};
    case Subject::destination_port: return port(packet, Direction::to_server, traffic);
    case Subject::source_port: return port(packet, Direction::to_peer, traffic);
    case Subject::transport:
        return packet.piece == Piece::trailing ? Values(Numbers{}) : std::nullopt;
    case Subject::fragment_word: return fragment_word(packet.piece);
    case Subject::has_fragment_header: return whole ? Numbers{0} : Numbers{1};
    case Subject::fragment_offset:
    case Subject::more_fragments:
    case Subject::fragment_header: return fragment_header(match.subject, packet.piece);
    case Subject::mark: return packet.marked ? Numbers{traffic.mark->value} : Numbers{0};
    case Subject::tracking: return Numbers{1};
    case Subject::loopback: return Numbers{0};
    case Subject::source:
    case Subject::destination:
    case Subject::unknown: break;
    }
    return std::nullopt;
}

Answer some_of(std::size_t hits, std::size_t all) {
    return hits == 0 ? Answer::no : hits == all ? Answer::yes : Answer::perhaps;
}

/// Only the servers' addresses are known.
Answer answer_address(const Match& match, const Packet& packet, const IkeTraffic& traffic) {
    const bool of_server =
        (match.subject == Subject::destination) == (packet.direction == Direction::to_server);
    std::size_t all = 0;
    std::size_t inside = 0;
    bool touches = false;
    for (const auto& server : traffic.servers) {
        if (server.address.family != packet.family) continue;
        ++all;
        const auto covers = [&](const Prefix& network) { return network.covers(server); };
        inside += std::ranges::any_of(match.networks, covers) ? 1u : 0u;
        touches = touches || std::ranges::any_of(match.networks, [&](const Prefix& network) {
                      return server.covers(network);
                  });
    }
    if (!match.known || !of_server || all == 0) return Answer::perhaps;
    return inside == 0 && touches ? Answer::perhaps : some_of(inside, all);
}

/// Follows one pair of packets through the chains of a table.
class Walk {
public:
    Walk(const Table& table, const Ruleset& rules, const IkeTraffic& traffic, Packet fragment)
        : table_(table), traffic_(traffic), marks_change_(rules.sets_marks), whole_(fragment),
          fragment_(fragment) {
        whole_.piece = Piece::whole;
        whole_.marked = false; // the kernel passes it on before we see it
    }

    enum class Fate : std::uint8_t { walks, returns, passes, dropped };
    /// Where the two are. Of states alike the first stands for all.
    struct State {
        Fate whole = Fate::walks;
        Fate fragment = Fate::walks;
        std::string_view chain{};   ///< in which the fragment was dropped
        const Rule* rule = nullptr; ///< by which; null: by policy
        bool asks = false;          ///< not because the whole packet was accepted before
        Keys assumed = 0;           ///< what has been, of both packets
        Keys held = 0;              ///< and which of that holds
    };
    using States = std::vector<State>;

    /// Out: empty: it takes too many steps
    States through(std::string_view name, const Chain& base) {
        auto states = follow(name, base, {}, 0);
        if (steps_ > most_steps) { // fewer if each rule answers for itself
            keys_max_ = steps_ = 0;
            keys_.clear();
            states = follow(name, base, {}, 0);
        }
        for (auto& state : states) {
            const auto end = base.hook->drops ? Fate::dropped : Fate::passes;
            if (state.fragment == Fate::walks && base.hook->drops) state.chain = name;
            if (state.fragment == Fate::walks) state.fragment = end;
            if (state.whole == Fate::walks) state.whole = end;
        }
        return steps_ > most_steps ? States() : states;
    }

    /// Whether a packet came to a verdict map whose elements are not known.
    [[nodiscard]] bool met_untold() const { return met_untold_; }

private:
    static bool is_final(Fate fate) { return fate == Fate::passes || fate == Fate::dropped; }

    static void add(States& states, State state) {
        if (is_final(state.whole) && is_final(state.fragment)) state.assumed = state.held = 0;
        const bool there = std::ranges::any_of(states, [&](const State& other) {
            return other.whole == state.whole && other.fragment == state.fragment &&
                   other.assumed == state.assumed && other.held == state.held;
        });
        if (!there) states.push_back(state);
    }

    /// The bit of a match nobody can answer; 0 where each rule has an answer of its own.
    Keys bit_of(const Match& match) {
        // What marks a packet bears may change from rule to rule.
        if (match.key.empty() || match.subject == Subject::mark) return 0;
        auto key = std::ranges::find(keys_, match.key);
        if (key == keys_.end()) {
            if (keys_.size() >= keys_max_) return 0;
            key = keys_.insert(keys_.end(), match.key);
        }
        return static_cast<Keys>(1u << (key - keys_.begin()));
    }

    [[nodiscard]] Answer answer(const Match& match, const Packet& packet) const {
        if (match.family && *match.family != packet.family) return Answer::no;
        Answer held = Answer::perhaps;
        if (match.subject == Subject::source || match.subject == Subject::destination) {
            held = answer_address(match, packet, traffic_);
        } else {
            const auto values = values_of(match, packet, traffic_);
            if (values && values->empty()) return Answer::no;
            const auto ours = packet.marked ? traffic_.mark->mask : 0u;
            const bool changed =
                match.subject == Subject::mark && marks_change_ && (match.mask & ~ours) != 0;
            if (values && match.known && !changed)
                held = some_of(static_cast<std::size_t>(std::ranges::count_if(
                                   *values,
                                   [&](std::uint64_t value) {
                                       return std::ranges::any_of(
                                           match.values, [&](const Range& range) {
                                               const auto seen = value & match.mask;
                                               return range.first <= seen && seen <= range.last;
                                           });
                                   })),
                               values->size());
        }
        return match.negated ? opposite(held) : held;
    }

    /// Out: open: gets the bits that must be assumed before it has an answer
    Answer
    answer(const Rule& rule, const State& state, Fate fate, const Packet& packet, Keys& open) {
        const auto fails = [&](const Match& match) { return answer(match, packet) == Answer::no; };
        if (fate != Fate::walks || std::ranges::any_of(rule.matches, fails)) return Answer::no;
        Answer held = Answer::yes;
        Keys asked = 0;
        for (const auto& match : rule.matches) {
            if (answer(match, packet) == Answer::yes) continue;
            const auto bit = bit_of(match);
            if ((state.assumed & bit) == 0) {
                held = Answer::perhaps;
                asked |= bit;
            } else if (((state.held & bit) != 0) == match.negated) {
                return Answer::no;
            }
        }
        open |= asked;
        return held;
    }

    static void assume(Keys bit, State state, States& states) {
        state.assumed |= bit;
        states.push_back(state);
        state.held |= bit;
        states.push_back(state);
    }

    /// All ways through a chain; at its end those that walk or have returned walk on.
    States follow(std::string_view name, const Chain& chain, State start, int depth) {
        States states{start};
        for (const auto& rule : chain.rules) {
            if (rule.move == Move::go_on) continue;
            States next;
            for (std::size_t i = 0; i < states.size(); ++i) { // which grow
                const auto state = states[i];
                ++steps_;
                Keys open = 0;
                const auto whole = answer(rule, state, state.whole, whole_, open);
                const auto fragment = answer(rule, state, state.fragment, fragment_, open);
                if (open != 0) {
                    assume(static_cast<Keys>(open & -open), state, states);
                    continue;
                }
                for (const bool takes_whole : {true, false})
                    for (const bool takes_fragment : {true, false}) {
                        if (whole == (takes_whole ? Answer::no : Answer::yes) ||
                            fragment == (takes_fragment ? Answer::no : Answer::yes))
                            continue;
                        // What we cannot answer has one answer for both.
                        if (whole == Answer::perhaps && fragment == Answer::perhaps &&
                            takes_whole != takes_fragment)
                            continue;
                        move(name, rule, state, takes_whole, takes_fragment, depth, next);
                    }
            }
            states = std::move(next);
            if (steps_ > most_steps) return {};
        }
        States ends;
        for (auto state : states) {
            if (state.whole == Fate::returns) state.whole = Fate::walks;
            if (state.fragment == Fate::returns) state.fragment = Fate::walks;
            add(ends, state);
        }
        return ends;
    }

    void move(std::string_view name,
              const Rule& rule,
              State state,
              bool takes_whole,
              bool takes_fragment,
              int depth,
              States& next) {
        const auto set = [&](Fate fate) {
            if (takes_whole) state.whole = fate;
            if (takes_fragment) state.fragment = fate;
            add(next, state);
        };
        if (!takes_whole && !takes_fragment) return add(next, state);
        switch (rule.move) {
        case Move::go_on: return add(next, state);
        case Move::accept: return set(Fate::passes);
        case Move::back: return set(Fate::returns);
        case Move::untold: met_untold_ = true; return set(Fate::passes);
        case Move::drop:
            if (takes_fragment) {
                state.chain = name;
                state.rule = &rule;
                state.asks = state.whole != Fate::passes;
            }
            return set(Fate::dropped);
        case Move::call:
        case Move::leave_for: break;
        }
        const auto target = table_.chains.find(rule.target);
        if (target == table_.chains.end() || depth >= most_jumps) return add(next, state);
        State entering = state;
        if (!takes_whole && state.whole == Fate::walks) entering.whole = Fate::returns;
        if (!takes_fragment && state.fragment == Fate::walks) entering.fragment = Fate::returns;
        const auto after = rule.move == Move::call ? Fate::walks : Fate::returns;
        for (auto end : follow(target->first, target->second, entering, depth + 1)) {
            const auto leave = [&](Fate fate) { return fate == Fate::walks ? after : fate; };
            end.whole = takes_whole ? leave(end.whole) : state.whole;
            end.fragment = takes_fragment ? leave(end.fragment) : state.fragment;
            add(next, end);
        }
    }

    const Table& table_;
    const IkeTraffic& traffic_;
    bool marks_change_;
    Packet whole_;
    Packet fragment_;
    std::size_t keys_max_ = most_keys;
    std::vector<std::string_view> keys_{};
    std::size_t steps_ = 0;
    bool met_untold_ = false;
};

/// A hook in which a fragment on its way through, or to this host, can be lost. IPv4 puts together
/// what is for the host itself before input.
bool meets_fragments(const Hook& hook, Family family) {
    constexpr std::array names{"ingress", "egress", "prerouting", "forward", "postrouting"};
    return std::ranges::find(names, hook.name) != names.end() ||
           (hook.name == "input" && family == Family::ipv6);
}

RuleFound describe(const Table& table,
                   const Hook& hook,
                   const Walk::State& state,
                   Direction direction,
                   bool surely) {
    const bool to_server = direction == Direction::to_server;
    return {.where = table.title + " " + std::string(state.chain),
            .text = state.rule != nullptr ? state.rule->text : "policy drop",
            .hook = hook.name,
            .priority = hook.priority,
            .surely = surely,
            .by_default = !state.asks || state.rule == nullptr,
            .to_server = to_server,
            .to_peer = !to_server,
            .surely_to_server = surely && to_server};
}

void note(RuleFound found, Family family, std::vector<RuleFound>& all) {
    auto there = std::ranges::find_if(all, [&](const RuleFound& other) {
        return other.where == found.where && other.text == found.text && other.hook == found.hook;
    });
    if (there == all.end()) {
        there = all.insert(all.end(), std::move(found));
    } else {
        there->surely = there->surely || found.surely;
        there->to_server = there->to_server || found.to_server;
        there->to_peer = there->to_peer || found.to_peer;
        there->surely_to_server = there->surely_to_server || found.surely_to_server;
    }
    (family == Family::ipv4 ? there->ipv4 : there->ipv6) = true;
}

void add_once(const std::string& place, std::vector<std::string>& places) {
    if (std::ranges::find(places, place) == places.end()) places.push_back(place);
}

bool ends_so(const Walk::State& end, Walk::Fate fragment) {
    return end.whole == Walk::Fate::passes && end.fragment == fragment;
}

/// All pairs of packets of a family through one base chain.
void judge(const Table& table,
           std::string_view name,
           const Chain& chain,
           const Ruleset& rules,
           const IkeTraffic& traffic,
           Family family,
           DropsFound& all) {
    const auto& hook = *chain.hook;
    const bool before_us =
        hook.name == "ingress" || (hook.name == "prerouting" && hook.priority < our_priority);
    const bool marked = traffic.mark.has_value() && !before_us;
    std::vector<RuleFound> found;
    const auto place = table.title + " " + std::string(name);
    bool judged = true;
    for (const auto direction : {Direction::to_server, Direction::to_peer}) {
        bool passes = false;
        for (const auto piece : {Piece::first, Piece::trailing}) {
            Walk walk(table, rules, traffic, {family, direction, piece, marked});
            const auto ends = walk.through(name, chain);
            if (ends.empty()) return add_once(place, all.not_judged);
            judged = judged && !walk.met_untold();
            bool surely = !walk.met_untold();
            for (const auto& end : ends) {
                passes = passes || end.whole == Walk::Fate::passes;
                surely = surely && !ends_so(end, Walk::Fate::passes);
            }
            for (const auto& end : ends)
                if (ends_so(end, Walk::Fate::dropped))
                    note(describe(table, hook, end, direction, surely), family, found);
        }
        // IKE that cannot pass even whole, both ways, is not what this chain is for.
        if (!passes) return;
    }
    for (auto& one : found) note(std::move(one), family, all.found);
    if (!judged) add_once(place, all.not_judged);
}

} // namespace

DropsFound find_fragment_drops(const Ruleset& rules, const IkeTraffic& traffic) {
    DropsFound found;
    for (const auto& table : rules.tables)
        for (const auto& [name, chain] : table.chains)
            for (const auto family : {Family::ipv4, Family::ipv6})
                if (chain.hook && (family == Family::ipv4 ? table.ipv4 : table.ipv6) &&
                    meets_fragments(*chain.hook, family))
                    judge(table, name, chain, rules, traffic, family, found);
    return found;
}

} // namespace ikefrag
