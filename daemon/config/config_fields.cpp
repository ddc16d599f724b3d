// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config/schema.hpp"

namespace ikefrag {
namespace {

using config::boolean_field;
using config::Field;
using config::integer_field;
using config::quote;
using config::Reading;
using config::table_field;
using config::within;
using config::word_field;
using config::WrittenConfig;

constexpr std::size_t max_servers = 64;
constexpr std::size_t max_list = 256;
/// sockaddr_un's 108 bytes, less the final zero.
constexpr std::size_t max_socket_path = 107;
constexpr std::size_t max_path = 1024;

std::string show_prefixes(const std::vector<Prefix>& prefixes) {
    std::string text;
    for (const auto& prefix : prefixes)
        text += (text.empty() ? "" : ", ") + quote(to_string(prefix));
    return '[' + text + ']';
}

std::string show(const Endpoint& endpoint) {
    const auto host = to_string(endpoint.address);
    const bool v6 = endpoint.address.family == Family::ipv6;
    return (v6 ? '[' + host + ']' : host) + ':' + std::to_string(endpoint.port);
}

template <class Target>
Field<Target> prefixes_field(std::string_view key,
                             std::vector<Prefix> Target::*member,
                             std::string_view doc,
                             config::Presence presence = config::Presence::optional) {
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        target.*member = config::read_list<Prefix>(node, reading, config::read_prefix, presence);
        if ((target.*member).size() > max_list)
            reading.unexpected(node, "at most " + std::to_string(max_list) + " values");
    };
    auto show_value = [=](const Target& target) { return show_prefixes(target.*member); };
    return {key, "list of addresses or prefixes", doc, std::move(read), std::move(show_value)};
}

template <class Target>
Field<Target> path_field(std::string_view key,
                         std::string Target::*member,
                         std::size_t max_bytes,
                         std::string_view doc) {
    auto read = [=](const TomlNode& node, Target& target, Reading& reading) {
        if (auto value = config::read_path(node, max_bytes, reading))
            target.*member = std::move(*value);
    };
    auto show_value = [=](const Target& target) { return quote(target.*member); };
    return {key, "absolute path", doc, std::move(read), std::move(show_value)};
}

Field<Server> server_name_field() {
    const auto read = [](const TomlNode& node, Server& server, Reading& reading) {
        if (auto name = config::read_name(node, reading)) server.name = *name;
        if (server.name == "unlisted")
            reading.unexpected(node, "another name: this one is for servers not configured");
    };
    const auto* doc =
        "Metric label of this VPN gateway; 1 to 64 letters, digits, '.', '_', '-'. Required.";
    return {"name", "name", doc, read, [](const Server&) { return std::string(); }};
}

const std::vector<Field<Server>>& server_fields() {
    static const std::vector<Field<Server>> fields{
        server_name_field(),
        prefixes_field("addresses",
                       &Server::addresses,
                       "The gateway's addresses as its clients see them. Required.",
                       config::Presence::required),
        prefixes_field(
            "inside", &Server::inside, "Its addresses behind this firewall's DNAT, if any."),
    };
    return fields;
}

const std::vector<Field<QueueOptions>>& queue_fields() {
    using Q = QueueOptions;
    static const std::vector<Field<Q>> fields{
        integer_field("first",
                      &Q::first,
                      {0, 65535},
                      "Number of the first kernel queue. Changed by a restart only."),
        integer_field(
            "count",
            &Q::count,
            {1, 16},
            "Queues, one worker thread each; the table's limits are shared out equally. Changed "
            "by a restart only."),
        integer_field(
            "max_length",
            &Q::max_length,
            {1024, 65535},
            "Packets the kernel keeps waiting, each queue. Must exceed limits.table_packets."),
        boolean_field(
            "fail_open",
            &Q::fail_open,
            "Whether fragments pass unseen while a queue is full or the daemon is dead; false: "
            "they are dropped."),
        boolean_field(
            "manage_nft",
            &Q::manage_nft,
            "Whether the daemon loads, watches and removes table inet ikefragd; false: you load "
            "what `ikefragctl nft` prints. Changed by a restart only."),
    };
    return fields;
}

const std::vector<Field<Ports>>& port_fields() {
    const auto ports =
        [](std::string_view key, std::vector<std::uint16_t> Ports::*member, std::string_view doc) {
            auto read = [=](const TomlNode& node, Ports& target, Reading& reading) {
                const auto read_one = [](const TomlNode& item,
                                         Reading& r) -> std::optional<std::uint16_t> {
                    const auto value = config::read_integer(item, {1, 65535}, r);
                    if (!value) return std::nullopt;
                    return static_cast<std::uint16_t>(*value);
                };
                target.*member = config::read_list<std::uint16_t>(node, reading, read_one);
                if ((target.*member).size() > 8) reading.unexpected(node, "at most 8 ports");
            };
            auto show_value = [=](const Ports& target) {
                std::string text;
                for (const auto port : target.*member)
                    text += (text.empty() ? "" : ", ") + std::to_string(port);
                return '[' + text + ']';
            };
            return Field<Ports>{key, "list of ports", doc, std::move(read), std::move(show_value)};
        };
    static const std::vector<Field<Ports>> fields{
        ports("plain", &Ports::plain, "UDP ports on which IKE stands right behind the UDP header."),
        ports("marked",
              &Ports::marked,
              "UDP ports on which IKE stands behind the non-ESP marker, and ESP otherwise."),
    };
    return fields;
}

std::vector<Field<Limits>> make_limit_fields() {
    using L = Limits;
    auto fields = config::datagram_limit_fields<L>();
    for (const auto& field : {
             integer_field("source_datagrams",
                           &L::source_datagrams,
                           {1, 1'000'000},
                           "Datagrams held at once from one source (IPv4 address, IPv6 /64)."),
             integer_field("source_packets",
                           &L::source_packets,
                           {2, 1'000'000},
                           "Fragments held at once from one source."),
             integer_field("source_bytes",
                           &L::source_bytes,
                           {1280, 1 << 30},
                           "Bytes held at once from one source."),
             integer_field("table_datagrams",
                           &L::table_datagrams,
                           {1, 1'000'000},
                           "Datagrams held at once in all."),
             integer_field("table_packets",
                           &L::table_packets,
                           {2, 1'000'000},
                           "Fragments held at once in all; must be less than queue.max_length."),
             integer_field("table_bytes",
                           &L::table_bytes,
                           {65536, 1 << 30},
                           "Memory for all that is held, bookkeeping included."),
         })
        fields.push_back(field);
    return fields;
}

const std::vector<Field<Limits>>& limit_fields() {
    static const auto fields = make_limit_fields();
    return fields;
}

const std::vector<Field<Policy>>& transition_fields() {
    static const std::vector<Field<Policy>> fields{
        prefixes_field("iphttps",
                       &Policy::iphttps,
                       "Prefixes that IP-HTTPS (DirectAccess) gives its clients."),
        prefixes_field("nat64", &Policy::nat64, "NAT64 prefixes beside 64:ff9b::/96."),
    };
    return fields;
}

const std::vector<Field<MarkOptions>>& mark_fields() {
    using M = MarkOptions;
    static const std::vector<Field<M>> fields{
        integer_field("value",
                      &M::value,
                      {0, 0xffffffff},
                      "Bits to set in the packet's mark; only bits of the mask."),
        integer_field("mask",
                      &M::mask,
                      {1, 0xffffffff},
                      "Bits of the packet's mark that are ours; the others stay."),
    };
    return fields;
}

Field<Settings> listen_field() {
    const auto read = [](const TomlNode& node, Settings& settings, Reading& reading) {
        const auto* text = std::get_if<std::string>(&node.value);
        settings.metrics_listen.clear();
        if (text != nullptr && text->empty()) return;
        if (text != nullptr) {
            if (const auto endpoint = config::read_endpoint(node, reading))
                settings.metrics_listen.push_back(*endpoint);
            return;
        }
        if (!std::holds_alternative<TomlNode::List>(node.value))
            return reading.unexpected(node, "\"ADDRESS:PORT\", a list of them, or \"\"");
        settings.metrics_listen = config::read_list<Endpoint>(node, reading, config::read_endpoint);
        if (settings.metrics_listen.size() > 8) reading.unexpected(node, "at most 8 values");
    };
    const auto show_value = [](const Settings& settings) {
        std::string text;
        for (const auto& endpoint : settings.metrics_listen)
            text += (text.empty() ? "" : ", ") + quote(show(endpoint));
        if (settings.metrics_listen.empty()) return std::string("\"\"");
        return settings.metrics_listen.size() == 1 ? text : '[' + text + ']';
    };
    return {"listen",
            "\"ADDRESS:PORT\", or a list of them",
            "Where Prometheus may fetch metrics; empty: nowhere. Changed by a restart only.",
            read,
            show_value};
}

const std::vector<Field<Settings>>& metrics_fields() {
    static const std::vector<Field<Settings>> fields{listen_field()};
    return fields;
}

const std::vector<Field<Settings>>& copy_fields() {
    static const std::vector<Field<Settings>> fields{
        integer_field(
            "group",
            &Settings::copy_group,
            {1, 65535},
            "The kernel's log group that carries copies of whole IKE messages. Changed by a "
            "restart only."),
    };
    return fields;
}

const std::vector<Field<Settings>>& privacy_fields() {
    static const std::vector<Field<Settings>> fields{
        boolean_field(
            "mask",
            &Settings::mask_addresses,
            "Whether clients' addresses are cut to /24 and /56 in events, log lines and captures."),
    };
    return fields;
}

const std::vector<Field<Settings>>& peers_fields() {
    static const std::vector<Field<Settings>> fields{
        integer_field("keep_days",
                      &Settings::keep_days,
                      {1, 3650},
                      "Days after which a peer that was not seen again is forgotten."),
    };
    return fields;
}

Field<EventOptions> event_file_field() {
    const auto read = [](const TomlNode& node, EventOptions& events, Reading& reading) {
        const auto* text = std::get_if<std::string>(&node.value);
        if (text != nullptr && *text == "stderr")
            events.file = *text;
        else if (text == nullptr || !text->starts_with('/'))
            reading.unexpected(node, "\"stderr\" or an absolute path");
        else if (auto path = config::read_path(node, max_path, reading))
            events.file = *path;
    };
    const auto* doc =
        "Where events go, one line each. Under systemd they reach the journal with native fields "
        "besides, and stderr means the journal alone. A file must lie below /var/lib/ikefragd, or "
        "where the unit's ReadWritePaths= allows it.";
    return {"file", "\"stderr\" | absolute path", doc, read, [](const EventOptions& events) {
                return quote(events.file);
            }};
}

Field<EventOptions> event_format_field() {
    using Format = EventOptions::Format;
    const auto read = [](const TomlNode& node, EventOptions& events, Reading& reading) {
        const auto* text = std::get_if<std::string>(&node.value);
        if (text != nullptr && *text == "json")
            events.format = Format::json;
        else if (text != nullptr && *text == "text")
            events.format = Format::text;
        else
            reading.unknown_word(node, {"json", "text"});
    };
    const auto* doc = "JSON for machines, or one sentence a line for people.";
    return {"format", "\"json\" | \"text\"", doc, read, [](const EventOptions& events) {
                return quote(events.format == Format::json ? "json" : "text");
            }};
}

const std::vector<Field<EventOptions>>& event_fields() {
    static const std::vector<Field<EventOptions>> fields{event_file_field(), event_format_field()};
    return fields;
}

const std::vector<Field<CaptureOptions>>& capture_fields() {
    using C = CaptureOptions;
    static const std::vector<Field<C>> fields{
        boolean_field(
            "enabled",
            &C::enabled,
            "Whether the latest packets are kept in memory, and those of a handshake that fails "
            "are written to a pcapng file, all fragments included and the diagnosis as comment. "
            "`ikefragctl capture` lists and fetches them."),
        integer_field("ring_bytes",
                      &C::ring_bytes,
                      {1 << 20, 64 << 20},
                      "Memory for the latest packets; one pair of addresses gets an eighth of it."),
        integer_field("ring_seconds",
                      &C::ring_seconds,
                      {10, 3600},
                      "How long a packet is kept there at most."),
        integer_field("file_bytes",
                      &C::file_bytes,
                      {65536, 16 << 20},
                      "Largest file; later packets of its attempt are left out."),
        integer_field("files", &C::files, {1, 1000}, "Most files kept; the oldest go first."),
        integer_field("keep_days", &C::keep_days, {1, 3650}, "Days after which a file is removed."),
    };
    return fields;
}

const std::vector<Field<Settings>>& control_fields() {
    static const std::vector<Field<Settings>> fields{
        path_field(
            "socket",
            &Settings::control_socket,
            max_socket_path,
            "The socket ikefragctl talks to; it reads it here, in the installed file. Wherever "
            "it lies it is 0660, of the group ikefragd. The unit lets the daemon write in "
            "/run/ikefragd: for another directory it needs a drop-in with ReadWritePaths=. "
            "Changed by a restart only."),
    };
    return fields;
}

const std::vector<Field<Settings>>& state_fields() {
    static const std::vector<Field<Settings>> fields{
        path_field("directory",
                   &Settings::state_directory,
                   max_path,
                   "Where peers.db and captures live. Changed by a restart only."),
    };
    return fields;
}

Field<WrittenConfig> mark_field() {
    const auto read = [](const TomlNode& node, WrittenConfig& written, Reading& reading) {
        MarkOptions mark;
        const auto mistakes = reading.diagnostics.size();
        config::read_table(node, mark_fields(), "mark", mark, reading);
        if (reading.diagnostics.size() != mistakes) return;
        reading.key = "mark";
        if (mark.mask == 0 || !reading.places.contains("mark.value"))
            reading.mistake(node.position, "mark needs both value and mask");
        else if ((mark.value & ~mark.mask) != 0)
            reading.mistake(reading.places["mark.value"],
                            "mark.value sets bits that mark.mask does not cover");
        written.settings.mark = mark;
    };
    return {"mark",
            "table { value, mask }",
            "Mark set on the fragments that are let through, for rules of your own.",
            read,
            [](const WrittenConfig&) { return std::string(); }};
}

Field<WrittenConfig> servers_field() {
    const auto read = [](const TomlNode& node, WrittenConfig& written, Reading& reading) {
        const auto* list = std::get_if<TomlNode::List>(&node.value);
        if (list == nullptr) return reading.unexpected(node, "[[server]] tables");
        if (list->size() > max_servers)
            return reading.unexpected(node, "at most " + std::to_string(max_servers) + " servers");
        for (const auto& item : *list) {
            Server server;
            const auto mistakes = reading.diagnostics.size();
            config::read_table(item, server_fields(), "server", server, reading);
            if (reading.diagnostics.size() == mistakes) {
                if (server.name.empty()) reading.mistake(item.position, "server needs a name");
                if (server.addresses.empty())
                    reading.mistake(item.position, "server needs addresses");
            }
            written.policy.servers.push_back(std::move(server));
            written.servers.push_back(item.position);
            written.server_names.push_back(reading.places["server.name"]);
        }
    };
    return {"server",
            "tables [[server]]",
            "The VPN gateways to protect; none: every IKE responder is one.",
            read,
            [](const WrittenConfig&) { return std::string(); }};
}

const std::vector<Field<WrittenConfig>>& root_fields() {
    using W = WrittenConfig;
    static const std::vector<Field<W>> fields{
        within(&W::policy,
               word_field("mode",
                          &Policy::mode,
                          "observe: nothing waits or is dropped, the daemon says what it would do. "
                          "guard: fragments of IKE pass whole and checked, or not at all. "
                          "exclusive: as guard, and other fragments are dropped unless a rule "
                          "leaves them.")),
        mark_field(),
        servers_field(),
        within(&W::settings, table_field("queue", &Settings::queue, queue_fields(), "")),
        table_field("metrics", &W::settings, metrics_fields(), ""),
        within(&W::policy, table_field("ports", &Policy::ports, port_fields(), "")),
        table_field("copy", &W::settings, copy_fields(), ""),
        within(&W::policy, table_field("limits", &Policy::limits, limit_fields(), "")),
        table_field("transition", &W::policy, transition_fields(), ""),
        table_field("privacy", &W::settings, privacy_fields(), ""),
        table_field("peers", &W::settings, peers_fields(), ""),
        within(&W::settings, table_field("events", &Settings::events, event_fields(), "")),
        within(&W::settings, table_field("capture", &Settings::capture, capture_fields(), "")),
        table_field("control", &W::settings, control_fields(), ""),
        table_field("state", &W::settings, state_fields(), ""),
    };
    return fields;
}

} // namespace

void config::read_config_text(const TomlNode& document, WrittenConfig& written, Reading& reading) {
    read_table(document, root_fields(), "", written, reading);
}

std::vector<FieldHelp> config_fields() {
    std::vector<FieldHelp> help;
    config::append_help(help, "", root_fields());
    std::erase_if(help, [](const FieldHelp& row) { return row.type == "table"; });
    config::append_help(help, "mark", mark_fields());
    config::append_help(help, "[[server]]", server_fields());
    config::append_help(help, "[queue]", queue_fields());
    config::append_help(help, "[metrics]", metrics_fields());
    config::append_help(help, "[ports]", port_fields());
    config::append_help(help, "[copy]", copy_fields());
    config::append_help(help, "[limits]", limit_fields());
    config::append_help(help, "[transition]", transition_fields());
    config::append_help(help, "[privacy]", privacy_fields());
    config::append_help(help, "[peers]", peers_fields());
    config::append_help(help, "[events]", event_fields());
    config::append_help(help, "[capture]", capture_fields());
    config::append_help(help, "[control]", control_fields());
    config::append_help(help, "[state]", state_fields());
    return help;
}

} // namespace ikefrag
