// SPDX-License-Identifier: GPL-2.0-or-later
// The C face of the engine (ikefrag.h): words in, words out, no exception crosses.
#include "plugin/gate.hpp"
#include "plugin/ikefrag.h"
#include "plugin/policy.hpp"
#include "plugin/tracker.hpp"
#include "plugin/vendor_id.hpp"
#include "plugin/words.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

using namespace ikefrag;

namespace {

/// What a caller gave is not right; the text says what. Caught at the C border.
class BadArgument : public std::runtime_error {
    using std::runtime_error::runtime_error;
};

template <class E>
E word_of(const char* text, std::string_view what) {
    if (text == nullptr) throw BadArgument(std::string(what) + " is missing");
    if (const auto value = parse_word<E>(text)) return *value;
    throw BadArgument(std::string(what) + " '" + text + "' is not one of its words");
}

template <class E>
std::optional<E> optional_word(const char* text, std::string_view what) {
    if (text == nullptr) return std::nullopt;
    return word_of<E>(text, what);
}

std::vector<std::string> split(const char* list) {
    std::vector<std::string> parts;
    if (list == nullptr) return parts;
    std::string_view rest = list;
    while (!rest.empty()) {
        const auto comma = rest.find(',');
        auto part = rest.substr(0, comma);
        part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
        part = part.substr(0, part.find_last_not_of(' ') + 1);
        if (!part.empty()) parts.emplace_back(part);
        rest = comma == std::string_view::npos ? std::string_view() : rest.substr(comma + 1);
    }
    return parts;
}

std::vector<Prefix> prefixes_of(const char* list, std::string_view what) {
    std::vector<Prefix> prefixes;
    for (const auto& part : split(list)) {
        const auto prefix = parse_prefix(part);
        if (!prefix)
            throw BadArgument(std::string(what) + " '" + part + "' is no address or prefix");
        prefixes.push_back(*prefix);
    }
    return prefixes;
}

std::string name_of(const char* name, std::string_view what) {
    if (name == nullptr || *name == 0) throw BadArgument(std::string(what) + " has no name");
    return name;
}

struct LimitRange {
    std::uint32_t Limits::*field;
    std::uint32_t ikefrag_options::*option;
    std::uint32_t least;
    std::uint32_t most;
    std::string_view name;
};

constexpr std::uint32_t any_more = std::numeric_limits<std::uint32_t>::max();
constexpr LimitRange limit_ranges[] = {
    {&Limits::hold_seconds,       &ikefrag_options::hold_seconds,      1, 30,       "hold_seconds"     },
    {&Limits::max_datagram_bytes,
     &ikefrag_options::max_datagram_bytes,
     1280,                                                                65535,
     "max_datagram_bytes"                                                                              },
    {&Limits::max_fragments,      &ikefrag_options::max_fragments,     2, 8192,     "max_fragments"    },
    {&Limits::min_first_bytes,    &ikefrag_options::min_first_bytes,   8, 1280,     "min_first_bytes"  },
    {&Limits::min_nonlast_bytes,  &ikefrag_options::min_nonlast_bytes, 8, 1280,     "min_nonlast_bytes"},
    {&Limits::source_datagrams,
     &ikefrag_options::source_datagrams,
     1,                                                                   any_more,
     "source_datagrams"                                                                                },
    {&Limits::source_packets,     &ikefrag_options::source_packets,    1, any_more, "source_packets"   },
    {&Limits::source_bytes,       &ikefrag_options::source_bytes,      1, any_more, "source_bytes"     },
    {&Limits::table_datagrams,    &ikefrag_options::table_datagrams,   1, any_more, "table_datagrams"  },
    {&Limits::table_packets,      &ikefrag_options::table_packets,     1, any_more, "table_packets"    },
    {&Limits::table_bytes,        &ikefrag_options::table_bytes,       1, any_more, "table_bytes"      },
};

Limits limits_of(const ikefrag_options& options) {
    Limits limits;
    for (const auto& range : limit_ranges) {
        const auto value = options.*range.option;
        if (value == 0) continue;
        if (value < range.least || value > range.most)
            throw BadArgument(std::string(range.name) + " is out of range");
        limits.*range.field = value;
    }
    return limits;
}

/// What the shipped rule file says (rules/00-default.toml).
std::vector<Rule> default_rules() {
    std::vector<Rule> rules;
    const auto add = [&](std::string name, PacketClass packet_class, Action action) {
        Rule rule;
        rule.name = std::move(name);
        rule.match.packet_class = packet_class;
        rule.action = action;
        rules.push_back(std::move(rule));
    };
    add("ike", PacketClass::ike, Action::pass);
    add("esp-in-udp", PacketClass::esp_in_udp, Action::leave);
    add("esp", PacketClass::esp, Action::leave);
    add("keepalive", PacketClass::keepalive, Action::leave);
    return rules;
}

Rule rule_of(const ikefrag_rule& given) {
    if (given.size < sizeof(ikefrag_rule)) throw BadArgument("ikefrag_rule.size is too small");
    Rule rule;
    rule.name = name_of(given.name, "a rule");
    rule.action = word_of<Action>(given.action, "action");
    rule.dry_run = given.dry_run != 0;
    rule.match.packet_class = optional_word<PacketClass>(given.packet_class, "packet_class");
    rule.match.server = split(given.server);
    rule.match.peer = prefixes_of(given.peer, "peer");
    rule.match.direction = optional_word<Direction>(given.direction, "direction");
    rule.match.family = optional_word<Family>(given.family, "family");
    for (const auto& word : split(given.transition))
        rule.match.transition.push_back(word_of<Transition>(word.c_str(), "transition"));
    if (given.protocol > 255) throw BadArgument("protocol is above 255");
    if (given.protocol >= 0) rule.match.protocol = static_cast<std::uint8_t>(given.protocol);
    return rule;
}

/// Words are literals of the library: they end with NUL.
template <class E>
const char* text_of(E value) {
    return to_string(value).data();
}

template <std::size_t N>
void copy_text(const std::string& text, char (&room)[N]) {
    room[text.copy(room, N - 1)] = 0;
}

} // namespace

struct ikefrag_engine {
    explicit ikefrag_engine(const ikefrag_options& options)
        : policy(first_policy(options)), gate(make(), seed_of(options)),
          tracker(make(), TrackerLimits{}, default_vendor_ids()) {}

    static Policy first_policy(const ikefrag_options& options) {
        if (options.size < sizeof options) throw BadArgument("ikefrag_options.size is too small");
        Policy policy;
        policy.mode = word_of<Mode>(options.mode, "mode");
        policy.limits = limits_of(options);
        policy.rules = default_rules();
        return policy;
    }
    static std::array<std::uint8_t, 16> seed_of(const ikefrag_options& options) {
        std::array<std::uint8_t, 16> seed{};
        std::copy(std::begin(options.seed), std::end(options.seed), seed.begin());
        return seed;
    }
    [[nodiscard]] PolicyPointer make() const { return std::make_shared<const Policy>(policy); }

    void set_policy(Policy changed) {
        policy = std::move(changed);
        const auto shared = make();
        gate.set_policy(shared);
        tracker.set_policy(shared);
    }

    /// Before a call that gives verdicts: what was taken is forgotten.
    GateOutput& output() {
        if (taken == out.decisions.size()) {
            out.clear();
            taken = 0;
            seen = 0;
        }
        return out;
    }
    /// After it: the tracker is told what the gate saw.
    void observe(TimePoint now) {
        for (; seen < out.observations.size(); ++seen) tracker.feed(out.observations[seen]);
        tracker.expire(now);
        for (auto& event : tracker.take_events()) {
            if (events.size() == most_waiting_events) events.pop_front();
            events.push_back(std::move(event));
        }
    }

    /// A caller that never takes its events loses the oldest, not memory.
    static constexpr std::size_t most_waiting_events = 65536;

    Policy policy;
    Gate gate;
    Tracker tracker;
    GateOutput out;
    std::size_t taken = 0;
    std::size_t seen = 0;
    std::deque<Event> events;
    std::vector<Event> shown; ///< what the texts of the last events point into
    std::string error;
};

namespace {

/// Runs a call behind the C border.
template <class Call>
int guarded(ikefrag_engine* engine, Call call) noexcept {
    if (engine == nullptr) return IKEFRAG_BAD_ARGUMENT;
    try {
        call();
        return IKEFRAG_OK;
    } catch (const BadArgument& wrong) {
        try {
            engine->error = wrong.what();
        } catch (const std::bad_alloc&) {
            engine->error.clear();
        }
        return IKEFRAG_BAD_ARGUMENT;
    } catch (const std::bad_alloc&) {
        return IKEFRAG_NO_MEMORY;
    }
}

/// A newer or older neighbour may fill in fields we do not know, never kinds we do not show.
struct Teller {
    const ikefrag_engine& engine;
    ikefrag_event& out;

    bool operator()(const HandshakeStarted& what) const {
        return tell_handshake("handshake_started", what.handshake);
    }
    bool operator()(const HandshakeEnded& what) const {
        return tell_handshake("handshake_ended", what.handshake);
    }
    bool operator()(const CapabilityChanged& what) const {
        // Of IKE_INTERMEDIATE alone: this version of the structure has no field for it.
        if (what.before.fragmentation == what.after.fragmentation) return false;
        out.kind = "capability_changed";
        out.fragmentation = text_of(what.after.fragmentation);
        if (what.role == PeerRole::server)
            copy_text(to_string(what.address), out.server);
        else
            copy_text(to_string(what.address), out.client);
        return true;
    }
    bool operator()(const FindingOpened& what) const {
        return tell_finding("finding_opened", what.finding);
    }
    bool operator()(const FindingUpdated& what) const {
        return tell_finding("finding_updated", what.finding);
    }
    bool operator()(const FindingClosed& what) const {
        return tell_finding("finding_closed", what.finding);
    }
    bool operator()(const PeerChanged&) const { return false; }
    bool operator()(const PeerForgotten&) const { return false; }

private:
    bool tell_handshake(const char* kind, std::uint64_t number) const {
        out.kind = kind;
        const auto* handshake = engine.tracker.find_handshake(number);
        if (handshake == nullptr) return false;
        copy_text(to_string(handshake->initiator_spi), out.initiator_spi);
        copy_text(to_string(handshake->client.address), out.client);
        copy_text(to_string(handshake->server.address), out.server);
        if (handshake->outcome != Outcome::in_progress) {
            out.outcome = text_of(handshake->outcome);
            out.basis = text_of(handshake->basis);
        }
        return true;
    }
    bool tell_finding(const char* kind, const Finding& finding) const {
        out.kind = kind;
        if (finding.initiator_spi) copy_text(to_string(*finding.initiator_spi), out.initiator_spi);
        copy_text(to_string(finding.client), out.client);
        copy_text(to_string(finding.server), out.server);
        out.diagnosis = finding.diagnosis->slug.data();
        out.actor = text_of(finding.actor);
        out.sentence = finding.sentence.c_str();
        out.remedy = finding.remedy.c_str();
        return true;
    }
};

} // namespace

extern "C" {

uint32_t ikefrag_abi_version(void) { return IKEFRAG_ABI_VERSION; }

ikefrag_engine* ikefrag_create(const ikefrag_options* options) {
    if (options == nullptr) return nullptr;
    try {
        return new ikefrag_engine(*options);
    } catch (const std::exception&) {
        return nullptr;
    }
}

void ikefrag_destroy(ikefrag_engine* engine) { delete engine; }

const char* ikefrag_last_error(const ikefrag_engine* engine) {
    return engine == nullptr ? "no engine" : engine->error.c_str();
}

int ikefrag_set_servers(ikefrag_engine* engine, const ikefrag_server* servers, size_t count) {
    return guarded(engine, [&] {
        Policy changed = engine->policy;
        changed.servers.clear();
        for (const auto& given : std::span(servers, count)) {
            if (given.size < sizeof given) throw BadArgument("ikefrag_server.size is too small");
            Server server{.name = name_of(given.name, "a server"),
                          .addresses = prefixes_of(given.addresses, "addresses"),
                          .inside = prefixes_of(given.inside, "inside")};
            if (server.addresses.empty())
                throw BadArgument("server '" + server.name + "' has no address");
            changed.servers.push_back(std::move(server));
        }
        engine->set_policy(std::move(changed));
    });
}

int ikefrag_set_rules(ikefrag_engine* engine, const ikefrag_rule* rules, size_t count) {
    return guarded(engine, [&] {
        Policy changed = engine->policy;
        changed.rules.clear();
        for (const auto& given : std::span(rules, count)) {
            auto rule = rule_of(given);
            if (std::ranges::find(changed.rules, rule.name, &Rule::name) != changed.rules.end())
                throw BadArgument("rule '" + rule.name + "' is there twice");
            changed.rules.push_back(std::move(rule));
        }
        engine->set_policy(std::move(changed));
    });
}

int ikefrag_set_mode(ikefrag_engine* engine, const char* mode) {
    return guarded(engine, [&] {
        Policy changed = engine->policy;
        changed.mode = word_of<Mode>(mode, "mode");
        engine->set_policy(std::move(changed));
    });
}

int ikefrag_feed(ikefrag_engine* engine, const ikefrag_packet* packet, int64_t now) {
    return guarded(engine, [&] {
        if (packet == nullptr || packet->size < sizeof *packet ||
            (packet->bytes == nullptr && packet->length != 0))
            throw BadArgument("ikefrag_packet is incomplete");
        const TimePoint time{Duration(now)};
        engine->gate.feed({.id = {packet->id},
                           .bytes = Bytes(packet->bytes, packet->length),
                           .domain = packet->domain,
                           .truncated = packet->truncated != 0},
                          time,
                          engine->output());
        engine->observe(time);
    });
}

int ikefrag_expire(ikefrag_engine* engine, int64_t now) {
    return guarded(engine, [&] {
        const TimePoint time{Duration(now)};
        engine->gate.expire(time, engine->output());
        engine->observe(time);
    });
}

int ikefrag_release_all(ikefrag_engine* engine, int64_t now) {
    return guarded(engine, [&] {
        const TimePoint time{Duration(now)};
        engine->gate.release_all(time, engine->output());
        engine->observe(time);
    });
}

int64_t ikefrag_next_deadline(const ikefrag_engine* engine) {
    auto next = TimePoint::max();
    if (engine != nullptr) {
        if (const auto deadline = engine->gate.next_deadline()) next = std::min(next, *deadline);
        if (const auto deadline = engine->tracker.next_deadline()) next = std::min(next, *deadline);
    }
    return next.time_since_epoch().count();
}

size_t ikefrag_take_verdicts(ikefrag_engine* engine, ikefrag_verdict* verdicts, size_t room) {
    if (engine == nullptr || verdicts == nullptr) return 0;
    size_t count = 0;
    const auto& decisions = engine->out.decisions;
    const auto& rules = engine->policy.rules;
    for (; count < room && engine->taken < decisions.size(); ++count, ++engine->taken) {
        const auto& decision = decisions[engine->taken];
        const auto rule = static_cast<std::size_t>(decision.rule);
        verdicts[count] = {
            .id = decision.packet.value,
            .verdict = text_of(decision.verdict),
            .intended = text_of(decision.intended),
            .reason = decision.reason == Reason::none ? nullptr : text_of(decision.reason),
            .packet_class = decision.packet_class ? text_of(*decision.packet_class) : nullptr,
            .rule = decision.rule >= 0 && rule < rules.size() ? rules[rule].name.c_str() : nullptr,
            .replacement = decision.replacement.data(),
            .replacement_length = decision.replacement.size(),
            .fragment = decision.fragment ? 1 : 0,
        };
    }
    return count;
}

size_t ikefrag_take_events(ikefrag_engine* engine, ikefrag_event* events, size_t room) {
    if (engine == nullptr || events == nullptr) return 0;
    size_t count = 0;
    (void)guarded(engine, [&] {
        engine->shown.clear();
        engine->shown.reserve(std::min(room, engine->events.size())); // texts must not move
        while (count < room && !engine->events.empty()) {
            engine->shown.push_back(std::move(engine->events.front()));
            engine->events.pop_front();
            const auto& event = engine->shown.back();
            events[count] = {};
            events[count].time = event.time.time_since_epoch().count();
            if (std::visit(Teller{*engine, events[count]}, event.what))
                ++count;
            else
                engine->shown.pop_back();
        }
    });
    return count;
}

} // extern "C"
