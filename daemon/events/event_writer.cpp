// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/events/event_writer.hpp"

#include "daemon/escape.hpp"
#include "daemon/explain/explain.hpp"
#include "daemon/json/json.hpp"
#include "daemon/timestamp.hpp"

#include <boost/json.hpp>

#include <cstdio>

namespace ikefrag {
namespace {

namespace json = boost::json;

constexpr std::uint8_t ipv4_prefix = 24;
constexpr std::uint8_t ipv6_prefix = 56;

/// Of handshakes whose client has shown that it receives: all clients of a large gateway may come
/// back at once. Each line has about 1.5 kB, so that nobody writes more than 150 kB/s for long.
constexpr Suppressor::Limits proven_limits{
    .per_key = 300, .per_second = 100, .burst = 3000, .keys = 8192};

std::string seconds_text(Duration duration) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f s", std::chrono::duration<double>(duration).count());
    return text;
}

/// A stable id of a kind of event for the journal: the same in every release.
std::string message_id(std::string_view kind) {
    std::uint64_t halves[2] = {0xcbf29ce484222325, 0x84222325cbf29ce4};
    for (auto& half : halves)
        for (const auto c : kind) half = (half ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    char text[33];
    std::snprintf(text,
                  sizeof text,
                  "%016llx%016llx",
                  static_cast<unsigned long long>(halves[0]),
                  static_cast<unsigned long long>(halves[1]));
    return text;
}

json::object begin(std::string_view type, TimePoint now) {
    return {
        {"timestamp",  rfc3339(now)},
        {"event_type", type        }
    };
}

/// What an address showed otherwise than before; empty: nothing. The first that is known of it is
/// no change.
std::string changes_text(const Capability& before, const Capability& after) {
    std::string text;
    if (before.fragmentation != Fragmentation::unknown &&
        before.fragmentation != after.fragmentation)
        text.append("fragmentation was ")
            .append(to_string(before.fragmentation))
            .append(", is ")
            .append(to_string(after.fragmentation));
    if (before.intermediate && before.intermediate != after.intermediate)
        text.append(text.empty() ? "" : "; ")
            .append(*before.intermediate ? "IKE_INTERMEDIATE is no longer supported"
                                         : "IKE_INTERMEDIATE is supported now");
    return text;
}

/// What Suricata's EVE calls the parts of an IKE flow.
void add_flow(json::object& event, const Handshake& handshake, const std::string& client) {
    event["src_ip"] = client;
    event["src_port"] = handshake.client.port;
    event["dest_ip"] = to_string(handshake.server.address);
    event["dest_port"] = handshake.server.port;
    event["proto"] = "UDP";
    json::object ike;
    ike["version_major"] = handshake.version;
    ike["init_spi"] = to_string(handshake.initiator_spi);
    ike["resp_spi"] = to_string(handshake.responder_spi);
    if (!handshake.messages.empty()) {
        const auto& last = handshake.messages.back().exchange;
        ike["exchange_type"] = last.type;
        ike["exchange_name"] = exchange_name(last.version, last.type);
        ike["message_id"] = last.message_id;
    }
    event["ike"] = std::move(ike);
}

} // namespace

std::string rate_limit_prefix(const IpAddress& address) {
    return to_string(
        prefix_of(address, address.family == Family::ipv4 ? ipv4_prefix : ipv6_prefix));
}

EventWriter::EventWriter(const EventOptions& options,
                         bool mask_addresses,
                         LineWriter::Journal journal)
    : options_(options), mask_(mask_addresses), proven_(proven_limits),
      writer_(options.file, std::move(journal)) {}

void EventWriter::change(const EventOptions& options, bool mask_addresses) {
    options_ = options;
    mask_ = mask_addresses;
    writer_.reopen(options.file);
}

std::string EventWriter::shown(const IpAddress& address) const {
    return mask_ ? rate_limit_prefix(address) : to_string(address);
}

void EventWriter::write(json::object event,
                        const std::string& sentence,
                        std::vector<std::string> fields) {
    EventLine out;
    const auto type = std::string(event["event_type"].as_string());
    if (options_.format == EventOptions::Format::json)
        out.line = json::serialize(event);
    else
        out.line = std::string(event["timestamp"].as_string()) + ' ' + type + ": " +
                   escape_terminal(sentence);
    fields.push_back("MESSAGE=" + sentence);
    fields.emplace_back("SYSLOG_IDENTIFIER=ikefragd");
    fields.push_back("IKEFRAG_EVENT=" + type);
    for (auto& field : fields) field = escape_terminal(field);
    fields.push_back("IKEFRAG_JSON=" + json::serialize(event));
    out.fields = std::move(fields);
    writer_.write(std::move(out));
}

void EventWriter::handshake_ended(const Handshake& handshake,
                                  const Finding* cause,
                                  std::string_view server_name,
                                  TimePoint now) {
    // A client that never showed that it receives may be forged, and one that did may still fail on
    // purpose: such lines must not fill the disk.
    const auto prefix = rate_limit_prefix(handshake.client.address);
    const bool allowed = handshake.proven ? proven_.allows("proven " + prefix, now)
                                          : handshakes_.allows(prefix, now);
    if (!allowed) return;
    const auto client = shown(handshake.client.address);
    auto event = begin("ike_handshake", now);
    add_flow(event, handshake, client);
    event["server_name"] = json_text(server_name);
    for (auto& [key, value] : to_json(handshake)) event.insert_or_assign(key, std::move(value));
    event["client"] = client;
    const auto* diagnosis = cause == nullptr ? nullptr : cause->diagnosis;
    event["diagnosis"] = diagnosis == nullptr ? json::value(nullptr) : json::value(diagnosis->slug);
    const auto duration = handshake.last_time - handshake.first_time;
    event["duration_seconds"] = std::chrono::duration<double>(duration).count();
    const auto server =
        server_name.empty() ? to_string(handshake.server.address) : std::string(server_name);
    auto sentence = client + " with " + server + ": " + std::string(to_string(handshake.outcome)) +
                    " (" + std::string(to_string(handshake.basis)) + ") in " +
                    seconds_text(duration);
    if (cause != nullptr)
        sentence += ": " + shown_text(cause->sentence, handshake.server.address, mask_);
    write(std::move(event),
          sentence,
          {"PRIORITY=6",
           "MESSAGE_ID=" + message_id("ike_handshake"),
           "IKEFRAG_CLIENT=" + client,
           "IKEFRAG_SERVER=" + server,
           "IKEFRAG_SPI=" + to_string(handshake.initiator_spi),
           "IKEFRAG_OUTCOME=" + std::string(to_string(handshake.outcome))});
}

void EventWriter::finding_changed(std::string_view change,
                                  const Finding& finding,
                                  std::string_view server_name,
                                  TimePoint now) {
    if (finding.diagnosis == nullptr) return;
    const auto& diagnosis = *finding.diagnosis;
    const auto key = std::string(diagnosis.slug) + ' ' + std::string(server_name) + ' ' +
                     std::string(change) + ' ' + rate_limit_prefix(finding.client);
    if (!findings_.allows(key, now)) return;
    auto event = begin("ike_finding", now);
    const auto client = shown(finding.client);
    event["change"] = change;
    event["server_name"] = json_text(server_name);
    for (auto& [name, value] : to_json(finding)) event.insert_or_assign(name, std::move(value));
    event["client"] = client;
    const auto masked = [&](std::string_view text) {
        return shown_text(text, finding.server, mask_);
    };
    event["sentence"] = json_text(masked(finding.sentence));
    event["remedy"] = json_text(masked(finding.remedy));
    json::array evidence;
    for (const auto& line : finding.evidence) evidence.push_back(json_text(masked(line)));
    event["evidence"] = std::move(evidence);
    const auto sentence = std::string(diagnosis.id) + ' ' + std::string(diagnosis.slug) + ' ' +
                          std::string(change) + ": " + masked(finding.sentence);
    const auto* priority = finding.severity == Severity::critical  ? "PRIORITY=3"
                           : finding.severity == Severity::warning ? "PRIORITY=4"
                                                                   : "PRIORITY=6";
    write(std::move(event),
          sentence,
          {priority,
           "MESSAGE_ID=" + message_id(diagnosis.slug),
           "IKEFRAG_DIAG=" + std::string(diagnosis.slug),
           "IKEFRAG_CLIENT=" + client,
           "IKEFRAG_SERVER=" +
               (server_name.empty() ? to_string(finding.server) : std::string(server_name)),
           "IKEFRAG_SPI=" + (finding.initiator_spi ? to_string(*finding.initiator_spi) : "")});
}

void EventWriter::capability_changed(const CapabilityChanged& changed, TimePoint now) {
    const auto changes = changes_text(changed.before, changed.after);
    if (changes.empty()) return;
    const auto key =
        std::string(to_string(changed.role)) + ' ' + rate_limit_prefix(changed.address);
    if (!capabilities_.allows(key, now)) return;
    auto event = begin("ike_capability", now);
    const auto address =
        changed.role == PeerRole::client ? shown(changed.address) : to_string(changed.address);
    event["address"] = address;
    event["role"] = to_string(changed.role);
    event["before"] = to_string(changed.before.fragmentation);
    event["after"] = to_string(changed.after.fragmentation);
    event["intermediate_before"] = bool_or_null(changed.before.intermediate);
    event["intermediate_after"] = bool_or_null(changed.after.intermediate);
    write(std::move(event),
          std::string(to_string(changed.role)) + ' ' + address + ": " + changes,
          {"PRIORITY=6", "MESSAGE_ID=" + message_id("ike_capability")});
}

void EventWriter::datagram_refused(const DatagramLost& lost, TimePoint now) {
    const auto prefix = rate_limit_prefix(lost.source);
    const auto reason = std::string(to_string(lost.reason));
    if (!refusals_.allows(reason + ' ' + prefix, now)) return;
    auto event = begin("ike_refusal", now);
    event["src_ip"] = shown(lost.source);
    event["src_port"] = lost.source_port;
    event["dest_ip"] = shown(lost.destination);
    event["dest_port"] = lost.destination_port;
    event["proto"] = "UDP";
    event["reason"] = reason;
    event["enforced"] = lost.enforced;
    event["class"] =
        lost.packet_class ? json::value(to_string(*lost.packet_class)) : json::value(nullptr);
    event["fragments"] = lost.fragments;
    event["bytes"] = lost.bytes;
    event["ip_id"] = lost.id;
    event["first_seen"] = lost.first_seen;
    event["last_seen"] = lost.last_seen;
    const auto sentence = "fragments " + shown(lost.source) + " to " + shown(lost.destination) +
                          (lost.enforced ? " refused: " : " would be refused: ") + reason + ", " +
                          std::to_string(lost.fragments) + " seen";
    write(std::move(event),
          sentence,
          {"PRIORITY=5",
           "MESSAGE_ID=" + message_id("ike_refusal"),
           "IKEFRAG_REASON=" + reason,
           "IKEFRAG_CLIENT=" + shown(lost.source)});
}

void EventWriter::daemon_changed(std::string_view type,
                                 bool ok,
                                 std::string_view message,
                                 TimePoint now) {
    auto event = begin(type, now);
    event["ok"] = ok;
    event["message"] = json_text(message);
    write(std::move(event),
          std::string(type) + (ok ? ": " : " failed: ") + std::string(message),
          {ok ? "PRIORITY=6" : "PRIORITY=3", "MESSAGE_ID=" + message_id(type)});
}

void EventWriter::tick(TimePoint now) {
    const auto tell = [&](Suppressor& suppressor, std::string_view of) {
        for (const auto& [key, count] : suppressor.take_suppressed(now)) {
            auto event = begin("suppressed", now);
            event["of"] = of;
            event["key"] = json_text(key);
            event["count"] = count;
            write(std::move(event),
                  std::to_string(count) + " suppressed: " + std::string(of) + ' ' + key,
                  {"PRIORITY=5", "MESSAGE_ID=" + message_id("suppressed")});
        }
    };
    tell(handshakes_, "ike_handshake");
    tell(proven_, "ike_handshake");
    tell(findings_, "ike_finding");
    tell(refusals_, "ike_refusal");
    tell(capabilities_, "ike_capability");
}

} // namespace ikefrag
