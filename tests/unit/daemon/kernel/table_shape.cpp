// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_shape.hpp"

#include <catch2/catch.hpp>

#include <string>

using namespace ikefrag;

namespace {

std::string rule(const std::string& chain, const std::string& statements) {
    return R"(,{"rule":{"family":"inet","table":"ikefragd","chain":")" + chain +
           R"(","handle":9,"expr":[)" + statements + "]}}";
}

/// A loaded table, as far as it tells what it was made for.
std::string table(const std::string& more) {
    return R"({"nftables":[{"metainfo":{"version":"1.0.6"}},{"chain":{"family":"inet",)"
           R"("table":"ikefragd","name":"to_queue","handle":1}})" +
           rule("copy", R"({"log":{"group":500,"snaplen":65535,"queue-threshold":64}})") + more +
           "]}";
}

const std::string queued =
    rule("to_queue", R"({"queue":{"num":{"range":[500,501]},"flags":"bypass"}})");

} // namespace

TEST_CASE("table shape: what a loaded table was made for", "[kernel]") {
    const auto observe = read_table_shape(table(""));
    REQUIRE(observe);
    CHECK(observe->mode == Mode::observe);
    CHECK_FALSE(observe->queue_first);
    CHECK(observe->log_group == 500);
    const auto guard = read_table_shape(table(queued));
    REQUIRE(guard);
    CHECK(guard->mode == Mode::guard);
    CHECK(guard->queue_first == 500);
    CHECK(guard->queue_count == 2);
    CHECK(guard->bypass);
    const auto exclusive =
        read_table_shape(table(rule("leave_head", R"({"drop":null})") +
                               rule("to_queue", R"({"queue":{"num":7,"flags":["bypass"]}})")));
    REQUIRE(exclusive);
    CHECK(exclusive->mode == Mode::exclusive);
    CHECK(exclusive->queue_first == 7);
    CHECK(exclusive->queue_count == 1);
    CHECK(exclusive->bypass);
    CHECK_FALSE(read_table_shape(R"({"nftables":[]})"));
    CHECK_FALSE(read_table_shape("no JSON"));
}

TEST_CASE("table shape: one for other settings, and what to load", "[kernel]") {
    TableSettings wanted;
    wanted.mode = Mode::guard;
    wanted.queue_count = 2;
    const auto differs = [&](const std::string& loaded) {
        return what_differs(*read_table_shape(table(loaded)), wanted);
    };
    CHECK(differs(queued).empty());
    CHECK(differs("") == "table inet ikefragd was made for mode observe, not for mode guard: load "
                         "what 'ikefragctl nft --mode guard' prints");
    wanted.queue_first = 600;
    wanted.log_group = 7;
    CHECK(differs(queued) ==
          "table inet ikefragd was made for queue 500-501, log group 500, not for queue 600-601, "
          "log group 7: load what 'ikefragctl nft --mode guard' prints");
    wanted = {};
    wanted.mode = Mode::exclusive;
    wanted.queue_count = 2;
    wanted.bypass = false;
    CHECK(differs(queued) == "table inet ikefragd was made for mode guard, queue 500-501, not for "
                             "mode exclusive, queue 500-501 without bypass: load what 'ikefragctl "
                             "nft --mode exclusive' prints");
    wanted = {};
    CHECK(differs("").empty());
    CHECK(differs(queued).starts_with("table inet ikefragd was made for mode guard, not for mode "
                                      "observe"));
}
