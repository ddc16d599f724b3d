// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/words.hpp"

#include <catch2/catch.hpp>

using namespace ikefrag;

TEST_CASE("words: every reason's word leads back to it", "[words]") {
    for (const auto& word : words<Reason>()) {
        CHECK(parse_word<Reason>(word.text) == word.value);
        CHECK(to_string(word.value) == word.text);
    }
    CHECK_FALSE(parse_word<Reason>("overlapping"));
}
