// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/recorder/attempt_file.hpp"

#include "daemon/capture/link.hpp"
#include "daemon/capture/pcapng_writer.hpp"
#include "daemon/counted.hpp"
#include "daemon/escape.hpp"
#include "daemon/explain/explain.hpp"
#include "daemon/timestamp.hpp"

#include <algorithm>
#include <array>

namespace ikefrag {

namespace {

constexpr std::string_view extension = ".pcapng";
/// A block's own fields, and the room of the comment.
constexpr std::size_t block_bytes = 36, comment_room = 8192;
constexpr std::array<std::string_view, count_of<Leg>> legs{"arriving", "own", "leaving"};

void add_once(std::vector<IpAddress>& list, const IpAddress& address) {
    if (std::ranges::find(list, address) == list.end()) list.push_back(address);
}

/// The addresses of the side that is not the server, as seen on every leg.
std::vector<IpAddress> clients_of(const Handshake& attempt) {
    std::vector<IpAddress> clients{attempt.client.address};
    for (const auto& message : attempt.messages) {
        const bool to_server = message.direction == Direction::to_server;
        add_once(clients, to_server ? message.source.address : message.destination.address);
        const auto& left = to_server ? message.left_source : message.left_destination;
        if (left) add_once(clients, left->address);
    }
    std::erase(clients, attempt.server.address);
    if (attempt.server_inside) std::erase(clients, *attempt.server_inside);
    return clients;
}

std::string comment_of(const Handshake& attempt,
                       const Finding* cause,
                       std::string_view server_name,
                       bool mask) {
    const auto& server = attempt.server.address;
    const auto line = [&](std::string_view what, std::string_view text) {
        return std::string(what) + escape_terminal(shown_text(text, server, mask)) + '\n';
    };
    std::string text = "IKE handshake " + to_string(attempt.initiator_spi) + " of ";
    text += to_string(mask ? masked_address(attempt.client.address) : attempt.client.address) +
            " with ";
    text += to_string(server);
    if (!server_name.empty()) text += " (" + escape_terminal(server_name) + ')';
    text += ": " + std::string(to_string(attempt.outcome)) + ", " +
            std::string(to_string(attempt.basis)) + '\n';
    if (cause == nullptr) return text + "No diagnosis explains it.\n";
    text += std::string(cause->diagnosis->id) + ' ' + std::string(cause->diagnosis->slug) +
            ", to be mended by: " + std::string(actor_text(cause->actor)) + '\n';
    text += line("What happened: ", cause->sentence) + line("What to do: ", cause->remedy);
    for (const auto& evidence : cause->evidence) text += line("Evidence: ", evidence);
    return text;
}

} // namespace

IpAddress masked_address(const IpAddress& client) {
    return prefix_of(client, client.family == Family::ipv4 ? 24 : 56).address;
}

std::vector<AddressPair> pairs_of(const Handshake& attempt) {
    std::vector<AddressPair> pairs{
        {attempt.client.address, attempt.server.address}
    };
    const auto add = [&](const AddressPair& pair) {
        if (std::ranges::find(pairs, pair) == pairs.end()) pairs.push_back(pair);
    };
    if (attempt.server_inside) add({attempt.client.address, *attempt.server_inside});
    for (const auto& message : attempt.messages) {
        add({message.source.address, message.destination.address});
        if (message.left_source || message.left_destination)
            add({message.left_source.value_or(message.source).address,
                 message.left_destination.value_or(message.destination).address});
    }
    return pairs;
}

std::string attempt_file(const Handshake& attempt,
                         const Finding* cause,
                         std::string_view server_name,
                         std::span<const RecordedPacket> packets,
                         std::size_t max_bytes,
                         bool mask) {
    std::size_t size = comment_room;
    std::size_t kept = 0;
    while (kept < packets.size() && size + packets[kept].bytes.size() + block_bytes <= max_bytes)
        size += packets[kept++].bytes.size() + block_bytes;
    auto comment = comment_of(attempt, cause, server_name, mask);
    if (kept < packets.size())
        comment += counted(packets.size() - kept, "later packet") + " did not fit.\n";
    if (mask) comment += "Clients' addresses are shortened; IKE itself is as it was.\n";
    comment.resize(std::min(comment.size(), comment_room / 2));
    const auto clients = mask ? clients_of(attempt) : std::vector<IpAddress>();

    PcapngWriter file("ikefragd " IKEFRAG_VERSION, comment);
    for (const auto name : legs) file.add_interface(link_type::raw, name);
    std::vector<std::uint8_t> copy;
    for (const auto& packet : packets.first(kept)) {
        Bytes bytes = packet.bytes;
        if (mask) {
            copy.assign(bytes.begin(), bytes.end());
            for (const auto& client : clients)
                replace_address(copy, client, masked_address(client));
            bytes = copy;
        }
        file.add_packet(static_cast<std::uint32_t>(packet.leg),
                        packet.time,
                        bytes,
                        std::max(packet.packet_bytes, static_cast<std::uint32_t>(bytes.size())),
                        std::string_view(&packet == packets.data() ? comment : std::string_view()));
    }
    return file.file();
}

std::string attempt_file_name(const Handshake& attempt, const Finding* cause, bool mask) {
    auto time = rfc3339(attempt.first_time);
    std::erase_if(time, [](char c) { return c == '-' || c == ':'; });
    auto client = to_string(mask ? masked_address(attempt.client.address) : attempt.client.address);
    std::ranges::replace(client, ':', '-');
    return time + '_' + client + '_' + to_string(attempt.initiator_spi) + '_' +
           std::string(cause == nullptr ? "unnamed" : cause->diagnosis->slug) +
           std::string(extension);
}

} // namespace ikefrag
