// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/words.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string_view>

using namespace ikefrag;

namespace {

/// Every word of a closed set leads back to its value, none is empty, none is there twice.
template <class Value>
void check_words(const char* set) {
    INFO(set);
    std::set<std::string_view> seen;
    for (const auto& word : words<Value>()) {
        INFO(word.text);
        CHECK(parse_word<Value>(word.text) == word.value);
        CHECK(to_string(word.value) == word.text);
        CHECK(seen.insert(word.text).second);
        CHECK_FALSE(word.text.empty());
    }
    CHECK_FALSE(seen.empty());
    CHECK_FALSE(parse_word<Value>(""));
    CHECK_FALSE(parse_word<Value>("no such word"));
}

} // namespace

TEST_CASE("words: of every closed set", "[words]") {
    check_words<Family>("family");
    check_words<Mode>("mode");
    check_words<Action>("action");
    check_words<Verdict>("verdict");
    check_words<PacketClass>("class");
    check_words<DatagramOutcome>("datagram outcome");
    check_words<Direction>("direction");
    check_words<Role>("role");
    check_words<Leg>("leg");
    check_words<Transport>("transport");
    check_words<Fragmentation>("fragmentation");
    check_words<Transition>("transition");
    check_words<Outcome>("outcome");
    check_words<Basis>("basis");
    check_words<Severity>("severity");
    check_words<Confidence>("confidence");
    check_words<FindingKind>("kind of finding");
    check_words<Actor>("actor");
}

TEST_CASE("words: every reason's word leads back to it", "[words]") {
    for (const auto& word : words<Reason>()) {
        CHECK(parse_word<Reason>(word.text) == word.value);
        CHECK(to_string(word.value) == word.text);
    }
    CHECK_FALSE(parse_word<Reason>("overlapping"));
}
