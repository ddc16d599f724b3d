// SPDX-License-Identifier: GPL-2.0-or-later
// Looks at this host for the doctor; changes nothing.
#include "daemon/config/toml.hpp"
#include "daemon/control/client.hpp"
#include "daemon/doctor/facts.hpp"
#include "daemon/escape.hpp"
#include "daemon/kernel/nftables.hpp"
#include "daemon/observer/table_keeper.hpp"

#include <arpa/inet.h>
#include <boost/json.hpp>
#include <fcntl.h>
#include <ifaddrs.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>

namespace ikefrag {
namespace {

std::optional<std::string> read_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) return std::nullopt;
    std::string text{std::istreambuf_iterator<char>(file), {}};
    while (text.ends_with('\n')) text.pop_back();
    return text;
}

/// In: a fixed command of ours, never made of data
std::string output_of(const char* command) {
    std::string text;
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> pipe(popen(command, "re"), &pclose);
    if (!pipe) return text;
    std::array<char, 4096> buffer{};
    for (std::size_t got = 0; (got = fread(buffer.data(), 1, buffer.size(), pipe.get())) > 0;)
        text.append(buffer.data(), got);
    return text;
}

void look_at_rulesets(HostFacts& facts) {
    facts.conntrack.nftables_read = false;
    if (!facts.is_root) return;
    Nftables nftables;
    if (const auto ruleset = nftables.run("list ruleset")) {
        read_nft_forwardings(*ruleset, facts);
        facts.table_present = ruleset->find("\"name\": \"ikefragd\"") != std::string::npos ||
                              ruleset->find("\"name\":\"ikefragd\"") != std::string::npos;
    }
    facts.nft_queue =
        nftables.run("table inet ikefragd_try { chain q { queue to 0; }; }", Nftables::Run::dry)
            .has_value();
    for (const char* tool :
         {"iptables-legacy", "ip6tables-legacy", "iptables-nft", "ip6tables-nft"}) {
        const auto command = std::string(tool) + "-save -t nat 2>/dev/null";
        read_iptables_forwardings(tool, output_of(command.c_str()), facts);
    }
    IkeTraffic traffic;
    if (facts.config) {
        auto policy = *facts.config->policy;
        if (facts.daemon)
            policy.mode = facts.daemon->mode; // `ikefragctl mode` may have set another
        traffic = ike_traffic(policy, facts.config->settings);
    }
    facts.conntrack = probe_conntrack(traffic, ProbeMay::run_programs);
}

void look_at_kernel(HostFacts& facts) {
    utsname name{};
    if (uname(&name) == 0) facts.kernel_release = name.release;
    if (const auto queues = read_file("/proc/net/netfilter/nfnetlink_queue")) {
        facts.queues_readable = true;
        facts.queues = read_kernel_queues(*queues);
    }
    if (const auto groups = read_file("/proc/net/netfilter/nfnetlink_log")) {
        facts.log_groups_readable = true;
        facts.log_groups = read_log_groups(*groups);
    }
    for (const char* name_of : {"net.ipv4.ip_forward",
                                "net.ipv6.conf.all.forwarding",
                                "net.ipv4.ipfrag_time",
                                "net.ipv6.ip6frag_time",
                                "net.ipv4.ipfrag_high_thresh",
                                "net.ipv6.ip6frag_high_thresh",
                                "net.netfilter.nf_conntrack_frag6_high_thresh",
                                "net.bridge.bridge-nf-call-iptables"}) {
        std::string path = "/proc/sys/";
        for (const char* letter = name_of; *letter != 0; ++letter)
            path += *letter == '.' ? '/' : *letter;
        if (auto value = read_file(path)) facts.sysctls[name_of] = std::move(*value);
    }
    facts.clock_seconds = time(nullptr);
}

bool has_large_receive_offload(int any_socket, const std::string& interface) {
    ethtool_value value{.cmd = ETHTOOL_GFLAGS, .data = 0};
    ifreq request{};
    interface.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = reinterpret_cast<char*>(&value);
    return ioctl(any_socket, SIOCETHTOOL, &request) == 0 && (value.data & ETH_FLAG_LRO) != 0;
}

void look_at_interfaces(HostFacts& facts) {
    ifaddrs* first = nullptr;
    if (getifaddrs(&first) != 0) return;
    const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> list(first, &freeifaddrs);
    const int any_socket = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr) continue;
        if (entry->ifa_addr->sa_family == AF_PACKET) {
            const std::string name = entry->ifa_name;
            const auto mtu = read_file("/sys/class/net/" + name + "/mtu");
            facts.interfaces.push_back(
                {.name = name,
                 .mtu =
                     mtu ? static_cast<std::uint32_t>(std::strtoul(mtu->c_str(), nullptr, 10)) : 0,
                 .up = (entry->ifa_flags & IFF_UP) != 0,
                 .large_receive_offload = has_large_receive_offload(any_socket, name)});
        } else if (entry->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, entry->ifa_addr, sizeof address);
            std::array<std::uint8_t, 4> bytes{};
            std::memcpy(bytes.data(), &address.sin_addr, bytes.size());
            facts.own_addresses.push_back(IpAddress::v4(bytes));
        } else if (entry->ifa_addr->sa_family == AF_INET6) {
            sockaddr_in6 address{};
            std::memcpy(&address, entry->ifa_addr, sizeof address);
            std::array<std::uint8_t, 16> bytes{};
            std::memcpy(bytes.data(), &address.sin6_addr, bytes.size());
            facts.own_addresses.push_back(IpAddress::v6(bytes));
        }
    }
    close(any_socket);
}

void ask_the_daemon(HostFacts& facts, std::string socket) {
    if (socket.empty())
        socket = facts.config ? facts.config->settings.control_socket : Settings{}.control_socket;
    const auto status = ask_daemon(socket, "status", {}, short_control_patience);
    if (!status) {
        facts.no_answer = status.error();
        return;
    }
    facts.daemon = read_daemon_facts(*status);
    if (const auto handshakes = ask_daemon(socket, "handshakes", {}, short_control_patience))
        facts.daemon->servers_seen = read_servers_seen(*handshakes);
}

/// The status of GET /-/healthy; empty: no answer within two seconds.
std::optional<int> http_status(const Endpoint& endpoint) {
    sockaddr_storage name{};
    socklen_t size = 0;
    if (endpoint.address.family == Family::ipv4) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_port = htons(endpoint.port);
        std::memcpy(&address.sin_addr, endpoint.address.bytes.data(), 4);
        std::memcpy(&name, &address, size = sizeof address);
    } else {
        sockaddr_in6 address{};
        address.sin6_family = AF_INET6;
        address.sin6_port = htons(endpoint.port);
        std::memcpy(&address.sin6_addr, endpoint.address.bytes.data(), 16);
        std::memcpy(&name, &address, size = sizeof address);
    }
    const int connection = socket(name.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience{.tv_sec = 2, .tv_usec = 0};
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    std::optional<int> status;
    constexpr std::string_view request = "GET /-/healthy HTTP/1.0\r\n\r\n";
    if (connect(connection, reinterpret_cast<const sockaddr*>(&name), size) == 0 &&
        send(connection, request.data(), request.size(), MSG_NOSIGNAL) > 0) {
        std::array<char, 64> answer{};
        int code = 0;
        if (recv(connection, answer.data(), answer.size() - 1, 0) > 12 &&
            std::sscanf(answer.data(), "HTTP/%*d.%*d %3d", &code) == 1)
            status = code;
    }
    close(connection);
    return status;
}

} // namespace

HostFacts gather_host_facts(const std::string& config_path, const std::string& control_socket) {
    HostFacts facts;
    facts.is_root = geteuid() == 0;
    facts.config_path = config_path;
    facts.config_exists = std::filesystem::exists(config_path);
    if (facts.config_exists) {
        auto config = read_config(config_path, "", Ownership::lenient);
        if (config)
            facts.config = *std::move(config);
        else
            facts.config_mistakes = config.error().size();
    } else if (auto defaults = parse_config({"built-in", ""}, std::array{shipped_rule_file()})) {
        facts.config = *std::move(defaults);
    }
    ask_the_daemon(facts, control_socket);
    look_at_rulesets(facts);
    look_at_kernel(facts);
    look_at_interfaces(facts);
    if (facts.daemon && facts.config && !facts.config->settings.metrics_listen.empty())
        facts.metrics_status = http_status(facts.config->settings.metrics_listen.front());
    return facts;
}

} // namespace ikefrag
