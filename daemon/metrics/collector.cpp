// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics/collector.hpp"

#include "daemon/clock.hpp"
#include "daemon/events/event_writer.hpp"
#include "daemon/kernel/log_reader.hpp"
#include "daemon/kernel/queue_status.hpp"
#include "daemon/observer/daemon.hpp"
#include "daemon/observer/observer.hpp"
#include "daemon/observer/table_keeper.hpp"
#include "daemon/observer/worker_pool.hpp"
#include "daemon/recorder/recorder.hpp"
#include "daemon/state/peer_store.hpp"

#include <prometheus/text_serializer.h>

#include <algorithm>
#include <numeric>
#include <sstream>

namespace ikefrag {
namespace {

double unix_seconds(TimePoint time, const Clock& clock) {
    return std::chrono::duration<double>(time.time_since_epoch() + clock.drift()).count();
}

std::uint64_t answered(const QueueTotals& queue) {
    return std::accumulate(queue.verdicts.begin(), queue.verdicts.end(), std::uint64_t{0});
}

CaptureMetrics capture_metrics(const Recorder& recorder) {
    const auto& files = recorder.store().counters();
    return {.enabled = recorder.enabled(),
            .ring_bytes = recorder.ring() ? recorder.ring()->bytes() : 0,
            .packets_lost = recorder.packets_lost(),
            .files = files.written.get(),
            .files_failed = files.failures.get() + files.lost.get(),
            .files_suppressed = recorder.suppressed()};
}

} // namespace

std::vector<QueueMetrics> MetricsCollector::queues() const {
    const auto& parts = daemon_.parts();
    // The kernel's count first, ours after: a packet between the two reads is one too many on our
    // side, never one too few.
    UnseenPackets::Look look;
    look.rule_count = parts.table.counts()[static_cast<std::size_t>(TableCounter::queued)];
    look.read_at = parts.clock.now();
    const auto emptied = parts.pool.emptied();
    look.emptied = emptied.at;
    look.received = emptied.received;
    look.table_repairs = parts.table.repairs();
    const auto status = read_queue_status();
    std::vector<QueueMetrics> queues;
    for (const auto& totals : parts.pool.totals()) {
        QueueMetrics queue;
        queue.totals = totals;
        queue.waiting = totals.held_packets;
        if (status && parts.pool.running())
            for (const auto& row : *status)
                if (row.number == totals.number)
                    queue.waiting = std::max<std::uint64_t>(row.waiting, totals.held_packets);
        queue.packets = answered(totals) + totals.vanished + queue.waiting;
        look.accounted += queue.packets;
        look.missed += totals.missed;
        queues.push_back(queue);
    }
    const auto sum = unseen_.look(look);
    parts.pool.nudge(); // for the next look
    for (std::size_t i = 0; i < queues.size(); ++i) {
        const auto share = sum.unseen / queues.size() + (i < sum.unseen % queues.size() ? 1 : 0);
        queues[i].unseen = share;
        queues[i].packets += share;
    }
    // The rule's own counter is what is shown; were our sums wrong, the first queue would tell.
    if (sum.queued != 0 && !queues.empty())
        queues.front().packets += sum.queued - look.accounted - sum.unseen;
    return queues;
}

std::vector<prometheus::MetricFamily> MetricsCollector::Collect() const {
    daemon_.catch_up();
    const auto& parts = daemon_.parts();
    const auto& observer = parts.observer;
    MetricsSnapshot snapshot{.policy = daemon_.policy(),
                             .tracker = parts.tracker.totals(),
                             .servers = parts.tracker.server_totals(),
                             .failed = observer.failed(),
                             .rule_rows = parts.rows.names()};
    snapshot.queues = queues();
    snapshot.gates = parts.pool.gate_totals();
    snapshot.gates.add(observer.gate_totals());
    snapshot.sent_packets = observer.counters().sent_packets;
    snapshot.table = parts.table.counts();
    snapshot.process = read_process_facts();
    snapshot.config_hash = daemon_.config().hash;
    snapshot.handshakes = parts.tracker.handshake_count();
    snapshot.peers = parts.tracker.peer_count();
    for (const auto& queue : snapshot.queues)
        snapshot.held_datagrams += queue.totals.held_datagrams;
    snapshot.copies = parts.log.counters().copies.get();
    const auto& events = parts.events.counters();
    snapshot.events_lost = events.lost.get() + events.failures.get();
    const auto& database = parts.store.counters();
    snapshot.database = {.failures = database.failures.get(),
                         .waiting = database.waiting.get(),
                         .lost = database.dropped.get(),
                         .unreadable = database.unreadable.get()};
    snapshot.capture = capture_metrics(parts.recorder);
    snapshot.reloads = daemon_.reloads();
    snapshot.table_repairs = parts.table.repairs();
    snapshot.kernel_emptied = parts.table.emptied();
    snapshot.start_seconds = unix_seconds(daemon_.started(), parts.clock);
    snapshot.configured_seconds = unix_seconds(daemon_.configured(), parts.clock);
    // Two clocks are read one after the other: what is less than a millisecond is nobody's doing.
    snapshot.clock_step_seconds =
        std::chrono::duration<double>(
            std::chrono::round<std::chrono::milliseconds>(parts.clock.drift()))
            .count();
    snapshot.last_reload_successful = daemon_.last_reload_successful();
    snapshot.table_present = parts.table.present();
    snapshot.conntrack_active = parts.table.conntrack().conntrack_active;
    return export_metrics(snapshot);
}

std::string MetricsCollector::text() const {
    return prometheus::TextSerializer().Serialize(Collect());
}

} // namespace ikefrag
