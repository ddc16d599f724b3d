// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/probe/probe.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

namespace ikefrag::probe {

namespace {

using namespace std::chrono_literals;

constexpr std::size_t marker_bytes = 4;
constexpr std::uint32_t udp_bytes = 8;
/// How long to wait for an answer before anything is known of the path, and at most.
constexpr Duration first_wait = 1s;
constexpr Duration least_wait = 400ms;
constexpr Duration longest_wait = 3s;
/// Kept for the test of fragments while sizes are searched.
constexpr unsigned reserved_packets = 10;
/// A server that has just changed its secret wants its new cookie (RFC 7296 §2.6); asking on is
/// D19.
constexpr unsigned max_cookies = 2;
/// Larger interfaces than a jumbo Ethernet's are the host's own: nothing to measure there, and no
/// server takes such messages (strongSwan: 10 000 octets).
constexpr std::uint32_t largest_mtu = 9000;
/// So much larger than the MTU is the padded message: two fragments, both of a good size.
constexpr std::uint32_t beyond_mtu = 560;
/// No IPv4 link has a smaller one (RFC 791).
constexpr std::uint32_t smallest_mtu = 68;

constexpr std::uint16_t notify_no_proposal = 14;
constexpr std::uint16_t notify_invalid_ke = 17;
constexpr std::uint16_t notify_redirect = 16407;
constexpr std::uint16_t notify_fragmentation = 16430;
constexpr std::uint16_t notify_intermediate = 16438;

Spi make_spi(const std::uint8_t* random) {
    Spi spi{};
    std::copy(spi_prefix.begin(), spi_prefix.end(), spi.begin());
    std::copy_n(random, 4, spi.begin() + 4);
    return spi;
}

} // namespace

bool Facts::any_port_answers() const noexcept {
    return std::any_of(ports.begin(), ports.end(), [](const auto& port) { return port.answers; });
}

Probe::Probe(Settings settings) : settings_(std::move(settings)) {
    assert(!settings_.ports.empty());
    can_cut_ = settings_.local_mtu <= largest_mtu;
    settings_.local_mtu = std::min(settings_.local_mtu, largest_mtu);
    const auto& random = settings_.random;
    small_.spi = make_spi(random.data());
    padded_.spi = make_spi(random.data() + 4);
    // Two messages of one probe never have the same SPI, whatever the dice say.
    if (padded_.spi == small_.spi) padded_.spi[7] ^= 1;
    std::copy_n(random.begin() + 16, 32, small_.nonce.begin());
    std::copy_n(random.begin() + 24, 32, padded_.nonce.begin());
    for (const auto& port : settings_.ports) {
        PortFacts result;
        result.port = port;
        facts_.ports.push_back(result);
    }
    facts_.path.bytes = 0;
    ask(Phase::init, {.kind = Kind::small_init, .port = 0, .tries = 3});
}

std::uint32_t Probe::overhead(const Question& question) const {
    const std::uint32_t ip = settings_.server.family == Family::ipv4 ? 20 : 40;
    const auto marker =
        settings_.ports[question.port].marked ? static_cast<std::uint32_t>(marker_bytes) : 0;
    return ip + udp_bytes + marker;
}

/// In how many packets a datagram of so many octets (IP total length) leaves, as Linux cuts it.
unsigned Probe::packets_of(std::uint32_t bytes) const {
    const bool v4 = settings_.server.family == Family::ipv4;
    std::uint32_t mtu = settings_.local_mtu;
    if (route_mtu_ != 0) mtu = std::min(mtu, route_mtu_);
    if (!v4 && facts_.path.bytes >= 1280) mtu = std::min(mtu, facts_.path.bytes);
    mtu = std::max(mtu, smallest_mtu);
    if (bytes <= mtu) return 1;
    const std::uint32_t header = v4 ? 20 : 40;
    // All but the last are multiples of 8. IPv4's last may be as long as fits, IPv6's is no longer
    // than the others.
    const std::uint32_t piece = v4 ? (mtu - header) & ~7u : ((mtu - header) & ~7u) - 8;
    const std::uint32_t last = v4 ? mtu - header : piece;
    return 1 + (bytes - header - last + piece - 1) / piece;
}

/// Version 3 has an SPI of its own for each question, so that a late answer is not taken for one to
/// another size.
Spi Probe::spi_of(const Question& question) const {
    if (question.kind == Kind::small_init) return small_.spi;
    if (question.kind == Kind::padded_init) return padded_.spi;
    Spi spi = make_spi(settings_.random.data() + 8);
    spi[6] = static_cast<std::uint8_t>(number_ >> 8);
    spi[7] = static_cast<std::uint8_t>(number_);
    if (spi == small_.spi || spi == padded_.spi) spi[5] ^= 0x80;
    return spi;
}

void Probe::ask(Phase phase, const Question& question) {
    phase_ = phase;
    question_ = question;
    tries_left_ = question.tries;
    first_try_ = true;
    answer_by_.reset();
    ++number_;
}

void Probe::finish() {
    phase_ = Phase::done;
    question_.reset();
    answer_by_.reset();
}

std::optional<TimePoint> Probe::next_deadline() const {
    if (phase_ == Phase::done) return std::nullopt;
    return answer_by_ ? *answer_by_ : may_send_at_;
}

std::optional<Send> Probe::poll(TimePoint now, std::uint32_t route_mtu) {
    route_mtu_ = route_mtu;
    while (phase_ != Phase::done) {
        if (answer_by_) {
            if (now < *answer_by_) return std::nullopt;
            answer_by_.reset();
            if (tries_left_ == 0) {
                conclude(Fate::silent);
                continue;
            }
            first_try_ = false;
        }
        if (now < may_send_at_) return std::nullopt;
        const Send send = encode(*question_);
        const std::uint32_t bytes = static_cast<std::uint32_t>(send.payload.size()) + udp_bytes +
                                    (settings_.server.family == Family::ipv4 ? 20u : 40u);
        const unsigned packets = send.dont_fragment ? 1 : packets_of(bytes);
        if (facts_.packets + packets > max_packets) {
            facts_.out_of_packets = true;
            if (phase_ == Phase::sizes) facts_.path = sizes_.result();
            finish();
            break;
        }
        --tries_left_;
        facts_.packets += packets;
        counted_ = packets;
        facts_.ports[question_->port].asked = true;
        if (phase_ == Phase::fragments || phase_ == Phase::fragments_more)
            facts_.fragments.fragments = packets;
        sent_at_ = now;
        may_send_at_ = now + pace * packets;
        Duration wait = first_wait;
        if (round_trip_) wait = std::clamp(*round_trip_ * 4 + 200ms, least_wait, longest_wait);
        answer_by_ = now + wait;
        return send;
    }
    return std::nullopt;
}

Send Probe::encode(const Question& question) {
    Send send;
    send.port = settings_.ports[question.port];
    send.dont_fragment = question.dont_fragment;
    if (!question.dont_fragment && settings_.server.family == Family::ipv6 &&
        facts_.path.bytes >= 1280)
        send.fragment_mtu = facts_.path.bytes;
    const std::uint32_t room =
        question.bytes > overhead(question) ? question.bytes - overhead(question) : 0;
    std::vector<std::uint8_t> message;
    switch (question.kind) {
    case Kind::small_init: message = encode_init(small_); break;
    case Kind::padded_init:
        padded_.bytes = room;
        message = encode_init(padded_);
        break;
    case Kind::version3: {
        const Spi spi = spi_of(question);
        asked_sizes_[spi] = question.bytes;
        message = encode_version3(spi, std::max<std::size_t>(room, smallest_version3));
        break;
    }
    }
    if (send.port.marked) send.payload.assign(marker_bytes, 0);
    send.payload.insert(send.payload.end(), message.begin(), message.end());
    return send;
}

void Probe::received(Port port, Bytes payload, std::uint32_t fragment_bytes, TimePoint now) {
    if (phase_ == Phase::done) return;
    const auto total = static_cast<std::uint32_t>(payload.size()) + udp_bytes +
                       (settings_.server.family == Family::ipv4 ? 20u : 40u);
    if (port.marked) {
        const Bytes zeros = payload.first(std::min(payload.size(), marker_bytes));
        if (zeros.size() < marker_bytes ||
            std::any_of(zeros.begin(), zeros.end(), [](auto byte) { return byte != 0; }))
            return;
        payload = payload.subspan(marker_bytes);
    }
    auto answer = parse_answer(payload, settings_.vendor_ids);
    if (!answer) return;
    const bool to_init =
        answer->initiator_spi == small_.spi || answer->initiator_spi == padded_.spi;
    const auto sized = asked_sizes_.find(answer->initiator_spi);
    // Nobody else knows these SPIs; what has none of them is not meant for us.
    if (!to_init && sized == asked_sizes_.end()) return;
    facts_.largest_answer_bytes = std::max(facts_.largest_answer_bytes, total);
    facts_.answer_fragment_bytes = std::max(facts_.answer_fragment_bytes, fragment_bytes);
    if (!to_init) {
        answers_version3_ = true;
        facts_.server.refuses_version3 = true;
        if (phase_ == Phase::sizes && sized->second != 0) sizes_.passed(sized->second);
    }
    if (to_init) note(*answer);
    const bool ours = question_ && answer_by_ && answer->initiator_spi == spi_of(*question_) &&
                      settings_.ports[question_->port].number == port.number;
    if (!ours) return;
    if (first_try_) round_trip_ = now - sent_at_;
    PortFacts& asked = facts_.ports[question_->port];
    asked.answers = true;
    if (!asked.round_trip && first_try_) asked.round_trip = now - sent_at_;
    last_answer_ = *std::move(answer);
    conclude(Fate::answered);
}

void Probe::note(const Answer& answer) {
    ServerFacts& server = facts_.server;
    for (const auto type : answer.notifies)
        if (std::find(server.notifies.begin(), server.notifies.end(), type) ==
            server.notifies.end())
            server.notifies.push_back(type);
    for (const auto& name : answer.vendors)
        if (std::find(server.vendors.begin(), server.vendors.end(), name) == server.vendors.end())
            server.vendors.push_back(name);
    if (server.vendor.empty()) server.vendor = answer.vendor;
    server.no_proposal = server.no_proposal || answer.has_notify(notify_no_proposal);
    server.redirect = server.redirect || answer.has_notify(notify_redirect);
    if (!answer.complete) return;
    server.fragmentation = answer.has_notify(notify_fragmentation);
    server.intermediate = answer.has_notify(notify_intermediate);
}

void Probe::too_big(Where where, std::uint32_t mtu, TimePoint now) {
    // What did not leave needs no pause after it and costs no packet.
    if (where == Where::here && answer_by_) {
        may_send_at_ = std::min(may_send_at_, now);
        facts_.packets -= counted_;
    }
    if (!question_ || !answer_by_ || !question_->dont_fragment) return;
    // Late word about a packet before this one.
    if (mtu >= question_->bytes) return;
    told_mtu_ = mtu;
    conclude(Fate::too_big);
}

void Probe::unreachable(const IcmpError& error, TimePoint) {
    if (!question_ || !answer_by_) return;
    PortFacts& port = facts_.ports[question_->port];
    if (!port.icmp) port.icmp = error;
    if (!port.answers) conclude(Fate::unreachable);
}

void Probe::conclude(Fate fate) {
    answer_by_.reset();
    const Question asked = *question_;
    switch (phase_) {
    case Phase::init: after_init(fate); break;
    case Phase::marked: after_marked(fate); break;
    case Phase::version3:
        if (fate == Fate::answered)
            go_to_sizes();
        else // as large as no small one is: the same SPI, other bytes
            ask(Phase::repeats,
                {.kind = Kind::padded_init, .port = main_port_, .bytes = 560, .tries = 2});
        break;
    case Phase::repeats:
        if (fate == Fate::answered) {
            size_kind_ = Kind::padded_init;
            go_to_sizes();
        } else {
            go_to_fragments();
        }
        break;
    case Phase::sizes:
        if (fate == Fate::answered)
            sizes_.passed(asked.bytes);
        else if (fate == Fate::too_big)
            sizes_.told(asked.bytes, told_mtu_);
        else
            sizes_.lost(asked.bytes);
        next_size();
        break;
    case Phase::fragments:
        if (fate == Fate::answered) {
            facts_.fragments.pass = true;
            finish();
        } else if (answers_version3_) {
            // A server may dislike so large an IKE_SA_INIT; it does not look into version 3.
            ask(Phase::fragments_more,
                {.kind = Kind::version3,
                 .port = main_port_,
                 .bytes = facts_.fragments.bytes,
                 .tries = 2});
        } else {
            ask(Phase::still_there, {.kind = Kind::small_init, .port = main_port_, .tries = 3});
        }
        break;
    case Phase::fragments_more:
        if (fate == Fate::answered) {
            facts_.fragments.pass = true;
            finish();
        } else {
            ask(Phase::still_there, {.kind = Kind::version3, .port = main_port_, .tries = 3});
        }
        break;
    case Phase::still_there:
        if (fate == Fate::answered) facts_.fragments.pass = false;
        finish();
        break;
    case Phase::done: break;
    }
}

void Probe::after_init(Fate fate) {
    const Question asked = *question_;
    if (fate == Fate::answered) {
        ServerFacts& server = facts_.server;
        if (!last_answer_.cookie.empty()) {
            server.cookie = true;
            server.cookie_again = cookies_given_ == max_cookies;
            if (!server.cookie_again) {
                ++cookies_given_;
                small_.cookie = last_answer_.cookie;
                ask(Phase::init, {.kind = Kind::small_init, .port = asked.port, .tries = 2});
                return;
            }
        }
        const auto group = last_answer_.wanted_group;
        if (last_answer_.has_notify(notify_invalid_ke) && group && !server.group) {
            server.group = group;
            if (knows_group(*group)) {
                small_.group = padded_.group = *group;
                ask(Phase::init, {.kind = Kind::small_init, .port = asked.port, .tries = 2});
                return;
            }
        }
    }
    go_to_marked();
}

void Probe::go_to_marked() {
    const std::size_t next = question_->port + 1;
    if (next >= settings_.ports.size()) {
        go_to_version3();
        return;
    }
    ask(Phase::marked, {.kind = Kind::version3, .port = next, .tries = 2});
}

void Probe::after_marked(Fate fate) {
    const Question asked = *question_;
    if (fate == Fate::silent && asked.kind == Kind::version3) {
        ask(Phase::marked, {.kind = Kind::small_init, .port = asked.port, .tries = 2});
        return;
    }
    go_to_marked();
}

void Probe::go_to_version3() {
    if (!facts_.any_port_answers()) {
        finish();
        return;
    }
    main_port_ = 0;
    while (!facts_.ports[main_port_].answers) ++main_port_;
    if (answers_version3_)
        go_to_sizes();
    else
        ask(Phase::version3, {.kind = Kind::version3, .port = main_port_, .tries = 2});
}

void Probe::go_to_sizes() {
    const Question small{.kind = Kind::version3, .port = main_port_};
    const auto passed = size_kind_ == Kind::version3
                            ? overhead(small) + static_cast<std::uint32_t>(smallest_version3)
                            : 560;
    sizes_ = SizeSearch(settings_.server.family, passed, settings_.local_mtu);
    next_size();
}

void Probe::next_size() {
    const auto bytes = sizes_.next();
    // Two tries each: one loss is no proof.
    if (!bytes || facts_.packets + 2 + reserved_packets > max_packets) {
        facts_.path = sizes_.result();
        go_to_fragments();
        return;
    }
    ask(Phase::sizes,
        {.kind = size_kind_,
         .port = main_port_,
         .bytes = *bytes,
         .dont_fragment = true,
         .tries = 2});
}

void Probe::go_to_fragments() {
    if (!can_cut_) {
        finish();
        return;
    }
    facts_.fragments.tested = true;
    facts_.fragments.bytes = settings_.local_mtu + beyond_mtu;
    const Question question{
        .kind = Kind::padded_init, .port = main_port_, .bytes = facts_.fragments.bytes, .tries = 2};
    ask(Phase::fragments, question);
}

} // namespace ikefrag::probe
