# SPDX-License-Identifier: GPL-2.0
"""Claims: processes that hold links of a trunk get one, change to a spare, and return."""

import concurrent.futures
import errno
import select

import genl
from genl import Events, Holder
from hosts import *
from test_health_sequences import Course, Model
from test_netlink import INVALID, RANGE


# In µs: a claim waits for answers no longer than this.
LONGEST = 1_000_000
# A link whose answer to a claim is late is not given to it. Lateness is not the subject here. So where
# the clock goes on while a processor waits for the machine, answers have as long as there is.
PATIENCE = 3 * INTERVAL if MOMENT == 0 else LONGEST
MISSES = 3


class Claimed:
    """A trunk whose links are claimed."""

    def __init__(self, pair):
        self.pair, self.server = pair, pair.server
        with self.server.netns:
            self.taps = Taps(self.server.ports, outgoing=True)

    def holder(self):
        with self.server.netns:
            return Holder()

    def by(self, mark, frames=8):
        """Returns the ports by which frames with this mark leave, with any addresses."""
        self.taps.take(0)
        with self.server.netns:
            sender = Sender("trunk0", mark=mark)
        for bucket in range(frames):
            sender.send(frame(mac(bucket), mac(1), bucket))
        sender.socket.close()
        return {self.server.ports[index] for index in numbers(self.taps.take(frames)).values()}

    def port(self, name):
        return self.server.index[name]

    def named(self, claim):
        """Returns a claim with names in place of interface indices, without its holder. Checks that the
        port at the other end of its link has the same number, and leaves that out."""
        names = {what: self.server.name[claim[what]] for what in ("port", "link", "old-link") if what in claim}
        at = names.get("link")
        equal(claim.get("peer-port"), self.server.ports.index(at) if at else None, "port at the other end")
        return {what: value for what, value in claim.items() if what not in ("holder", "peer-port")} | names


def claimed(priorities=(1, 1, 2, 3), patience=PATIENCE, misses=MISSES, **how):
    return Claimed(Pair(priorities, interval=patience, reply_timeout=patience, misses=misses, **how))


def refusal(request):
    """Returns errno and text of a refusal."""
    try:
        request()
    except genl.lib.NlError as error:
        return errno.errorcode[error.error], (error.nl_msg.extack or {}).get("msg", "")
    raise Failed("not refused")


@trodden
def test_a_claim_is_given_the_link_it_wants():
    """
    trunk0 ─┬─ eth1 ── sw1 ─┬─ trunk0    a working port serves a claim beside its buckets; frames
            ├─ eth2 ── sw2 ─┤            with its mark take it, in any bucket; other frames,
            ├─ eth3 ── sw3 ─┤ spare      and after the release those too, go by the table
            └─ eth4 ── sw4 ─┘ spare
    """
    it = claimed()
    server = it.server
    holder = it.holder()
    got = holder.claim(it.port("eth2"), 7, name="ntp")
    expect(got["holder"] > 0, f"holder of {got}")
    equal(it.named(got), {"mark": 7, "port": "eth2", "link": "eth2", "name": "ntp"}, "the claim")
    accounted(server, "eth2 claim")
    equal(server.control.claims(), [got], "claims")
    equal(it.by(7), {"eth2"}, "ports of frames with the mark")
    equal(it.by(0), {"eth1", "eth2"}, "ports of other frames")
    equal(it.by(8), {"eth1", "eth2"}, "ports of frames with another mark")
    port = server.control.port("eth2")
    equal((port["claims"], port.get("in-use"), server.control.port("eth1")["claims"]), (1, True, 0), "claims of ports")
    holder.release(7)
    accounted(server, "eth2 release")
    equal(it.by(7), {"eth1", "eth2"}, "ports of frames with the mark")
    equal((server.control.claims(), server.control.port("eth2")["claims"]), ([], 0), "claims after the release")
    equal(holder.told(), [], "notifications to the holder")
    quiet(it.pair)


@trodden
def test_a_claim_without_a_name_and_one_to_a_spare():
    """
    trunk0 ─┬─ eth1    working
            ├─ eth2    working    fails: eth3 is the better spare, but it is claimed, so eth4
            ├─ eth3    spare      stands in at both ends, though the claim is the server's
            └─ eth4    spare
    """
    it = claimed()
    server, switch = it.pair.hosts
    holder = it.holder()
    equal(it.named(holder.claim(it.port("eth3"), 1)), {"mark": 1, "port": "eth3", "link": "eth3"}, "the claim")
    equal(it.by(1), {"eth3"}, "ports of frames with the mark")
    equal(server.in_use(), {"eth1", "eth2", "eth3"}, "ports in use")
    eventually(lambda: switch.control.port("sw3")["peer"].get("in-use"), "the switch knows of it")
    it.pair.panel.lose("eth2")
    for host, port, spare in (server, "eth2", "eth4"), (switch, "sw2", "sw4"):
        eventually(lambda: host.stand_ins() == {spare: port}, f"{spare} stands in for {port}")
    equal(it.by(1), {"eth3"}, "ports of frames with the mark")
    carries(it.pair)


@cases("working", "spare", alike=True)
def test_a_claim_moves_and_returns(wanted):
    """
    trunk0 ─┬─ eth1 ─  ✗ ─ sw1 ─┬─ trunk0    the claimed link fails, in silence: the best spare that
            ├─ eth2 ────── sw2 ─┤            is free takes the claim; its holder is notified on
            ├─ eth3 ────── sw3 ─┤            its own socket, and again when the link is back
            ├─ eth4 ────── sw4 ─┤
            └─ eth5 ────── sw5 ─┘
    """
    it = claimed((1, 1, 2, 3, 4))
    server, holder, other = it.server, it.holder(), it.holder()
    # Buckets choose before claims.
    own, first, then = ("eth1", "eth4", "eth5") if wanted == "working" else ("eth3", "eth4", "eth5")
    holder.claim(it.port(own), 7, name="one")
    accounted(server, f"{own} claim")
    pair = it.pair
    pair.panel.lose(own)
    eventually(lambda: holder.told(), "the holder is notified")
    want = {"mark": 7, "port": own, "link": first, "old-link": own, "reason": "probe-timeout"}
    equal([it.named(claim) for claim in holder.told()], [want], "notifications to the holder")
    equal(it.by(7), {first}, "ports of frames with the mark")
    expect({own: "probe-timeout"}.items() <= server.states().items(), f"states: {server.states()}")
    told = [f"{own} sby probe-timeout", rf"{own} claim-moved {first} probe-timeout"]
    accounted(server, *told, *([f"{own} failover eth3 probe-timeout"] if wanted == "working" else []))
    moved = next(event for event in reversed(server.control.history()) if event["kind"] == "claim-moved")
    expect(moved["detection-ns"] > (MISSES - 1) * PATIENCE * 1000 and moved["switch-ns"] >= MOMENT, f"times of {moved}")
    pair.panel.lose(first)
    eventually(lambda: len(holder.told()) == 2, "the holder is notified of the next")
    want |= {"link": then, "old-link": first}
    equal(it.named(holder.told()[1]), want, "notifications to the holder")
    equal(it.by(7), {then}, "ports of frames with the mark")
    pair.panel.heal(own)
    eventually(lambda: len(holder.told()) == 3, "the holder is notified of the return")
    back = it.named(holder.told()[2])
    equal({name: back.get(name) for name in ("mark", "port", "link", "old-link")},
          {"mark": 7, "port": own, "link": own, "old-link": then}, "notifications to the holder")  # fmt: skip
    expect(back.get("reason", "none") == "none", f"a reason for the return: {back}")
    equal(it.by(7), {own}, "ports of frames with the mark")
    pair.panel.heal(first)
    for host in pair.hosts:
        pair.until(host)
    quiet_after = holder.told()
    pair.server.rounds(3)
    equal(holder.told(), quiet_after, "notifications to the holder")
    equal(other.told(), [], "notifications to another socket")


@trodden
def test_a_claim_without_link():
    """
    trunk0 ─┬─ eth1 ─  ✗ ─ sw1 ─┬─ trunk0    no spare is free: frames with the mark go by the table,
            └─ eth2 ────── sw2 ─┘            until the link is back
    """
    it = claimed((1, 1))
    holder = it.holder()
    holder.claim(it.port("eth1"), 7)
    it.pair.panel.lose("eth1")
    eventually(lambda: holder.told(), "the holder is notified")
    lost = it.named(holder.told()[0])
    equal((lost["old-link"], lost.get("link"), lost["reason"]), ("eth1", None, "probe-timeout"), "notifications to the holder")
    equal(it.by(7), {"eth2"}, "ports of frames with the mark")
    equal(it.server.control.claims()[0].get("link"), None, "link of the claim")
    it.pair.panel.heal("eth1")
    eventually(lambda: len(holder.told()) == 2, "the holder is notified")
    equal(it.named(holder.told()[1])["link"], "eth1", "notifications to the holder")
    equal(it.by(7), {"eth1"}, "ports of frames with the mark")


@trodden
def test_a_wanted_link_that_does_not_answer():
    """
    trunk0 ─┬─ eth1 ─  ✗ ─ sw1 ─┬─ trunk0    silent for less than it takes to be noticed: the round
            ├─ eth2 ────── sw2 ─┤            of probes at the claim shows it, and a spare is given
            ├─ eth3 ────── sw3 ─┤
            └─ eth4 ────── sw4 ─┘
    """
    it = claimed(misses=255)  # so that health does not notice
    holder = it.holder()
    it.pair.panel.lose("eth1", "eth3")
    got = it.named(holder.claim(it.port("eth1"), 7))
    equal((got["port"], got["link"]), ("eth1", "eth4"), "the claim")
    equal(it.by(7), {"eth4"}, "ports of frames with the mark")
    equal(set(it.server.states().values()), {"act"}, "states")
    it.server.forget_told()
    it.pair.panel.heal("eth1", "eth3")
    eventually(lambda: holder.told(), "the claim has its own link once that answers")
    equal(it.named(holder.told()[0])["link"], "eth1", "notifications to the holder")


CLAIM_ADD, IFINDEX, CLAIM, MARK, PORT = 11, 1, 27, 1, 2


def asks(it, name, mark):
    """Returns a socket that has claimed a link, and has not read the answer."""
    with it.server.netns:
        raw = genl.Raw()
    wish = genl.nest(CLAIM, genl.u32(MARK, mark), genl.u32(PORT, it.port(name)))
    raw.socket.send(raw.message(CLAIM_ADD, genl.u32(IFINDEX, it.server.control.index) + wish))
    return raw


def answered(raw):
    """Returns whether the answer is there."""
    return bool(select.select([raw.socket], [], [], 0)[0])


def test_a_claim_that_waits_keeps_nobody_waiting():
    """
    trunk0 ─┬─ eth1 ─ ✗    a claim to it waits for an answer, a second at most; meanwhile another
            └─ eth2        module registers a family of generic netlink
    """
    if attempt("modprobe team").returncode or attempt("rmmod team").returncode:
        raise Skipped("team cannot be loaded and removed here")
    it = claimed((1, 1), patience=LONGEST, misses=255)
    it.pair.panel.lose("eth1")
    # On a slow machine it may be answered before the module is loaded: it is tried again then.
    for mark in range(1, 11):
        raw = asks(it, "eth1", mark)
        run("modprobe team")
        waits = not answered(raw)
        run("rmmod team")
        answer = raw.answer()
        equal((errno.errorcode[answer.error], answer.text),
              ("EBUSY", "claim.port: it cannot be had, and no spare is free"), "the answer")
        raw.socket.close()
        if waits:
            return
    raise Failed("whoever registers a family waits until the claim is answered")


@cases("deleted", "closed")
def test_a_claim_that_waits_ends(how):
    """
    trunk0 ─┬─ eth1 ─ ✗    a claim to it waits for an answer; then the trunk is deleted, or the
            └─ eth2        socket closed: the first is answered at once, and no claim remains
    """
    # On a slow machine it may be answered before that: it is tried again then.
    for _ in range(10):
        it = claimed((1, 1), patience=LONGEST, misses=255)
        it.pair.panel.lose("eth1")
        raw = asks(it, "eth1", 7)
        marks = [claim["mark"] for claim in it.server.control.claims()]
        if how == "deleted":
            with it.server.netns:
                ip("link del trunk0")
            ended = raw.answer().error
        else:
            ended = raw.answer().error if answered(raw) else None
            raw.socket.close()
        if ended == errno.EBUSY:
            continue
        equal(marks, [7], "claims")
        if how == "deleted":
            equal(errno.errorcode[ended], "ENODEV", "the answer")
        else:
            eventually(lambda: not it.server.control.claims(), "the claim has ended")
            equal(it.holder().claim(it.port("eth2"), 7)["mark"], 7, "the mark is free")
        return
    raise Failed("it never waits for as long as it takes to end it")


@trodden
def test_two_processes_and_two_spares():
    """
    trunk0 ─┬─ eth1 ─  ✗    eth1 serves two claims and fails: its buckets have the first choice,
            ├─ eth2         then the older claim, then the younger, which has to wait; a claim
            ├─ eth3         that ends frees its link
            └─ eth4
    """
    it = claimed((1, 1, 2, 3))
    server, one, two = it.server, it.holder(), it.holder()
    one.claim(it.port("eth1"), 1)
    two.claim(it.port("eth1"), 2)
    equal(server.control.port("eth1")["claims"], 2, "claims of eth1")
    it.pair.panel.lose("eth1")
    eventually(lambda: one.told() and two.told(), "both are notified")
    equal((it.named(one.told()[0]).get("link"), it.named(two.told()[0]).get("link")), ("eth4", None), "links")
    equal(server.stand_ins(), {"eth3": "eth1"}, "stand-ins")
    one.close()
    eventually(lambda: len(two.told()) == 2, "the younger is notified")
    equal(it.named(two.told()[1])["link"], "eth4", "its link")
    equal([claim["mark"] for claim in server.control.claims()], [2], "claims")
    it.pair.panel.heal("eth1")
    eventually(lambda: len(two.told()) == 3, "the younger is notified")
    equal(it.named(two.told()[2])["link"], "eth1", "its link")


def test_a_claim_ends_with_its_process():
    """
    process ── socket ── claim    the process is killed; a socket that holds nothing closes
    """
    it = claimed()
    server = it.server

    def hold(_):
        holder = Holder()
        holder.claim(it.port("eth3"), 5, name="victim")
        holder.claim(it.port("eth2"), 6, name="victim")
        os.write(ready[1], b"x")
        time.sleep(1_000_000)

    ready = os.pipe()
    with server.netns:
        victim = Background(hold)
        victim.__enter__()
    os.read(ready[0], 1)
    equal([(c["mark"], c["name"]) for c in server.control.claims()], [(5, "victim"), (6, "victim")], "claims")
    it.holder().close()
    equal(len(server.control.claims()), 2, "claims after another socket was closed")
    os.kill(victim.pid, signal.SIGKILL)
    os.waitpid(victim.pid, 0)
    eventually(lambda: not server.control.claims(), "the claims end")
    accounted(server, "eth3 claim", "eth2 claim", "eth3 release", "eth2 release")
    equal(server.in_use(), {"eth1", "eth2"}, "ports in use")
    it.holder().claim(it.port("eth3"), 5)  # is free again


@trodden
def test_who_may_claim_and_what():
    """
    trunk0 ─┬─ eth1    what is refused says why, and changes nothing
            ├─ eth2
            ├─ eth3
            └─ eth4
    """
    it = claimed()
    server, holder, other = it.server, it.holder(), it.holder()
    eth1, eth3 = it.port("eth1"), it.port("eth3")
    holder.claim(eth3, 7)
    before = server.control.claims()

    def no(request, number, words):
        got, text = refusal(request)
        equal(got, errno.errorcode[number], f"errno ({text})")
        equal(text, words, "words of the refusal")
        equal(server.control.claims(), before, "claims")

    no(lambda: other.claim(eth1, 7), errno.EEXIST, "claim.mark: 7 is claimed already")
    no(lambda: other.claim(eth1, 0), errno.ERANGE, RANGE)
    no(lambda: other.claim(9999, 8), errno.ENODEV, "claim.port: no port of the trunk has index 9999")
    trunk = server.control.index
    no(lambda: other.claim(trunk, 8), errno.ENODEV, f"claim.port: no port of the trunk has index {trunk}")
    no(lambda: other.claim(0, 8), errno.ERANGE, RANGE)
    no(lambda: other.claim(eth1, 8, name="x" * 32), errno.EINVAL, INVALID)
    for missing, words in (({"port": eth1}, "claim.mark: the mark of its frames is not said"),
                           ({"mark": 8}, "claim.port: which port is wanted is not said")):  # fmt: skip
        no(lambda: other.client.do("claim-add", other.mine | {"claim": [missing]}), errno.EINVAL, words)
    no(lambda: other.client.do("claim-add", other.mine), errno.EINVAL, "claim: what is claimed is not said")
    no(lambda: other.client.do("claim-add", other.mine | {"claim": [{"port": eth1, "mark": 8, "link": eth1}]}), errno.EINVAL,
       "claim.link: this is not to be set")  # fmt: skip
    no(lambda: other.release(9), errno.ENOENT, "claim.mark: 9 is not claimed")
    no(lambda: other.release(7), errno.EPERM, "claim.mark: the claim belongs to another socket")
    # Every link in use or claimed
    one = it.holder()
    one.claim(it.port("eth4"), 8)
    before = server.control.claims()
    busy = "claim.port: it cannot be had, and no spare is free"
    for port in eth3, it.port("eth4"):
        no(lambda: other.claim(port, 9), errno.EBUSY, busy)
    other.claim(eth1, 9)  # working ports serve any number
    server.set_port("eth1", enabled=0)
    before = server.control.claims()
    no(lambda: it.holder().claim(eth1, 10), errno.EBUSY, busy)
    server.forget_told()
    holder.release(7)
    accounted(server, "eth3 release", maybe=["eth1 (claim-moved|failover|failback).*"])


@trodden
def test_the_65th_claim():
    """
    trunk0 ─── eth1 ◄── 64 claims, and one more
    """
    it = claimed()
    holder = it.holder()
    it.server.set(probe="off")  # so that no claim waits for a round
    for mark in range(1, 65):
        holder.claim(it.port("eth1"), mark)
    before = it.server.control.claims()
    got, text = refusal(lambda: it.holder().claim(it.port("eth1"), 65))
    equal((got, text), ("ENOSPC", "claim: a trunk has at most 64 claims"), "errno and words")
    equal(it.server.control.claims(), before, "claims")
    holder.release(7)
    holder.claim(it.port("eth1"), 65)


def test_claims_of_a_trunk_that_is_down_or_goes():
    """
    trunk0 (down) ─┬─ eth1    a claim alone keeps links tested; the claim goes with its trunk
                   └─ …
    """
    it = claimed()
    server, switch = it.pair.hosts
    holder = it.holder()
    holder.claim(it.port("eth1"), 7)
    server.down()
    with server.netns:
        for port in server.ports:
            Rtnetlink().up(port)
    server.rounds(3)
    equal([claim["mark"] for claim in server.control.claims()], [7], "claims")
    holder.release(7)
    eventually(lambda: not switch.probed(), "the goodbye is heard")
    server.up()
    holder.claim(it.port("eth1"), 7)
    server.delete()
    server.make()
    equal(server.control.claims(), [], "claims of the next trunk")
    holder.close()


@cases("auto", "required")
def test_a_link_that_does_not_answer_is_claimed_of_a_trunk_that_is_down(mode):
    """
    trunk0 (down) ─┬─ eth1 ─ ░ ─ sw1    nobody has tested the links so far, so the claim finds out which
                   ├─ eth2 ───── sw2    answer: not eth1, so both claims get spares, and keep them until
                   ├─ eth3 ───── sw3    eth1 answers, or the trunk uses it all the same
                   └─ eth4 ───── sw4

    A claim is given a link that has answered within the reply-timeout, if there is one that is free,
    also if other claims wait at the same time.
    """
    it = claimed(patience=LONGEST, misses=2)
    server, switch = it.pair.hosts
    server.down()
    eventually(lambda: not switch.probed(), "the goodbye is heard")
    server.set(probe=mode)
    with server.netns:
        for port in server.ports:
            Rtnetlink().up(port)
    it.pair.panel.lose("eth1")
    holders = [it.holder(), it.holder()]
    with concurrent.futures.ThreadPoolExecutor(len(holders)) as both:
        got = list(both.map(lambda holder, mark: holder.claim(it.port("eth1"), mark), holders, (1, 2)))
    equal(sorted(it.named(claim)["link"] for claim in got), ["eth3", "eth4"], "links of the claims")
    server.rounds(4)  # twice as many as it takes to notice a silence
    equal([holder.told() for holder in holders], [[], []], "notifications to the holders")
    equal(sorted(it.named(claim)["link"] for claim in server.control.claims()), ["eth3", "eth4"], "links of the claims")
    if mode == "auto":
        server.up()  # from here on the carrier of eth1 decides, as for all frames
    else:
        it.pair.panel.heal("eth1")
    for holder in holders:
        eventually(lambda: holder.told(), "the holder is notified")
        equal([claim["link"] for claim in holder.told()], [it.port("eth1")], "link of the claim")


def test_a_port_with_a_claim_leaves():
    """
    trunk0 ─┬─ eth1    nomaster: the claim goes to a spare; when the port is back, it is another
            ├─ …       one, and nothing is returned
            └─ eth4
    """
    it = claimed()
    server, holder = it.server, it.holder()
    holder.claim(it.port("eth3"), 7)
    with server.netns:
        ip("link set eth3 nomaster")
    eventually(lambda: holder.told(), "the holder is notified")
    equal(server.name[holder.told()[0]["link"]], "eth4", "its link")
    equal(it.by(7), {"eth4"}, "ports of frames with the mark")
    with server.netns:
        ip("link set eth3 down\nlink set eth3 master trunk0")
    eventually(lambda: "eth3" in server.probed(), "its peer is found")
    server.rounds(3)
    equal(len(holder.told()), 1, "notifications to the holder")


@trodden
def test_datagrams_with_the_mark():
    """
    socket (SO_MARK 7) ── trunk0 ── eth3    what an ordinary program sends
    """
    it = claimed(ipv6=False)
    server, switch = it.pair.hosts
    for host, last in (server, 1), (switch, 2):
        with host.netns:
            ip(f"address add 192.0.2.{last}/24 dev trunk0")
    it.holder().claim(it.port("eth3"), 7)
    with switch.netns:
        listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        listener.bind(("192.0.2.2", 9))
    with server.netns:
        taps = Taps(server.ports, outgoing=True, type=0x0800)
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 7)
        for n in range(10):
            sock.sendto(bytes([n]), ("192.0.2.2", 9))
            equal(listener.recv(16), bytes([n]), "the datagram")
    equal({server.ports[index] for index, _ in taps.take(10)}, {"eth3"}, "ports of the datagrams")


# Against the model


class Claims(Course):
    """A course with claims, all at the server."""

    def __init__(self, priorities):
        super().__init__(priorities, interval=PATIENCE, reply_timeout=PATIENCE, misses=MISSES)
        self.holders = {}

    def claim(self, link, mark):
        server = self.pair.server
        with server.netns:
            self.holders[mark] = Holder()
        claim = Model.User(link)
        claim.has = None
        self.model.claims[mark] = claim
        self.model.settle()
        if claim.has is None:  # nothing is free
            equal(refusal(lambda: self.holders[mark].claim(server.index[link], mark))[0], "EBUSY", "errno")
            del self.model.claims[mark]
            self.holders.pop(mark).close()
            return
        got = self.holders[mark].claim(server.index[link], mark)
        equal(server.name[got["link"]], claim.has, f"link of claim {mark}")

    def release(self, mark):
        del self.model.claims[mark]
        self.holders.pop(mark).close()

    def seen(self, host):
        got = super().seen(host)
        if host is self.pair.server:
            got["claims"] = {claim["mark"]: host.name.get(claim.get("link")) for claim in host.control.claims()}
        else:
            got["claims"] = self.wanted()["claims"]
        return got

    def wanted(self):
        return super().wanted() | {"claims": {mark: claim.has for mark, claim in self.model.claims.items()}}


@repeats
def test_claims_and_buckets_compete_for_spares():
    """
    eth1…3 working, eth4…6 spares of ranks 2, 3 and 4; claims to working and to spare links
    """
    course = Claims((1, 1, 1, 2, 3, 4))
    course.claim("eth1", 1)
    course.claim("eth5", 2)
    course.agreed("two claims")
    for step in "-eth1", "-eth4", "-eth5", "+eth4", "-eth2", "+eth5", "+eth1", "+eth2":
        (course.mend if step[0] == "+" else lambda link: course.fail(link, "silence"))(step[1:])
        course.agreed(step)


@repeats
@cases(*range(2), alike=True)
def test_random_failures_and_claims(_):
    """
    eth1 ══ sw1    links fail and recover in any order, while processes come and go
    …       …
    """
    random = seeded()
    priorities = [1, *(random.choice([1, 2, 2, 3]) for _ in range(5))]
    note(f"priorities {priorities}")
    course = Claims(priorities)
    done = []
    for _ in range(count(25, least=6)):
        what = random.random()
        free = set(range(1, 6)) - set(course.holders)
        if what < 0.25 and free:
            mark, link = min(free), random.choice(course.links)
            done.append(f"claim {mark} to {link}")
            course.claim(link, mark)
        elif what < 0.4 and course.holders:
            mark = random.choice(sorted(course.holders))
            done.append(f"release {mark}")
            course.release(mark)
        else:
            link = random.choice(course.links)
            done.append(f"{'+' if course.broken(link) else '-'}{link}")
            course.mend(link) if course.broken(link) else course.fail(link, "silence")
        course.agreed(f"steps {done}")
