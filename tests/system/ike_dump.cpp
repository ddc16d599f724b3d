// SPDX-License-Identifier: GPL-2.0-or-later
// ike_dump < messages: what the parser says of IKE messages, for tshark_compare.py.
//
// In: one message a line, hex digits from the IKE header on. Out: one JSON object a line.
#include "plugin/hex.hpp"
#include "plugin/ike/message.hpp"
#include "plugin/ike/notify.hpp"
#include "plugin/ike/payload.hpp"

#include <cstdint>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

using namespace ikefrag;

namespace {

int digit(char c) { return c <= '9' ? c - '0' : c - 'a' + 10; }

std::vector<std::uint8_t> bytes_of(const std::string& line) {
    std::vector<std::uint8_t> bytes;
    for (std::size_t i = 0; i + 1 < line.size(); i += 2)
        bytes.push_back(static_cast<std::uint8_t>(digit(line[i]) * 16 + digit(line[i + 1])));
    return bytes;
}

void dump(Bytes message, const VendorTable& vendors) {
    OpeningFacts opening;
    const auto facts = parse_message(message, message.size(), {}, {}, vendors, opening);
    if (!facts) {
        std::cout << "{\"header\": false}\n";
        return;
    }
    const auto& header = facts->header;
    std::cout << "{\"header\": true, \"ispi\": \"" << to_string(header.initiator_spi)
              << "\", \"rspi\": \"" << to_string(header.responder_spi)
              << "\", \"version\": " << int{header.major}
              << ", \"exchange\": " << int{header.exchange_type}
              << ", \"flags\": " << int{header.flags} << ", \"id\": " << header.message_id
              << ", \"length\": " << header.length
              << ", \"malformed\": " << (facts->malformed ? "true" : "false") << ", \"skf\": ["
              << facts->fragment.number << ", " << facts->fragment.total
              << "], \"group\": " << facts->key_group << ", \"transforms\": [";
    const char* between = "";
    for (const auto& transform : opening.transforms) {
        std::cout << between << '[' << int{transform.type} << ", " << transform.id << ", "
                  << transform.key_bits << ']';
        between = ", ";
    }
    std::cout << "], \"payloads\": [";
    PayloadWalk walk(header, message);
    between = "";
    std::vector<std::uint16_t> notifies;
    std::string vendor_ids;
    while (const auto payload = walk.next()) {
        std::cout << between << int{payload->type};
        between = ", ";
        const bool is_vendor_id =
            payload->type == (header.major == 1 ? payload::v1_vendor_id : payload::vendor_id);
        if (is_vendor_id)
            vendor_ids += (vendor_ids.empty() ? "\"" : ", \"") + to_hex(payload->body) + '"';
        const bool is_notify =
            payload->type == (header.major == 1 ? payload::v1_notify : payload::notify);
        if (!is_notify) continue;
        if (const auto notify = parse_notify(*payload, header.major))
            notifies.push_back(notify->type);
    }
    std::cout << "], \"notifies\": [";
    between = "";
    for (const auto type : notifies) {
        std::cout << between << type;
        between = ", ";
    }
    std::cout << "], \"vendor_ids\": [" << vendor_ids << "]}\n";
}

} // namespace

int main() {
    const VendorTable vendors(default_vendor_ids());
    for (std::string line; std::getline(std::cin, line);) dump(bytes_of(line), vendors);
    return 0;
}
