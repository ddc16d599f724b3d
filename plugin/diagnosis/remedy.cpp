// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis/remedy.hpp"

#include "plugin/diagnosis.hpp"
#include "plugin/diagnosis/wording.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdlib>

namespace ikefrag {
namespace {

constexpr std::string_view windows_server_on =
    "in PowerShell as administrator (Windows Server 1803, 2019 or later): New-ItemProperty -Path "
    "'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\RemoteAccess\\Parameters\\Ikev2\\' -Name "
    "EnableServerFragmentation -PropertyType DWORD -Value 1 -Force; Restart-Service RemoteAccess";
constexpr std::string_view strongswan_on =
    "in swanctl.conf, in the connection: fragmentation = yes; then swanctl --load-conns";
constexpr std::string_view fortinet_on =
    "config vpn ipsec phase1-interface; edit NAME; set fragmentation enable; end";
constexpr std::string_view libreswan_on =
    "in ipsec.conf, in the conn: fragmentation=yes; then ipsec auto --replace NAME";
constexpr std::string_view cisco_on = "crypto ikev2 fragmentation";

// Source: DIAGNOSES 1.2 and 1.3, only what is verified there.
constexpr Stack table[] = {
    Stack{
          "windows",    "Windows",
          windows_server_on,                                                                                          "update the client to Windows 10 1803 or later, which has IKE fragmentation on by default.",
          "there is no setting for the size of its IKE fragments.",                                                                                                                                                                                                                                    ""                                                                                    },
    Stack{"strongswan",
          "strongSwan",                strongswan_on,
          "",                                                                                                                                                                                                      "in strongswan.conf: charon.fragment_size = {mtu} (size of the whole IP packet); then "
          "swanctl --reload-settings",                                                                                                                                                                                                                                                    "in swanctl.conf, in the connection: fragmentation = force; then swanctl --load-conns"},
    Stack{"libreswan",
          "libreswan",                 libreswan_on,
          "",                                                                                                                                                                                                      "it cuts IKE fragments at 576 octets (IPv4) and 1280 (IPv6); there is no setting.",
          "in ipsec.conf, in the conn: fragmentation=force; then ipsec auto --replace NAME"                                                                                                                                                                                                                                                                                                  },
    Stack{"cisco",      "Cisco",       cisco_on,                                                                      "",                                                                                          "crypto ikev2 fragmentation mtu {mtu}",                                             ""                                                                                    },
    Stack{"fortinet",
          "FortiGate",                 fortinet_on,
          "",                                                                                                                                                                                                      "config vpn ipsec phase1-interface; edit NAME; set fragmentation-mtu {mtu}; end",
          ""                                                                                                                                                                                                                                                                                                                                                                                 },
    Stack{"huawei",
          "Huawei",                    "ikev2 fragmentation (off by default; both ends need it)",
          "",                                                                                                                                                                                                      "ikev2 fragmentation {mtu}",
          ""                                                                                                                                                                                                                                                                                                                                                                                 },
    Stack{"nokia",      "Nokia SR OS", "set ikev2-fragment in the ike-policy",                                        "",                                                                                          "",                                                                                 ""                                                                                    },
    Stack{"aix",
          "IBM AIX",                   "in /etc/isakmpd.conf: IKE_FRAGMENTATION = YES, then restart the IKE daemons",
          "",                                                                                                                                                                                                      "",
          ""                                                                                                                                                                                                                                                                                                                                                                                 },
    Stack{"lancom",     "LANCOM",      "",                                                                            "",                                                                                          "set the MTU field of the IKE fragmentation.",                                      ""                                                                                    },
    Stack{"android",    "Android",     "",                                                                            "Android has IKE fragmentation on by default.",                                              "",                                                                                 ""                                                                                    },
    Stack{"juniper",    "Juniper",     "",                                                                            "",                                                                                          "",                                                                                 ""                                                                                    },
    Stack{"checkpoint", "Check Point", "",                                                                            "",                                                                                          "",                                                                                 ""                                                                                    },
    Stack{"sonicwall",  "SonicWall",   "",                                                                            "",                                                                                          "",                                                                                 ""                                                                                    },
    Stack{"zyxel",      "ZyXEL",       "",                                                                            "",                                                                                          "",                                                                                 ""                                                                                    },
    Stack{"mikrotik",   "MikroTik",    "",                                                                            "",                                                                                          "",                                                                                 ""                                                                                    },
    Stack{"racoon",     "racoon",      "",                                                                            "",                                                                                          "",                                                                                 ""                                                                                    },
};

struct Timing {
    std::string_view name;
    std::array<double, 6> gaps; ///< seconds
    std::size_t count;
    bool last_repeats; ///< the last gap goes on and on
};

// Source: DIAGNOSES 1.4; stacks with fewer than three gaps cannot be told.
constexpr Timing timings[] = {
    {"Windows",                 {1, 2, 4, 8, 16},       5, true },
    {"strongSwan",              {4, 7.2, 13, 23.3, 42}, 5, false},
    {"libreswan or Android",    {0.5, 1, 2, 4, 8, 16},  6, false},
    {"MikroTik",                {5},                    1, true },
    {"racoon or old Cisco IOS", {10},                   1, true },
};

bool fits(const Timing& timing, const std::vector<Duration>& gaps) {
    if (gaps.size() > timing.count && !timing.last_repeats) return false;
    for (std::size_t i = 0; i < gaps.size(); ++i) {
        const double expected = timing.gaps[std::min(i, timing.count - 1)];
        const double seen = std::chrono::duration<double>(gaps[i]).count();
        if (std::abs(seen - expected) > expected / 4) return false;
    }
    return true;
}

std::string with_mtu(std::string_view text, std::size_t mtu) {
    return fill(text, [mtu](std::string& out, std::string_view) {
        out += mtu == 0 ? "1280" : std::to_string(mtu);
    });
}

} // namespace

std::span<const Stack> stacks() noexcept { return table; }

const Stack* find_stack(std::string_view word) noexcept {
    const auto* row =
        std::ranges::find_if(table, [&](const Stack& stack) { return stack.word == word; });
    return row == std::end(table) ? nullptr : row;
}

std::string stack_name(std::string_view word) {
    const auto* stack = find_stack(word);
    return std::string(stack == nullptr ? word : stack->name);
}

std::string server_on_text(std::string_view server, std::string_view client) {
    const auto* stack = find_stack(server);
    if (stack != nullptr && !stack->on.empty())
        return std::string(stack->name) + ": " + std::string(stack->on) + ".";
    if (stack != nullptr)
        return std::string(stack->name) + ": see its manual for IKEv2 fragmentation (RFC 7383).";
    const auto windows = "Windows: " + std::string(windows_server_on);
    const auto others =
        "strongSwan: " + std::string(strongswan_on) + ". libreswan: " + std::string(libreswan_on) +
        ". Cisco: " + std::string(cisco_on) + ". FortiGate: " + std::string(fortinet_on) +
        ". Huawei and IBM AIX: off by default, turn it on.";
    if (client == "windows") return windows + ". Other servers: " + others;
    return others + " " + windows + ".";
}

std::string client_on_text(std::string_view client) {
    const auto* stack = find_stack(client);
    if (stack != nullptr && !(stack->client_on.empty() && stack->on.empty()))
        return std::string(stack->name) + ": " +
               (stack->client_on.empty() ? std::string(stack->on) + "."
                                         : std::string(stack->client_on));
    return "update the client or turn IKE fragmentation on there (Windows: 10 1803 or later; "
           "strongSwan, libreswan: fragmentation = yes; FortiGate: set fragmentation enable).";
}

std::string size_text(std::string_view vendor, std::size_t mtu) {
    const auto* stack = find_stack(vendor);
    if (stack != nullptr && !stack->size.empty())
        return std::string(stack->name) + ": " + with_mtu(stack->size, mtu);
    std::string text;
    for (const auto* const word : {"strongswan", "fortinet", "cisco"})
        text += (text.empty() ? "" : " ") + size_text(word, mtu) + ".";
    return text;
}

std::string force_text(std::string_view vendor) {
    const auto* stack = find_stack(vendor);
    if (stack != nullptr && !stack->force.empty())
        return std::string(stack->name) + ": " + std::string(stack->force) + ".";
    return "Make the sender fragment at once (strongSwan: fragmentation = force; libreswan: "
           "fragmentation=force), or lower its fragment size.";
}

std::string_view timing_of(const std::vector<Duration>& gaps) noexcept {
    if (gaps.size() < 3) return "";
    for (const auto& timing : timings)
        if (fits(timing, gaps)) return timing.name;
    return "";
}

std::string server_fragmentation_switch(std::string_view vendor) {
    return server_on_text(vendor, {});
}

std::string fragment_size_switch(std::string_view vendor, std::size_t mtu) {
    return size_text(vendor, mtu);
}

} // namespace ikefrag
