// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/counted.hpp"
#include "daemon/doctor/examine.hpp"
#include "daemon/escape.hpp"

#include <algorithm>
#include <string>

namespace ikefrag::doctor {
namespace {

/// Part of a queue's length from which it is called nearly full.
constexpr std::uint32_t nearly_full_percent = 80;

/// It is there, but silent.
bool hangs(const HostFacts& facts) {
    return !facts.daemon && facts.no_answer && facts.no_answer->fault == ControlFault::silent;
}

/// What makes the kernel give what was asked.
std::string fix_of(const KernelSetting& setting) {
    if (setting.name == "receive_buffer_bytes")
        return "sysctl -w net.core.rmem_max=" + setting.asked + "; systemctl restart ikefragd";
    if (setting.name == "fail_open")
        return "a kernel that has NFQA_CFG_F_FAIL_OPEN; until then a full queue drops";
    return "systemctl restart ikefragd; if it stays, another program sets that queue";
}

} // namespace

void examine_rights(const HostFacts& facts, Rows& rows) {
    if (facts.is_root && facts.conntrack.nftables_read)
        rows.push_back(
            {"rights", Standing::good, "running as root, everything can be looked at", ""});
    else if (facts.is_root)
        rows.push_back({"rights",
                        Standing::warning,
                        "root without CAP_NET_ADMIN: rulesets of this host cannot be read",
                        "run it outside the container, or give it that capability"});
    else
        rows.push_back({"rights",
                        Standing::warning,
                        "not root: rulesets and queues of this host cannot be read",
                        "run it as root: sudo ikefragctl doctor"});
}

void examine_config(const HostFacts& facts, Rows& rows) {
    if (!facts.config_exists)
        rows.push_back({"config",
                        Standing::warning,
                        facts.config_path + " does not exist: defaults apply",
                        "install the package's ikefragd.toml there"});
    else if (!facts.config)
        rows.push_back(
            {"config",
             Standing::wrong,
             facts.config_path + " or its rules have " + counted(facts.config_mistakes, "mistake"),
             "ikefragd --check --config " + facts.config_path + " shows each place"});
    else if (facts.daemon && facts.daemon->config_hash != facts.config->hash)
        rows.push_back({"config",
                        Standing::warning,
                        "what is on disk is not what the daemon runs with",
                        "ikefragctl reload"});
    else if (facts.daemon && !facts.daemon->waits_for_restart.empty()) {
        std::string keys;
        for (const auto& key : facts.daemon->waits_for_restart)
            keys += (keys.empty() ? "" : ", ") + key;
        rows.push_back({"config",
                        Standing::warning,
                        "reloaded, but waits for a restart: " + keys,
                        "systemctl restart ikefragd"});
    } else
        rows.push_back({"config",
                        Standing::good,
                        counted(facts.config->policy->rules.size(), "rule") + ", " +
                            counted(facts.config->policy->servers.size(), "server") +
                            ", no mistakes",
                        ""});
}

void examine_daemon(const HostFacts& facts, Rows& rows) {
    if (hangs(facts))
        rows.push_back({"daemon",
                        Standing::wrong,
                        "ikefragd hangs: " + escape_terminal(facts.no_answer->message),
                        "journalctl -u ikefragd tells since when; systemctl restart ikefragd"});
    else if (!facts.daemon && facts.no_answer && facts.no_answer->fault == ControlFault::permission)
        rows.push_back({"daemon",
                        Standing::warning,
                        "not asked: " + escape_terminal(facts.no_answer->message),
                        "run it as root: sudo ikefragctl doctor"});
    else if (!facts.daemon)
        rows.push_back({"daemon",
                        Standing::wrong,
                        "ikefragd is not running",
                        "systemctl enable --now ikefragd"});
    else
        rows.push_back({"daemon",
                        Standing::good,
                        "ikefragd " + escape_terminal(facts.daemon->version) + " runs in mode " +
                            std::string(to_string(facts.daemon->mode)),
                        ""});
}

void examine_table(const HostFacts& facts, Rows& rows) {
    if (!facts.table_present)
        rows.push_back(
            {"table", Standing::note, "nftables cannot be looked at from here", "run it as root"});
    else if (*facts.table_present && facts.daemon && !facts.daemon->table_fault.empty() &&
             facts.config && !facts.config->settings.queue.manage_nft)
        rows.push_back({"table",
                        Standing::wrong,
                        "manage_nft is false and " + facts.daemon->table_fault,
                        "ikefragctl nft --mode " + std::string(to_string(facts.daemon->mode)) +
                            " | nft -f -"});
    else if (*facts.table_present && (facts.daemon || hangs(facts)))
        rows.push_back({"table", Standing::good, "table inet ikefragd is loaded", ""});
    else if (*facts.table_present)
        rows.push_back({"table",
                        Standing::warning,
                        "table inet ikefragd is loaded but no daemon runs: left by a crash",
                        "systemctl start ikefragd takes it over; nft delete table inet ikefragd "
                        "removes it"});
    else if (facts.daemon && facts.config && !facts.config->settings.queue.manage_nft)
        rows.push_back({"table",
                        Standing::wrong,
                        "manage_nft is false and nobody has loaded table inet ikefragd",
                        "ikefragctl nft | nft -f -"});
    else if (facts.daemon)
        rows.push_back({"table",
                        Standing::wrong,
                        "table inet ikefragd is gone although the daemon runs: another tool "
                        "removes it again and again",
                        "look for 'flush ruleset' in /etc/nftables.conf and firewall scripts"});
    else
        rows.push_back({"table", Standing::note, "no table, as no daemon runs", ""});
}

void examine_queue_support(const HostFacts& facts, Rows& rows) {
    if (!facts.nft_queue) return;
    if (*facts.nft_queue)
        rows.push_back(
            {"nft_queue", Standing::good, "the kernel has nftables' queue statement", ""});
    else
        rows.push_back({"nft_queue",
                        Standing::note,
                        "the kernel lacks nft_queue; the iptables target inside the nft table is "
                        "used instead and does the same",
                        "modprobe nft_queue, if your kernel ships it"});
}

/// Somebody else's hand on what the daemon will want.
void examine_taken(const HostFacts& facts, Rows& rows) {
    if (facts.daemon || hangs(facts) || !facts.config) return;
    const auto& wanted = facts.config->settings.queue;
    for (const auto& queue : facts.queues)
        if (queue.number >= wanted.first && queue.number < wanted.first + wanted.count)
            rows.push_back(
                {"queue",
                 Standing::wrong,
                 "queue " + std::to_string(queue.number) +
                     " is taken by another program (netlink port " + std::to_string(queue.port_id) +
                     "), or by an ikefragd that does not answer",
                 "another number: first in [queue]; `ss -f netlink -p` helps to find the "
                 "program"});
    const auto group = facts.config->settings.copy_group;
    if (std::ranges::find(facts.log_groups, group) != facts.log_groups.end())
        rows.push_back({"copy",
                        Standing::wrong,
                        "log group " + std::to_string(group) +
                            " is read by another program, or by an ikefragd that does not answer",
                        "another number: group in [copy]"});
}

void examine_queues(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || !facts.config || !facts.queues_readable) return;
    const auto& wanted = facts.config->settings.queue;
    if (facts.daemon->mode == Mode::observe) {
        rows.push_back(
            {"queue", Standing::good, "observe: nothing is queued, nothing can be held up", ""});
        return;
    }
    for (std::uint32_t number = wanted.first; number < std::uint32_t{wanted.first} + wanted.count;
         ++number) {
        const auto name = "queue " + std::to_string(number);
        const auto queue = std::ranges::find(
            facts.queues, static_cast<std::uint16_t>(number), &KernelQueue::number);
        if (queue == facts.queues.end())
            rows.push_back({"queue",
                            Standing::wrong,
                            name + " has no listener: fragments pass unseen (fail-open) or are "
                                   "dropped",
                            "systemctl restart ikefragd"});
        else if (queue->dropped_full + queue->dropped_socket > 0)
            rows.push_back({"queue",
                            Standing::warning,
                            name + " dropped " + std::to_string(queue->dropped_full) +
                                " packets when full and " + std::to_string(queue->dropped_socket) +
                                " for want of socket buffer",
                            "raise max_length, or count to use more cores, in [queue]"});
        else if (queue->waiting * 100 > wanted.max_length * nearly_full_percent)
            rows.push_back({"queue",
                            Standing::warning,
                            name + " holds " + std::to_string(queue->waiting) + " of " +
                                std::to_string(wanted.max_length) + " packets",
                            "see ikefrag_held_packets; raise max_length in [queue]"});
        else
            rows.push_back({"queue", Standing::good, name + " is served, nothing was lost", ""});
    }
}

void examine_copies(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || !facts.config || !facts.log_groups_readable) return;
    const auto group = facts.config->settings.copy_group;
    const bool bound = std::ranges::find(facts.log_groups, group) != facts.log_groups.end();
    rows.push_back({"copy",
                    bound ? Standing::good : Standing::wrong,
                    "log group " + std::to_string(group) +
                        (bound ? " is read" : " has no reader: whole IKE is not seen"),
                    bound ? "" : "systemctl restart ikefragd; does another tool use that group?"});
}

void examine_kernel_settings(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || facts.daemon->kernel_settings.empty()) return;
    bool all = true;
    for (const auto& setting : facts.daemon->kernel_settings) {
        if (setting.asked == setting.got) continue;
        all = false;
        rows.push_back({"kernel_settings",
                        Standing::warning,
                        setting.of + ": the kernel gave " + setting.name + " " + setting.got +
                            " where " + setting.asked + " was asked",
                        fix_of(setting)});
    }
    if (all)
        rows.push_back(
            {"kernel_settings", Standing::good, "the kernel gave what was asked of it", ""});
}

void examine_metrics(const HostFacts& facts, Rows& rows) {
    if (!facts.daemon || !facts.config || facts.config->settings.metrics_listen.empty()) return;
    const bool good = facts.metrics_status == 200;
    rows.push_back({"metrics",
                    good ? Standing::good : Standing::warning,
                    good                   ? "the metrics endpoint answers"
                    : facts.metrics_status ? "the metrics endpoint answers with HTTP status " +
                                                 std::to_string(*facts.metrics_status)
                                           : "the metrics endpoint does not answer",
                    good ? "" : "check listen in [metrics]: is another program on that port?"});
}

} // namespace ikefrag::doctor
