// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/snapshot.hpp"

#include <dirent.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <string>

namespace ikefrag {
namespace {

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

double count_open_files() {
    auto* directory = ::opendir("/proc/self/fd");
    if (directory == nullptr) return 0;
    double count = 0;
    while (const auto* entry = ::readdir(directory))
        if (entry->d_name[0] != '.') ++count;
    ::closedir(directory);
    return count - 1; // the directory itself
}

/// Since boot, from field 22 of /proc/self/stat, added to the time of boot.
double read_start_seconds() {
    std::string stat;
    std::getline(std::ifstream("/proc/self/stat"), stat);
    const auto name_end = stat.rfind(')');
    if (name_end == std::string::npos) return 0;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string skipped;
    for (int field = 3; field < 22; ++field) fields >> skipped;
    double ticks = 0;
    fields >> ticks;
    std::ifstream boot("/proc/stat");
    for (std::string key; boot >> key;) {
        double time = 0;
        if (key == "btime" && boot >> time)
            return time + ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
        std::getline(boot, skipped);
    }
    return 0;
}

} // namespace

ProcessFacts read_process_facts() {
    ProcessFacts facts;
    rusage usage{};
    if (::getrusage(RUSAGE_SELF, &usage) == 0)
        facts.cpu_seconds = seconds(usage.ru_utime) + seconds(usage.ru_stime);
    rlimit files{};
    if (::getrlimit(RLIMIT_NOFILE, &files) == 0)
        facts.max_files = static_cast<double>(files.rlim_cur);
    double virtual_pages = 0;
    double resident_pages = 0;
    std::ifstream("/proc/self/statm") >> virtual_pages >> resident_pages;
    const auto page = static_cast<double>(::sysconf(_SC_PAGESIZE));
    facts.virtual_bytes = virtual_pages * page;
    facts.resident_bytes = resident_pages * page;
    facts.open_files = count_open_files();
    static const double start = read_start_seconds();
    facts.start_seconds = start;
    return facts;
}

} // namespace ikefrag
