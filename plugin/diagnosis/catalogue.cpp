// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/diagnosis.hpp"

#include <algorithm>
#include <array>

namespace ikefrag {
namespace {

constexpr Actor client[] = {Actor::client};
constexpr Actor server[] = {Actor::server};
constexpr Actor client_or_server[] = {Actor::client, Actor::server};
constexpr Actor server_or_client[] = {Actor::server, Actor::client};
constexpr Actor client_network[] = {Actor::client_network};
constexpr Actor server_network[] = {Actor::server_network};
constexpr Actor either_network[] = {Actor::client_network, Actor::server_network};
constexpr Actor server_side[] = {Actor::server, Actor::server_network};
constexpr Actor server_or_client_network[] = {Actor::server, Actor::client_network};
constexpr Actor this_firewall[] = {Actor::this_firewall};
constexpr Actor behind_or_here[] = {Actor::server_network, Actor::this_firewall};
constexpr Actor any_but_us[] = {Actor::server, Actor::server_network, Actor::client_network};
constexpr Actor unknown[] = {Actor::unknown};

constexpr auto failure = FindingKind::failure;
constexpr auto advice = FindingKind::advice;
constexpr auto fact = FindingKind::fact;
constexpr auto info = Severity::info;
constexpr auto warning = Severity::warning;
constexpr auto critical = Severity::critical;

/// In: the columns in the order of Diagnosis.
constexpr Diagnosis row(std::string_view id,
                        std::string_view slug,
                        FindingKind kind,
                        Severity severity,
                        std::span<const Actor> actors,
                        std::string_view says,
                        std::string_view sentence,
                        std::string_view remedy,
                        std::string_view meaning,
                        std::string_view not_when) {
    return {id, slug, kind, severity, actors, says, sentence, remedy, meaning, not_when};
}

// The vocabulary of the product. A name in braces is filled in by the detector, or is a stack's
// command (remedy.cpp): `{server_on}`, `{client_on}`, `{sender_size}`, `{sender_force}` and so on.
constexpr Diagnosis rows[] = {
    row("D01",
        "frag_offer_unanswered",
        advice,
        warning,
        server,
        "client offers IKE fragmentation, server does not answer the offer",
        "{client} offers IKE fragmentation (16430 in IKE_SA_INIT); {server} does not answer the"
        " offer, so large messages travel as IP fragments{consequence}.",
        "Turn on IKE fragmentation at the server: {server_on}",
        "The IKE_SA_INIT request carries N(16430) and the response, complete with SA, KE and "
        "Nonce, does not. Raised when a message of the attempt then came in IP fragments, when "
        "fragments were lost (D04, D05), or once three different clients of the server met the "
        "same.",
        "Responses that carry only COOKIE, INVALID_KE_PAYLOAD or NO_PROPOSAL_CHOSEN are no "
        "answers. A server may have IKE fragmentation off on purpose."),
    row("D02",
        "frag_not_offered",
        advice,
        warning,
        client,
        "client cannot do IKE fragmentation",
        "{client} does not offer IKE fragmentation in IKE_SA_INIT and sent {exchange} as "
        "{pieces} IP fragments ({size} octets).",
        "{client_on} If it cannot be updated: a smaller certificate (ECDSA), or let the IP "
        "fragments of IKE through to the VPN server only.",
        "The IKE_SA_INIT request has neither N(16430) nor Cisco's FRAGMENTATION vendor ID, and "
        "IKE_AUTH came in IP fragments.",
        "A client whose IKE_AUTH fits in one packet has no need of it."),
    row("D03",
        "frag_agreed_not_used",
        advice,
        warning,
        client_or_server,
        "both ends agreed on IKE fragmentation, but a message still came in IP fragments",
        "{client} and {server} agreed on IKE fragmentation, yet the {sender} sent {exchange} "
        "{count} as {pieces} IP fragments ({size} octets) instead of IKE fragments.",
        "{sender_force}",
        "16430 in both IKE_SA_INIT messages, then IKE_AUTH or IKE_INTERMEDIATE as one encrypted"
        " payload (46) in an IP-fragmented datagram, again and again.",
        "RFC 7383 section 2.4 lets a sender try the whole message first: one unfragmented try "
        "that is then answered, or repeated in IKE fragments, is no finding."),
    row("D04",
        "auth_partial_ipfrag",
        failure,
        warning,
        client_network,
        "first IP fragment of IKE_AUTH arrives, the rest does not",
        "{exchange} of {client} to {server} came {count} as IP fragments ({times}); the first "
        "fragment ({first} octets) arrived each time, the rest never: non-first fragments are "
        "dropped between the client and this firewall.",
        "Turn on IKE fragmentation at both ends. Server: {server_on} Client: {client_on} Where "
        "the client is: switch off 'block fragmented packets' on the router or modem, or ask "
        "the provider (carrier-grade NAT).",
        "Offset 0 with more fragments to come, IKE header of exchange 35, and no completion "
        "until the hold time (5 s) ended, for two or more attempts.",
        "A single loss that a repeat makes good; all fragments of a repeat arriving disproves "
        "it. Fragments that come late by more than the hold time are not known in practice."),
    row("D05",
        "auth_tail_only",
        failure,
        warning,
        client_network,
        "trailing IP fragments arrive, the first never does",
        "After a good IKE_SA_INIT of {client} with {server} only trailing IP fragments arrived "
        "({count}, {times}), never the first: a filter before this firewall stops the "
        "packet with the UDP ports and lets the others by.",
        "A stateless filter upstream blocks UDP 4500 (or 500) but passes non-first fragments: "
        "allow UDP 500 and 4500 to {server} there.",
        "Fragments with an offset to a VPN server, protocol UDP, without a partner of offset 0 "
        "for 5 s, twice or more, from a client whose handshake stopped after IKE_SA_INIT.",
        "Fragments of other UDP services (DNS, RADIUS) of the same host: without a stopped "
        "handshake of that client there is no finding."),
    row("D06",
        "auth_never_arrived",
        failure,
        warning,
        client_network,
        "the handshake stops after IKE_SA_INIT: nothing more arrives",
        "{client} and {server} completed IKE_SA_INIT, then nothing more of the client arrived "
        "on any port for {silence}{others}.",
        "Outbound UDP 4500, or every IP fragment, is blocked in the client's network: open UDP "
        "4500 there; if large packets are the trouble, turn on IKE fragmentation. Server: "
        "{server_on}",
        "IKE_SA_INIT request and response complete, and no packet with that initiator SPI on "
        "any IKE port from any address within 10 s; told after three such attempts of one "
        "client network, or when they are a fifth of the server's attempts in 15 minutes.",
        "Scanners, which send IKE_SA_INIT only (a known vendor ID, or 16430 with NAT detection,"
        " is required); a user who cancels; a certificate prompt; a UDP 4500 that is routed past "
        "this firewall both ways (where one way passes here, there is no finding)."),
    row("D07",
        "auth_unanswered",
        failure,
        warning,
        server_side,
        "IKE_AUTH arrived complete, the server is silent",
        "{exchange} of {client} arrived complete ({how}) {count} ({times}) and {passed}; "
        "{server} never answered it.",
        "Look at the server: its log, certificate and RADIUS; its own limits for fragments; "
        "that UDP 4500 reaches the same host as UDP 500 (DNAT, load balancer).{stack_hint}",
        "A full request (whole, all IP fragments, or all IKE fragments n/n), two or more "
        "repeats, 5 s or more, and no packet from the server with that SPI pair after it.",
        "A slow RADIUS or MFA step: EAP rounds after the first are given 60 s. Answers that "
        "take another way (asymmetric routing) mute it."),
    row("D08",
        "server_4500_dead",
        failure,
        critical,
        server_side,
        "no client's IKE_AUTH on UDP 4500 is answered, IKE_SA_INIT on 500 is",
        "{server} answers IKE_SA_INIT on UDP 500 but has answered no IKE_AUTH on UDP 4500 of "
        "{clients} clients within 10 minutes, and no handshake succeeded.",
        "UDP 4500 is not forwarded to the server, or its own firewall blocks it: check the DNAT"
        " rule for 4500 and the host firewall. {passed_hint}",
        "D07 on UDP 4500 for three or more clients and no success within 10 minutes.",
        "Maintenance; one success on UDP 4500 disproves it."),
    row("D09",
        "init_unanswered",
        failure,
        warning,
        any_but_us,
        "IKE_SA_INIT is never answered",
        "{client} sent {exchange} {count} ({times}) and {server} answered none of them{how}.",
        "{hint}",
        "Three or more requests of one initiator SPI and no response. Where the requests are so "
        "large that they come as IP fragments, and only the first fragment does, the client's "
        "network is named.",
        "Scanners (no NAT detection, no 16430, no known vendor ID). A server that limits rates "
        "would show COOKIE answers; answers that take another way mute it."),
    row("D10",
        "resp_frags_lost_outside",
        failure,
        warning,
        server_or_client_network,
        "the server's fragmented answer leaves us complete, the client keeps asking",
        "{server} answered {exchange} with {pieces} ({size} octets), all {passed}, yet "
        "{client} repeated its request {count} after that ({times}): the answer's fragments die"
        " between this firewall and the client.",
        "Make the answer's packets smaller. Server: {server_fix}",
        "A response in IP or IKE fragments was released in full, and then the request (IKE "
        "fragments: number 1) came again, at least twice, each time later than the round trip "
        "plus 1 s.",
        "Answer and repeat that crossed on the way: a repeat within the round trip plus 1 s "
        "does not count."),
    row("D11",
        "resp_frags_lost_inside",
        failure,
        warning,
        server_network,
        "of the server's answer only a part reaches this firewall",
        "{server} answered {exchange} of {client} with IP fragments, but only {part} reached "
        "this firewall, {count} ({times}).",
        "A device between the server and this firewall drops IP fragments (virtual switch, "
        "cloud network, inner firewall): allow them there, or turn on IKE fragmentation at the "
        "server: {server_on}",
        "A first IP fragment from the server to the client without the rest for 5 s, twice or "
        "more.",
        "A single loss that the server's next answer makes good."),
    row("D12",
        "skf_partial",
        failure,
        warning,
        either_network,
        "a set of IKE fragments stays incomplete",
        "Of {exchange} of {sender} ({total} IKE fragments of up to {size} octets) {seen} "
        "arrived after {count}; missing: {missing}.",
        "{size_hint} {sender_size}",
        "Same SPI, message ID and direction, total n and fewer than n numbers seen, when the "
        "next set starts or after three times the repeat interval, at least 5 s.",
        "Order and pace: fragments may come in any order and spread in time. A later complete "
        "set disproves it."),
    row("D13",
        "skf_too_big",
        advice,
        warning,
        client_or_server,
        "the IKE fragments themselves are fragmented by IP",
        "The {sender}'s IKE fragments of {exchange} ({size} octets) are larger than the path "
        "takes: they came as IP fragments of {first} octets.",
        "Lower the IKE fragment size to {first} octets or less. {sender_size}",
        "An SKF message (payload 53) in an IP-fragmented datagram.",
        "Nothing else looks like it."),
    row("D14",
        "skf_shrunk",
        fact,
        info,
        client_or_server,
        "the sender fell back to smaller IKE fragments",
        "The {sender} sent {exchange} first as {before} of up to {before_size} "
        "octets, then as {total} of up to {size}: the path MTU lies between the two sizes.",
        "Nothing to do; setting the smaller size saves the first try. {sender_size}",
        "Same message ID, larger total, smaller pieces (RFC 7383 section 2.5.2).",
        "A repeat of the same size."),
    row("D15",
        "switch_to_ike_frag",
        advice,
        info,
        client_or_server,
        "the sender tried plain first and fragmented only after repeats",
        "The {sender} sent {exchange} unfragmented first and in {kind} only {delay} later.",
        "The first try was lost for {delay}: fragmenting at once saves that time. "
        "{sender_force}",
        "Same message: one encrypted payload (46) first, then SKF (53); or IKEv1 payload 132 "
        "after a plain try.",
        "FortiOS, libreswan and Windows (IKEv1) do so by design, 2 to 4 s later."),
    row("D16",
        "skf_over_receiver_limit",
        failure,
        warning,
        server_or_client,
        "more or larger IKE fragments than the receiver takes",
        "{exchange} of {client} arrived complete as {pieces}, {size} octets together, "
        "and {server} stays silent: that is beyond what some receivers take ({limits}).",
        "Raise the receiver's limit (strongSwan: charon.max_packet = {room} in strongswan.conf,"
        " then swanctl --reload-settings; libreswan: at most 32 fragments), or fewer, larger "
        "fragments at the sender. {client_size}",
        "D07's signals, and total above 16, 32, 64 or 255, or more than 10000 octets; it stands in "
        "D07's place.",
        "A server of which nothing is known may have other limits; an answer disproves it."),
    row("D17",
        "init_ipfragmented",
        advice,
        warning,
        client_or_server,
        "IKE_SA_INIT itself is fragmented by IP",
        "The {sender}'s {exchange} is {size} octets and came as IP fragments{consequence}; IKE "
        "fragmentation cannot help before keys exist.",
        "Make it smaller: fewer proposals and vendor IDs; put ML-KEM into IKE_INTERMEDIATE "
        "instead of IKE_SA_INIT.",
        "Exchange 34 in an IP-fragmented datagram.",
        "Nothing else looks like it."),
    row("D18",
        "intermediate_stuck",
        failure,
        warning,
        server_or_client_network,
        "the post-quantum exchange IKE_INTERMEDIATE is not answered",
        "{client} and {server} completed IKE_SA_INIT with IKE_INTERMEDIATE; that exchange "
        "({how}) was repeated {count} ({times}) without a complete answer.",
        "The post-quantum key exchange does not fit the path: lower the IKE fragment size, or "
        "leave out the additional key exchange to confirm it. {client_size}",
        "16438 on both sides, exchange 43 repeated twice or more, not answered or partial.",
        "An answered repeat."),
    row("D19",
        "cookie_loop",
        failure,
        warning,
        server_or_client_network,
        "the server keeps asking for a cookie",
        "{server} asked {client} for a COOKIE {count} ({times}); {detail}.",
        "The server believes it is under load, or the client's address changes between requests"
        " (NAT): look at the server's half-open count and at the NAT in front of the client.",
        "N(COOKIE) three times or more for one initiator SPI, or the request repeated without "
        "it.",
        "A real flood on the server; one COOKIE round is normal."),
    row("D20",
        "invalid_ke_loop",
        failure,
        warning,
        client_or_server,
        "the ends do not agree on the key exchange group",
        "{server} wants key exchange group {wanted} and {client} {detail} ({times}).",
        "Offer group {wanted} at the client, or accept {offered} at the server.",
        "INVALID_KE_PAYLOAD with a two-octet group twice, and the same group sent again; or no "
        "new try after it.",
        "One INVALID_KE_PAYLOAD round followed by the wanted group is normal."),
    row("D21",
        "no_proposal",
        failure,
        warning,
        client_or_server,
        "the ends have no proposal in common",
        "{server} refused the proposals of {client} with NO_PROPOSAL_CHOSEN ({times}){offered}.",
        "Make the IKE proposals match (encryption, integrity, PRF, group) at client and server."
        " Windows shows this as error 13868.",
        "N(NO_PROPOSAL_CHOSEN) in a clear IKE_SA_INIT response.",
        "Scanners: a client that shows nothing of a VPN client is not reported."),
    row("D22",
        "auth_rejected_probably",
        failure,
        warning,
        server_or_client,
        "the server answers IKE_AUTH with a tiny message and nothing follows",
        "{server} answered IKE_AUTH of {client} with {size} octets after {delay}{detail}. Not a "
        "fragmentation problem.",
        "Read the server's log for this client: certificate, pre-shared key, user, or address "
        "pool.",
        "An IKE_AUTH response of at most 120 octets, then no ESP and no later exchange for 5 s."
        " An error it says in clear is quoted: anyone may send it, so it is told and never acted "
        "on.",
        "Answers to pre-shared keys are larger than 150 octets and EAP answers are followed by "
        "more; ESP or a later exchange disproves it."),
    row("D23",
        "integrity_or_state",
        failure,
        warning,
        server_side,
        "both ends answer, yet they do not understand each other",
        "{detail} ({client} with {server}).",
        "The server was restarted, or a load balancer sent UDP 4500 to another node than UDP "
        "500, or the packets are damaged on the way: check the server's uptime and the "
        "balancer's stickiness.",
        "An unencrypted INVALID_IKE_SPI or INVALID_MAJOR_VERSION; or requests repeated although"
        " each was answered in one packet.",
        "It is not authenticated: anyone may send it, so it is told and never acted on."),
    row("D24",
        "lb_split",
        failure,
        warning,
        server_network,
        "UDP 500 and 4500 of one client go to different servers",
        "The handshake of {client} with {server} went to {first} and then to {second}: the two "
        "never"
        " share its keys.",
        "Make the load balancer or DNAT keep UDP 500 and 4500 of one client on the same server "
        "(source-address stickiness for both ports together).",
        "Same initiator SPI, different inside addresses, and the attempt does not succeed.",
        "A failover between attempts."),
    row("D25",
        "one_source_many_peers",
        failure,
        warning,
        behind_or_here,
        "all clients reach the server from one address",
        "{count} clients reach {server} from the one address {client}, and this attempt failed:"
        " Windows limits the handshakes of one source.",
        "Better: no source NAT in front of the VPN server. On Windows raise the limit: "
        "New-ItemProperty -Path "
        "'HKLM:\\SYSTEM\\CurrentControlSet\\Services\\IKEEXT\\Parameters\\' -Name "
        "IkeNumEstablishedForInitialQuery -PropertyType DWORD -Value 50000 -Force; then "
        "Restart-Service IKEEXT",
        "More than 10 live initiator SPIs from different ports of one address, and a failed "
        "attempt (Windows: 10 by default; 35 half-open is a hard limit).",
        "Carrier-grade NAT and large offices are legitimate: without a failed attempt there is "
        "no finding."),
    row("D26",
        "pmtu_seen",
        fact,
        info,
        either_network,
        "the path MTU is known",
        "The path towards {towards} takes {mtu} octets ({source}).",
        "Keep IKE fragments at {mtu} octets or less. {sender_size}",
        "ICMP fragmentation needed or ICMPv6 packet too big that quotes the flow, or the size "
        "of arriving first fragments.",
        "Forged ICMP: believed only if it quotes a live flow and the MTU is possible."),
    row("D27",
        "icmp_reassembly_timeout",
        failure,
        warning,
        either_network,
        "the far end says that it lost fragments",
        "{reporter} reports that it could not put the fragments of {sender} together (ICMP "
        "reassembly time exceeded, {count}): they are lost between this firewall and there.",
        "Allow IP fragments on the way behind this firewall, or turn on IKE fragmentation at "
        "both ends. Server: {server_on}",
        "ICMP 11/1 or ICMPv6 3/1 that quotes the flow.",
        "Forged ICMP; fragments that were missing here already (D04)."),
    row("D28",
        "icmp_unreachable",
        failure,
        warning,
        any_but_us,
        "a router or the host says that it cannot be reached",
        "{reporter} answers {sender} with ICMP '{what}' ({count}).",
        "{hint}",
        "ICMP 3/1, 3/3, 3/9, 3/10, 3/13 or ICMPv6 1/1, 1/3, 1/4 that quotes the flow.",
        "Forged ICMP; a handshake that succeeds nevertheless."),
    row("D29",
        "frag_policy_drop_here",
        failure,
        critical,
        this_firewall,
        "this firewall itself dropped the message",
        "{exchange} of {sender} was dropped by this firewall: {detail}, {count} ({times}).",
        "{hint}",
        "Our own verdict (limits, rules), or a message that came in and did not go out within 1"
        " s although others of the server did (an opening of which nothing went on: a VPN client's,"
        " twice), or one that went on in IP fragments unanswered while a rule of this host drops "
        "trailing fragments.",
        "A client that is blocked on purpose (blocklist, rate limit, rp_filter). Hardware offload "
        "and flow tables let packets by unseen. Without connection tracking the "
        "copies taken on the way out show first fragments only: trailing ones that a rule of "
        "this host drops are told by the ruleset the daemon reads (nftables; a capture has none,"
        " and iptables-legacy is not read), else they look like a loss behind us (D07, D27)."),
    row("D30",
        "frag_attack",
        failure,
        warning,
        unknown,
        "malicious or damaged IP fragments",
        "{source} sent fragments to {destination} that no honest sender makes: {detail} "
        "({count}).",
        "They were {done}. If the source is a client of yours, a broken device on its path "
        "cuts fragments wrongly; else block the source.",
        "Overlapping fragments, a tiny first fragment, two different ends, more than the limits"
        " allow, lengths past 65535.",
        "Exact duplicates are not counted; broken middleboxes can do the same."),
    row("D31",
        "retransmit_pattern",
        fact,
        info,
        unknown,
        "when the sender repeated, and whose timing that is",
        "{client} sent {exchange} {count} at {times}{stack}.",
        "Nothing to do.",
        "The same message (equal digest; IKE fragments: number 1) with three or more gaps, "
        "compared with the timing of known stacks, each gap within 25 %.",
        "Fewer gaps prove nothing."),
    row("D32",
        "handshake_ok",
        fact,
        info,
        unknown,
        "the handshake succeeded, and how",
        "{client} and {server} set up IKEv{version} in {duration}: {how}.",
        "Nothing to do.",
        "IKE_AUTH answered and then ESP, or a later exchange.",
        "Without ESP or a later exchange the outcome is not known."),
    row("D33",
        "v1_frag_state",
        advice,
        info,
        client_or_server,
        "IKEv1 fragmentation is not agreed on",
        "IKEv1 of {client} with {server}: {detail}, and {exchange} came as {pieces} IP "
        "fragments ({size} octets).",
        "Turn on IKEv1 fragmentation at the {sender}, or move to IKEv2. {sender_on}",
        "The FRAGMENTATION vendor ID is missing on one side or both and a message of IKEv1 came"
        " in IP fragments.",
        "Peers that have it and use payload 132."),
    row("D34",
        "order_violation_fixed",
        fact,
        info,
        unknown,
        "fragments arrived out of order and were released in order",
        "Fragments to {destination} arrived out of order and were released in order ({count}).",
        "Nothing to do; a receiver that needs the order (Azure) was helped.",
        "The fragments of a released datagram came in another order than their offsets; told "
        "once an hour for each server.",
        "With connection tracking the kernel orders them anyway."),
    row("D35",
        "tunnel_frag_only_from_net",
        advice,
        warning,
        client_network,
        "failures come from one client network or transition technology only",
        "{failed} of {total} handshakes of {group} with {server} failed, of all others "
        "{other_failed} of {other_total}.",
        "The cause lies with {group}: {hint}",
        "Outcomes counted by client network and transition technology, 20 attempts or more in "
        "each group: at least half of one group fails and at most a tenth of the others.",
        "Small numbers."),
};

static_assert(std::size(rows) == 35);

} // namespace

std::span<const Diagnosis> catalogue() noexcept { return rows; }

const Diagnosis* find_diagnosis(std::string_view id_or_slug) noexcept {
    // "D01" is the first row, and so on: detectors ask by id, for each finding they make.
    if (id_or_slug.size() == 3 && id_or_slug[0] == 'D') {
        const auto number = (id_or_slug[1] - '0') * 10 + (id_or_slug[2] - '0');
        if (number >= 1 && number <= int{std::size(rows)} && rows[number - 1].id == id_or_slug)
            return &rows[number - 1];
    }
    const auto* found = std::ranges::find_if(
        rows, [&](const Diagnosis& row) { return row.id == id_or_slug || row.slug == id_or_slug; });
    return found == std::end(rows) ? nullptr : found;
}

} // namespace ikefrag
