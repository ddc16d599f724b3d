// SPDX-License-Identifier: GPL-2.0-or-later
#include <catch2/catch.hpp>

#include <string_view>

TEST_CASE("version: the build names one", "[version]") {
    CHECK_FALSE(std::string_view(IKEFRAG_VERSION).empty());
}
