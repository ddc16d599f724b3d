// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/doctor/doctor.hpp"

#include "daemon/doctor/examine.hpp"
#include "daemon/escape.hpp"

#include <boost/json.hpp>

#include <algorithm>
#include <array>
#include <utility>

namespace ikefrag {
namespace {

constexpr std::array<std::string_view, 4> standings{"good", "note", "warning", "wrong"};

} // namespace

std::string_view to_string(Standing standing) noexcept {
    return standings[static_cast<std::size_t>(standing)];
}

namespace doctor {

std::string join(const std::vector<std::string>& parts) {
    std::string text;
    for (const auto& part : parts) text += (text.empty() ? "" : ", ") + part;
    return text;
}

bool not_read(const HostFacts& facts, std::string_view check, Rows& rows) {
    if (facts.conntrack.nftables_read) return false;
    rows.push_back({check,
                    Standing::warning,
                    "not read: the rulesets of this host are for root to see",
                    facts.is_root ? "run it where root has CAP_NET_ADMIN"
                                  : "run it as root: sudo ikefragctl doctor"});
    return true;
}

std::string_view sysctl(const HostFacts& facts, std::string_view name) {
    const auto found = facts.sysctls.find(name);
    return found == facts.sysctls.end() ? std::string_view() : std::string_view(found->second);
}

} // namespace doctor

std::vector<Examination> examine(const HostFacts& facts) {
    using namespace doctor;
    Rows rows;
    for (const auto part : {examine_rights,
                            examine_config,
                            examine_daemon,
                            examine_table,
                            examine_queue_support,
                            examine_taken,
                            examine_queues,
                            examine_copies,
                            examine_kernel_settings,
                            examine_conntrack,
                            examine_fragment_drops,
                            examine_offloads,
                            examine_forwarding,
                            examine_servers,
                            examine_dnat,
                            examine_sysctls,
                            examine_metrics,
                            examine_clock})
        part(facts, rows);
    return rows;
}

bool has_finding(const std::vector<Examination>& rows) noexcept {
    return std::ranges::any_of(
        rows, [](const Examination& row) { return row.standing >= Standing::warning; });
}

boost::json::object to_json(const std::vector<Examination>& rows) {
    boost::json::array list;
    for (const auto& row : rows) {
        boost::json::object entry{
            {"check",    row.check              },
            {"standing", to_string(row.standing)},
            {"found",    escape_json(row.found) },
            {"fix",      nullptr                }
        };
        if (!row.fix.empty()) entry["fix"] = escape_json(row.fix);
        list.push_back(std::move(entry));
    }
    return {
        {"format",   1                },
        {"findings", has_finding(rows)},
        {"checks",   std::move(list)  }
    };
}

} // namespace ikefrag
