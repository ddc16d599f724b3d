// SPDX-License-Identifier: GPL-2.0-or-later
// ikefrag_latency: sends IKE_AUTHs of several fragments from the client's namespace at a rate, and
// measures at the server's device how long after it was sent each datagram's last fragment arrives
// (it completes the datagram, so that hold-and-release shows it at once). Prints: datagrams-sent
// arrived p50 p99 (microseconds)
#include "tests/bench/packet_socket.hpp"

#include <CLI/CLI.hpp>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace ikefrag::bench;
using Clock = std::chrono::steady_clock;

namespace {

/// One datagram's number out of its source (last octet) and IP id; the frames count both up.
std::size_t number_of(const std::uint8_t* ip, std::size_t sources) {
    const std::size_t host = ip[15] - 10u;
    const auto id = static_cast<std::size_t>(ip[4] << 8 | ip[5]);
    return (id - 1) * sources + host;
}

void receive(PacketSocket& socket,
             std::size_t sources,
             const std::vector<std::atomic<std::int64_t>>& sent,
             std::vector<double>& latencies,
             const std::atomic<bool>& stop) {
    std::vector<std::uint8_t> frame(2048);
    while (!stop) {
        pollfd wait{socket.descriptor(), POLLIN, 0};
        if (::poll(&wait, 1, 20) != 1) continue;
        const auto size = ::recv(socket.descriptor(), frame.data(), frame.size(), MSG_DONTWAIT);
        const auto now = Clock::now().time_since_epoch().count();
        if (size < 42 || frame[12] != 0x08 || frame[13] != 0x00) continue;
        const std::uint8_t* ip = frame.data() + 14;
        const bool last = (ip[6] & 0x20) == 0 && ((ip[6] & 0x1f) != 0 || ip[7] != 0);
        if (!last) continue;
        const auto number = number_of(ip, sources);
        if (number < sent.size() && sent[number] != 0)
            latencies.push_back(static_cast<double>(now - sent[number]) / 1000);
    }
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("latency of released fragments");
    std::string client;
    std::string server;
    std::string mac;
    double rate = 20000;
    Traffic traffic;
    traffic.kind = Traffic::Kind::auth;
    traffic.size = 6800;
    traffic.count = 8000;
    app.add_option("--client", client, "namespace")->required();
    app.add_option("--server", server, "namespace")->required();
    app.add_option("--mac", mac, "of the firewall's device")->required();
    app.add_option("--rate", rate, "fragments a second");
    app.add_option("--datagrams", traffic.count);
    CLI11_PARSE(app, argc, argv);
    try {
        PacketSocket to(client, "eth0", PacketSocket::Use::send);
        PacketSocket from(server, "eth0", PacketSocket::Use::receive);
        traffic.to = parse_mac(mac);
        traffic.from = to.mac();
        const auto frames = make_frames(traffic);
        const std::size_t step = fragments_of(traffic);
        std::vector<std::atomic<std::int64_t>> sent(traffic.count);
        std::vector<double> latencies;
        latencies.reserve(traffic.count);
        std::atomic<bool> stop{false};
        std::thread receiver([&] { receive(from, traffic.sources, sent, latencies, stop); });
        const auto begin = Clock::now();
        for (std::size_t i = 0; i < traffic.count; ++i) {
            const auto due =
                begin + std::chrono::duration_cast<Clock::duration>(
                            std::chrono::duration<double>(static_cast<double>(i * step) / rate));
            while (Clock::now() < due) {
            }
            to.send(frames, i * step, step - 1);
            sent[i] = Clock::now().time_since_epoch().count();
            to.send(frames, i * step + step - 1, 1);
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(500));
        stop = true;
        receiver.join();
        if (latencies.empty()) throw std::runtime_error("nothing arrived");
        std::ranges::sort(latencies);
        const auto at = [&](double part) {
            return latencies[static_cast<std::size_t>(part *
                                                      static_cast<double>(latencies.size() - 1))];
        };
        std::printf("%zu %zu %.1f %.1f\n", traffic.count, latencies.size(), at(0.5), at(0.99));
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ikefrag_latency: %s\n", error.what());
        return 1;
    }
}
