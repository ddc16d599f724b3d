# SPDX-License-Identifier: GPL-2.0-or-later
"""Every scenario: a function that tells its stories; its docstring is the scenario's README.

The name says what is expected: `d04_…` must be diagnosed as D04, `d04_not_when_…` looks like it and must not be,
`healthy_…` must have no finding of kind failure at all.
"""
import struct

from story import (AUTH, AUTHENTICATION_FAILED, COOKIE, FOLLOWUP_KE, INTERMEDIATE, INVALID_KE, INVALID_SPI, NO_PROPOSAL, Story, noise, packets)

SCENARIOS = {}


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def tries(story, times, **more):
    for time in times:
        story.at(time).auth(**more)
    return story


def crowd(count, name="client", network="192.0.2.", **agree):
    """Clients that succeed, one each ten seconds."""
    stories = []
    for number in range(count):
        story = Story("%s%d" % (name, number), client=network + str(number + 1)).at(10.0 * number)
        stories.append(story.agree(**agree).well())
    return stories


def at(seconds, story):
    """Moves a story in time."""
    story.records = [(seconds + time, packet) for time, packet in story.records]
    return story


# --- D01 to D03: who can, and who uses it

@scenario
def d01_frag_offer_unanswered():
    """The client announces 16430, the server's full answer does not; IKE_AUTH then comes in IP fragments (and passes)."""
    return [Story("d01").agree(True, False).well(2200, 2000)]


@scenario
def d01_third_client():
    """Three clients announce 16430 to the same server in vain; nothing was fragmented yet. Told once, with the third."""
    return crowd(3, client=True, server=False)


@scenario
def d01_not_when_second_client():
    """Two clients announce 16430 in vain and all they send fits in one packet: too few to tell."""
    return crowd(2, client=True, server=False)


@scenario
def d01_not_when_cookie():
    """The first answer carries only COOKIE, and so no 16430: that is no answer. The real one has it."""
    story = Story("d01cookie").init()
    story.at(0.05).refuse(COOKIE, noise("cookie", 16)).at(0.1).init(cookie=noise("cookie", 16))
    return [story.at(0.15).init_answer().at(0.2).skf(2).at(0.3).skf(2, to_server=False).at(0.5).esp()]


@scenario
def d02_frag_not_offered():
    """The client does not announce 16430 and sends IKE_AUTH in IP fragments."""
    return [Story("d02").agree(False, False).well(2200, 2000)]


@scenario
def d02_not_when_small():
    """The client does not announce 16430, and its IKE_AUTH fits in one packet."""
    return [Story("d02small").agree(False, False).well()]


@scenario
def d03_frag_agreed_not_used():
    """Both announce 16430; the client sends the whole IKE_AUTH in IP fragments, twice."""
    return [Story("d03").agree().auth(2200).at(4.1).auth(2200).at(4.2).answer().at(4.5).esp()]


@scenario
def d03_not_when_first_try():
    """Both announce 16430; one unfragmented try (RFC 7383 section 2.4), then IKE fragments: that is D15."""
    story = Story("d03first").agree().auth(2200).at(4.1).skf(2)
    return [story.at(4.2).skf(2, to_server=False).at(4.5).esp()]


# --- D04, D05: lost before us

@scenario
def d04_auth_partial_ipfrag():
    """Error 809 as an admin meets it: IKE_SA_INIT is fine, of IKE_AUTH only the first IP fragment arrives, at the gaps Windows uses."""
    story = Story("d04").agree(True, False)
    return [tries(story, (0.1, 1.1, 3.1, 7.1), size=2200, lose=(-1,))]


@scenario
def d04_ipv6():
    """The same over IPv6, three fragments of which the last two are lost."""
    story = Story("d04v6", client="2001:db8:1::7", server="2001:db8:2::5").agree(False, False)
    return [tries(story, (0.1, 1.1, 3.1), size=3400, lose=(1, 2))]


@scenario
def d04_not_when_one_loss():
    """The first try loses its last fragment, the second comes whole and is answered."""
    story = Story("d04one").agree(False, False).auth(2200, lose=(-1,))
    return [story.at(1.1).well(2200)]


@scenario
def d04_not_when_dns():
    """A healthy handshake, and beside it DNS answers of the same client that lose their last fragments."""
    story = Story("d04dns").agree().well()
    for time in (1, 2, 3):
        story.at(time).udp_fragments(53, 40000, 3000, lose=(-1,), seed="dns%d" % time)
    return [story]


@scenario
def d05_auth_tail_only():
    """After IKE_SA_INIT only trailing IP fragments of IKE_AUTH arrive: something upstream filters by port."""
    story = Story("d05").agree(True, False)
    return [tries(story, (0.1, 1.1, 3.1), size=2200, lose=(0,))]


@scenario
def d05_not_when_other_service():
    """Trailing fragments of another UDP service to the server's address, and a healthy handshake of the same client."""
    story = Story("d05other")
    for time in (0, 1, 2):
        story.at(time).udp_fragments(40000, 53, 3000, lose=(0,), seed="dns%d" % time)
    return [story.at(3).agree().well()]


# --- D06 to D09: silence

@scenario
def d06_auth_never_arrived():
    """IKE_SA_INIT both ways, then nothing more from the client on any port."""
    return [Story("d06").agree(True, False)]


@scenario
def d06_not_when_scanner():
    """ike-scan: IKE_SA_INIT with nothing of a VPN client in it (no NAT detection, no 16430, no vendor ID)."""
    return [Story("d06scan").agree(False, False, vendor=None, nat=False)]


@scenario
def d06_not_when_only_answers_pass():
    """UDP 500 passes here both ways, of UDP 4500 only the server's answers: the requests take another way."""
    return [at(20 * number, Story("d06answers%d" % number).agree().at(0.2).answer().at(0.5).answer(message_id=2, size=300))
            for number in range(3)]


@scenario
def d06_not_when_one_of_ten():
    """Nine clients succeed, one stops after IKE_SA_INIT: too few of the server's attempts, and of one network."""
    return crowd(9) + [at(100, Story("d06one", client="203.0.113.9").agree())]


@scenario
def d07_auth_unanswered():
    """IKE_AUTH arrives complete four times and the server says nothing."""
    return [tries(Story("d07").agree(), (0.1, 1.1, 3.1, 7.1))]


@scenario
def d07_ipfrag():
    """The same with IKE_AUTH in IP fragments that all arrive."""
    return [tries(Story("d07frag").agree(False, False), (0.1, 1.1, 3.1), size=2200)]


@scenario
def d07_after_forged_half_view():
    """A stranger forges an IKE_SA_INIT and, before the server can answer, an IKE_AUTH. Five minutes later a client's IKE_AUTH is
    unanswered: two packets with a spoofed source do not mute what is to be said of the server."""
    forger = Story("d07forger", client="192.0.2.66")
    theirs, forger.responder = forger.responder, b"\x01" * 8
    forger.init().at(0.0002).auth(300)
    forger.responder = theirs
    return [forger.at(0.005).init_answer(), at(300, tries(Story("d07").agree(), (0.1, 1.1, 3.1, 7.1)))]


@scenario
def d07_not_when_slow_radius():
    """Three tries, and then an answer after 8 s: slow, not silent."""
    return [tries(Story("d07slow").agree(), (0.1, 1.1, 3.1)).at(8).answer().at(8.3).esp()]


@scenario
def d08_server_4500_dead():
    """Three clients of different networks complete IKE_SA_INIT on 500; none gets an answer on 4500."""
    return [at(20 * number, tries(Story("d08/%d" % number, client="203.0.%d.7" % (110 + number)).agree(), (0.1, 1.1, 3.1)))
            for number in range(3)]


@scenario
def d08_not_when_one_client():
    """One client tries three times: that is one client's trouble (D07)."""
    return [at(20 * number, tries(Story("d08one/%d" % number).agree(), (0.1, 1.1, 3.1))) for number in range(3)]


@scenario
def d09_init_unanswered():
    """Four IKE_SA_INIT requests at Windows' gaps, no answer."""
    story = Story("d09")
    for time in (0, 1, 3, 7):
        story.at(time).init()
    return [story]


@scenario
def d09_not_when_scanner():
    """ike-scan against an address that does not answer: four bare requests."""
    story = Story("d09scan")
    for time in (0, 0.5, 1.25, 2.4):
        story.at(time).init(offer=False, vendor=None, nat=False)
    return [story]


@scenario
def d09_not_when_third_is_answered():
    """Two requests are lost, the third is answered and all goes well."""
    story = Story("d09third").init().at(1).init().at(3)
    return [story.agree().well()]


# --- D10 to D12: lost on the path

@scenario
def d10_resp_frags_lost_outside():
    """The server answers each request with IP fragments that pass us, and the client asks again and again."""
    story = Story("d10").agree(True, False)
    for time in (0.1, 1.1, 3.1, 7.1):
        story.at(time).auth(2200).at(time + 0.08).answer(2000)
    return [story]


@scenario
def d10_skf():
    """The same with IKE fragments both ways."""
    story = Story("d10skf").agree()
    for time in (0.1, 1.1, 3.1, 7.1):
        story.at(time).skf(2).at(time + 0.08).skf(3, to_server=False)
    return [story]


@scenario
def d10_not_when_crossing():
    """A slow server: answers and repeats cross on the way, then it goes well."""
    story = Story("d10cross").agree(True, False)
    story.at(0.1).auth(2200).at(1.0).answer(2000).at(1.1).auth(2200).at(1.15).answer(2000)
    return [story.at(1.8).auth(2200).at(1.85).answer(2000).at(2.2).esp()]


@scenario
def d11_resp_frags_lost_inside():
    """Of the server's answers only the first IP fragment reaches this firewall, three times."""
    story = Story("d11").agree(True, False)
    for time in (0.1, 1.1, 3.1):
        story.at(time).auth(1300).at(time + 0.08).answer(2000, lose=(-1,))
    return [story]


@scenario
def d11_not_when_one_loss():
    """One answer loses a fragment, the next is whole."""
    story = Story("d11one").agree(True, False).auth(1300).at(0.2).answer(2000, lose=(-1,))
    return [story.at(1.1).well(1300, 2000)]


@scenario
def d12_skf_partial():
    """Of three IKE fragments the second never arrives, in three sendings."""
    story = Story("d12").agree()
    for time in (0.1, 1.1, 3.1):
        story.at(time).skf(3, lose=(2,))
    return [story]


@scenario
def d12_answer():
    """The server's IKE fragments arrive here without the first."""
    story = Story("d12answer").agree()
    for time in (0.1, 1.1, 3.1):
        story.at(time).skf(2).at(time + 0.1).skf(3, to_server=False, lose=(1,))
    return [story]


@scenario
def d12_not_when_random_order():
    """IKE fragments in random order, spread over 2 s: legal, and complete."""
    story = Story("d12order").agree().skf(5, order=(4, 2, 5, 1, 3), pause=0.5)
    return [story.at(2.5).skf(2, to_server=False).at(2.8).esp()]


@scenario
def d12_not_when_repeat_completes():
    """The first sending loses a fragment, the second brings all."""
    story = Story("d12again").agree().skf(3, lose=(2,)).at(1.1).skf(3)
    return [story.at(1.2).skf(2, to_server=False).at(1.5).esp()]


# --- D13 to D18: sizes

@scenario
def d13_skf_too_big():
    """IKE fragments of 1900 octets on a path of 1500: they come as IP fragments."""
    story = Story("d13").agree().skf(3, size=1900)
    return [story.at(0.2).skf(2, to_server=False).at(0.5).esp()]


@scenario
def d13_not_when_they_fit():
    """IKE fragments of just 1500 octets with their headers."""
    story = Story("d13fit").agree().skf(3, size=1468)
    return [story.at(0.2).skf(2, to_server=False).at(0.5).esp()]


@scenario
def d14_skf_shrunk():
    """Two large IKE fragments get no answer; the client sends the same message as six small ones."""
    story = Story("d14").agree().skf(2, size=1468, last=1400).at(2.1).skf(6, size=540)
    return [story.at(2.2).skf(2, to_server=False).at(2.5).esp()]


@scenario
def d14_not_when_repeat():
    """The same two IKE fragments again."""
    story = Story("d14again").agree().skf(2).at(2.1).skf(2)
    return [story.at(2.2).skf(2, to_server=False).at(2.5).esp()]


@scenario
def d15_switch_to_ike_frag():
    """One plain try of 1400 octets, and IKE fragments 3 s later."""
    story = Story("d15").agree().auth(1400).at(3.1).skf(2)
    return [story.at(3.2).skf(2, to_server=False).at(3.5).esp()]


@scenario
def d15_not_when_at_once():
    """IKE fragments at once, and again after 1 s."""
    story = Story("d15once").agree().skf(2).at(1.1).skf(2)
    return [story.at(1.2).skf(2, to_server=False).at(1.5).esp()]


@scenario
def d16_skf_over_receiver_limit():
    """A Windows client behind a small MTU sends 29 IKE fragments; all arrive, the server stays silent (it takes 16)."""
    story = Story("d16").agree()
    for time in (0.1, 1.1, 3.1):
        story.at(time).skf(29, size=520, last=300)
    return [story]


@scenario
def d16_not_when_within():
    """Twelve IKE fragments and silence: within every known limit, so D07."""
    story = Story("d16within").agree()
    for time in (0.1, 1.1, 3.1):
        story.at(time).skf(12, size=520, last=300)
    return [story]


@scenario
def d17_init_ipfragmented():
    """An IKE_SA_INIT of 2 kB (many vendor IDs) in IP fragments."""
    return [Story("d17").agree(pad=1700).well()]


@scenario
def d17_partly():
    """The same, and of its IP fragments only the first ever arrives: D09 says why the handshake failed, D17 what to change."""
    story = Story("d17part")
    for time in (0, 1, 3):
        story.at(time).init(pad=1700, lose=(-1,))
    return [story]


@scenario
def d17_not_when_just_fits():
    """A large IKE_SA_INIT that just fits in one packet."""
    return [Story("d17fit").agree(pad=1080).well()]


@scenario
def d18_intermediate_stuck():
    """IKE_INTERMEDIATE with a post-quantum key in two IKE fragments, of which the large one never arrives."""
    story = Story("d18").agree(intermediate=True)
    for time in (0.1, 1.1, 3.1):
        story.at(time).skf(2, exchange=INTERMEDIATE, lose=(1,))
    return [story]


@scenario
def d18_not_when_answered():
    """IKE_INTERMEDIATE is repeated once, answered, and IKE_AUTH follows with message ID 2."""
    story = Story("d18well").agree(intermediate=True).skf(2, exchange=INTERMEDIATE).at(1.1).skf(2, exchange=INTERMEDIATE)
    story.at(1.2).skf(2, exchange=INTERMEDIATE, to_server=False).at(1.3).skf(2, message_id=2)
    return [story.at(1.4).skf(2, message_id=2, to_server=False).at(1.7).esp()]


# --- D19 to D23: negotiation

@scenario
def d19_cookie_loop():
    """The server asks for a cookie again and again, though the client sends it."""
    story = Story("d19").init()
    for number in range(4):
        cookie = noise("cookie%d" % number, 16)
        story.at(number + 0.05).refuse(COOKIE, cookie).at(number + 0.1).init(cookie=cookie)
    return [story]


@scenario
def d19_not_when_one_round():
    """One COOKIE round, then all goes well."""
    cookie = noise("cookie", 16)
    story = Story("d19one").init().at(0.05).refuse(COOKIE, cookie).at(0.1).init(cookie=cookie)
    return [story.at(0.15).init_answer().at(0.2).well()]


@scenario
def d20_invalid_ke_loop():
    """The server wants group 19, the client keeps offering 14."""
    story = Story("d20").init(group=14)
    for time in (0, 2, 4):
        story.at(time + 0.05).refuse(INVALID_KE, struct.pack("!H", 19)).at(time + 2).init(group=14)
    return [story]


@scenario
def d20_not_when_one_round():
    """INVALID_KE_PAYLOAD once; the client goes along."""
    story = Story("d20one").init(group=14).at(0.05).refuse(INVALID_KE, struct.pack("!H", 19)).at(0.1).init(group=19)
    return [story.at(0.15).init_answer().at(0.2).well()]


@scenario
def d21_no_proposal():
    """NO_PROPOSAL_CHOSEN in the clear."""
    return [Story("d21").init().at(0.05).refuse(NO_PROPOSAL)]


@scenario
def d21_not_when_scanner():
    """The same to a scanner's bare request."""
    return [Story("d21scan").init(offer=False, vendor=None, nat=False).at(0.05).refuse(NO_PROPOSAL)]


@scenario
def d22_auth_rejected_probably():
    """IKE_AUTH is answered with 80 octets, and nothing follows: AUTHENTICATION_FAILED, by its size."""
    return [Story("d22").agree().auth().at(0.3).answer(80)]


@scenario
def d22_clear_error():
    """IKE_AUTH is answered with a clear AUTHENTICATION_FAILED: the server had no keys to encrypt it."""
    return [Story("d22clear").agree().auth().at(0.3).clear_error(AUTHENTICATION_FAILED, AUTH, 1)]


@scenario
def d22_not_when_esp_follows():
    """An answer of 80 octets, and ESP after it."""
    return [Story("d22esp").agree().auth().at(0.3).answer(80).at(0.5).esp()]


@scenario
def d22_not_when_eap():
    """EAP: six rounds of small messages, then the last answer and ESP."""
    story = Story("d22eap").agree().auth(500).at(0.3).answer(1400)
    for message_id in range(2, 8):
        story.at(message_id).auth(120, message_id=message_id)
        story.at(message_id + 0.2).answer(260 if message_id == 7 else 100, message_id=message_id)
    return [story.at(8).esp()]


@scenario
def d23_integrity_or_state():
    """The server answers IKE_AUTH with a clear INVALID_IKE_SPI: it does not know the handshake."""
    return [Story("d23").agree().auth().at(0.2).clear_error(INVALID_SPI)]


@scenario
def d23_answers_not_heard():
    """Each IKE_AUTH is answered in one packet, and the client keeps asking."""
    story = Story("d23again").agree()
    for time in (0.1, 1.1, 3.1, 7.1):
        story.at(time).auth().at(time + 0.05).answer()
    return [story]


@scenario
def d23_not_when_established():
    """A healthy handshake into which somebody throws a clear INVALID_IKE_SPI."""
    return [Story("d23forged").agree().auth().at(0.15).clear_error(INVALID_SPI).at(0.2).answer().at(0.5).esp()]


# --- D24, D25: load balancers and NAT

@scenario
def d24_lb_split():
    """Seen behind a load balancer: IKE_SA_INIT on 500 went to 10.0.0.5, IKE_AUTH on 4500 goes to 10.0.0.6."""
    first = Story("d24", server="10.0.0.5").agree()
    second = Story("d24", server="10.0.0.6")
    return [first, tries(second, (0.1, 1.1, 3.1))]


@scenario
def d24_not_when_sticky():
    """The same with both ports at 10.0.0.5 and silence: D07."""
    return [tries(Story("d24sticky", server="10.0.0.5").agree(), (0.1, 1.1, 3.1))]


def behind_nat(count):
    return [at(5.0 * number, Story("nat%d" % number, port=1024 + number, nat_port=2024 + number).agree().well())
            for number in range(count)]


@scenario
def d25_one_source_many_peers():
    """Ten clients behind one source NAT are connected; the eleventh gets no answer."""
    last = tries(Story("nat-last", port=1999, nat_port=2999).agree(), (0.1, 1.1, 3.1))
    return behind_nat(10) + [at(60, last)]


@scenario
def d25_not_when_all_go_well():
    """Twelve clients behind one source NAT, all connected (an office, carrier-grade NAT)."""
    return behind_nat(12)


@scenario
def d25_not_when_few():
    """Three clients behind one NAT, the fourth gets no answer: D07."""
    last = tries(Story("nat-few", port=1999, nat_port=2999).agree(), (0.1, 1.1, 3.1))
    return behind_nat(3) + [at(60, last)]


# --- D26 to D28: ICMP

@scenario
def d26_pmtu_seen():
    """A router says that the server's answer is too big for its link of 1400."""
    story = Story("d26").agree(True, False).auth().at(0.2).answer(1450).icmp(3, 4, "192.0.2.1", False, 1400)
    return [story.at(0.4).answer(1300).at(0.6).esp()]


@scenario
def d26_by_first_fragment():
    """IKE_AUTH comes in IP fragments of 1396 octets: the client's link takes 1396 to 1403."""
    return [Story("d26size", mtu=1400).agree(False, False).well(2200)]


@scenario
def d26_not_when_forged():
    """ICMP 'fragmentation needed' that quotes a flow nobody has, and one with an impossible MTU."""
    story = Story("d26forged").agree().auth().at(0.2).answer()
    other = Story("d26other", client="192.0.2.99").init()
    story.at(0.25).icmp(3, 4, "192.0.2.1", True, 1000, quote=other.records[0][1])
    story.at(0.3).icmp(3, 4, "192.0.2.1", True, 40)
    return [story.at(0.5).esp()]


@scenario
def d27_icmp_reassembly_timeout():
    """IKE_AUTH arrives here in full three times; after 30 s the server says that it could not put its fragments together."""
    story = tries(Story("d27").agree(True, False), (0.1, 1.1, 3.1), size=2200)
    return [story.at(30.2).icmp(11, 1, "198.51.100.5")]


@scenario
def d27_not_when_established():
    """An ICMP of a lost first try, but the second goes well."""
    story = Story("d27well").agree(False, False).auth(2200).at(1.1).well(2200)
    return [story.at(30.2).icmp(11, 1, "198.51.100.5")]


@scenario
def d28_icmp_unreachable():
    """The server answers every IKE_SA_INIT with 'port unreachable': the service is down."""
    story = Story("d28")
    for time in (0, 1, 3):
        story.at(time).init().at(time + 0.02).icmp(3, 3, "198.51.100.5")
    return [story]


@scenario
def d28_filtered():
    """A router forbids UDP 4500: 'communication administratively prohibited'."""
    story = Story("d28filter").agree()
    for time in (0.1, 1.1, 3.1):
        story.at(time).auth().at(time + 0.02).icmp(3, 13, "192.0.2.254")
    return [story]


@scenario
def d28_not_when_it_goes_on():
    """One 'port unreachable' while the server restarts; the repeat is answered."""
    story = Story("d28again").init().at(0.02).icmp(3, 3, "198.51.100.5").at(1)
    return [story.agree().well()]


# --- D29, D30, D34: here

@scenario
def d29_frag_policy_drop_here():
    """Our own max_fragments of 2 refuses an IKE_AUTH of four fragments, again and again. See config.toml."""
    return [tries(Story("d29").agree(True, False), (0.1, 1.1, 3.1), size=5000)]


@scenario
def d29_not_when_limits_allow():
    """The same with the default limits: it passes and is answered."""
    return [Story("d29well").agree(True, False).well(5000)]


def rewritten(story, address="192.168.7.5"):
    """Recorded on both sides of a firewall with DNAT: 2 ms after each packet to the server the same goes to its inside address."""
    def inside(packet):
        udp = packet[20:26] + b"\0\0" + packet[28:]
        return packets.ipv4(story.client, address, udp, int.from_bytes(packet[4:6], "big"))

    to_server = packets.packed(story.server)
    story.records += [(time + 0.002, inside(packet)) for time, packet in story.records if packet[16:20] == to_server]
    return story


def turned_away(name, **init):
    """Three openings that come in and do not go out, beside a client that gets through."""
    story = Story(name, client="192.0.2.66")
    for time in (10, 11, 13):
        story.at(time).init(**init)
    return [rewritten(Story(name + "/other").agree().well()), story]


@scenario
def d29_client_turned_away():
    """Recorded on both sides of a firewall with DNAT. One client gets through; of another, a Windows client, three openings come in
    and none goes out: a blocklist, a rate limit or rp_filter of that firewall."""
    return turned_away("d29away")


@scenario
def d29_not_when_blocklisted_scanner():
    """The same, but what is dropped is a scanner's: bare openings. A firewall with a blocklist sees that every day, and it is right."""
    return turned_away("d29scan", offer=False, vendor=None, nat=False)


def overlapping(pieces, source, destination, datagram, identification):
    """The last fragment begins 8 octets early, with other bytes."""
    start = 1480
    evil = packets.piece(source, destination, noise("evil", len(datagram) - start + 8), identification, start - 8, False)
    return [pieces[0], evil]


@scenario
def d30_frag_attack():
    """Fragments of IKE_AUTH that overlap with different bytes, three times."""
    return [tries(Story("d30").agree(False, False), (0.1, 1.1, 3.1), size=2200, twist=overlapping)]


@scenario
def d30_not_when_duplicate():
    """Every fragment comes twice, byte for byte: a network's fault, not an attack."""
    def doubled(pieces, *_):
        return [piece for piece in pieces for _ in range(2)]
    story = Story("d30twice").agree(False, False).auth(2200, twist=doubled)
    return [story.at(0.2).answer().at(0.5).esp()]


@scenario
def d34_order_violation_fixed():
    """The fragments of IKE_AUTH arrive last first; they are released in order."""
    story = Story("d34").agree(False, False).auth(3400, order=(2, 1, 0))
    return [story.at(0.2).answer().at(0.5).esp()]


@scenario
def d34_not_when_in_order():
    """The same in order."""
    return [Story("d34order").agree(False, False).well(3400)]


# --- D31 to D33, D35: facts

@scenario
def d31_retransmit_pattern():
    """IKE_AUTH at 0, 4, 11.2, 24.2 and 47.5 s: strongSwan's timing."""
    return [tries(Story("d31").agree(vendor=None), (0.1, 4.1, 11.3, 24.3, 47.6))]


@scenario
def d31_not_when_two_gaps():
    """Three tries prove nothing about the stack."""
    return [tries(Story("d31two").agree(), (0.1, 1.1, 3.1))]


@scenario
def d32_handshake_ok():
    """IKE fragments both ways, ESP after it."""
    story = Story("d32").agree().skf(3)
    return [story.at(0.25).skf(3, to_server=False).at(0.5).esp()]


@scenario
def d32_not_when_unproven():
    """IKE_AUTH is answered, and the capture ends: whether the tunnel came up was not seen."""
    return [Story("d32end").agree().auth().at(0.2).answer()]


@scenario
def d33_v1_frag_state():
    """IKEv1: only the client announces FRAGMENTATION; the certificate message comes in IP fragments."""
    return [Story("d33").main_mode(client_vid=True)]


@scenario
def d33_not_when_agreed():
    """IKEv1 with the vendor ID both ways and payload 132."""
    return [Story("d33well").main_mode(True, True, fragments=2)]


def carrier(bad):
    stories = [at(30 * number, Story("home%d" % number, client="192.0.2.%d" % (number + 1)).agree(False, False).well())
               for number in range(20)]
    for number in range(bad):
        story = Story("carrier%d" % number, client="100.64.7.%d" % (number + 1)).agree(False, False)
        stories.append(at(30 * number + 10, tries(story, (0.1, 1.1), size=2200, lose=(-1,))))
    return stories


@scenario
def d35_tunnel_frag_only_from_net():
    """Twenty clients behind carrier-grade NAT all lose their fragments, twenty others all succeed."""
    return carrier(20)


@scenario
def d35_not_when_few():
    """Nineteen against twenty: too few to accuse a carrier."""
    return carrier(19)


# --- healthy ones of every kind

@scenario
def healthy_ipv6_ipfrag():
    """IPv6, IKE_AUTH both ways in IP fragments."""
    return [Story("healthy6", client="2001:db8:1::7", server="2001:db8:2::5").agree(False, False).well(3400, 3000)]


def key_exchange(story, exchange, message_id, request, answer, **way):
    """One more key exchange under the keys there are: AES-GCM around a KE payload of that many octets of key."""
    sizes = [28 + 4 + 8 + 8 + key + 1 + 16 for key in (request, answer)]
    for size, to_server in zip(sizes, (True, False)):
        if size <= 1248:  # 1280 octets with IPv4, UDP and the non-ESP marker
            story.encrypted(size, exchange, message_id, to_server, **way)
        else:
            # Each fragment carries an IV, a pad length and a tag of its own, and four octets of numbers.
            story.skf(2, 1248, to_server, exchange, message_id, last=size - 1248 + 28 + 8 + 8 + 1 + 16)
        story.at(story.now + 0.04)
    return story


@scenario
def healthy_ml_kem():
    """Post-quantum: x25519 in IKE_SA_INIT with ML-KEM-768 as ADDKE1, then IKE_INTERMEDIATE (RFC 9242) whose request of 1249 octets is
    one octet too large for a packet of 1280 on port 4500 and comes in two IKE fragments, then IKE_AUTH with message ID 2; a
    minute later the IKE SA is rekeyed with CREATE_CHILD_SA and IKE_FOLLOWUP_KE (RFC 9370). Sizes as PROTOCOL's RFCs lay them out."""
    story = Story("mlkem").agree(intermediate=True, group=31, additional=36)
    key_exchange(story, INTERMEDIATE, 1, 1184, 1088)
    story.skf(3, message_id=2).at(0.4).skf(3, message_id=2, to_server=False)
    story.at(60).encrypted(300, 36, 3).at(60.05).encrypted(300, 36, 3, to_server=False).at(60.1)
    return [key_exchange(story, FOLLOWUP_KE, 4, 1184, 1088)]


@scenario
def healthy_ml_kem_1024():
    """ML-KEM-1024 and a second additional key exchange: two rounds of IKE_INTERMEDIATE, each of them fragmented both ways, then
    IKE_AUTH with message ID 3 and ESP."""
    story = Story("mlkem1024").agree(intermediate=True, group=31, additional=37)
    key_exchange(story, INTERMEDIATE, 1, 1568, 1568)
    key_exchange(story, INTERMEDIATE, 2, 1568, 1568)
    story.skf(3, message_id=3).at(0.5).skf(3, message_id=3, to_server=False)
    return [story.at(0.8).esp()]


@scenario
def healthy_300_skf():
    """IKE_AUTH answered in 300 tiny IKE fragments, more than most receivers take; this one did."""
    return [Story("skf300").agree().skf(1).at(0.2).skf(300, size=100, last=80, to_server=False).at(0.5).esp()]


@scenario
def healthy_racoon():
    """IKEv1 main mode with its last messages in payload 132 and IKEv1's encryption flag set on those, as racoon does."""
    return [Story("racoon", client="203.0.113.9").main_mode(True, True, fragments=3, flags=1)]


@scenario
def healthy_lossy():
    """A lossy path: IKE_SA_INIT and IKE_AUTH each repeated twice before they get through."""
    story = Story("lossy").init().at(1).init().at(3).agree()
    return [story.at(3.2).auth().at(4.2).auth().at(6.2).auth().at(6.3).answer().at(6.6).esp()]


@scenario
def healthy_rekey_and_dpd():
    """A handshake, then a CREATE_CHILD_SA of the client and dead-peer detection of the server."""
    story = Story("rekey").agree().well().at(30).encrypted(400, 36, 2).at(30.1).encrypted(300, 36, 2, to_server=False)
    story.at(60).encrypted(80, 37, 0, to_server=False, from_initiator=False, response=False)
    return [story.at(60.1).encrypted(80, 37, 0, to_server=True, from_initiator=True, response=True)]
