// SPDX-License-Identifier: GPL-2.0-or-later
// Destination NAT of UDP, read from the texts of nft and iptables-save.
#include "daemon/doctor/facts.hpp"
#include "daemon/json/members.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <charconv>
#include <sstream>

namespace ikefrag {
namespace {

namespace json = boost::json;

/// Only these ports matter to us: a range is asked for them.
constexpr std::uint16_t ports_of_interest[] = {500, 4500};

std::optional<std::uint16_t> to_port(std::string_view text) {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return port;
}

void add_range(std::uint64_t first, std::uint64_t last, std::vector<std::uint16_t>& ports) {
    for (const auto port : ports_of_interest)
        if (first <= port && port <= last) ports.push_back(port);
}

void read_ports(const json::value& right, std::vector<std::uint16_t>& ports) {
    if (right.is_int64() && right.get_int64() > 0 && right.get_int64() <= 65535) {
        ports.push_back(static_cast<std::uint16_t>(right.get_int64()));
    } else if (const auto* set = member(right, "set"); set != nullptr && set->is_array()) {
        for (const auto& element : set->get_array()) read_ports(element, ports);
    } else if (const auto* range = member(right, "range");
               range != nullptr && range->is_array() && range->get_array().size() == 2 &&
               range->get_array()[0].is_int64() && range->get_array()[1].is_int64()) {
        add_range(static_cast<std::uint64_t>(range->get_array()[0].get_int64()),
                  static_cast<std::uint64_t>(range->get_array()[1].get_int64()),
                  ports);
    }
}

/// What one nft rule matches and where it sends it.
struct NftRule {
    std::vector<std::uint16_t> ports;
    std::optional<IpAddress> outside;
    std::optional<IpAddress> inside;
    bool other_protocol = false;
};

void read_match(const json::value& match, NftRule& rule) {
    const auto* left = member(match, "left");
    const auto* right = member(match, "right");
    const auto* payload = left != nullptr ? member(*left, "payload") : nullptr;
    if (payload == nullptr || right == nullptr || text_of(member(match, "op")) != "==") return;
    const auto protocol = text_of(member(*payload, "protocol"));
    const auto field = text_of(member(*payload, "field"));
    if (field == "dport" && (protocol == "udp" || protocol == "th"))
        read_ports(*right, rule.ports);
    else if (field == "dport")
        rule.other_protocol = true;
    else if (field == "daddr")
        rule.outside = parse_address(text_of(right));
}

NftRule read_rule(const json::array& expressions) {
    NftRule rule;
    for (const auto& expression : expressions) {
        if (const auto* match = member(expression, "match")) read_match(*match, rule);
        if (const auto* dnat = member(expression, "dnat"))
            rule.inside = parse_address(text_of(member(*dnat, "addr")));
    }
    return rule;
}

/// The address of iptables' "10.0.0.5", "10.0.0.5:500", "[fd00::5]:500"; ranges are not for us.
std::optional<IpAddress> read_destination(std::string_view text) {
    if (text.starts_with('[')) {
        const auto end = text.find(']');
        return end == std::string_view::npos ? std::nullopt
                                             : parse_address(text.substr(1, end - 1));
    }
    if (const auto whole = parse_address(text)) return whole;
    return parse_address(text.substr(0, text.find(':')));
}

void read_iptables_ports(std::string_view text, std::vector<std::uint16_t>& ports) {
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto part = text.substr(0, comma);
        const auto colon = part.find(':');
        if (colon != std::string_view::npos) {
            const auto first = to_port(part.substr(0, colon));
            const auto last = to_port(part.substr(colon + 1));
            if (first && last) add_range(*first, *last, ports);
        } else if (const auto port = to_port(part)) {
            ports.push_back(*port);
        }
        text = comma == std::string_view::npos ? std::string_view() : text.substr(comma + 1);
    }
}

void read_iptables_rule(std::string_view tool, const std::string& line, HostFacts& facts) {
    std::istringstream words(line);
    std::string word;
    Forwarding forwarding;
    std::optional<IpAddress> inside;
    std::string chain;
    std::string protocol;
    while (words >> word) {
        std::string value;
        if (word == "-A" && words >> value)
            chain = value;
        else if (word == "-p" && words >> value)
            protocol = value;
        else if ((word == "--dport" || word == "--dports") && words >> value)
            read_iptables_ports(value, forwarding.ports);
        else if (word == "-d" && words >> value) {
            const auto prefix = parse_prefix(value);
            const std::uint8_t whole = prefix && prefix->address.family == Family::ipv6 ? 128 : 32;
            if (prefix && prefix->length == whole) forwarding.outside = prefix->address;
        } else if (word == "--to-destination" && words >> value)
            inside = read_destination(value);
    }
    if (!inside || protocol != "udp") return;
    forwarding.where = std::string(tool) + " nat " + chain;
    forwarding.inside = *inside;
    facts.forwardings.push_back(std::move(forwarding));
}

} // namespace

void read_nft_forwardings(std::string_view text, HostFacts& facts) {
    boost::system::error_code error;
    const auto value = json::parse(text, error);
    const auto* list = error ? nullptr : member(value, "nftables");
    if (list == nullptr || !list->is_array()) return;
    for (const auto& entry : list->get_array()) {
        if (const auto* flowtable = member(entry, "flowtable"))
            facts.flowtables.emplace_back(text_of(member(*flowtable, "name")));
        const auto* rule = member(entry, "rule");
        const auto* expressions = rule != nullptr ? member(*rule, "expr") : nullptr;
        if (expressions == nullptr || !expressions->is_array()) continue;
        auto found = read_rule(expressions->get_array());
        if (!found.inside || found.other_protocol) continue;
        facts.forwardings.push_back({.where = std::string(text_of(member(*rule, "family"))) + " " +
                                              std::string(text_of(member(*rule, "table"))) + " " +
                                              std::string(text_of(member(*rule, "chain"))),
                                     .ports = std::move(found.ports),
                                     .outside = found.outside,
                                     .inside = *found.inside});
    }
}

void read_iptables_forwardings(std::string_view tool, std::string_view text, HostFacts& facts) {
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);)
        if (line.starts_with("-A ") && line.find(" -j DNAT ") != std::string::npos)
            read_iptables_rule(tool, line, facts);
}

std::vector<KernelQueue> read_kernel_queues(std::string_view text) {
    std::vector<KernelQueue> queues;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream columns(line);
        KernelQueue queue;
        std::uint64_t mode = 0;
        std::uint64_t range = 0;
        if (columns >> queue.number >> queue.port_id >> queue.waiting >> mode >> range >>
            queue.dropped_full >> queue.dropped_socket)
            queues.push_back(queue);
    }
    return queues;
}

std::vector<std::uint16_t> read_log_groups(std::string_view text) {
    std::vector<std::uint16_t> groups;
    std::istringstream lines{std::string(text)};
    for (std::string line; std::getline(lines, line);) {
        std::istringstream columns(line);
        std::uint16_t group = 0;
        if (columns >> group) groups.push_back(group);
    }
    return groups;
}

} // namespace ikefrag
