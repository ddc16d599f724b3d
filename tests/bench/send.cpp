// SPDX-License-Identifier: GPL-2.0-or-later
// ikefrag_send: sends one kind of traffic as fast as it goes, or at a rate; run in the client's
// namespace. Prints: frames seconds
#include "tests/bench/packet_socket.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <exception>
#include <string>

using namespace ikefrag::bench;

int main(int argc, char** argv) {
    CLI::App app("sends bench traffic");
    std::string kind = "ike";
    std::string mac;
    std::string device = "eth0";
    double seconds = 0;
    Traffic traffic;
    Pace pace;
    app.add_option("kind", kind, "ike, auth, esp, esp-fragments or other")->required();
    app.add_option("--mac", mac, "of the firewall's device")->required();
    app.add_option("--device", device);
    app.add_flag("--ipv6", traffic.ipv6);
    app.add_option("--size", traffic.size, "UDP payload");
    app.add_option("--sources", traffic.sources);
    app.add_option("--datagrams", traffic.count, "made beforehand, sent over and over");
    app.add_option("--frames", pace.frames, "to send; 0: until the time is over");
    app.add_option("--seconds", seconds);
    app.add_option("--rate", pace.rate, "frames a second; 0: as fast as it goes");
    CLI11_PARSE(app, argc, argv);
    try {
        if (!parse_kind(kind, traffic.kind)) throw std::invalid_argument("unknown kind " + kind);
        PacketSocket socket("", device, PacketSocket::Use::send);
        traffic.to = parse_mac(mac);
        traffic.from = socket.mac();
        pace.time = std::chrono::nanoseconds(static_cast<std::int64_t>(seconds * 1e9));
        if (pace.frames == 0 && seconds == 0)
            throw std::invalid_argument("no --frames, no --seconds");
        const auto frames = make_frames(traffic);
        const auto sent = send_at_pace(socket, frames, pace);
        std::printf("%zu %.6f %.6f\n", sent.frames, sent.seconds, sent.processor_seconds);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ikefrag_send: %s\n", error.what());
        return 1;
    }
}
