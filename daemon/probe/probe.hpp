// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include "daemon/probe/answer.hpp"
#include "daemon/probe/path_size.hpp"
#include "daemon/probe/request.hpp"
#include "plugin/address.hpp"
#include "plugin/bytes.hpp"
#include "plugin/handshake.hpp"
#include "plugin/time.hpp"
#include "plugin/vendor_id.hpp"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Asks a VPN server, from a client's place and without keys, what the path and the server can do.
namespace ikefrag::probe {

struct Port {
    std::uint16_t number = 500;
    bool marked = false; ///< IKE behind the non-ESP marker
};

struct Settings {
    IpAddress server;
    std::vector<Port> ports{
        {500,  false},
        {4500, true }
    };
    std::uint32_t local_mtu = 1500;        ///< of the interface towards the server
    std::array<std::uint8_t, 64> random{}; ///< SPIs and nonces come from it
    std::vector<VendorId> vendor_ids;
};

/// At most so many IP packets leave, one per 100 ms at most; each fragment of a datagram counts, of
/// whichever datagram (on an interface with a small MTU every IKE_SA_INIT leaves in several).
inline constexpr unsigned max_packets = 40;
inline constexpr Duration pace = std::chrono::milliseconds(100);

/// One datagram to send now.
struct Send {
    Port port;
    std::vector<std::uint8_t> payload; ///< UDP payload, marker included
    bool dont_fragment = false;
    std::uint32_t fragment_mtu = 0; ///< to be cut for this MTU; 0: the interface's
};

/// An ICMP error to one of our packets.
struct IcmpError {
    std::uint8_t type = 0;
    std::uint8_t code = 0;
    std::optional<IpAddress> reporter;
};

struct PortFacts {
    Port port;
    bool asked = false;
    bool answers = false;
    std::optional<IcmpError> icmp;
    std::optional<Duration> round_trip;
};

/// What the server says of itself.
struct ServerFacts {
    std::optional<bool> fragmentation;  ///< 16430 in a complete answer; empty: none came
    std::optional<bool> intermediate;   ///< 16438, likewise
    bool cookie = false;                ///< it asked for a cookie
    bool cookie_again = false;          ///< though two of its cookies had been repeated
    std::optional<std::uint16_t> group; ///< it asked for this Diffie-Hellman group
    bool no_proposal = false;           ///< NO_PROPOSAL_CHOSEN
    bool redirect = false;
    bool refuses_version3 = false; ///< says INVALID_MAJOR_VERSION, as it should
    std::vector<std::uint16_t> notifies;
    std::vector<std::string> vendors;
    std::string vendor; ///< hint word, or empty
};

struct FragmentFacts {
    bool tested = false;
    std::optional<bool> pass;    ///< empty: could not be told
    std::uint32_t bytes = 0;     ///< IP total length of the datagram, reassembled
    std::uint32_t fragments = 0; ///< it left in so many
    std::uint32_t tries = 0;
};

struct Facts {
    std::vector<PortFacts> ports;
    ServerFacts server;
    PathSize path; ///< towards the server
    /// Largest answer, IP total length, and the largest fragment it came in where it was one.
    std::uint32_t largest_answer_bytes = 0;
    std::uint32_t answer_fragment_bytes = 0;
    FragmentFacts fragments;
    unsigned packets = 0; ///< sent
    bool out_of_packets = false;

    [[nodiscard]] bool any_port_answers() const noexcept;
};

/// The probe without its socket: time and packets go in, packets to send come out.
///
/// Sends at most two real IKE_SA_INITs (a small one; a padded one larger than the MTU), each
/// repeated with the same SPI, and to measure sizes messages of major version 3, which a server
/// answers without keeping anything. Where it does not answer those, padded repeats measure.
class Probe {
public:
    explicit Probe(Settings settings);

    /// What to send now, if anything.
    /// In: `route_mtu`: what the kernel cuts datagrams to this server for, which may be less than
    /// the interface's MTU; 0: not known
    [[nodiscard]] std::optional<Send> poll(TimePoint now, std::uint32_t route_mtu = 0);
    /// When to poll() again at the latest; empty: finished.
    [[nodiscard]] std::optional<TimePoint> next_deadline() const;

    /// A datagram from the server. In: `fragment_bytes`: its largest IP fragment, 0 if it came
    /// whole
    void received(Port port, Bytes payload, std::uint32_t fragment_bytes, TimePoint now);
    /// The last packet was larger than a link: ours (it has not left), or one on the path.
    enum class Where : std::uint8_t { here, on_path };
    void too_big(Where where, std::uint32_t mtu, TimePoint now);
    void unreachable(const IcmpError& error, TimePoint now);

    [[nodiscard]] const Facts& facts() const noexcept { return facts_; }

private:
    enum class Phase : std::uint8_t {
        init,           ///< the small IKE_SA_INIT
        marked,         ///< is there somebody on the marked port
        version3,       ///< does it answer version 3
        repeats,        ///< else: does it answer a repeat of another size
        sizes,          ///< which size passes
        fragments,      ///< does the padded IKE_SA_INIT pass in fragments
        fragments_more, ///< or at least a large message of version 3
        still_there,    ///< or nothing at all any more
        done,
    };
    enum class Kind : std::uint8_t { small_init, padded_init, version3 };
    enum class Fate : std::uint8_t { answered, silent, too_big, unreachable };
    struct Question {
        Kind kind = Kind::small_init;
        std::size_t port = 0;    ///< index into Settings::ports
        std::uint32_t bytes = 0; ///< IP total length; 0: as it comes
        bool dont_fragment = false;
        unsigned tries = 1;
    };

    void ask(Phase phase, const Question& question);
    void conclude(Fate fate);
    void after_init(Fate fate);
    void after_marked(Fate fate);
    void after_still_there(Fate fate);
    void go_to_marked();
    void go_to_version3();
    void go_to_sizes();
    void next_size();
    void go_to_fragments();
    void finish();
    [[nodiscard]] Send encode(const Question& question);
    [[nodiscard]] unsigned packets_of(std::uint32_t bytes) const;
    [[nodiscard]] Spi spi_of(const Question& question) const;
    [[nodiscard]] std::uint32_t overhead(const Question& question) const;
    void note(const Answer& answer);

    Settings settings_;
    Facts facts_;
    Phase phase_ = Phase::init;
    std::optional<Question> question_;
    unsigned tries_left_ = 0;
    unsigned counted_ = 0;                     ///< packets the last datagram was counted as
    std::uint32_t route_mtu_ = 0;              ///< 0: not known
    std::uint32_t number_ = 0;                 ///< of the question, in the SPIs of version 3
    std::map<Spi, std::uint32_t> asked_sizes_; ///< of version 3, for answers that come late
    std::optional<TimePoint> answer_by_;
    TimePoint sent_at_;
    TimePoint may_send_at_;
    bool first_try_ = true;
    std::optional<Duration> round_trip_;
    Answer last_answer_;
    unsigned cookies_given_ = 0;
    std::uint32_t told_mtu_ = 0; ///< by the error that ended the last question
    InitRequest small_;
    InitRequest padded_;
    bool answers_version3_ = false;
    bool can_cut_ = true;       ///< the interface's MTU is small enough to send fragments
    std::size_t main_port_ = 0; ///< index: where sizes and fragments are tried
    SizeSearch sizes_;
    Kind size_kind_ = Kind::version3;
};

} // namespace ikefrag::probe
