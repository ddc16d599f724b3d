// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/finding_store.hpp"

#include <iterator>

namespace ikefrag {

FindingStore::Key FindingStore::key(std::uint64_t handshake, const Diagnosis& diagnosis) noexcept {
    return {handshake, static_cast<std::size_t>(&diagnosis - catalogue().data())};
}

FindingStore::Findings::iterator FindingStore::first_of(Findings& findings,
                                                        std::uint64_t handshake) {
    // Mostly asked about one of the newest handshakes, and mostly there is nothing.
    auto at = findings.end();
    for (std::size_t i = 0; i < few && at != findings.begin(); ++i) {
        const auto before = std::prev(at);
        if (before->first.first < handshake) return at;
        at = before;
    }
    return at == findings.begin() ? at : findings.lower_bound({handshake, 0});
}

Finding* FindingStore::find(std::uint64_t handshake, const Diagnosis& diagnosis) {
    auto& findings = part(diagnosis.kind);
    const auto wanted = key(handshake, diagnosis);
    for (auto at = first_of(findings, handshake); at != findings.end(); ++at)
        if (at->first >= wanted) return at->first == wanted ? &at->second : nullptr;
    return nullptr;
}

std::vector<Finding*> FindingStore::of(std::uint64_t handshake) {
    std::vector<Finding*> found;
    for (auto* findings : {&others_, &facts_})
        for (auto at = first_of(*findings, handshake);
             at != findings->end() && at->first.first == handshake;
             ++at)
            found.push_back(&at->second);
    return found;
}

void FindingStore::make_room() {
    while (facts_.size() + others_.size() >= max_ && facts_.size() + others_.size() > 0) {
        auto& from = others_.empty() || facts_.size() * 2 > max_ ? facts_ : others_;
        auto& victims = from.empty() ? others_ : from;
        victims.erase(victims.begin());
        ++evicted_;
    }
}

Finding& FindingStore::add(Finding finding) {
    make_room();
    const auto& diagnosis = *finding.diagnosis;
    const auto where = key(finding.handshake, diagnosis);
    auto& findings = part(diagnosis.kind);
    return findings.insert_or_assign(findings.end(), where, std::move(finding))->second;
}

void FindingStore::remove(std::uint64_t handshake, const Diagnosis& diagnosis) {
    part(diagnosis.kind).erase(key(handshake, diagnosis));
}

void FindingStore::for_each(const std::function<void(const Finding&)>& visit) const {
    auto fact = facts_.begin();
    auto other = others_.begin();
    while (fact != facts_.end() || other != others_.end()) {
        const bool take_fact =
            other == others_.end() || (fact != facts_.end() && fact->first < other->first);
        visit(take_fact ? (fact++)->second : (other++)->second);
    }
}

} // namespace ikefrag
