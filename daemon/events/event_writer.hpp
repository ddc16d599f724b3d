// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/config/config.hpp"
#include "daemon/events/line_writer.hpp"
#include "daemon/events/suppressor.hpp"
#include "plugin/diagnosis.hpp"
#include "plugin/handshake.hpp"
#include "plugin/observation.hpp"
#include "plugin/tracker.hpp"

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/// Events: one line each of what happened to handshakes, peers, fragments and the daemon itself.
///
/// JSON lines carry "timestamp", "event_type" and, where there is a handshake, Suricata's names
/// (src_ip, src_port, dest_ip, dest_port, proto, and under "ike" version_major, init_spi, resp_spi,
/// exchange_type); the rest has the keys of `ikefragctl … --json`.
///
/// | event_type      | when                                                                     |
/// | --------------- | ------------------------------------------------------------------------ |
/// | ike_handshake   | a handshake ended                                                        |
/// | ike_finding     | a finding was opened or closed ("change")                                |
/// | ike_capability  | an address showed another capability: 16430, 16438                       |
/// | ike_refusal     | a fragmented datagram was refused, or would have been ("enforced")       |
/// | suppressed      | lines left out: "of" the event type, by "key", "count" in the last minute|
/// | reload, mode    | the configuration or the mode was changed, or not ("ok", "message")      |
/// | start, stop     | of the daemon                                                            |
///
/// Bounds: of what strangers can cause 5 lines a minute of one kind and network (/24, /56), 20 a
/// second of one kind after a burst of 100; of handshakes whose client has shown that it receives,
/// which says nothing of its key, 300 a minute and 100 a second after 3000.
namespace ikefrag {

class EventWriter {
public:
    EventWriter(const EventOptions& options,
                bool mask_addresses,
                LineWriter::Journal journal = LineWriter::journal_of_stderr());

    /// After a reload; opens the file anew in any case.
    void change(const EventOptions& options, bool mask_addresses);

    void handshake_ended(const Handshake& handshake,
                         const Finding* cause,
                         std::string_view server_name,
                         TimePoint now);
    void finding_changed(std::string_view change,
                         const Finding& finding,
                         std::string_view server_name,
                         TimePoint now);
    /// A first capability is for the history in peers.db, and no line.
    void capability_changed(const CapabilityChanged& changed, TimePoint now);
    void datagram_refused(const DatagramLost& lost, TimePoint now);
    /// "reload", "mode", "start", "stop".
    void daemon_changed(std::string_view type, bool ok, std::string_view message, TimePoint now);

    /// Tells what was left out; once a second.
    void tick(TimePoint now);

    [[nodiscard]] const LineWriter::Counters& counters() const noexcept {
        return writer_.counters();
    }

private:
    void
    write(boost::json::object event, const std::string& sentence, std::vector<std::string> fields);
    [[nodiscard]] std::string shown(const IpAddress& address) const;

    EventOptions options_;
    bool mask_;
    Suppressor handshakes_;
    Suppressor proven_;
    Suppressor findings_;
    Suppressor refusals_;
    Suppressor capabilities_;
    LineWriter writer_;
};

/// The network a rate limit goes by: /24 and /56, as "203.0.113.0/24".
[[nodiscard]] std::string rate_limit_prefix(const IpAddress& address);

} // namespace ikefrag
