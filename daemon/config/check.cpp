// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/schema.hpp"

#include <algorithm>
#include <set>

namespace ikefrag::config {
namespace {

constexpr std::uint8_t udp = 17;
constexpr std::uint8_t esp = 50;
constexpr std::uint8_t ah = 51;

bool overlap(const Prefix& a, const Prefix& b) { return a.covers(b) || b.covers(a); }

bool overlaps_any(const Prefix& prefix, const std::vector<Prefix>& others) {
    return std::any_of(
        others.begin(), others.end(), [&](const Prefix& other) { return overlap(prefix, other); });
}

/// The classes a datagram of this protocol can have.
bool can_be(PacketClass packet_class, std::uint8_t protocol) {
    if (protocol == esp || protocol == ah) return packet_class == PacketClass::esp;
    if (protocol == udp) return packet_class != PacketClass::esp;
    return packet_class == PacketClass::other;
}

bool has_family(const std::vector<Prefix>& prefixes, Family family) {
    return std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& prefix) {
        return prefix.address.family == family;
    });
}

bool contains(const auto& list, const auto& value) {
    return std::find(list.begin(), list.end(), value) != list.end();
}

/// The prefix that all addresses of a transition technology share; the admin's own prefixes where
/// they define it; empty: no prefix tells (native, ISATAP).
std::vector<Prefix> prefixes_of(Transition transition, const Policy& policy) {
    const auto fixed = [](std::string_view text) { return std::vector{*parse_prefix(text)}; };
    switch (transition) {
    case Transition::six_to_four: return fixed("2002::/16");
    case Transition::teredo: return fixed("2001::/32");
    case Transition::v4mapped: return fixed("::ffff:0.0.0.0/96");
    case Transition::ula: return fixed("fc00::/7");
    case Transition::linklocal: return fixed("fe80::/10");
    case Transition::iphttps: return policy.iphttps;
    case Transition::nat64: {
        auto prefixes = policy.nat64;
        prefixes.push_back(*parse_prefix("64:ff9b::/96"));
        return prefixes;
    }
    case Transition::native:
    case Transition::isatap: break;
    }
    return {};
}

const Server* find_server(const std::string& name, const Policy& policy) {
    for (const auto& server : policy.servers)
        if (server.name == name) return &server;
    return nullptr;
}

/// Whether packets of this family can match, as far as family, peer and server tell.
bool family_is_possible(const Match& match, const Policy& policy, Family family) {
    if (match.family && *match.family != family) return false;
    if (!match.peer.empty() && !has_family(match.peer, family)) return false;
    if (match.server.empty()) return true;
    return std::any_of(match.server.begin(), match.server.end(), [&](const std::string& name) {
        const auto* server = find_server(name, policy);
        return server == nullptr || has_family(server->addresses, family) ||
               has_family(server->inside, family);
    });
}

/// Whether some peer address of this family has one of the rule's transition technologies.
bool transition_is_possible(const Match& match, const Policy& policy, Family family) {
    if (match.transition.empty()) return true;
    if (family == Family::ipv4) return contains(match.transition, Transition::native);
    return std::any_of(
        match.transition.begin(), match.transition.end(), [&](Transition transition) {
            if (transition == Transition::native || transition == Transition::isatap) return true;
            const auto prefixes = prefixes_of(transition, policy);
            if (match.peer.empty()) return !prefixes.empty();
            return std::any_of(prefixes.begin(), prefixes.end(), [&](const Prefix& prefix) {
                return overlaps_any(prefix, match.peer);
            });
        });
}

/// Why no packet can match, whatever other rules say; empty if one can.
std::string contradiction(const Match& match, const Policy& policy) {
    if (match.packet_class && match.protocol && !can_be(*match.packet_class, *match.protocol))
        return "protocol " + std::to_string(*match.protocol) + " is never of class " +
               quote(to_string(*match.packet_class));
    bool possible = false;
    bool family_possible = false;
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        const bool by_family = family_is_possible(match, policy, family);
        family_possible |= by_family;
        possible |= by_family && transition_is_possible(match, policy, family);
    }
    if (possible) return {};
    if (!family_possible) return "its family, peer and server have no IP version in common";
    if (match.transition.size() == 1 && match.transition[0] == Transition::iphttps &&
        policy.iphttps.empty())
        return "no prefix is configured as [transition] iphttps";
    return "no peer address it allows has that transition technology";
}

/// One combination of what has few values; the rest of a rule is compared by inclusion.
struct Atom {
    PacketClass packet_class;
    std::uint8_t protocol;
    Family family;
    Direction direction;
    std::size_t server; ///< servers.size(): none of the configured ones
};

bool matches(const Match& match, const Policy& policy, const Atom& atom) {
    if (match.packet_class && *match.packet_class != atom.packet_class) return false;
    if (match.protocol && *match.protocol != atom.protocol) return false;
    if (match.direction && *match.direction != atom.direction) return false;
    if (!family_is_possible(match, policy, atom.family)) return false;
    if (match.server.empty()) return true;
    if (atom.server == policy.servers.size()) return false;
    return contains(match.server, policy.servers[atom.server].name);
}

/// Whether all that `later` may match within the atom is matched by `earlier`, too.
bool covers(const Match& earlier, const Match& later, Family family) {
    if (!earlier.interface.empty()) {
        if (later.interface.empty()) return false;
        for (const auto& name : later.interface)
            if (!contains(earlier.interface, name)) return false;
    }
    if (!earlier.transition.empty() && family == Family::ipv6) {
        if (later.transition.empty()) return false;
        for (const auto transition : later.transition)
            if (!contains(earlier.transition, transition)) return false;
    }
    if (!earlier.transition.empty() && family == Family::ipv4 &&
        !contains(earlier.transition, Transition::native))
        return false;
    if (earlier.peer.empty()) return true;
    auto peers = later.peer;
    if (peers.empty())
        peers.push_back(*parse_prefix(family == Family::ipv4 ? "0.0.0.0/0" : "::/0"));
    return std::all_of(peers.begin(), peers.end(), [&](const Prefix& peer) {
        if (peer.address.family != family) return true;
        return std::any_of(earlier.peer.begin(), earlier.peer.end(), [&](const Prefix& prefix) {
            return prefix.covers(peer);
        });
    });
}

/// Every combination worth looking at: protocols no rule names behave alike, one stands for all.
std::vector<Atom> atoms_of(const std::vector<WrittenRule>& rules, const Policy& policy) {
    std::set<std::uint8_t> protocols{udp, esp, ah};
    for (const auto& written : rules)
        if (written.rule.match.protocol) protocols.insert(*written.rule.match.protocol);
    for (unsigned protocol = 0; protocol < 256; ++protocol)
        if (protocols.insert(static_cast<std::uint8_t>(protocol)).second) break;
    std::vector<Atom> atoms;
    for (const auto& packet_class : words<PacketClass>())
        for (const auto protocol : protocols)
            for (const auto family : {Family::ipv4, Family::ipv6})
                for (const auto direction : {Direction::to_server, Direction::to_peer})
                    for (std::size_t server = 0; server <= policy.servers.size(); ++server)
                        if (can_be(packet_class.value, protocol))
                            atoms.push_back(
                                {packet_class.value, protocol, family, direction, server});
    return atoms;
}

/// The earlier rules that leave nothing for rules[index]; empty if something is left.
std::vector<std::size_t> takers_of(std::size_t index,
                                   const std::vector<WrittenRule>& rules,
                                   const Policy& policy,
                                   const std::vector<Atom>& atoms) {
    const auto& later = rules[index].rule.match;
    std::vector<std::size_t> takers;
    for (const auto& atom : atoms) {
        if (!matches(later, policy, atom)) continue;
        if (!transition_is_possible(later, policy, atom.family)) continue;
        std::size_t taker = 0;
        while (taker < index && !(matches(rules[taker].rule.match, policy, atom) &&
                                  covers(rules[taker].rule.match, later, atom.family)))
            ++taker;
        if (taker == index) return {};
        if (!contains(takers, taker)) takers.push_back(taker);
    }
    std::sort(takers.begin(), takers.end());
    return takers;
}

std::string place(const std::string& file, Position position) {
    return file + ':' + std::to_string(position.line) + ':' + std::to_string(position.column);
}

std::string place(const WrittenRule& written) { return place(written.file, written.position); }

/// The shipped rules are fallbacks: rules of one's own may take all that one of them would.
bool is_overridden_default(const WrittenRule& later,
                           const std::vector<std::size_t>& takers,
                           const std::vector<WrittenRule>& rules) {
    constexpr std::string_view shipped = "00-default.toml";
    const auto name = std::string_view(later.file).substr(later.file.rfind('/') + 1);
    return name == shipped && std::all_of(takers.begin(), takers.end(), [&](std::size_t taker) {
               return rules[taker].file != later.file;
           });
}

void check_shadows(const std::vector<WrittenRule>& rules,
                   const Policy& policy,
                   Diagnostics& diagnostics) {
    const auto atoms = atoms_of(rules, policy);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto takers = takers_of(i, rules, policy, atoms);
        if (takers.empty() || is_overridden_default(rules[i], takers, rules)) continue;
        std::string names;
        for (const auto taker : takers)
            names += (names.empty() ? "" : " and ") + quote(rules[taker].rule.name) + " (" +
                     place(rules[taker]) + ')';
        auto message = "rule " + quote(rules[i].rule.name) + " can never match: " + names +
                       (takers.size() == 1 ? " takes" : " take") + " all it would";
        if (rules[takers.front()].file != rules[i].file)
            message += "; put it into a file that sorts before that one";
        diagnostics.push_back(
            {rules[i].file, rules[i].position, std::move(message), rules[i].source_line});
    }
}

void check_server_overlap(const WrittenConfig& config, Reading& reading) {
    const auto& servers = config.policy.servers;
    for (std::size_t i = 0; i < servers.size(); ++i)
        for (std::size_t j = 0; j < i; ++j) {
            const auto other = place(reading.file().name, config.servers[j]);
            if (!servers[i].name.empty() && servers[i].name == servers[j].name)
                reading.mistake(config.server_names[i],
                                "server " + quote(servers[i].name) +
                                    " is defined twice, first at " + other);
            auto mine = servers[i].addresses;
            mine.insert(mine.end(), servers[i].inside.begin(), servers[i].inside.end());
            auto others = servers[j].addresses;
            others.insert(others.end(), servers[j].inside.begin(), servers[j].inside.end());
            for (const auto& prefix : mine)
                if (overlaps_any(prefix, others)) {
                    reading.mistake(config.servers[i],
                                    "server " + quote(servers[i].name) + " overlaps server " +
                                        quote(servers[j].name) + " (" + other + "): both have " +
                                        to_string(prefix));
                    break;
                }
        }
}

} // namespace

bool may_match(const Match& match, const Policy& policy, Family family) {
    return family_is_possible(match, policy, family) &&
           transition_is_possible(match, policy, family);
}

void check_config(const WrittenConfig& config, Reading& reading) {
    check_server_overlap(config, reading);
    const auto& limits = config.policy.limits;
    const auto& queue = config.settings.queue;
    /// Tells at the first of the keys that was written.
    const auto contradict = [&](std::initializer_list<std::string_view> keys,
                                const std::string& message) {
        Position position;
        for (const auto key : keys)
            if (const auto place = reading.places.find(key);
                place != reading.places.end() && position.line == 0)
                position = place->second;
        reading.mistake(position, message);
    };
    const auto both = [](std::string_view a, auto x, std::string_view b, auto y) {
        return std::string(a) + ' ' + std::to_string(x) + " must be less than " + std::string(b) +
               ' ' + std::to_string(y);
    };
    if (limits.table_packets >= queue.max_length)
        contradict({"limits.table_packets", "queue.max_length"},
                   both("limits.table_packets",
                        limits.table_packets,
                        "queue.max_length",
                        queue.max_length) +
                       ": held packets wait in the kernel's queue");
    if (limits.min_first_bytes > limits.max_datagram_bytes)
        contradict({"limits.min_first_bytes", "limits.max_datagram_bytes"},
                   both("limits.min_first_bytes",
                        limits.min_first_bytes,
                        "limits.max_datagram_bytes",
                        limits.max_datagram_bytes));
    if (limits.max_datagram_bytes > limits.table_bytes / queue.count)
        contradict({"limits.table_bytes", "limits.max_datagram_bytes", "queue.count"},
                   "limits.table_bytes " + std::to_string(limits.table_bytes) + ", shared by " +
                       std::to_string(queue.count) +
                       " queues, has no room for one datagram of limits.max_datagram_bytes " +
                       std::to_string(limits.max_datagram_bytes));
    if (limits.table_packets / queue.count < 2 || limits.table_datagrams < queue.count)
        contradict({"limits.table_packets", "limits.table_datagrams", "queue.count"},
                   "limits.table_packets and limits.table_datagrams leave none for each of " +
                       std::to_string(queue.count) + " queues");
    if (queue.first + queue.count - 1 > 65535)
        contradict({"queue.first", "queue.count"},
                   "queue.first and queue.count go beyond queue 65535");
    for (const auto port : config.policy.ports.plain)
        if (contains(config.policy.ports.marked, port))
            contradict({"ports.marked", "ports.plain"},
                       "port " + std::to_string(port) + " is in both ports.plain and ports.marked");
}

void check_rules(const std::vector<WrittenRule>& rules,
                 const Policy& policy,
                 Diagnostics& diagnostics) {
    bool sound = true;
    /// Tells at the first of the keys that was written, else at the rule.
    const auto tell = [&](const WrittenRule& written,
                          std::initializer_list<std::string_view> keys,
                          std::string message) {
        WrittenRule::Place place{written.position, written.source_line};
        for (const auto key : keys)
            if (const auto found = written.places.find(key); found != written.places.end()) {
                place = found->second;
                break;
            }
        diagnostics.push_back(
            {written.file, place.position, std::move(message), std::move(place.source_line)});
        sound = false;
    };
    std::vector<std::string_view> servers;
    for (const auto& server : policy.servers) servers.push_back(server.name);
    for (std::size_t i = 0; i < rules.size(); ++i) {
        const auto& rule = rules[i].rule;
        for (std::size_t j = 0; j < i; ++j)
            if (!rule.name.empty() && rules[j].rule.name == rule.name)
                tell(rules[i],
                     {"name"},
                     "rule " + quote(rule.name) + " is defined twice, first at " + place(rules[j]));
        for (const auto& name : rule.match.server) {
            if (find_server(name, policy) != nullptr) continue;
            auto message = "rule " + quote(rule.name) + ": there is no server " + quote(name);
            const auto nearest = nearest_word(name, servers);
            if (!nearest.empty())
                message += "; did you mean " + quote(nearest) + '?';
            else if (servers.empty())
                message += ": ikefragd.toml configures none";
            tell(rules[i], {"match.server"}, std::move(message));
        }
        if (const auto reason = contradiction(rule.match, policy); !reason.empty())
            tell(rules[i], {"match"}, "rule " + quote(rule.name) + " can never match: " + reason);
        const auto least = rule.limits.min_first_bytes.value_or(policy.limits.min_first_bytes);
        const auto most = rule.limits.max_datagram_bytes.value_or(policy.limits.max_datagram_bytes);
        if (least > most)
            tell(rules[i],
                 {"limits.min_first_bytes", "limits.max_datagram_bytes"},
                 "rule " + quote(rule.name) + ": min_first_bytes " + std::to_string(least) +
                     " is more than max_datagram_bytes " + std::to_string(most));
        if (rule.limits.max_fragments.value_or(0) > policy.limits.table_packets)
            tell(rules[i],
                 {"limits.max_fragments"},
                 "rule " + quote(rule.name) + ": max_fragments " +
                     std::to_string(*rule.limits.max_fragments) +
                     " is more than limits.table_packets " +
                     std::to_string(policy.limits.table_packets));
    }
    if (sound) check_shadows(rules, policy, diagnostics);
}

} // namespace ikefrag::config
