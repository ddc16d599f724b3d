// SPDX-License-Identifier: GPL-2.0-or-later
// ikefrag_table COMMAND [OPTION…]: the daemon's kernel table by hand, for tests and benches.
//
// Commands: print · apply (load, adopt or refill) · stop (queue nothing more) · remove · check ·
// counts
#include "daemon/kernel/kernel_table.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <string>
#include <vector>

using namespace ikefrag;

namespace {

int tell(const std::optional<TableError>& error) {
    if (error) std::fprintf(stderr, "ikefrag_table: %s\n", error->text.c_str());
    return error ? 1 : 0;
}

int apply(KernelTable& table) {
    const auto applied = table.apply();
    if (!applied) return tell(applied.error());
    std::printf("%s%s%s%s\n",
                std::string(to_string(applied->via)).c_str(),
                applied->adopted ? " adopted" : "",
                applied->reshaped ? " reshaped" : "",
                applied->replaced ? " replaced" : "");
    return 0;
}

int check(KernelTable& table) {
    const auto state = table.check();
    std::printf("%s%s\n", state.intact ? "intact" : "", state.fault.c_str());
    return state.intact ? 0 : 1;
}

int counts(KernelTable& table) {
    const auto now = table.read_counts();
    if (!now) return 1;
    for (const auto counter : table_counters())
        std::printf("%s %llu\n",
                    std::string(to_string(counter)).c_str(),
                    static_cast<unsigned long long>((*now)[static_cast<std::size_t>(counter)]));
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("ikefragd's kernel table by hand");
    std::string command;
    std::string mode = "guard";
    std::vector<std::string> servers;
    TableSettings settings;
    bool closed = false;
    app.add_option("command", command, "print, apply, stop, remove, check or counts")->required();
    app.add_option("--mode", mode, "observe, guard or exclusive");
    app.add_option("--server", servers, "addresses of servers");
    app.add_option("--queue", settings.queue_first, "first queue");
    app.add_option("--queues", settings.queue_count, "how many");
    app.add_option("--group", settings.log_group, "log group");
    app.add_option("--seed", settings.seed, "of the pair hash");
    app.add_flag("--closed", closed, "drop when nobody listens");
    CLI11_PARSE(app, argc, argv);

    const auto wanted = parse_word<Mode>(mode);
    if (!wanted) return tell(TableError{"unknown mode " + mode});
    settings.mode = *wanted;
    settings.bypass = !closed;
    for (const auto& server : servers) {
        const auto prefix = parse_prefix(server);
        if (!prefix) return tell(TableError{"not an address: " + server});
        settings.servers.push_back(*prefix);
    }
    if (command == "print") {
        std::fputs(print_table(settings).c_str(), stdout);
        return 0;
    }
    KernelTable table(settings, TableOwnership::managed);
    if (command == "apply") return apply(table);
    if (command == "stop") return tell(table.stop_queueing());
    if (command == "remove") return tell(table.remove());
    if (command == "check") return check(table);
    if (command == "counts") return counts(table);
    return tell(TableError{"unknown command " + command});
}
