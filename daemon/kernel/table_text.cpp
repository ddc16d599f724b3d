// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/table_text.hpp"

#include "daemon/kernel/table_template.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <initializer_list>
#include <map>
#include <utility>

namespace ikefrag {
namespace {

using table_template::base_chain_hooks;
using table_template::base_chains;
using table_template::chain_names;

/// What the template's $names stand for.
using Values = std::map<std::string, std::string, std::less<>>;

constexpr std::array<TableCounter, table_counter_count> all_counters = [] {
    std::array<TableCounter, table_counter_count> all{};
    for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<TableCounter>(i);
    return all;
}();

constexpr std::array<std::string_view, table_counter_count> counter_names{
    "copied_whole",
    "copied_icmp",
    "copied_esp",
    "copied_tcp",
    "copied_out",
    "copied_tail",
    "queued",
    "ike_head",
    "ike_tail",
    "maybe_tail",
    "late_head",
    "kept_head",
    "kept_tail",
    "kept_proto",
    "dropped_head",
    "dropped_tail",
    "dropped_proto",
    "limited",
};

template <class Numbers>
std::string joined(const Numbers& numbers, std::string_view between = ", ") {
    std::string text;
    for (const auto number : numbers) {
        if (!text.empty()) text += between;
        text += std::to_string(number);
    }
    return text;
}

/// Replaces each $name by its value; a name has letters, digits and underscores.
std::string expand(std::string_view text, const Values& values) {
    std::string out;
    while (!text.empty()) {
        const std::size_t dollar = std::min(text.find('$'), text.size());
        out += text.substr(0, dollar);
        text.remove_prefix(dollar);
        if (text.empty()) break;
        const auto ends = text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_", 1);
        const auto name = text.substr(1, std::min(ends, text.size()) - 1);
        const auto value = values.find(name);
        assert(value != values.end());
        out += value->second;
        text.remove_prefix(1 + name.size());
    }
    return out;
}

/// Two rules for each port: by destination first, as most of what comes in goes to a server.
std::string each_port(const std::vector<std::uint16_t>& ports, std::string_view rule) {
    std::string text;
    for (const auto* side : {"th dport ", "th sport "})
        for (const auto port : ports)
            text += "    " + (side + std::to_string(port)) + " " + std::string(rule) + "\n";
    return text;
}

/// The template with its `each` lines written out, then expanded. Lines left empty go.
std::string
write_chains(std::string_view text, const TableSettings& settings, const Values& values) {
    std::string out;
    while (!text.empty()) {
        const auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        constexpr std::string_view plain = "    each plain: ";
        constexpr std::string_view marked = "    each marked: ";
        if (line.starts_with(plain))
            out += each_port(settings.plain_ports, line.substr(plain.size()));
        else if (line.starts_with(marked))
            out += each_port(settings.marked_ports, line.substr(marked.size()));
        else if (!line.empty())
            out += std::string(line) + "\n";
    }
    out = expand(out, values);
    for (std::size_t at = 0; (at = out.find("    \n", at)) != std::string::npos;) out.erase(at, 5);
    return out;
}

Values values_of(const TableSettings& settings) {
    const auto seconds = [](std::uint32_t count) { return std::to_string(count) + "s"; };
    const std::string seed = " mod 65536 seed " + std::to_string(settings.seed | 1u);
    const std::string copy =
        "log group " + std::to_string(settings.log_group) + " snaplen 65535 queue-threshold 64";
    const std::string plain = joined(settings.plain_ports);
    const bool exclusive = settings.mode == Mode::exclusive;
    const auto leave = [&](const std::string& what) {
        return exclusive ? "goto leave_" + what : "counter name kept_" + what + " accept";
    };
    std::string allow_head;
    if (settings.allow_esp_in_udp)
        allow_head = each_port(settings.marked_ports, "@th,64,32 != 0 goto allow_head");
    std::string allow_proto;
    std::string late_proto = exclusive ? "" : "jump late_head";
    if (!settings.allowed_protocols.empty()) {
        const auto allowed = "meta l4proto { " + joined(settings.allowed_protocols) + " } ";
        allow_proto = allowed + "goto allow_proto";
        if (exclusive) late_proto = allowed + "jump allow_pair\n    " + allowed + "jump late_head";
    }
    // With servers configured `exclusive` knows no other IKE: what is no server's is not queued, so
    // that a full queue opens nothing to it.
    const auto drop_strangers = [&](const std::string& what) {
        if (!exclusive || settings.servers.empty()) return std::string();
        return "ip daddr != @server4 ip saddr != @server4 goto leave_" + what +
               "\n    ip6 daddr != @server6 ip6 saddr != @server6 goto leave_" + what;
    };
    // What `exclusive` drops is dropped at once, late or not; ESP in UDP opens the way for its
    // tails even where its first fragment is for the daemon.
    const std::string late = "jump late_head";
    std::string late_esp = late;
    if (exclusive) late_esp = settings.allow_esp_in_udp ? "jump allow_pair\n    " + late : "";
    // Nor does what is dropped name an id of which the daemon holds a fragment.
    const std::string key4 = "ip saddr . ip daddr . ip id";
    const std::string key6 = "ip6 saddr . ip6 daddr . frag id";
    std::string held_esp;
    std::string held_other;
    std::string held_proto;
    if (exclusive) {
        held_other = key4 + " @early4 goto leave_head\n    " + key6 + " @early6 goto leave_head";
        if (!settings.allow_esp_in_udp) held_esp = held_other;
        if (!settings.allowed_protocols.empty())
            held_proto = "meta l4proto != { " + joined(settings.allowed_protocols) + " } ";
        held_proto += key6 + " @early6 goto leave_proto";
    }
    return {
        {"hook_pre",       std::string(base_chain_hooks[0])                  },
        {"hook_out",       std::string(base_chain_hooks[1])                  },
        {"hook_post",      std::string(base_chain_hooks[2])                  },
        {"group",          std::to_string(settings.log_group)                },
        {"plain",          plain                                             },
        {"marked",         joined(settings.marked_ports)                     },
        {"key4",           key4                                              },
        {"key6",           key6                                              },
        {"pair4",          "jhash ip saddr . ip daddr" + seed                },
        {"pair6",          "jhash ip6 saddr . ip6 daddr" + seed              },
 // The same where the family is known: one load in place of three or four steps
        {"ipv4_pair",      "jhash @nh,96,64" + seed                          },
        {"ipv6_pair",      "jhash @nh,64,256" + seed                         },
        {"copy",           copy                                              },
        {"take",
         settings.mode == Mode::observe ? "counter name copied_tail " + copy + " accept"
                                        : "counter name queued goto to_queue"},
        {"leave_head",     leave("head")                                     },
        {"leave_tail",     leave("tail")                                     },
        {"leave_proto",    leave("proto")                                    },
        {"cut_chain",      exclusive ? "goto leave_head" : "goto head_ike"   },
        {"nested",         exclusive ? "goto leave_proto" : "goto ask"       },
        {"held_esp",       held_esp                                          },
        {"held_other",     held_other                                        },
        {"held_proto",     held_proto                                        },
        {"late_esp",       late_esp                                          },
        {"late_other",     exclusive ? "" : late                             },
        {"late_proto",     late_proto                                        },
        {"strangers_head", drop_strangers("head")                            },
        {"strangers_tail", drop_strangers("tail")                            },
        {"allow_head",     allow_head                                        },
        {"allow_proto",    allow_proto                                       },
        {"hold",           seconds(settings.hold_seconds)                    },
        {"other_life",     seconds(settings.other_key_seconds)               },
        {"handshake",      seconds(settings.handshake_seconds)               },
        {"unknown",        std::to_string(settings.unknown_tails)            },
        {"unknown_source", std::to_string(settings.unknown_tails_source)     },
        {"stranger",       std::to_string(settings.stranger_messages)        },
        {"icmp_copies",    std::to_string(settings.icmp_copies)              },
        {"tcp_copies",     std::to_string(settings.tcp_copies)               },
        {"esp_copies",     std::to_string(settings.esp_copies)               },
    };
}

std::string write_all_chains(const TableSettings& settings) {
    const Values values = values_of(settings);
    std::string text = write_chains(table_template::chains_text, settings, values);
    if (settings.mode == Mode::exclusive)
        text += write_chains(table_template::leave_text, settings, values);
    return text;
}

std::string write_objects(const TableSettings& settings) {
    std::string text;
    for (const auto name : counter_names) text += "  counter " + std::string(name) + " { }\n";
    return text + write_chains(table_template::sets_text, settings, values_of(settings));
}

std::string queue_statement(const TableSettings& settings) {
    std::string text = settings.bypass ? "queue flags bypass to " : "queue to ";
    text += std::to_string(settings.queue_first);
    if (settings.queue_count > 1)
        text += "-" + std::to_string(settings.queue_first + settings.queue_count - 1);
    return text;
}

/// "command inet ikefragd name".
std::string command(std::string_view verb, std::string_view name = {}, std::string_view rest = {}) {
    std::string text(verb);
    text += " inet ";
    text += table_name;
    for (const auto part : {name, rest})
        if (!part.empty()) (text += ' ') += part;
    return text + "\n";
}

std::string open_table() { return "table inet " + std::string(table_name) + " {\n"; }

/// Whether another prefix has all of it; of equal ones the first stays.
bool is_in_another(const Prefix& one, const std::vector<Prefix>& all) {
    return std::ranges::any_of(all, [&](const Prefix& other) {
        return other.covers(one) && (other != one || &other < &one);
    });
}

} // namespace

std::string_view to_string(TableCounter counter) noexcept {
    return counter_names[static_cast<std::size_t>(counter)];
}

std::span<const TableCounter> table_counters() noexcept { return all_counters; }

std::span<const std::string_view> table_chains() noexcept { return chain_names; }

std::string fill_servers(const TableSettings& settings) {
    std::array<std::string, 2> elements{"0.0.0.0/0", "::/0"};
    if (!settings.servers.empty()) elements = {};
    for (const auto& server : settings.servers) {
        if (is_in_another(server, settings.servers)) continue;
        auto& list = elements[index(server.address.family)];
        list += (list.empty() ? "" : ", ") + to_string(server);
    }
    std::string text = command("flush set", "server4") + command("flush set", "server6");
    text += open_table();
    for (const auto family : {Family::ipv4, Family::ipv6}) {
        if (elements[index(family)].empty()) continue;
        const std::string version = family == Family::ipv4 ? "4" : "6";
        text += "  set server" + version + " { type ipv" + version +
                "_addr; flags interval; elements = { " + elements[index(family)] + " }; }\n";
    }
    return text + "}\n";
}

std::string print_table(const TableSettings& settings) {
    std::string text = command("table") + command("delete table") + open_table();
    text += write_objects(settings);
    text += settings.mode == Mode::observe
                ? "  chain to_queue {\n  }\n"
                : "  chain to_queue {\n    " + queue_statement(settings) + "\n  }\n";
    return text + write_all_chains(settings) + "}\n" + fill_servers(settings);
}

std::string fill_table(const TableSettings& settings, QueueStatement statement) {
    std::string text = open_table() + write_objects(settings) + "}\n";
    for (std::size_t i = 0; i < chain_names.size(); ++i) {
        const auto name = chain_names[i];
        text += command("add chain",
                        name,
                        i < base_chains ? "{ " + std::string(base_chain_hooks[i]) + " }" : "");
        if (name != "to_queue" || statement == QueueStatement::native)
            text += command("flush chain", name);
    }
    text += open_table() + write_all_chains(settings) + "}\n";
    if (statement == QueueStatement::native && settings.mode != Mode::observe)
        text += command("add rule", "to_queue", queue_statement(settings));
    return text + fill_servers(settings);
}

std::string fill_take_accept() {
    return command("flush chain", "take") + command("add rule", "take", "accept");
}

std::string delete_table() { return command("delete table"); }

std::string strip_table(std::span<const std::string> chains, std::span<const std::string> sets) {
    std::string text;
    for (const auto& name : chains) text += command("flush chain", name);
    for (const auto& name : sets) text += command("delete set", name);
    return text;
}

} // namespace ikefrag
