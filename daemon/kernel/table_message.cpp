// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_message.hpp"

#include "daemon/kernel/netlink_message.hpp"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/xt_NFQUEUE.h>

#include <array>
#include <cassert>
#include <cstring>

namespace ikefrag {

namespace {

struct Kind {
    TableObject object;
    TableChange change;
};

Kind kind_of(int type) noexcept {
    switch (type) {
    case NFT_MSG_NEWTABLE: return {TableObject::table, TableChange::added};
    case NFT_MSG_DELTABLE: return {TableObject::table, TableChange::removed};
    case NFT_MSG_NEWCHAIN: return {TableObject::chain, TableChange::added};
    case NFT_MSG_DELCHAIN: return {TableObject::chain, TableChange::removed};
    case NFT_MSG_NEWRULE: return {TableObject::rule, TableChange::added};
    case NFT_MSG_DELRULE: return {TableObject::rule, TableChange::removed};
    case NFT_MSG_NEWSET: return {TableObject::set, TableChange::added};
    case NFT_MSG_DELSET: return {TableObject::set, TableChange::removed};
    case NFT_MSG_NEWSETELEM: return {TableObject::element, TableChange::added};
    case NFT_MSG_DELSETELEM: return {TableObject::element, TableChange::removed};
    case NFT_MSG_NEWOBJ: return {TableObject::object, TableChange::added};
    case NFT_MSG_DELOBJ: return {TableObject::object, TableChange::removed};
    case NFT_MSG_NEWGEN: return {TableObject::generation, TableChange::added};
    default: return {TableObject::other, TableChange::added};
    }
}

void read_hook(const nlattr& nest, TableMessage& out) noexcept {
    out.base_chain = true;
    each_attribute_of(attribute_bytes(nest), [&](const nlattr& one) {
        if (mnl_attr_get_type(&one) == NFTA_HOOK_HOOKNUM) out.hook = big_endian_32(one);
        if (mnl_attr_get_type(&one) == NFTA_HOOK_PRIORITY)
            out.priority = static_cast<std::int32_t>(big_endian_32(one));
    });
}

void read_chain(const nlattr& one, TableMessage& out) noexcept {
    if (mnl_attr_get_type(&one) == NFTA_CHAIN_NAME) out.name = attribute_text(one);
    if (mnl_attr_get_type(&one) == NFTA_CHAIN_HOOK) read_hook(one, out);
}

void read_expression(const nlattr& expression, TableMessage& out) noexcept {
    std::string_view name;
    each_attribute_of(attribute_bytes(expression), [&](const nlattr& one) {
        if (mnl_attr_get_type(&one) == NFTA_EXPR_NAME) name = attribute_text(one);
        if (mnl_attr_get_type(&one) != NFTA_EXPR_DATA || name != "hash") return;
        each_attribute_of(attribute_bytes(one), [&](const nlattr& field) {
            if (mnl_attr_get_type(&field) == NFTA_HASH_SEED) out.hash_seed = big_endian_32(field);
        });
    });
}

void read_rule(const nlattr& one, TableMessage& out) noexcept {
    if (mnl_attr_get_type(&one) == NFTA_RULE_CHAIN) out.name = attribute_text(one);
    if (mnl_attr_get_type(&one) == NFTA_RULE_HANDLE) out.handle = big_endian(one, 8);
    if (mnl_attr_get_type(&one) == NFTA_RULE_EXPRESSIONS)
        each_attribute_of(attribute_bytes(one),
                          [&](const nlattr& expression) { read_expression(expression, out); });
}

void read_object(const nlattr& one, TableMessage& out) noexcept {
    if (mnl_attr_get_type(&one) == NFTA_OBJ_NAME) out.name = attribute_text(one);
    if (mnl_attr_get_type(&one) != NFTA_OBJ_DATA) return;
    each_attribute_of(attribute_bytes(one), [&](const nlattr& field) {
        if (mnl_attr_get_type(&field) == NFTA_COUNTER_PACKETS) out.packets = big_endian(field, 8);
    });
}

void read_generation(const nlattr& one, TableMessage& out) noexcept {
    if (mnl_attr_get_type(&one) == NFTA_GEN_PROC_NAME) out.process = attribute_text(one);
    if (mnl_attr_get_type(&one) == NFTA_GEN_PROC_PID) out.pid = big_endian_32(one);
}

// Every object's message names its table in its first attribute.
static_assert(NFTA_TABLE_NAME == 1 && NFTA_CHAIN_TABLE == 1 && NFTA_RULE_TABLE == 1);
static_assert(NFTA_SET_TABLE == 1 && NFTA_SET_ELEM_LIST_TABLE == 1 && NFTA_OBJ_TABLE == 1);

void put_text(nlmsghdr* message, int type, std::string_view text) {
    mnl_attr_put_strz(message, static_cast<std::uint16_t>(type), std::string(text).c_str());
}

/// The expression list of a rule that is the target alone.
void put_target(nlmsghdr* message, const QueueTarget& target) {
    xt_NFQ_info_v3 info{};
    info.queuenum = target.first;
    info.queues_total = target.count;
    info.flags = target.bypass ? NFQ_FLAG_BYPASS : 0;
    std::array<std::uint8_t, (sizeof info + 7) / 8 * 8> padded{};
    std::memcpy(padded.data(), &info, sizeof info);

    nlattr* list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
    nlattr* expression = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
    mnl_attr_put_strz(message, NFTA_EXPR_NAME, "target");
    nlattr* data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
    mnl_attr_put_strz(message, NFTA_TARGET_NAME, "NFQUEUE");
    mnl_attr_put_u32(message, NFTA_TARGET_REV, htonl(3));
    mnl_attr_put(message, NFTA_TARGET_INFO, padded.size(), padded.data());
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, expression);
    mnl_attr_nest_end(message, list);
}

} // namespace

std::optional<TableMessage> parse_table_message(const nlmsghdr& message) noexcept {
    if (message.nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES) return std::nullopt;
    const Bytes family = message_body(message, 0);
    if (family.size() < sizeof(nfgenmsg)) return std::nullopt;
    TableMessage out;
    const Kind kind = kind_of(message.nlmsg_type & 0xff);
    out.object = kind.object;
    out.change = kind.change;
    out.family = family[0];
    each_attribute(message, sizeof(nfgenmsg), [&](const nlattr& one) {
        if (mnl_attr_get_type(&one) == NFTA_TABLE_NAME && kind.object != TableObject::generation &&
            kind.object != TableObject::other)
            out.table = attribute_text(one);
        switch (kind.object) {
        case TableObject::chain: read_chain(one, out); break;
        case TableObject::rule: read_rule(one, out); break;
        case TableObject::object: read_object(one, out); break;
        case TableObject::generation: read_generation(one, out); break;
        case TableObject::set:
            if (mnl_attr_get_type(&one) == NFTA_SET_NAME) out.name = attribute_text(one);
            break;
        default: break;
        }
    });
    return out;
}

std::vector<std::uint8_t>
encode_table_dump(TableObject what, std::string_view table, TableFamily family) {
    const auto type = [&] {
        switch (what) {
        case TableObject::chain: return NFT_MSG_GETCHAIN;
        case TableObject::rule: return NFT_MSG_GETRULE;
        case TableObject::set: return NFT_MSG_GETSET;
        case TableObject::object: return NFT_MSG_GETOBJ;
        default: assert(false); return NFT_MSG_GETCHAIN;
        }
    }();
    MessageWriter writer(1024);
    nlmsghdr* message = writer.begin(NFNL_SUBSYS_NFTABLES,
                                     type,
                                     NLM_F_DUMP,
                                     family == TableFamily::inet ? NFPROTO_INET : NFPROTO_UNSPEC,
                                     0);
    if (!table.empty()) put_text(message, NFTA_TABLE_NAME, table);
    if (what == TableObject::object)
        mnl_attr_put_u32(message, NFTA_OBJ_TYPE, htonl(NFT_OBJECT_COUNTER));
    writer.end(message);
    return {writer.bytes().begin(), writer.bytes().end()};
}

std::vector<std::uint8_t> encode_queue_target(std::string_view table,
                                              std::string_view chain,
                                              const std::optional<QueueTarget>& target) {
    MessageWriter writer;
    writer.end(
        writer.begin(NFNL_SUBSYS_NONE, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    const auto put = [&](int type, int flags, auto&& fill) {
        nlmsghdr* message =
            writer.begin(NFNL_SUBSYS_NFTABLES, type, NLM_F_ACK | flags, NFPROTO_INET, 0);
        fill(message);
        writer.end(message);
    };
    put(NFT_MSG_NEWTABLE, NLM_F_CREATE, [&](nlmsghdr* message) {
        put_text(message, NFTA_TABLE_NAME, table);
    });
    put(NFT_MSG_NEWCHAIN, NLM_F_CREATE, [&](nlmsghdr* message) {
        put_text(message, NFTA_CHAIN_TABLE, table);
        put_text(message, NFTA_CHAIN_NAME, chain);
    });
    put(NFT_MSG_DELRULE, 0, [&](nlmsghdr* message) { // no handle: every rule of the chain
        put_text(message, NFTA_RULE_TABLE, table);
        put_text(message, NFTA_RULE_CHAIN, chain);
    });
    if (target)
        put(NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, [&](nlmsghdr* message) {
            put_text(message, NFTA_RULE_TABLE, table);
            put_text(message, NFTA_RULE_CHAIN, chain);
            put_target(message, *target);
        });
    writer.end(
        writer.begin(NFNL_SUBSYS_NONE, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
    return {writer.bytes().begin(), writer.bytes().end()};
}

} // namespace ikefrag
