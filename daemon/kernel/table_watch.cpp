// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_watch.hpp"

#include "daemon/kernel/netlink_message.hpp"
#include "daemon/kernel/table_message.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

namespace ikefrag {

namespace {

/// Between the messages of one transaction lie microseconds, on a busy machine a time slice.
constexpr int longest_transaction_ms = 50;

void note_ours(const TableMessage& message, TableEvents& events) {
    const bool removed = message.change == TableChange::removed;
    switch (message.object) {
    case TableObject::table: events.ours_deleted = events.ours_deleted || removed; break;
    case TableObject::chain:
    case TableObject::rule:
    case TableObject::set: events.ours_changed = true; break;
    case TableObject::object:
        if (!removed || !message.packets) break; // newer kernels do not say what it had counted
        if (!events.last_counts) events.last_counts.emplace();
        for (const auto counter : table_counters())
            if (to_string(counter) == message.name)
                (*events.last_counts)[static_cast<std::size_t>(counter)] = *message.packets;
        break;
    default: break;
    }
}

} // namespace

bool BaseChains::note(const TableMessage& message) {
    const bool removed = message.change == TableChange::removed;
    const std::string table(message.table);
    if (message.object == TableObject::chain && !removed && message.base_chain)
        known_.emplace(message.family, table, message.name);
    if (message.object == TableObject::chain && removed)
        return known_.erase({message.family, table, std::string(message.name)}) > 0;
    if (message.object == TableObject::table && removed)
        return std::erase_if(known_, [&](const auto& chain) {
                   return std::get<0>(chain) == message.family && std::get<1>(chain) == table;
               }) > 0;
    return false;
}

void note_table_message(const nlmsghdr& one, BaseChains& chains, TableEvents& events) {
    const auto message = parse_table_message(one);
    if (!message) return;
    events.unfinished = message->object != TableObject::generation;
    if (message->object == TableObject::generation) {
        if (!events.any()) return; // others' commits that are none of our business
        events.process = message->process;
        events.pid = message->pid;
        return;
    }
    const auto what = message->object;
    events.rules_changed = events.rules_changed || what == TableObject::table ||
                           what == TableObject::chain || what == TableObject::rule;
    if (chains.note(*message)) events.base_chain_deleted = true;
    if (message->table == table_name && message->family == NFPROTO_INET)
        note_ours(*message, events);
}

TableWatch::TableWatch()
    : socket_(NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1)), buffer_(65536) {
    // `nft flush ruleset` of a large ruleset is one event an object and rule
    socket_.set_receive_buffer(8u << 20);
    list_base_chains();
}

void TableWatch::list_base_chains() {
    NetlinkSocket socket(NETLINK_NETFILTER);
    socket.set_receive_timeout(2000);
    chains_.clear();
    const auto request = encode_table_dump(TableObject::chain, {}, TableFamily::any);
    for (int attempt = 0; attempt < 5; ++attempt) {
        const auto error = socket.dump(request, [&](const nlmsghdr& one) {
            if (const auto message = parse_table_message(one)) chains_.note(*message);
        });
        if (error != std::errc::interrupted) break;
    }
}

int TableWatch::descriptor() const noexcept { return socket_.descriptor(); }

TableEvents TableWatch::read() {
    TableEvents events;
    for (;;) {
        const auto size =
            ::recv(socket_.descriptor(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (size > 0)
            each_message(Bytes(buffer_).first(static_cast<std::size_t>(size)),
                         [&](const nlmsghdr& one) { note_table_message(one, chains_, events); });
        else if (size < 0 && errno == ENOBUFS)
            events.lost = true;
        else if (size == 0 || errno != EINTR) {
            pollfd more{.fd = socket_.descriptor(), .events = POLLIN, .revents = 0};
            if (!events.unfinished || events.lost || ::poll(&more, 1, longest_transaction_ms) != 1)
                break;
        }
    }
    if (events.lost) list_base_chains();
    return events;
}

} // namespace ikefrag
