// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/finding_store.hpp"

namespace ikefrag {

FindingStore::Key FindingStore::key(std::uint64_t handshake, const Diagnosis& diagnosis) noexcept {
    return {handshake, static_cast<std::size_t>(&diagnosis - catalogue().data())};
}

Finding* FindingStore::find(std::uint64_t handshake, const Diagnosis& diagnosis) {
    auto& findings = part(diagnosis.kind);
    const auto at = findings.find(key(handshake, diagnosis));
    return at == findings.end() ? nullptr : &at->second;
}

std::vector<Finding*> FindingStore::of(std::uint64_t handshake) {
    std::vector<Finding*> found;
    for (auto* findings : {&others_, &facts_})
        for (auto at = findings->lower_bound({handshake, 0});
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
    return part(diagnosis.kind).insert_or_assign(where, std::move(finding)).first->second;
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
