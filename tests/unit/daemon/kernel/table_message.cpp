// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_message.hpp"

#include "daemon/kernel/table_watch.hpp"

#include "tests/support/daemon/netlink_builder.hpp"

#include <catch2/catch.hpp>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>

#include <string>
#include <vector>

using namespace ikefrag;
using ikefrag::testing::each_truncation;
using ikefrag::testing::NetlinkBuilder;

namespace {

NetlinkBuilder message(int type, std::uint8_t family = NFPROTO_INET) {
    return {NFNL_SUBSYS_NFTABLES, type, family};
}

NetlinkBuilder chain(int type, const char* table, const char* name, bool base) {
    auto builder = message(type);
    builder.text(NFTA_CHAIN_TABLE, table).text(NFTA_CHAIN_NAME, name);
    if (base)
        builder.nest(NFTA_CHAIN_HOOK, [](NetlinkBuilder& hook) {
            hook.u32(NFTA_HOOK_HOOKNUM, 0)
                .u32(NFTA_HOOK_PRIORITY, static_cast<std::uint32_t>(-450));
        });
    return builder;
}

NetlinkBuilder rule_with_hash() {
    auto builder = message(NFT_MSG_NEWRULE);
    builder.text(NFTA_RULE_TABLE, "ikefragd").text(NFTA_RULE_CHAIN, "learn");
    builder.u64(NFTA_RULE_HANDLE, 0x0102030405060708u);
    builder.nest(NFTA_RULE_EXPRESSIONS, [](NetlinkBuilder& list) {
        for (const char* name : {"payload", "hash"})
            list.nest(NFTA_LIST_ELEM, [&](NetlinkBuilder& element) {
                element.text(NFTA_EXPR_NAME, name);
                element.nest(NFTA_EXPR_DATA,
                             [](NetlinkBuilder& data) { data.u32(NFTA_HASH_SEED, 0xfeedu); });
            });
    });
    return builder;
}

NetlinkBuilder generation(const char* process) {
    auto builder = message(NFT_MSG_NEWGEN, 0);
    builder.u32(NFTA_GEN_ID, 5).u32(NFTA_GEN_PROC_PID, 4711).text(NFTA_GEN_PROC_NAME, process);
    return builder;
}

TableEvents note(BaseChains& chains, std::vector<NetlinkBuilder> messages) {
    TableEvents events;
    for (const auto& one : messages) note_table_message(one.message(), chains, events);
    return events;
}

} // namespace

TEST_CASE("table message: a base chain", "[kernel]") {
    const auto builder = chain(NFT_MSG_NEWCHAIN, "ikefragd", "pre", true);
    const auto parsed = parse_table_message(builder.message());
    REQUIRE(parsed);
    CHECK(parsed->object == TableObject::chain);
    CHECK(parsed->change == TableChange::added);
    CHECK(parsed->family == NFPROTO_INET);
    CHECK(parsed->table == "ikefragd");
    CHECK(parsed->name == "pre");
    CHECK(parsed->base_chain);
    CHECK(parsed->hook == 0);
    CHECK(parsed->priority == -450);
}

TEST_CASE("table message: a rule tells its handle and the seed of its hash", "[kernel]") {
    const auto builder = rule_with_hash();
    const auto parsed = parse_table_message(builder.message());
    REQUIRE(parsed);
    CHECK(parsed->name == "learn");
    CHECK(parsed->handle == 0x0102030405060708u);
    CHECK(parsed->hash_seed == 0xfeedu);
}

TEST_CASE("table message: a counter's packets", "[kernel]") {
    auto builder = message(NFT_MSG_DELOBJ);
    builder.text(NFTA_OBJ_TABLE, "ikefragd").text(NFTA_OBJ_NAME, "queued");
    builder.nest(NFTA_OBJ_DATA, [](NetlinkBuilder& data) {
        data.u64(NFTA_COUNTER_BYTES, 9).u64(NFTA_COUNTER_PACKETS, 1ull << 40);
    });
    const auto parsed = parse_table_message(builder.message());
    REQUIRE(parsed);
    CHECK(parsed->object == TableObject::object);
    CHECK(parsed->change == TableChange::removed);
    CHECK(parsed->packets == 1ull << 40);
}

TEST_CASE("table message: another subsystem's is none", "[kernel]") {
    const NetlinkBuilder queue(NFNL_SUBSYS_QUEUE, NFT_MSG_NEWCHAIN);
    CHECK_FALSE(parse_table_message(queue.message()));
}

TEST_CASE("table message: cut anywhere it stays inside its bytes", "[kernel]") {
    std::size_t read = 0;
    for (const auto& whole : {rule_with_hash().bytes(),
                              chain(NFT_MSG_NEWCHAIN, "ikefragd", "pre", true).bytes(),
                              generation("nft").bytes()})
        each_truncation(whole, [&](Bytes cut) {
            each_message(cut, [&](const nlmsghdr& one) {
                const auto parsed = parse_table_message(one);
                if (!parsed || parsed->table.empty()) return;
                ++read;
                CHECK(std::string("ikefragd").starts_with(parsed->table));
            });
        });
    CHECK(read > 10);
}

TEST_CASE("queue target: one transaction, each step acknowledged", "[kernel]") {
    struct Case {
        std::string name;
        std::optional<QueueTarget> target;
        std::vector<int> types;
    };
    const int tables = NFNL_SUBSYS_NFTABLES << 8;
    const Case cases[] = {
        {"with a target",
         QueueTarget{500, 2, true},
         {NFNL_MSG_BATCH_BEGIN,
          tables | NFT_MSG_NEWTABLE,
          tables | NFT_MSG_NEWCHAIN,
          tables | NFT_MSG_DELRULE,
          tables | NFT_MSG_NEWRULE,
          NFNL_MSG_BATCH_END}},
        {"without",
         std::nullopt,
         {NFNL_MSG_BATCH_BEGIN,
          tables | NFT_MSG_NEWTABLE,
          tables | NFT_MSG_NEWCHAIN,
          tables | NFT_MSG_DELRULE,
          NFNL_MSG_BATCH_END}},
    };
    for (const auto& c : cases) DYNAMIC_SECTION(c.name) {
            const auto batch = encode_queue_target("ikefragd", "to_queue", c.target);
            std::vector<int> types;
            std::size_t acknowledged = 0;
            CHECK(each_message(batch, [&](const nlmsghdr& one) {
                types.push_back(one.nlmsg_type);
                acknowledged += (one.nlmsg_flags & NLM_F_ACK) != 0 ? 1u : 0u;
                // an existing table or chain is no error, and none is replaced
                CHECK((one.nlmsg_flags & (NLM_F_EXCL | NLM_F_REPLACE)) == 0);
            }));
            CHECK(types == c.types);
            CHECK(acknowledged == queue_target_acknowledgements(c.target));
        }
}

TEST_CASE("queue target: the rule carries queue, count and bypass", "[kernel]") {
    const auto find = [](const std::vector<std::uint8_t>& batch) {
        // name "NFQUEUE", revision 3, then the 8 octets of xt_NFQ_info_v3 in the machine's order
        const std::string text(batch.begin(), batch.end());
        const auto at = text.find(std::string("NFQUEUE\0", 8));
        REQUIRE(at != std::string::npos);
        return std::vector<std::uint8_t>(batch.begin() + static_cast<std::ptrdiff_t>(at + 8),
                                         batch.begin() + static_cast<std::ptrdiff_t>(at + 28));
    };
    CHECK(
        find(encode_queue_target("t", "c", QueueTarget{500, 2, true})) ==
        std::vector<std::uint8_t>{8, 0, 2, 0, 0, 0, 0, 3, 12, 0, 3, 0, 0xf4, 1, 2, 0, 1, 0, 0, 0});
    CHECK(find(encode_queue_target("t", "c", QueueTarget{7, 1, false})) ==
          std::vector<std::uint8_t>{8, 0, 2, 0, 0, 0, 0, 3, 12, 0, 3, 0, 7, 0, 1, 0, 0, 0, 0, 0});
}

TEST_CASE("table watch: our table's end, by whom, with its last counts", "[kernel]") {
    BaseChains chains;
    note(chains, {chain(NFT_MSG_NEWCHAIN, "ikefragd", "pre", true)});
    auto counter = message(NFT_MSG_DELOBJ);
    counter.text(NFTA_OBJ_TABLE, "ikefragd").text(NFTA_OBJ_NAME, "queued");
    counter.nest(NFTA_OBJ_DATA, [](NetlinkBuilder& data) { data.u64(NFTA_COUNTER_PACKETS, 42); });
    auto table = message(NFT_MSG_DELTABLE);
    table.text(NFTA_TABLE_NAME, "ikefragd");
    const auto events = note(chains, {counter, table, generation("nft")});
    CHECK(events.ours_deleted);
    CHECK(events.base_chain_deleted); // its own are base chains too
    CHECK(events.process == "nft");
    CHECK(events.pid == 4711);
    REQUIRE(events.last_counts);
    CHECK((*events.last_counts)[static_cast<std::size_t>(TableCounter::queued)] == 42);
    CHECK_FALSE(events.unfinished);

    // Since Linux 6.3 the message has no counts: those last read must stay, not become 0.
    auto silent = message(NFT_MSG_DELOBJ);
    silent.text(NFTA_OBJ_TABLE, "ikefragd").text(NFTA_OBJ_NAME, "queued");
    CHECK_FALSE(note(chains, {silent, table, generation("nft")}).last_counts);
}

TEST_CASE("table watch: a transaction of which the end is still to be read", "[kernel]") {
    // A flush that was read in two parts once lost what the table had counted.
    BaseChains chains;
    auto counter = message(NFT_MSG_DELOBJ);
    counter.text(NFTA_OBJ_TABLE, "ikefragd").text(NFTA_OBJ_NAME, "queued");
    CHECK(note(chains, {counter}).unfinished);
    CHECK_FALSE(note(chains, {counter, generation("nft")}).unfinished);
    CHECK(note(chains, {counter, generation("nft"), counter}).unfinished);
    CHECK_FALSE(note(chains, {}).unfinished);
}

TEST_CASE("table watch: others' business", "[kernel]") {
    BaseChains chains;
    note(chains,
         {chain(NFT_MSG_NEWCHAIN, "other", "input", true),
          chain(NFT_MSG_NEWCHAIN, "other", "sub", false)});
    auto rule = message(NFT_MSG_NEWRULE);
    rule.text(NFTA_RULE_TABLE, "other").text(NFTA_RULE_CHAIN, "input");
    auto table = message(NFT_MSG_DELTABLE);
    table.text(NFTA_TABLE_NAME, "other");
    auto same_name = message(NFT_MSG_DELTABLE, NFPROTO_IPV4);
    same_name.text(NFTA_TABLE_NAME, "ikefragd");

    SECTION("a rule of another table is nothing to us") {
        const auto events = note(chains, {rule, generation("nft")});
        CHECK_FALSE(events.any());
        CHECK(events.process.empty());
        CHECK(events.rules_changed); // but may drop fragments behind us
    }
    SECTION("the elements of its sets not even that, as often as they come and go") {
        auto element = message(NFT_MSG_NEWSETELEM);
        element.text(NFTA_SET_ELEM_LIST_TABLE, "other");
        CHECK_FALSE(note(chains, {element, generation("crowdsec")}).rules_changed);
        CHECK_FALSE(note(chains, {}).rules_changed);
    }
    SECTION("a table of our name in another family neither") {
        CHECK_FALSE(note(chains, {same_name, generation("nft")}).any());
    }
    SECTION("its base chain's end is: the kernel drops what is held") {
        const auto events =
            note(chains, {chain(NFT_MSG_DELCHAIN, "other", "input", false), generation("fw")});
        CHECK(events.base_chain_deleted);
        CHECK_FALSE(events.ours_changed);
        CHECK(events.process == "fw");
    }
    SECTION("another chain's end is not") {
        CHECK_FALSE(note(chains, {chain(NFT_MSG_DELCHAIN, "other", "sub", false)}).any());
    }
    SECTION("its table's end takes the base chain along") {
        CHECK(note(chains, {table}).base_chain_deleted);
        CHECK_FALSE(note(chains, {table}).base_chain_deleted);
    }
}

TEST_CASE("table watch: a changed rule of ours", "[kernel]") {
    BaseChains chains;
    const auto events = note(chains, {rule_with_hash(), generation("nft")});
    CHECK(events.ours_changed);
    CHECK_FALSE(events.ours_deleted);
}
