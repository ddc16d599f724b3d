// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/diagnostics.hpp"
#include "plugin/policy.hpp"
#include "plugin/result.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ikefrag {

struct TextFile;

struct QueueOptions {
    std::uint16_t first = 500;       ///< number of the first kernel queue
    std::uint16_t count = 2;         ///< 1..16, one worker each
    std::uint32_t max_length = 8192; ///< 1024..65535 packets the kernel keeps waiting, each queue
    bool fail_open = true;           ///< full queue, dead daemon: fragments pass unseen
    bool manage_nft = true;          ///< load and watch the table ourselves
    auto operator<=>(const QueueOptions&) const = default;
};

/// Set on packets that are let through, so that a firewall's own rule can tell them.
struct MarkOptions {
    std::uint32_t value = 0;
    std::uint32_t mask = 0;
    auto operator<=>(const MarkOptions&) const = default;
};

struct EventOptions {
    enum class Format : std::uint8_t { json, text };
    std::string file = "stderr"; ///< "stderr", or an absolute path
    Format format = Format::json;
    auto operator<=>(const EventOptions&) const = default;
};

/// Captures of attempts that fail.
struct CaptureOptions {
    bool enabled = false;
    std::uint32_t ring_bytes = 16u << 20; ///< 1 MiB..64 MiB, of memory for the latest packets
    std::uint32_t ring_seconds = 300;     ///< 10..3600
    std::uint32_t file_bytes = 1u << 20;  ///< 64 KiB..16 MiB
    std::uint32_t files = 100;            ///< 1..1000, the oldest go first
    std::uint32_t keep_days = 14;         ///< 1..3650
    auto operator<=>(const CaptureOptions&) const = default;
};

/// All that ikefragd.toml says beside the policy. The initialisers are the defaults.
struct Settings {
    QueueOptions queue;
    std::optional<MarkOptions> mark;
    std::uint16_t copy_group = 500;
    /// Address and port to serve metrics on; empty: nowhere.
    std::vector<Endpoint> metrics_listen{
        {IpAddress{{127, 0, 0, 1}, Family::ipv4}, 9786}
    };
    bool mask_addresses = false; ///< clients as /24 and /56 in events and captures
    std::uint32_t keep_days = 90;
    EventOptions events;
    CaptureOptions capture;
    std::string control_socket = "/run/ikefragd/control.sock";
    std::string state_directory = "/var/lib/ikefragd";
};

/// What the admin wrote, checked and compiled.
struct Config {
    PolicyPointer policy; ///< never null
    Settings settings;
    std::string hash;    ///< 16 hex digits over all that was read: the same texts, the same hash
    Diagnostics notes{}; ///< right, but perhaps not what was meant
    std::string rules_directory{}; ///< read_config: where the rules were read; empty: none there
};

inline constexpr const char* installed_config = "/etc/ikefragd/ikefragd.toml";

/// Compiles a configuration and its rule files, in the order given.
///
/// Errors:  every mistake of every file: TOML syntax, unknown or doubled keys, wrong types, values
///          out of range, doubled names, overlapping servers, rules that can never match
[[nodiscard]] Result<Config, Diagnostics> parse_config(const TextFile& config,
                                                       std::span<const TextFile> rules);

/// Whether files owned by others than root and ourselves are refused: the daemon does, a tool that
/// checks somebody's draft does not. Files anybody may write to are refused by both.
enum class Ownership : std::uint8_t { strict, lenient };

/// Reads a configuration file and every *.toml of a rules directory, in lexical order.
///
/// In:      rules_directory: empty: "rules.d" beside the configuration file; one that does not
///          exist holds no rules
/// Errors:  as parse_config; a file that cannot be read, is larger than 1 MiB, that others may
///          write, or that is reached by somebody else's symbolic link
[[nodiscard]] Result<Config, Diagnostics>
read_config(const std::string& path, const std::string& rules_directory, Ownership ownership);

/// As read_config for the two halves: what `ikefragctl rules check FILE…` needs.
[[nodiscard]] Result<TextFile, Diagnostics> read_config_file(const std::string& path,
                                                             Ownership ownership);
/// A directory's *.toml in lexical order; or, if `path` is a file, that one.
[[nodiscard]] Result<std::vector<TextFile>, Diagnostics> read_rule_files(const std::string& path,
                                                                         Ownership ownership);

/// The files as shipped in the package, compiled in: what `replay` uses where nothing is installed.
[[nodiscard]] std::string_view shipped_config() noexcept;
[[nodiscard]] std::string_view shipped_rules() noexcept;
/// shipped_rules() under the name 00-default.toml.
[[nodiscard]] TextFile shipped_rule_file();

/// A key an admin may write: what `ikefragctl rules fields` and the manual print.
struct FieldHelp {
    std::string section; ///< "", "[queue]", "[[server]]", "[[rule]]", "match", "limits"
    std::string key;
    std::string type;          ///< `"observe" | "guard" | "exclusive"`, "integer 1..30"
    std::string default_value; ///< as TOML; empty: none
    std::string doc;
};

/// Every key of ikefragd.toml, in the order of the manual.
[[nodiscard]] std::vector<FieldHelp> config_fields();
/// Every key of a rule file.
[[nodiscard]] std::vector<FieldHelp> rule_fields();

} // namespace ikefrag
