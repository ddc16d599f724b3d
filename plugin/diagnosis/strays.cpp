// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/strays.hpp"

#include "plugin/diagnosis/reasons.hpp"
#include "plugin/diagnosis/wording.hpp"

namespace ikefrag {
namespace {

constexpr Duration update_pause = std::chrono::seconds(1);
constexpr Duration quiet = std::chrono::minutes(1);
constexpr std::size_t max_lines = 6;

const Diagnosis* diagnosis_of(const DatagramLost& lost, const Policy& policy) {
    const bool is_ike = lost.packet_class == PacketClass::ike;
    const bool is_ours = policy.server_of(lost.destination) || policy.server_of(lost.source);
    if (!is_ike && (lost.packet_class || !is_ours)) return nullptr;
    if (is_attack(lost.reason) || lost.reason == Reason::too_many || lost.reason == Reason::too_big)
        return find_diagnosis("D30");
    // Fragments whose first one never came may be anybody's: a limit they meet is no finding.
    if (is_ike && is_own_limit(lost.reason) && lost.enforced) return find_diagnosis("D29");
    return nullptr;
}

std::string lost_text(const DatagramLost& lost) {
    return number_text(lost.fragments, "IP fragment") + " from " + to_string(lost.source) + " to " +
           to_string(lost.destination) + ", id " + std::to_string(lost.id) + ", " +
           number_text(lost.bytes, "octet") + ": " + std::string(to_string(lost.reason)) +
           (lost.enforced ? "" : " (let through: not enforced)");
}

void word(Finding& finding, const DatagramLost& lost, std::size_t count) {
    const bool attack = finding.diagnosis->id == "D30";
    const auto value_of = [&](std::string_view name) -> std::string {
        if (name == "source") return to_string(lost.source);
        if (name == "destination") return to_string(lost.destination);
        if (name == "sender") return to_string(lost.source);
        if (name == "exchange") return "An IKE datagram";
        if (name == "detail")
            return std::string(attack ? attack_text(lost.reason) : limit_text(lost.reason));
        if (name == "count") return count_text(count);
        if (name == "times") return "last reason: " + std::string(to_string(lost.reason));
        if (name == "hint") return limit_hint(lost.reason);
        if (name == "done") return std::string(done_text(lost.enforced));
        return {};
    };
    const auto append_value = [&](std::string& out, std::string_view name) {
        out += value_of(name);
    };
    finding.sentence = fill(finding.diagnosis->sentence, append_value);
    finding.remedy = fill(finding.diagnosis->remedy, append_value);
    if (finding.evidence.size() < max_lines) finding.evidence.push_back(lost_text(lost));
}

} // namespace

void Strays::take(const DatagramLost& lost, const Policy& policy, TimePoint now, const Tell& tell) {
    const auto* diagnosis = diagnosis_of(lost, policy);
    if (diagnosis == nullptr) return;
    const auto key = std::tuple(diagnosis, lost.source, lost.destination);
    auto at = entries_.find(key);
    const bool fresh = at == entries_.end();
    if (fresh) {
        if (entries_.size() >= max_findings) return;
        at = entries_.emplace(key, Entry{}).first;
        auto& finding = at->second.finding;
        const bool from_server = policy.server_of(lost.source).has_value();
        finding.diagnosis = diagnosis;
        finding.severity = diagnosis->severity;
        finding.confidence = Confidence::medium;
        finding.actor = diagnosis->actors.front();
        finding.client = from_server ? lost.destination : lost.source;
        finding.server = from_server ? lost.source : lost.destination;
        finding.server_index = policy.server_of(finding.server);
        finding.opened = now;
    }
    auto& entry = at->second;
    entry.last = now;
    ++entry.count;
    if (!fresh && now - entry.finding.updated < update_pause) return;
    word(entry.finding, lost, entry.count);
    entry.finding.updated = now;
    tell(fresh ? Change::opened : Change::updated, entry.finding, now);
}

void Strays::expire(TimePoint now, const Tell& tell) {
    if (now - expired_ < update_pause) return;
    expired_ = now;
    for (auto at = entries_.begin(); at != entries_.end();) {
        if (now - at->second.last < quiet) {
            ++at;
            continue;
        }
        auto& finding = at->second.finding;
        finding.closed = true;
        tell(Change::closed, finding, now);
        if (closed_.size() >= max_findings) closed_.erase(closed_.begin());
        closed_.push_back(std::move(finding));
        at = entries_.erase(at);
    }
}

void Strays::for_each(const std::function<void(const Finding&)>& visit) const {
    for (const auto& finding : closed_) visit(finding);
    for (const auto& [key, entry] : entries_) visit(entry.finding);
}

} // namespace ikefrag
