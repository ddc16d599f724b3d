// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "plugin/bytes.hpp"
#include "plugin/result.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace ikefrag {

/// A prepared statement; values go in by bound parameters only.
class Statement {
public:
    explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

    /// Parameters are numbered from 1. The bytes must live until the next step() or reset().
    void bind(int parameter, std::int64_t value);
    void bind(int parameter, std::string_view text);
    void bind(int parameter, Bytes blob);
    void bind_null(int parameter);

    /// Out: true: a row is there; false: done. Errors: SQLite's result code.
    Result<bool, int> step();
    void reset();

    /// Columns are numbered from 0; a value of another type than asked reads as empty.
    [[nodiscard]] std::optional<std::int64_t> integer(int column) const;
    [[nodiscard]] std::optional<std::string_view> text(int column) const;
    [[nodiscard]] std::optional<Bytes> blob(int column) const;

private:
    struct Finalize {
        void operator()(sqlite3_stmt* statement) const noexcept;
    };
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
};

/// One SQLite file, opened so that neither a link in its place nor a hostile schema in it can do
/// harm: no following links, mode 0600, defensive, no trusted schema, bounded values.
class Database {
public:
    /// Errors: SQLite's words for what went wrong.
    static Result<Database, std::string> open(const std::filesystem::path& path);
    /// One that is there, to look at beside its writer: in WAL mode neither waits for the other,
    /// and what nevertheless is locked is an error at once.
    static Result<Database, std::string> open_to_read(const std::filesystem::path& path);

    /// Runs SQL of ours that gives no rows. Errors: SQLite's result code.
    Result<bool, int> execute(const char* sql);
    /// In: SQL of ours, never made of data. Errors: SQLite's words.
    Result<Statement, std::string> prepare(std::string_view sql);
    [[nodiscard]] std::string last_error() const;
    /// Whether the last failure was the disk's (full, faulty, locked, no descriptor or memory) and
    /// so tells nothing of what the file holds.
    [[nodiscard]] bool out_of_reach() const;
    /// The same of a result code of SQLite's.
    [[nodiscard]] static bool out_of_reach(int code);

private:
    explicit Database(sqlite3* handle) : handle_(handle) {}
    static Result<Database, std::string>
    open(const std::filesystem::path& path, int flags, int patience_milliseconds);
    struct Close {
        void operator()(sqlite3* handle) const noexcept;
    };
    std::unique_ptr<sqlite3, Close> handle_;
};

} // namespace ikefrag
