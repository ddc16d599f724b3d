// SPDX-License-Identifier: GPL-2.0-or-later
// ikefrag_queue STYLE: empties a queue that was filled beforehand, as fast as it goes (the drain
// method: no sender runs while the loop is timed, so that the figure is steady). Run in the
// firewall's namespace.
//
//   single    recv, verdict, recv, verdict: what nfqlb, DAQ and nfqws do; accepts all
//   batch     recvmmsg 64, their verdicts in one send: the fastest bare loop with separate
//   verdicts; accepts all worker    ikefragd's QueueWorker and Gate: holds, checks and releases
//
// Prints: style packets seconds processor-seconds microseconds-a-packet system-calls-a-packet, for
// worker also what its counters say. The time is the loop's thread's own: a busy machine does not
// change it much.
#include "daemon/clock.hpp"
#include "daemon/kernel/netlink_socket.hpp"
#include "daemon/kernel/queue_message.hpp"
#include "daemon/kernel/queue_status.hpp"
#include "daemon/kernel/queue_worker.hpp"

#include <CLI/CLI.hpp>
#include <linux/netlink.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <exception>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

using namespace ikefrag;
using namespace std::chrono_literals;

namespace {

using SteadyClock = std::chrono::steady_clock;

struct Settings {
    std::uint16_t queue = 500;
    std::uint32_t packets = 40000;
    std::uint32_t receive_buffer = 512u << 20;
    double live_seconds = 0; ///< not drained but served for this long
    int processor = 1;
    int reader_processor = 0;
};

struct Drained {
    std::size_t packets = 0;
    double seconds = 0;
    double processor_seconds =
        0; ///< of the loop's thread alone: what a busy machine does not change
    std::size_t system_calls = 0;
};

double processor_time() {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

/// Seconds another thread of ours has run, by its name.
double processor_time_of(const std::string& name) {
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
        std::string comm;
        std::ifstream(task.path() / "comm") >> comm;
        double nanoseconds = 0;
        if (comm == name && std::ifstream(task.path() / "schedstat") >> nanoseconds)
            return nanoseconds / 1e9;
    }
    return 0;
}

SteadyClock::duration live_time(const Settings& settings) {
    return std::chrono::duration_cast<SteadyClock::duration>(
        std::chrono::duration<double>(settings.live_seconds));
}

void run_on(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<std::size_t>(processor), &set);
    if (::sched_setaffinity(0, sizeof set, &set) != 0)
        throw std::runtime_error("no such processor");
}

/// Until the kernel's queue holds what is to be drained. "ready" tells the script to send.
void wait_until_full(const Settings& settings) {
    std::puts("ready");
    std::fflush(stdout);
    if (settings.live_seconds > 0) return;
    for (int i = 0; i < 600; ++i) {
        const auto queues = read_queue_status();
        if (!queues) throw std::runtime_error("cannot read /proc/net/netfilter/nfnetlink_queue");
        for (const auto& queue : *queues)
            if (queue.number == settings.queue && queue.waiting >= settings.packets) return;
        std::this_thread::sleep_for(50ms);
    }
    throw std::runtime_error("the queue did not fill");
}

NetlinkSocket bind_bare(const Settings& settings) {
    NetlinkSocket socket(NETLINK_NETFILTER);
    socket.set_receive_buffer(settings.receive_buffer);
    const auto ask = [&](const std::vector<std::uint8_t>& request) {
        if (const auto error = socket.request(request, 1)) throw std::system_error(error, "queue");
    };
    ask(encode_queue_bind(settings.queue));
    ask(encode_queue_limits(settings.queue, settings.packets + 1000));
    socket.set_receive_timeout(1000);
    return socket;
}

Drained drain_single(const Settings& settings) {
    const auto socket = bind_bare(settings);
    wait_until_full(settings);
    std::vector<std::uint8_t> buffer(70000);
    VerdictBatch verdict(settings.queue);
    Drained drained;
    const auto begin = SteadyClock::now();
    const double before = processor_time();
    while (drained.packets < settings.packets) {
        const auto size = ::recv(socket.descriptor(), buffer.data(), buffer.size(), 0);
        ++drained.system_calls;
        if (size <= 0) break;
        const auto message =
            parse_queue_message(Bytes(buffer).first(static_cast<std::size_t>(size)));
        const auto* packet = std::get_if<QueuedPacket>(&message);
        if (packet == nullptr) continue;
        verdict.clear();
        if (verdict.add(packet->id, Verdict::accept, std::nullopt, {}))
            socket.send(verdict.bytes());
        ++drained.system_calls;
        ++drained.packets;
    }
    drained.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    drained.processor_seconds = processor_time() - before;
    return drained;
}

Drained drain_batch(const Settings& settings) {
    constexpr std::size_t batch = 64;
    constexpr std::size_t slot = 4096;
    const auto socket = bind_bare(settings);
    wait_until_full(settings);
    std::vector<std::uint8_t> bytes(batch * slot);
    std::array<iovec, batch> pieces{};
    std::array<mmsghdr, batch> messages{};
    for (std::size_t i = 0; i < batch; ++i) {
        pieces[i] = {bytes.data() + i * slot, slot};
        messages[i].msg_hdr.msg_iov = &pieces[i];
        messages[i].msg_hdr.msg_iovlen = 1;
    }
    VerdictBatch verdicts(settings.queue);
    Drained drained;
    const auto begin = SteadyClock::now();
    const double before = processor_time();
    while (drained.packets < settings.packets || settings.live_seconds > 0) {
        const int got =
            ::recvmmsg(socket.descriptor(), messages.data(), batch, MSG_WAITFORONE, nullptr);
        ++drained.system_calls;
        if (settings.live_seconds > 0 && SteadyClock::now() - begin > live_time(settings)) break;
        if (got <= 0 && settings.live_seconds > 0) continue;
        if (got <= 0) break;
        for (std::size_t i = 0; i < static_cast<std::size_t>(got); ++i) {
            const auto message =
                parse_queue_message(Bytes(bytes).subspan(i * slot, messages[i].msg_len));
            const auto* packet = std::get_if<QueuedPacket>(&message);
            if (packet != nullptr && verdicts.add(packet->id, Verdict::accept, std::nullopt, {}))
                ++drained.packets;
        }
        if (!verdicts.empty()) socket.send(verdicts.bytes());
        ++drained.system_calls;
        verdicts.clear();
    }
    drained.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    drained.processor_seconds = processor_time() - before;
    return drained;
}

/// The observation thread's part that the worker can feel: it takes what the worker writes.
std::uint64_t read_observations(QueueWorker& worker, const std::atomic<bool>& stop, int processor) {
    run_on(processor);
    std::uint64_t read = 0;
    while (!stop) {
        pollfd wait{worker.observations().descriptor(), POLLIN, 0};
        ::poll(&wait, 1, 50);
        while (worker.observations().pop()) ++read;
    }
    return read;
}

Drained drain_worker(const Settings& settings) {
    auto policy = std::make_shared<Policy>();
    policy->mode = Mode::exclusive;
    policy->servers.push_back({
        .name = "srv",
        .addresses = {*parse_prefix("10.99.2.2"), *parse_prefix("fd99:2::2")},
        .inside = {                          }
    });
    const Clock clock;
    QueueWorker worker({.number = settings.queue,
                        .max_length = settings.packets + 1000,
                        .receive_buffer_bytes = settings.receive_buffer,
                        .mark = {}},
                       policy,
                       {1, 2, 3},
                       clock);
    wait_until_full(settings);
    std::atomic<bool> stop{false};
    std::uint64_t read = 0;
    std::thread reader([&] { read = read_observations(worker, stop, settings.reader_processor); });
    run_on(settings.processor);
    Drained drained;
    const auto& counters = worker.counters();
    const auto begin = SteadyClock::now();
    worker.start(); // inherits the processor
    run_on(settings.reader_processor);
    while (settings.live_seconds > 0 && SteadyClock::now() - begin < live_time(settings))
        std::this_thread::sleep_for(10ms);
    while (settings.live_seconds == 0 && counters.verdicts_sent.get() < settings.packets &&
           SteadyClock::now() - begin < 20s)
        std::this_thread::sleep_for(50us);
    drained.seconds = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    drained.processor_seconds = processor_time_of("queue-" + std::to_string(settings.queue));
    drained.packets = counters.verdicts_sent.get();
    drained.system_calls = 2 * counters.verdict_sends.get();
    stop = true;
    reader.join();
    worker.stop();
    const auto& gate = worker.gate_counters();
    std::uint64_t complete = 0;
    for (const auto& family : gate.datagrams)
        complete += family[index(DatagramOutcome::complete)].get();
    std::printf(
        "  complete %llu, dropped %llu, observations %llu (lost %llu), vanished %llu, sends %llu\n",
        static_cast<unsigned long long>(complete),
        static_cast<unsigned long long>(gate.verdicts[index(Verdict::drop)].get()),
        static_cast<unsigned long long>(read),
        static_cast<unsigned long long>(worker.observations().lost().get()),
        static_cast<unsigned long long>(counters.vanished.get()),
        static_cast<unsigned long long>(counters.verdict_sends.get()));
    return drained;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app("empties a filled queue");
    std::string style;
    Settings settings;
    app.add_option("style", style, "single, batch or worker")->required();
    app.add_option("--queue", settings.queue);
    app.add_option("--packets", settings.packets, "to wait for, then to answer");
    app.add_option("--live", settings.live_seconds, "serve for so many seconds, drain nothing");
    app.add_option("--processor", settings.processor, "the loop runs on");
    app.add_option("--reader-processor", settings.reader_processor, "the rest runs on");
    CLI11_PARSE(app, argc, argv);
    try {
        if (style != "worker") run_on(settings.processor);
        const auto drained = style == "single"  ? drain_single(settings)
                             : style == "batch" ? drain_batch(settings)
                                                : drain_worker(settings);
        const auto packets = static_cast<double>(drained.packets);
        std::printf("%s %zu %.6f %.6f %.3f %.3f\n",
                    style.c_str(),
                    drained.packets,
                    drained.seconds,
                    drained.processor_seconds,
                    drained.processor_seconds * 1e6 / packets,
                    static_cast<double>(drained.system_calls) / packets);
        return 0;
    } catch (const std::exception& error) {
        std::fprintf(stderr, "ikefrag_queue: %s\n", error.what());
        return 1;
    }
}
