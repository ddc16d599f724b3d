// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_watch.hpp"

#include "daemon/kernel/netlink_message.hpp"
#include "daemon/kernel/table_message.hpp"

#include <linux/netfilter.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <sys/socket.h>

#include <cerrno>
#include <utility>

namespace ikefrag {

namespace {

void note_ours(const TableMessage& message, TableEvents& events) {
    const bool removed = message.change == TableChange::removed;
    switch (message.object) {
    case TableObject::table: events.ours_deleted = events.ours_deleted || removed; break;
    case TableObject::chain:
    case TableObject::rule:
    case TableObject::set: events.ours_changed = true; break;
    case TableObject::object:
        if (!removed) break;
        if (!events.last_counts) events.last_counts.emplace();
        for (const auto counter : table_counters())
            if (to_string(counter) == message.name)
                (*events.last_counts)[static_cast<std::size_t>(counter)] =
                    message.packets.value_or(0);
        break;
    default: break;
    }
}

} // namespace

void note_table_message(const nlmsghdr& one, TableEvents& events) {
    const auto message = parse_table_message(one);
    if (!message) return;
    if (message->object == TableObject::generation) {
        if (!events.any()) return; // others' commits that are none of our business
        events.process = message->process;
        events.pid = message->pid;
        return;
    }
    if (message->object == TableObject::chain && message->change == TableChange::removed &&
        message->base_chain)
        events.base_chain_deleted = true;
    if (message->table == table_name && message->family == NFPROTO_INET)
        note_ours(*message, events);
}

TableWatch::TableWatch()
    : socket_(NETLINK_NETFILTER, 1u << (NFNLGRP_NFTABLES - 1)), buffer_(65536) {
    // `nft flush ruleset` of a large ruleset is one event an object and rule
    socket_.set_receive_buffer(8u << 20);
}

int TableWatch::descriptor() const noexcept { return socket_.descriptor(); }

TableEvents TableWatch::read() {
    TableEvents events;
    for (;;) {
        const auto size =
            ::recv(socket_.descriptor(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (size > 0)
            each_message(Bytes(buffer_).first(static_cast<std::size_t>(size)),
                         [&](const nlmsghdr& one) { note_table_message(one, events); });
        else if (size < 0 && errno == ENOBUFS)
            events.lost = true;
        else if (size == 0 || errno != EINTR)
            return events;
    }
}

} // namespace ikefrag
