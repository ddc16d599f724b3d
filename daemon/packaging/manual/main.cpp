// SPDX-License-Identifier: GPL-2.0-or-later
// Makes one page of the manual: ikefrag_manual TEMPLATE OUTPUT. Runs when the package is built.
#include "daemon/packaging/manual/manual.hpp"

#include <cstdlib>
#include <ctime>
#include <fstream>
#include <iostream>
#include <sstream>

namespace {

/// The day of the build, or the one a reproducible build is to have.
std::string edition_date() {
    std::time_t when = std::time(nullptr);
    if (const char* epoch = std::getenv("SOURCE_DATE_EPOCH")) when = std::atoll(epoch);
    std::tm parts{};
    gmtime_r(&when, &parts);
    char text[sizeof "2026-11-23"];
    return std::strftime(text, sizeof text, "%Y-%m-%d", &parts) != 0 ? text : "1970-01-01";
}

} // namespace

int main(int count, char** arguments) {
    if (count != 3) {
        std::cerr << "usage: ikefrag_manual TEMPLATE OUTPUT\n";
        return 2;
    }
    std::ifstream input(arguments[1]);
    std::stringstream page;
    page << input.rdbuf();
    if (!input) {
        std::cerr << arguments[1] << ": cannot be read\n";
        return 1;
    }
    const auto filled =
        ikefrag::fill_page(page.str(), {.version = IKEFRAG_VERSION, .date = edition_date()});
    if (!filled) {
        std::cerr << arguments[1] << ": " << filled.error() << '\n';
        return 1;
    }
    std::ofstream output(arguments[2]);
    output << *filled << std::flush;
    return output ? 0 : 1;
}
