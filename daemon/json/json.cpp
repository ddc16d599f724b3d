// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/json/json.hpp"

#include "daemon/escape.hpp"
#include "daemon/timestamp.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <optional>
#include <string>

namespace ikefrag {

namespace json = boost::json;

namespace {

template <class E>
json::value word_or_null(const std::optional<E>& value) {
    if (!value) return nullptr;
    return json::string(to_string(*value));
}

template <class E>
json::string word(E value) {
    return json::string(to_string(value));
}

json::value text_or_null(std::string_view text) {
    if (text.empty()) return nullptr;
    return json_text(text);
}

template <class T>
json::value time_or_null(const std::optional<T>& time) {
    if (!time) return nullptr;
    return to_json(*time);
}

json::value address_or_null(const std::optional<IpAddress>& address) {
    if (!address) return nullptr;
    return json::string(to_string(*address));
}

json::value number_or_null(std::uint64_t number) {
    if (number == 0) return nullptr;
    return number;
}

json::value notify_or_null(std::uint8_t version, std::uint16_t type) {
    if (type == 0) return nullptr;
    return json::string(notify_name_or_number(version, type));
}

/// The latest clear error to the client; 0: none.
std::uint16_t error_of(const Handshake& handshake) noexcept {
    for (auto message = handshake.messages.rbegin(); message != handshake.messages.rend();
         ++message)
        if (message->direction == Direction::to_peer && message->error_notify != 0)
            return message->error_notify;
    return 0;
}

json::object verdict_counts(const std::array<std::uint64_t, count_of<Verdict>>& verdicts,
                            const std::array<std::uint64_t, count_of<Reason>>& drops) {
    json::object object;
    for (const auto& verdict : words<Verdict>())
        object[verdict.text] = verdicts[index(verdict.value)];
    json::object reasons;
    for (const auto& reason : words<Reason>())
        if (reason.value != Reason::none) reasons[reason.text] = drops[index(reason.value)];
    object["drop_reasons"] = std::move(reasons);
    return object;
}

json::object side_json(const SideFacts& side) {
    json::array vendor_ids;
    for (const auto& name : side.vendor_ids.texts()) vendor_ids.push_back(json_text(name));
    return {
        {"fragmentation",          word(side.fragmentation)           },
        {"intermediate_supported", side.intermediate_supported        },
        {"behind_nat",             bool_or_null(side.behind_nat)      },
        {"other_behind_nat",       bool_or_null(side.other_behind_nat)},
        {"vendor",                 text_or_null(side.vendor)          },
        {"vendor_ids",             std::move(vendor_ids)              }
    };
}

json::array transforms_json(const SharedList<Transform>& list) {
    json::array transforms;
    for (const auto& transform : list) transforms.push_back(json_text(to_string(transform)));
    return transforms;
}

/// Whether the address embeds one that cannot be reached so; it alone tells.
bool embeds_bogus(const Peer& peer) {
    const auto facts = transition_of(peer.address, {});
    return facts.bogus && facts.transition == peer.transition;
}

json::object endpoint_json(const Endpoint& endpoint) {
    return {
        {"address", to_string(endpoint.address)},
        {"port",    endpoint.port              }
    };
}

json::value endpoint_or_null(const std::optional<Endpoint>& endpoint) {
    if (!endpoint) return nullptr;
    return endpoint_json(*endpoint);
}

json::value group_or_null(std::uint16_t group) {
    if (group == 0) return nullptr;
    return json::string(key_group_name(group));
}

/// Numbers of a set that were not seen; null while it is not known how many there are.
json::value missing_or_null(const FragmentSet& set) {
    if (set.total == 0 || set.is_too_large()) return nullptr;
    json::array missing;
    for (std::uint16_t number = 1; number <= set.total; ++number)
        if (!set.present.has(number)) missing.push_back(number);
    return missing;
}

json::object set_json(const FragmentSet& set) {
    return {
        {"exchange", exchange_name(set.exchange.version, set.exchange.type)},
        {"message_id",          set.exchange.message_id                                },
        {"direction",          word(set.direction) },
        {"role",          word(set.role)                                     },
        {"transport",          word(set.transport)},
        {"first_time",          to_json(set.first_time)                                    },
        {"last_time",          to_json(set.last_time)},
        {"total",          number_or_null(set.total)                                        },
        {"seen",          set.seen},
        {"missing",          missing_or_null(set)                                     },
        {"previous_total",          number_or_null(set.previous_total)},
        {"previous_largest_bytes",          number_or_null(set.previous_largest_bytes)                             },
        {"attempts",          set.attempts     },
        {"bytes",          set.bytes                                },
        {"largest_bytes",          set.largest_bytes},
        {"complete",          set.complete                                     },
        {"too_large",          set.is_too_large()},
        {"ip_fragmented",          set.ip_fragmented                                 }
    };
}

json::object icmp_json(const IcmpRecord& icmp) {
    return {
        {"time",      to_json(icmp.time)      },
        {"reporter",  to_string(icmp.reporter)},
        {"family",    word(icmp.family)       },
        {"type",      icmp.type               },
        {"code",      icmp.code               },
        {"mtu",       number_or_null(icmp.mtu)},
        {"direction", word(icmp.direction)    }
    };
}

} // namespace

json::value bool_or_null(const std::optional<bool>& value) {
    if (!value) return nullptr;
    return *value;
}

json::value json_text(std::string_view text) { return json::string(escape_json(text)); }

json::value to_json(TimePoint time) { return json::string(rfc3339(time)); }

json::value to_json(const Spi& spi) {
    if (is_zero(spi)) return nullptr;
    return json::string(to_string(spi));
}

json::object to_json(const Handshake& handshake) {
    json::object object;
    object["initiator_spi"] = to_json(handshake.initiator_spi);
    object["responder_spi"] = to_json(handshake.responder_spi);
    object["version"] = handshake.version;
    object["client"] = to_string(handshake.client.address);
    object["server"] = to_string(handshake.server.address);
    object["first_time"] = to_json(handshake.first_time);
    object["last_time"] = to_json(handshake.last_time);
    object["outcome"] = word(handshake.outcome);
    object["basis"] =
        handshake.basis == Basis::none ? json::value(nullptr) : json::value(word(handshake.basis));
    object["retransmits"] = handshake.retransmits;
    object["client_fragmentation"] = word(handshake.client_side.fragmentation);
    object["server_fragmentation"] = word(handshake.server_side.fragmentation);
    object["auth_transport"] = {
        {"request",  word_or_null(handshake.auth_request_transport) },
        {"response", word_or_null(handshake.auth_response_transport)}
    };
    // Beyond DESIGN §6.
    object["number"] = handshake.number;
    object["client_port"] = handshake.client.port;
    object["server_port"] = handshake.server.port;
    object["server_inside"] = address_or_null(handshake.server_inside);
    object["client_is_initiator"] = handshake.client_is_initiator;
    object["client_addresses"] = handshake.client_addresses;
    object["client_side"] = side_json(handshake.client_side);
    object["server_side"] = side_json(handshake.server_side);
    object["offered"] = transforms_json(handshake.offered);
    object["offered_truncated"] = handshake.offered_truncated;
    object["chosen"] = transforms_json(handshake.chosen);
    object["mid_stream"] = handshake.mid_stream;
    object["rekeyed"] = handshake.rekeyed;
    object["half_view"] = handshake.half_view;
    object["esp_seen"] = handshake.esp_seen;
    object["muted"] = handshake.muted;
    object["probe"] = handshake.probe;
    json::object path_mtu;
    for (const auto& direction : words<Direction>())
        path_mtu[direction.text] = number_or_null(handshake.path_mtu_bytes[index(direction.value)]);
    object["path_mtu_bytes"] = std::move(path_mtu);
    const auto error = error_of(handshake);
    object["error_notify"] = number_or_null(error);
    object["error_notify_name"] = notify_or_null(handshake.version, error);
    return object;
}

json::object to_json(const MessageRecord& message) {
    json::object object;
    object["time"] = to_json(message.time);
    object["left_time"] = time_or_null(message.left_time);
    object["leg"] = word(message.leg);
    object["exchange"] = exchange_name(message.exchange.version, message.exchange.type);
    object["message_id"] = message.exchange.message_id;
    object["direction"] = word(message.direction);
    object["role"] = word(message.role);
    object["transport"] = word(message.transport);
    object["complete"] = message.complete;
    object["refused"] = message.refused;
    object["reason"] =
        message.reason == Reason::none ? json::value(nullptr) : json::value(word(message.reason));
    object["retransmit"] = message.retransmit;
    object["ip_fragments"] = message.ip_fragments;
    object["first_seen"] = message.first_seen;
    object["last_seen"] = message.last_seen;
    object["skf_number"] = number_or_null(message.skf_number);
    object["skf_total"] = number_or_null(message.skf_total);
    object["message_bytes"] = message.message_bytes;
    object["datagram_bytes"] = message.datagram_bytes;
    object["error_notify"] = number_or_null(message.error_notify);
    object["error_notify_name"] = notify_or_null(message.exchange.version, message.error_notify);
    json::array notifies;
    for (const auto type : message.notifies)
        if (type != 0)
            notifies.push_back(json::string(notify_name_or_number(message.exchange.version, type)));
    object["notifies"] = std::move(notifies);
    object["windows_error"] = number_or_null(message.windows_error);
    object["key_group"] = group_or_null(message.key_group);
    object["wanted_group"] = group_or_null(message.wanted_group);
    object["source"] = endpoint_json(message.source);
    object["destination"] = endpoint_json(message.destination);
    object["left_source"] = endpoint_or_null(message.left_source);
    object["left_destination"] = endpoint_or_null(message.left_destination);
    return object;
}

json::object to_json_with_timeline(const Handshake& handshake) {
    json::object object = to_json(handshake);
    json::array messages;
    for (const auto& message : handshake.messages) messages.push_back(to_json(message));
    json::array sets;
    for (const auto& set : handshake.sets) sets.push_back(set_json(set));
    json::array icmp;
    for (const auto& record : handshake.icmp) icmp.push_back(icmp_json(record));
    object["messages"] = std::move(messages);
    object["messages_forgotten"] = handshake.messages_forgotten;
    object["sets"] = std::move(sets);
    object["icmp"] = std::move(icmp);
    return object;
}

json::object to_json(const Peer& peer) {
    return {
        {"address",               to_string(peer.address)                   },
        {"role",                  to_string(peer.role)                      },
        {"fragmentation",         word(peer.capability.fragmentation)       },
        {"vendor",                text_or_null(peer.vendor)                 },
        {"transition",            word(peer.transition)                     },
        {"embedded",              address_or_null(peer.embedded)            },
        {"bogus",                 embeds_bogus(peer)                        },
        {"first_seen",            to_json(peer.first_seen)                  },
        {"last_seen",             to_json(peer.last_seen)                   },
        {"fragmentation_changed", time_or_null(peer.fragmentation_changed)  },
        {"handshakes_ok",         peer.handshakes_ok                        },
        {"handshakes_failed",     peer.handshakes_failed                    },
        {"path_mtu_bytes",        number_or_null(peer.path_mtu_bytes)       },
        {"intermediate",          bool_or_null(peer.capability.intermediate)},
        {"intermediate_changed",  time_or_null(peer.intermediate_changed)   }
    };
}

json::object to_json(const Finding& finding) {
    json::object object;
    const Diagnosis* diagnosis = finding.diagnosis;
    object["id"] = diagnosis == nullptr ? json::value(nullptr) : json::value(diagnosis->id);
    object["slug"] = diagnosis == nullptr ? json::value(nullptr) : json::value(diagnosis->slug);
    object["kind"] =
        diagnosis == nullptr ? json::value(nullptr) : json::value(word(diagnosis->kind));
    object["severity"] = word(finding.severity);
    object["confidence"] = word(finding.confidence);
    object["actor"] = word(finding.actor);
    object["client"] = to_string(finding.client);
    object["server"] = to_string(finding.server);
    object["initiator_spi"] =
        finding.initiator_spi ? to_json(*finding.initiator_spi) : json::value(nullptr);
    object["sentence"] = json_text(finding.sentence);
    object["remedy"] = json_text(finding.remedy);
    json::array evidence;
    for (const auto& line : finding.evidence) evidence.push_back(json_text(line));
    object["evidence"] = std::move(evidence);
    object["opened"] = to_json(finding.opened);
    object["updated"] = to_json(finding.updated);
    object["closed"] = finding.closed;
    object["withdrawn"] = finding.withdrawn;
    object["handshake"] = number_or_null(finding.handshake);
    return object;
}

json::object to_json(const Diagnosis& diagnosis) {
    json::array actors;
    for (const Actor actor : diagnosis.actors) actors.push_back(word(actor));
    return {
        {"id",       diagnosis.id            },
        {"slug",     diagnosis.slug          },
        {"kind",     word(diagnosis.kind)    },
        {"severity", word(diagnosis.severity)},
        {"actors",   std::move(actors)       },
        {"says",     diagnosis.says          },
        {"meaning",  diagnosis.meaning       },
        {"not_when", diagnosis.not_when      }
    };
}

void VerdictTotals::add(const Decision& decision) noexcept {
    ++verdicts[index(decision.verdict)];
    ++intended[index(decision.intended)];
    if (decision.verdict == Verdict::drop) ++drop_reasons[index(decision.reason)];
    if (decision.intended == Verdict::drop) ++intended_drop_reasons[index(decision.reason)];
}

json::object to_json(const VerdictTotals& totals) {
    json::object object = verdict_counts(totals.verdicts, totals.drop_reasons);
    object["intended"] = verdict_counts(totals.intended, totals.intended_drop_reasons);
    return object;
}

json::object datagrams_json(const GateCounters& counters, std::uint64_t fragments) {
    json::object object;
    object["fragments"] = fragments;
    std::uint64_t fragmented = 0;
    json::object parts;
    for (const auto& outcome : words<DatagramOutcome>()) {
        std::uint64_t count = 0;
        for (const auto& family : counters.datagrams) count += family[index(outcome.value)].get();
        fragmented += count;
        parts[outcome.text] = count;
    }
    object["fragmented"] = fragmented;
    for (auto& part : parts) object[part.key()] = part.value();
    return object;
}

json::object messages_json(const TrackerTotals& totals) {
    json::object by_exchange;
    for (const auto& [key, count] : totals.by_exchange) {
        auto& exchange = by_exchange[key.first];
        if (!exchange.is_object())
            exchange = {
                {"requests",  0},
                {"responses", 0}
            };
        exchange.as_object()[key.second == Role::request ? "requests" : "responses"] = count;
    }
    json::object by_transport;
    for (const auto& transport : words<Transport>())
        by_transport[transport.text] = totals.by_transport[index(transport.value)];
    return {
        {"total",        totals.messages                            },
        {"malformed",    totals.malformed                           },
        {"by_exchange",  std::move(by_exchange)                     },
        {"by_transport", std::move(by_transport)                    },
        {"skf",
         {{"fragments", totals.skf_fragments},
          {"sets", totals.skf_sets},
          {"complete", totals.skf_complete}}                        },
        {"notify_16430",
         {{"requests", totals.notify_16430[index(Role::request)]},
          {"responses", totals.notify_16430[index(Role::response)]}}}
    };
}

json::object transition_json(const TrackerTotals& totals) {
    std::uint64_t seen = 0;
    std::uint64_t mismatches = 0;
    for (const auto& outer : totals.outer_seen) {
        seen += outer.matched + outer.mismatched;
        mismatches += outer.mismatched;
    }
    return {
        {"outer_seen", seen      },
        {"mismatches", mismatches}
    };
}

void append_packet_json(std::string& out,
                        std::uint64_t number,
                        const Decision& decision,
                        std::string_view rule) {
    const auto quoted = [&](std::string_view key, std::string_view text) {
        out += key;
        if (text.empty()) {
            out += "null";
            return;
        }
        out += '"';
        out += text;
        out += '"';
    };
    out += "{\"number\":";
    out += std::to_string(number);
    quoted(",\"verdict\":", to_string(decision.verdict));
    quoted(",\"reason\":",
           decision.reason == Reason::none ? std::string_view() : to_string(decision.reason));
    out += ",\"rule\":";
    out += rule.empty() ? "null" : json::serialize(json_text(rule));
    quoted(",\"class\":",
           decision.packet_class ? to_string(*decision.packet_class) : std::string_view());
    out += ",\"fragment\":";
    out += decision.fragment ? "true" : "false";
    quoted(",\"intended\":", to_string(decision.intended));
    out += '}';
}

} // namespace ikefrag
