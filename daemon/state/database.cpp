// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/state/database.hpp"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <system_error>

namespace ikefrag {
namespace {

/// Nothing of ours is longer than a few hundred bytes; a longer value was put there by others.
constexpr int max_value_bytes = 4096;
constexpr int busy_milliseconds = 500;

} // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const noexcept {
    sqlite3_finalize(statement);
}

void Statement::bind(int parameter, std::int64_t value) {
    sqlite3_bind_int64(statement_.get(), parameter, value);
}

void Statement::bind(int parameter, std::string_view text) {
    sqlite3_bind_text(
        statement_.get(), parameter, text.data(), static_cast<int>(text.size()), SQLITE_STATIC);
}

void Statement::bind(int parameter, Bytes blob) {
    sqlite3_bind_blob(
        statement_.get(), parameter, blob.data(), static_cast<int>(blob.size()), SQLITE_STATIC);
}

void Statement::bind_null(int parameter) { sqlite3_bind_null(statement_.get(), parameter); }

Result<bool, int> Statement::step() {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return fail(code);
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

std::optional<std::int64_t> Statement::integer(int column) const {
    if (sqlite3_column_type(statement_.get(), column) != SQLITE_INTEGER) return std::nullopt;
    return sqlite3_column_int64(statement_.get(), column);
}

std::optional<std::string_view> Statement::text(int column) const {
    if (sqlite3_column_type(statement_.get(), column) != SQLITE_TEXT) return std::nullopt;
    const auto size = sqlite3_column_bytes(statement_.get(), column);
    const void* bytes = sqlite3_column_text(statement_.get(), column);
    return std::string_view(static_cast<const char*>(bytes), static_cast<std::size_t>(size));
}

std::optional<Bytes> Statement::blob(int column) const {
    if (sqlite3_column_type(statement_.get(), column) != SQLITE_BLOB) return std::nullopt;
    const auto size = sqlite3_column_bytes(statement_.get(), column);
    const void* bytes = sqlite3_column_blob(statement_.get(), column);
    return Bytes(static_cast<const std::uint8_t*>(bytes), static_cast<std::size_t>(size));
}

void Database::Close::operator()(sqlite3* handle) const noexcept { sqlite3_close_v2(handle); }

Result<Database, std::string> Database::open(const std::filesystem::path& path) {
    // Made here, so that it has its mode from its first moment; the companions take theirs from it.
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (file < 0) return fail(std::generic_category().message(errno));
    // One that was there before may be wider: it is nobody else's business now.
    struct stat status {};
    const bool is_file = ::fstat(file, &status) == 0 && S_ISREG(status.st_mode);
    const bool is_ours = is_file && ((status.st_mode & 0777) == 0600 || ::fchmod(file, 0600) == 0);
    ::close(file);
    if (!is_file) return fail(std::string("it is no file"));
    if (!is_ours) return fail(std::string("others may read it, and its mode cannot be changed"));
    return open(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, busy_milliseconds);
}

Result<Database, std::string> Database::open_to_read(const std::filesystem::path& path) {
    return open(path, SQLITE_OPEN_READONLY, 0);
}

Result<Database, std::string>
Database::open(const std::filesystem::path& path, int flags, int patience_milliseconds) {
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(
        path.c_str(), &handle, flags | SQLITE_OPEN_NOFOLLOW | SQLITE_OPEN_NOMUTEX, nullptr);
    Database database(handle);
    if (code != SQLITE_OK) return fail(database.last_error());
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, max_value_bytes);
    sqlite3_busy_timeout(handle, patience_milliseconds);
    return database;
}

Result<bool, int> Database::execute(const char* sql) {
    const int code = sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return fail(code);
    return true;
}

Result<Statement, std::string> Database::prepare(std::string_view sql) {
    sqlite3_stmt* statement = nullptr;
    if (sqlite3_prepare_v2(
            handle_.get(), sql.data(), static_cast<int>(sql.size()), &statement, nullptr) !=
        SQLITE_OK)
        return fail(last_error());
    return Statement(statement);
}

std::string Database::last_error() const {
    return handle_ ? sqlite3_errmsg(handle_.get()) : "out of memory";
}

bool Database::out_of_reach(int code) {
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
    case SQLITE_ERROR: // no such table, a format of another version
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
    case SQLITE_TOOBIG:
    case SQLITE_MISMATCH: return false;
    default: return true;
    }
}

bool Database::out_of_reach() const {
    return !handle_ || out_of_reach(sqlite3_errcode(handle_.get()));
}

} // namespace ikefrag
