// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/kernel/queue_worker.hpp"

#include "daemon/clock.hpp"
#include "daemon/event_flag.hpp"
#include "daemon/kernel/netlink_socket.hpp"
#include "daemon/kernel/packet_tap.hpp"
#include "daemon/kernel/queue_message.hpp"
#include "daemon/kernel/queue_status.hpp"
#include "daemon/kernel/receive_slots.hpp"

#include <linux/netlink.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

/// What a held and released fragment of 1480 octets costs, and where:
///
/// * received: one slot of a recvmmsg of up to 64. The kernel copies packet and some 100 octets of
///   attributes into it; the parser gives views into the slot (no copy, no allocation).
/// * Gate::feed copies the payload into its hold table, the only copy of ours; what is decided at
///   once is never copied.
/// * verdict: 32 octets in a buffer that is sent once a batch; a mark adds 8, a rebuilt datagram
///   its own length (the one further copy). Packets let through in the order they came, with
///   nothing older held, have one message together.
/// * observation: once a message, its octets copied into the ring (about 100 of an encrypted one);
///   an eventfd write where the loop comes to rest, every 5 ms while it does not, none while the
///   reader is awake.
/// * system calls: recvmmsg and sendto a batch, ppoll when the batch was not full. Two looks at the
///   clock a batch. Allocations: none in steady state (slots, batch, gate output are kept).
namespace ikefrag {

namespace {

using namespace std::chrono_literals;

/// While packets keep coming the reader of observations is woken so often: the tracker waits for
/// 50 ms whether anything older comes, and a wake costs as much as a fragment's verdict.
constexpr Duration wake_pause = 5ms;
/// The loop turns at least this often, for the watchdog.
constexpr Duration longest_sleep = 500ms;

void ask(const NetlinkSocket& socket,
         const std::vector<std::uint8_t>& request,
         std::uint16_t queue,
         const char* what) {
    const auto error = socket.request(request, 1);
    if (!error) return;
    std::string text = "queue " + std::to_string(queue) + ": " + what;
    if (error == std::errc::operation_not_permitted)
        text += " (another program has this queue, or CAP_NET_ADMIN is missing)";
    throw std::system_error(error, text);
}

std::size_t latency_bucket(Duration latency) noexcept {
    const double seconds = std::chrono::duration<double>(latency).count();
    return static_cast<std::size_t>(std::ranges::lower_bound(verdict_latency_bounds, seconds) -
                                    verdict_latency_bounds.begin());
}

} // namespace

class QueueWorker::State {
public:
    State(const QueueSettings& settings,
          PolicyPointer policy,
          std::array<std::uint8_t, 16> seed,
          const Clock& clock);

    void start();
    void change(const QueueSettings& wanted);
    void stop();

    void nudge() const { woken_.raise(); }

    /// Any thread: hands something to the worker.
    template <class Change>
    void command(Change&& change) {
        {
            const std::lock_guard lock(mutex_);
            change(pending_);
        }
        has_pending_.store(true, std::memory_order_release);
        woken_.raise();
    }

    struct Pending {
        PolicyPointer policy;
        std::shared_ptr<const std::vector<IpAddress>> proven;
        InterfaceDomainsPointer domains;
        std::optional<std::vector<InterfaceName>> names;
        std::optional<std::shared_ptr<PacketTap>> tap;
        std::optional<std::optional<PacketMark>> mark;
        std::optional<TimePoint> headless_until;
        bool release = false;
        bool stop = false;
    };

    QueueSettings settings;
    QueueBound bound;
    QueueCounters counters;
    ObservationQueue observations;
    Gate gate;

    std::string failure() {
        const std::lock_guard lock(mutex_);
        return failure_;
    }

private:
    void bind();
    void run();
    std::size_t turn();
    void take_commands();
    void take(const QueuedPacket& packet, TimePoint now);
    void take(const VerdictRefused& refused);
    void count_id(PacketId id);
    void answer(TimePoint read);
    void wake_reader(TimePoint now);
    void sleep();
    void let_all_go();

    const Clock& clock_;
    std::optional<NetlinkSocket> socket_;
    EventFlag woken_;
    ReceiveSlots slots_;
    VerdictSender verdicts_;
    GateOutput output_;
    InterfaceDomainsPointer domains_ = std::make_shared<const InterfaceDomains>();
    std::shared_ptr<PacketTap> tap_; ///< null unless captures are wanted
    bool unread_ = false;            ///< observations were written since the reader was woken
    TimePoint woken_reader_;
    std::uint64_t looked_ns_ = 0; ///< the clock, some time before the socket is read
    std::uint64_t ids_ = 0;       ///< given out by the kernel, as far as seen
    bool stopping_ = false;
    bool takes_when_full_ = false; ///< the kernel knows the flag

    std::mutex mutex_;
    Pending pending_;
    std::string failure_;
    std::atomic<bool> has_pending_{false};
    std::thread thread_;
};

QueueWorker::State::State(const QueueSettings& wanted,
                          PolicyPointer policy,
                          std::array<std::uint8_t, 16> seed,
                          const Clock& clock)
    : settings(wanted), observations(wanted.observation_bytes), gate(std::move(policy), seed),
      clock_(clock), socket_(NETLINK_NETFILTER),
      verdicts_(*socket_, wanted.number, wanted.mark, counters) {
    bind();
}

void QueueWorker::State::bind() {
    const auto number = settings.number;
    socket_->set_receive_timeout(2000);
    bound.receive_buffer = socket_->set_receive_buffer(settings.receive_buffer_bytes);
    const int send_buffer = 2 * VerdictBatch::room;
    ::setsockopt(
        socket_->descriptor(), SOL_SOCKET, SO_SNDBUFFORCE, &send_buffer, sizeof send_buffer);
    ask(*socket_, encode_queue_bind(number), number, "bind");
    ask(*socket_, encode_queue_limits(number, settings.max_length), number, "copy mode and length");
    bound.max_length = settings.max_length;
    const auto full = settings.fail_open ? WhenFull::pass : WhenFull::drop;
    takes_when_full_ = !socket_->request(encode_queue_when_full(number, full), 1);
    bound.fail_open = takes_when_full_ && settings.fail_open;
    bound.copy_range = queue_copy_range;
    if (const auto queues = read_queue_status())
        for (const auto& queue : *queues)
            if (queue.number == number) bound.copy_range = queue.copy_range;
}

void QueueWorker::State::start() {
    assert(!thread_.joinable());
    counters.beat_ns.set(static_cast<std::uint64_t>(clock_.now().time_since_epoch().count()));
    sigset_t all;
    sigset_t before;
    sigfillset(&all); // signals are the main thread's
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    pthread_setname_np(thread_.native_handle(),
                       ("queue-" + std::to_string(settings.number)).c_str());
}

/// Packets are read from this socket by the worker's thread: an acknowledgement would come among
/// them. Sending to the kernel is any thread's.
void QueueWorker::State::change(const QueueSettings& wanted) {
    if (!socket_) return;
    const auto number = settings.number;
    if (wanted.max_length != settings.max_length &&
        !socket_->send(unacknowledged(encode_queue_limits(number, wanted.max_length))))
        bound.max_length = settings.max_length = wanted.max_length;
    const auto full = wanted.fail_open ? WhenFull::pass : WhenFull::drop;
    if (wanted.fail_open != settings.fail_open &&
        !socket_->send(unacknowledged(encode_queue_when_full(number, full)))) {
        settings.fail_open = wanted.fail_open;
        bound.fail_open = takes_when_full_ && wanted.fail_open;
    }
    if (wanted.mark == settings.mark) return;
    settings.mark = wanted.mark;
    command([&](Pending& pending) { pending.mark = wanted.mark; });
}

void QueueWorker::State::stop() {
    if (!socket_) return;
    if (thread_.joinable()) {
        command([](Pending& pending) { pending.stop = true; });
        thread_.join();
    }
    socket_->request(encode_queue_unbind(settings.number), 1);
    socket_.reset();
}

void QueueWorker::State::run() {
    while (!stopping_) {
        if (has_pending_.load(std::memory_order_acquire)) take_commands();
        const std::size_t got = turn();
        if (got < ReceiveSlots::count && !stopping_) sleep();
    }
    let_all_go();
}

/// Reads one batch and answers what it decided. Out: datagrams read
std::size_t QueueWorker::State::turn() {
    verdicts_.begin_turn();
    const int got = slots_.receive(socket_->descriptor());
    const TimePoint now = clock_.now();
    counters.beat_ns.set(static_cast<std::uint64_t>(now.time_since_epoch().count()));
    if (got < 0) {
        if (errno == ENOBUFS) {
            counters.enobufs.add();
        } else if (errno == EAGAIN) {
            counters.received_when_empty.set(counters.received.get());
            counters.emptied_ns.set(looked_ns_);
        } else if (errno != EINTR) {
            const std::lock_guard lock(mutex_);
            failure_ = "queue " + std::to_string(settings.number) + ": " +
                       std::generic_category().message(errno);
            stopping_ = true;
        }
    }
    const auto count = static_cast<std::size_t>(std::max(got, 0));
    for (std::size_t i = 0; i < count; ++i) {
        const QueueMessage message = parse_queue_message(slots_.datagram(i));
        if (const auto* packet = std::get_if<QueuedPacket>(&message)) {
            take(*packet, now);
        } else if (const auto* refused = std::get_if<VerdictRefused>(&message)) {
            take(*refused);
        } else {
            counters.unreadable.add();
            verdicts_.distrust();
        }
    }
    const auto deadline = gate.next_deadline();
    if (deadline && *deadline <= now) gate.expire(now, output_);
    answer(now);
    return count;
}

void QueueWorker::State::take(const QueuedPacket& packet, TimePoint now) {
    count_id(packet.id);
    verdicts_.read(packet);
    if (tap_) tap_->push({now, packet.bytes, packet.packet_bytes});
    gate.feed({.id = packet.id,
               .bytes = packet.bytes,
               .leg = Leg::prerouting,
               .interface = packet.interface,
               .domain = domains_->of(packet.interface, packet.vlan),
               .truncated = packet.packet_bytes > packet.bytes.size()},
              now,
              output_);
}

void QueueWorker::State::take(const VerdictRefused& refused) {
    if (refused.error == 0) return; // an acknowledgement nobody asked for
    if (refused.error != ENOENT) {
        counters.other_errors.add();
        verdicts_.distrust();
        return;
    }
    counters.vanished.add(refused.packets);
    if (refused.accepted) counters.vanished_accepts.add(refused.packets);
    for (std::uint32_t i = 0; i < refused.packets; ++i) gate.vanished(refused.id);
}

void QueueWorker::State::count_id(PacketId id) {
    counters.received.add();
    // 32 bits come round; two packets may be read in the other order
    const auto ahead = static_cast<std::int32_t>(id.value - static_cast<std::uint32_t>(ids_));
    if (ahead > 0) ids_ += static_cast<std::uint32_t>(ahead);
    counters.last_id.set(ids_);
    counters.socket_missed.set(ids_ - std::min(ids_, counters.received.get()));
}

void QueueWorker::State::answer(TimePoint read) {
    const std::size_t decided = output_.decisions.size();
    // Before the verdicts: the answer to what they let through comes as a copy, and its reader must
    // find the request here, even if this thread is held up in between.
    for (const auto& observation : output_.observations) observations.push(observation);
    for (const auto& decision : output_.decisions) verdicts_.add(decision);
    verdicts_.flush();
    if (decided > 0) {
        const Duration latency = clock_.now() - read;
        counters.latency[latency_bucket(latency)].add(decided);
        counters.latency_sum_ns.add(static_cast<std::uint64_t>(latency.count()) * decided);
    }
    unread_ = unread_ || !output_.observations.empty();
    if (unread_ && (read - woken_reader_ >= wake_pause || observations.is_filling()))
        wake_reader(read);
    if (decided > 0 || !output_.observations.empty()) output_.clear();
}

void QueueWorker::State::wake_reader(TimePoint now) {
    observations.wake();
    unread_ = false;
    woken_reader_ = now;
}

void QueueWorker::State::sleep() {
    if (unread_) wake_reader(clock_.now());
    Duration time = longest_sleep;
    if (const auto deadline = gate.next_deadline())
        time = std::clamp<Duration>(*deadline - clock_.now(), 0ns, longest_sleep);
    const timespec limit{0, static_cast<long>(time.count())};
    std::array<pollfd, 2> wait{
        {{socket_->descriptor(), POLLIN, 0}, {woken_.descriptor(), POLLIN, 0}}
    };
    ::ppoll(wait.data(), wait.size(), &limit, nullptr);
    looked_ns_ = counters.beat_ns.get();
    if ((wait[1].revents & POLLIN) == 0) return;
    woken_.lower();
    looked_ns_ = static_cast<std::uint64_t>(clock_.now().time_since_epoch().count());
}

void QueueWorker::State::take_commands() {
    Pending now;
    {
        const std::lock_guard lock(mutex_);
        has_pending_.store(false, std::memory_order_relaxed);
        now = std::exchange(pending_, {});
    }
    if (now.policy) gate.set_policy(std::move(now.policy));
    if (now.proven) gate.set_proven_sources(now.proven);
    if (now.domains) domains_ = std::move(now.domains);
    if (now.names) gate.set_interface_names(std::move(*now.names));
    if (now.tap) tap_ = std::move(*now.tap);
    if (now.mark) verdicts_.set_mark(*now.mark);
    if (now.headless_until) gate.accept_headless_until(*now.headless_until);
    if (now.release) {
        const TimePoint time = clock_.now();
        gate.release_all(time, output_);
        answer(time);
    }
    if (now.stop) stopping_ = true;
}

/// The end: everything held and everything still in the socket goes on. Bounded: what comes faster
/// than we answer for a second is the kernel's to pass or drop.
void QueueWorker::State::let_all_go() {
    const TimePoint end = clock_.now() + 1s;
    std::size_t got = 0;
    do {
        got = turn();
        const TimePoint now = clock_.now();
        gate.release_all(now, output_);
        answer(now);
    } while (got > 0 && clock_.now() < end);
    if (unread_) wake_reader(clock_.now());
}

QueueWorker::QueueWorker(const QueueSettings& settings,
                         PolicyPointer policy,
                         std::array<std::uint8_t, 16> seed,
                         const Clock& clock)
    : state_(std::make_unique<State>(settings, std::move(policy), seed, clock)) {}

QueueWorker::~QueueWorker() { stop(); }

void QueueWorker::start() { state_->start(); }

void QueueWorker::change(const QueueSettings& settings) { state_->change(settings); }

void QueueWorker::set_policy(PolicyPointer policy) {
    state_->command([&](State::Pending& pending) { pending.policy = std::move(policy); });
}

void QueueWorker::set_proven_sources(std::shared_ptr<const std::vector<IpAddress>> sources) {
    state_->command([&](State::Pending& pending) { pending.proven = std::move(sources); });
}

void QueueWorker::set_interface_names(std::vector<InterfaceName> names) {
    state_->command([&](State::Pending& pending) { pending.names = std::move(names); });
}
void QueueWorker::set_tap(std::shared_ptr<PacketTap> tap) {
    state_->command([&](State::Pending& pending) { pending.tap = std::move(tap); });
}
void QueueWorker::accept_headless_until(TimePoint time) {
    state_->command([&](State::Pending& pending) { pending.headless_until = time; });
}
void QueueWorker::set_domains(InterfaceDomainsPointer domains) {
    state_->command([&](State::Pending& pending) { pending.domains = std::move(domains); });
}

void QueueWorker::release() {
    state_->command([](State::Pending& pending) { pending.release = true; });
}

void QueueWorker::nudge() { state_->nudge(); }

void QueueWorker::stop() { state_->stop(); }

std::uint16_t QueueWorker::number() const noexcept { return state_->settings.number; }

const QueueBound& QueueWorker::bound() const noexcept { return state_->bound; }

const QueueCounters& QueueWorker::counters() const noexcept { return state_->counters; }

const GateCounters& QueueWorker::gate_counters() const noexcept { return state_->gate.counters(); }

ObservationQueue& QueueWorker::observations() noexcept { return state_->observations; }

std::string QueueWorker::failure() const { return state_->failure(); }

} // namespace ikefrag
