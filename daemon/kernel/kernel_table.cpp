// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/kernel_table.hpp"

#include "daemon/kernel/netlink_message.hpp"
#include "daemon/kernel/netlink_socket.hpp"
#include "daemon/kernel/nftables.hpp"
#include "daemon/kernel/table_message.hpp"
#include "daemon/kernel/table_shape.hpp"

#include <linux/netfilter.h>
#include <linux/netlink.h>
#include <sys/random.h>

#include <algorithm>
#include <array>
#include <map>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace ikefrag {

namespace {

/// A base chain as it must be.
struct BaseChain {
    std::string_view name;
    std::uint32_t hook;
    std::int32_t priority;
};
constexpr std::array<BaseChain, 3> base_chains{
    {{"pre", NF_INET_PRE_ROUTING, -450},
     {"out", NF_INET_LOCAL_OUT, -450},
     {"post", NF_INET_POST_ROUTING, 400}}
};

/// What the kernel has under the table's name.
struct Found {
    bool table = false;
    std::vector<std::string> chains;
    std::vector<std::string> sets;
    std::size_t base_chains_right = 0;
    std::size_t queue_rules = 0;   ///< in chain to_queue
    std::uint64_t fingerprint = 0; ///< of all rules: a rule's handle is never given twice
    std::optional<std::uint32_t> seed;
};

std::uint32_t random_seed() {
    std::uint32_t seed = 0;
    while (::getrandom(&seed, sizeof seed, 0) != sizeof seed) {
    }
    return seed | 1u;
}

void note_chain(const TableMessage& message, Found& found) {
    found.table = true;
    found.chains.emplace_back(message.name);
    for (const auto& chain : base_chains)
        if (message.base_chain && chain.name == message.name && chain.hook == message.hook &&
            chain.priority == message.priority)
            ++found.base_chains_right;
}

void note_rule(const TableMessage& message, Found& found) {
    std::uint64_t hash = message.handle * 0x9e3779b97f4a7c15u;
    for (const char letter : message.name)
        hash = (hash ^ static_cast<std::uint8_t>(letter)) * 0x100000001b3u;
    found.fingerprint += hash ^ hash >> 29;
    if (message.name == "to_queue") ++found.queue_rules;
    if (message.hash_seed && !found.seed) found.seed = message.hash_seed;
}

TableError netlink_error(const char* what, std::error_code error) {
    return {std::string(what) + ": " + error.message()};
}

} // namespace

class KernelTable::State {
public:
    State(TableSettings settings, TableOwnership ownership);

    Result<TableApplied, TableError> apply();
    Result<TableApplied, TableError> reload(TableSettings settings);
    std::optional<TableError> run(const std::string& text);
    TableState check();
    void count_from_now();
    std::optional<TableCounts> read_raw_counts();
    std::optional<TableCounts> read_counts();
    void forget_table();
    void remember_rules();

    TableSettings settings;
    TableOwnership ownership;
    QueueVia via = QueueVia::nft_queue;
    TableCounts before{};  ///< in the kernel when we came, or 0 for a table of our own making
    TableCounts deleted{}; ///< of tables of ours that others deleted, `before` taken off
    TableCounts last{};    ///< as read last
    bool counting = false; ///< `before` is known

private:
    Result<Found, TableError> look();
    std::optional<TableError> dump(TableObject what, Found& found);
    std::optional<TableError> put_queue_target(const TableSettings& wanted);
    std::optional<TableError> fill(const std::string& first, const TableSettings& wanted);
    std::optional<TableError> load(const Found& found, TableApplied& applied);
    QueueVia find_via();

    NetlinkSocket socket_;
    Nftables nftables_;
    std::optional<std::uint64_t> fingerprint_;
};

KernelTable::State::State(TableSettings wanted, TableOwnership whose)
    : settings(std::move(wanted)), ownership(whose), socket_(NETLINK_NETFILTER) {
    socket_.set_receive_timeout(2000);
    via = find_via();
}

/// A table with a queue statement is offered to the kernel and taken back before it is committed.
QueueVia KernelTable::State::find_via() {
    const auto tried =
        nftables_.run("table inet ikefragd_try { chain try { queue to 0; }; }", Nftables::Run::dry);
    return tried ? QueueVia::nft_queue : QueueVia::xt_target;
}

std::optional<TableError> KernelTable::State::dump(TableObject what, Found& found) {
    const auto error = socket_.dump(encode_table_dump(what, table_name), [&](const nlmsghdr& one) {
        const auto message = parse_table_message(one);
        if (!message || message->table != table_name || message->family != NFPROTO_INET) return;
        if (message->object == TableObject::chain) note_chain(*message, found);
        if (message->object == TableObject::rule) note_rule(*message, found);
        if (message->object == TableObject::set && !message->name.starts_with("__"))
            found.sets.emplace_back(message->name);
    });
    if (!error || error == std::errc::no_such_file_or_directory) return std::nullopt;
    return netlink_error("listing the table", error);
}

Result<Found, TableError> KernelTable::State::look() {
    // Another's transaction between two parts of a dump makes it start again.
    for (int attempt = 0;; ++attempt) {
        Found found;
        std::optional<TableError> error = dump(TableObject::chain, found);
        if (!error && found.table) error = dump(TableObject::rule, found);
        if (!error && found.table) error = dump(TableObject::set, found);
        if (!error) return found;
        if (attempt == 4) return fail(*error);
    }
}

std::optional<TableError> KernelTable::State::put_queue_target(const TableSettings& wanted) {
    std::optional<QueueTarget> target;
    if (wanted.mode != Mode::observe)
        target = QueueTarget{wanted.queue_first, wanted.queue_count, wanted.bypass};
    const auto error = socket_.request(encode_queue_target(table_name, "to_queue", target),
                                       queue_target_acknowledgements(target));
    if (!error) return std::nullopt;
    return netlink_error("the queue target (xt NFQUEUE)", error);
}

std::optional<TableError> KernelTable::State::run(const std::string& text) {
    auto done = nftables_.run(text);
    if (!done) return TableError{done.error()};
    return std::nullopt;
}

/// Chain to_queue gets its target before anything leads to it, and loses it after nothing does, so
/// that no packet meets half a table.
std::optional<TableError> KernelTable::State::fill(const std::string& first,
                                                   const TableSettings& wanted) {
    if (via == QueueVia::nft_queue) return run(first + fill_table(wanted, QueueStatement::native));
    const bool queues = wanted.mode != Mode::observe;
    if (queues)
        if (auto error = put_queue_target(wanted)) return error;
    if (auto error = run(first + fill_table(wanted, QueueStatement::left_alone))) return error;
    return queues ? std::nullopt : put_queue_target(wanted);
}

std::optional<TableError> KernelTable::State::load(const Found& found, TableApplied& applied) {
    std::string leftovers;
    for (const auto& chain : found.chains)
        if (std::ranges::find(table_chains(), chain) == table_chains().end())
            leftovers += strip_table(std::span(&chain, 1), {});
    auto error = fill(leftovers, settings);
    if (!error || !found.table) return error;
    applied.reshaped = true;
    error = fill(strip_table(found.chains, found.sets), settings);
    if (!error) return error;
    applied.reshaped = false;
    applied.replaced = true;
    applied.adopted = false;
    if (auto refused = run(delete_table())) return refused;
    forget_table();
    return fill("", settings);
}

Result<TableApplied, TableError> KernelTable::State::apply() {
    TableApplied applied;
    applied.via = via;
    if (ownership == TableOwnership::only_checked) {
        const auto state = check();
        if (!state.present) return fail(TableError{state.fault});
        applied.adopted = true;
        if (!counting) count_from_now();
        return applied;
    }
    const auto found = look();
    if (!found) return fail(found.error());
    applied.adopted = found->table;
    if (found->table) {
        if (found->seed) settings.seed = *found->seed;
        if (!counting) count_from_now();
    } else {
        forget_table();
    }
    if (settings.seed == 0) settings.seed = random_seed();
    if (auto error = load(*found, applied)) return fail(*error);
    counting = true;
    remember_rules();
    return applied;
}

void KernelTable::State::count_from_now() {
    before = read_raw_counts().value_or(TableCounts{});
    counting = true;
}

Result<TableApplied, TableError> KernelTable::State::reload(TableSettings wanted) {
    TableApplied applied{via, true, false, false};
    wanted.seed = settings.seed;
    if (ownership == TableOwnership::only_checked) {
        settings = std::move(wanted);
        return applied;
    }
    const bool there = check().present;
    if (!there) {
        std::swap(settings, wanted);
        auto done = apply();
        if (!done) std::swap(settings, wanted);
        return done;
    }
    if (auto error = fill("", wanted)) {
        if (via == QueueVia::xt_target) put_queue_target(settings);
        return fail(*error);
    }
    settings = std::move(wanted);
    remember_rules();
    return applied;
}

void KernelTable::State::remember_rules() {
    const auto found = look();
    if (found) fingerprint_ = found->fingerprint;
}

/// The table is gone: what it had counted when last seen stays counted, the next one begins at 0.
void KernelTable::State::forget_table() {
    for (std::size_t i = 0; i < last.size(); ++i)
        deleted[i] += last[i] - std::min(before[i], last[i]);
    last = {};
    before = {};
    fingerprint_.reset();
}

TableState KernelTable::State::check() {
    const auto found = look();
    if (!found) return {false, false, found.error().text};
    const std::string name = "table inet " + std::string(table_name);
    if (!found->table) return {false, false, name + " is not there"};
    if (found->base_chains_right != base_chains.size())
        return {false, false, name + " lacks a base chain, or has it at another priority"};
    if (ownership == TableOwnership::only_checked)
        if (const auto listed = nftables_.run("list table inet " + std::string(table_name)))
            if (const auto shape = read_table_shape(*listed))
                if (auto difference = what_differs(*shape, settings); !difference.empty())
                    return {true, false, std::move(difference)};
    if (settings.mode != Mode::observe && found->queue_rules == 0)
        return {true, false, name + " has no rule in chain to_queue: nothing is queued"};
    if (ownership == TableOwnership::managed && fingerprint_ && *fingerprint_ != found->fingerprint)
        return {true, false, "rules of " + name + " were changed by another program"};
    return {true, true, {}};
}

std::optional<TableCounts> KernelTable::State::read_raw_counts() {
    TableCounts counts{};
    bool any = false;
    const auto error =
        socket_.dump(encode_table_dump(TableObject::object, table_name), [&](const nlmsghdr& one) {
            const auto message = parse_table_message(one);
            if (!message || message->table != table_name || message->family != NFPROTO_INET) return;
            any = true;
            for (const auto counter : table_counters())
                if (to_string(counter) == message->name)
                    counts[static_cast<std::size_t>(counter)] = message->packets.value_or(0);
        });
    if (error || !any) return std::nullopt;
    return counts;
}

std::optional<TableCounts> KernelTable::State::read_counts() {
    const auto raw = read_raw_counts();
    if (!raw) return std::nullopt;
    last = *raw;
    TableCounts counts = deleted;
    for (std::size_t i = 0; i < counts.size(); ++i)
        counts[i] += (*raw)[i] - std::min(before[i], (*raw)[i]);
    return counts;
}

KernelTable::KernelTable(TableSettings settings, TableOwnership ownership)
    : state_(std::make_unique<State>(std::move(settings), ownership)) {}

KernelTable::~KernelTable() = default;

void KernelTable::count_from_now() { state_->count_from_now(); }

Result<TableApplied, TableError> KernelTable::apply() { return state_->apply(); }

Result<TableApplied, TableError> KernelTable::reload(TableSettings settings) {
    return state_->reload(std::move(settings));
}

std::optional<TableError> KernelTable::set_servers(std::vector<Prefix> servers) {
    state_->settings.servers = std::move(servers);
    if (state_->ownership == TableOwnership::only_checked) return std::nullopt;
    return state_->run(fill_servers(state_->settings));
}

std::optional<TableError> KernelTable::stop_queueing() {
    if (state_->ownership == TableOwnership::only_checked) return std::nullopt;
    if (state_->settings.mode == Mode::observe) return std::nullopt;
    auto error = state_->run(fill_take_accept());
    if (!error) state_->remember_rules();
    return error;
}

std::optional<TableError> KernelTable::remove() {
    if (state_->ownership == TableOwnership::only_checked) return std::nullopt;
    if (const auto counts = state_->read_raw_counts()) state_->last = *counts;
    auto error = state_->run(delete_table());
    if (!error) state_->forget_table();
    return error;
}

TableState KernelTable::check() { return state_->check(); }

std::optional<TableCounts> KernelTable::read_counts() { return state_->read_counts(); }

void KernelTable::keep_counts(const TableCounts& lost) { state_->last = lost; }

const TableCounts& KernelTable::counts_before() const noexcept { return state_->before; }

const TableSettings& KernelTable::settings() const noexcept { return state_->settings; }

QueueVia KernelTable::via() const noexcept { return state_->via; }

std::string_view to_string(QueueVia via) noexcept {
    return via == QueueVia::nft_queue ? "nft_queue" : "xt_target";
}

} // namespace ikefrag
