// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/log.hpp"

#include "daemon/escape.hpp"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/stat.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace ikefrag {
namespace {

/// The message as the inside of a JSON string: escape_terminal leaves printable ASCII only.
std::string json_inside(const std::string& text) {
    std::string out;
    for (const auto c : text) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

struct Log {
    std::shared_ptr<spdlog::logger> logger;
    LogFormat format = LogFormat::text;

    Log() : logger(std::make_shared<spdlog::logger>("ikefragd")) {
        logger->sinks().push_back(std::make_shared<spdlog::sinks::stderr_sink_mt>());
        logger->set_error_handler([](const std::string&) {});
        logger->flush_on(spdlog::level::info);
        use(format);
    }
    void use(LogFormat wanted) {
        format = wanted;
        const auto utc = spdlog::pattern_time_type::utc;
        const auto* pattern =
            wanted == LogFormat::json
                ? R"({"timestamp":"%Y-%m-%dT%H:%M:%S.%fZ","event_type":"log","level":"%l","message":"%v"})"
            : stderr_is_journal() ? "%v"
                                  : "%Y-%m-%dT%H:%M:%S.%eZ %l: %v";
        logger->set_formatter(std::make_unique<spdlog::pattern_formatter>(pattern, utc));
    }
};

Log& the_log() {
    static Log log;
    return log;
}

} // namespace

void set_log_format(LogFormat format) { the_log().use(format); }

void log(LogLevel level, std::string_view message) {
    static constexpr spdlog::level::level_enum levels[] = {
        spdlog::level::info, spdlog::level::warn, spdlog::level::err};
    static constexpr std::string_view priorities[] = {"<6>", "<4>", "<3>"};
    auto& log = the_log();
    auto text = escape_terminal(message);
    if (log.format == LogFormat::json)
        text = json_inside(text);
    else if (stderr_is_journal())
        text.insert(0, priorities[static_cast<std::size_t>(level)]);
    log.logger->log(levels[static_cast<std::size_t>(level)], spdlog::string_view_t(text));
}

bool stderr_is_journal() {
    static const bool is = [] {
        const char* stream = std::getenv("JOURNAL_STREAM");
        struct stat status {};
        if (stream == nullptr || ::fstat(2, &status) != 0) return false;
        return std::to_string(status.st_dev) + ':' + std::to_string(status.st_ino) == stream;
    }();
    return is;
}

} // namespace ikefrag
