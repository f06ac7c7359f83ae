# SPDX-License-Identifier: GPL-2.0
"""Links fail and recover one after the other. After each step both ends use the same links, which are those
of an independent model of Documentation/sources.rst, S2."""

from hosts import *


class Model:
    """The links of one end, by points S2.1 to S2.8 of Documentation/sources.rst.

    A user is a claim, or a working link with its traffic. Each user has an own link and, while that is not
    usable, a spare that no other user has. Links have the names of the server's ports.
    """

    def __init__(self, priorities, order):
        """`order`: the links in the order of both ends within a priority."""
        self.priorities = priorities
        self.ranked = sorted(priorities, key=lambda link: (priorities[link], order.index(link)))
        self.silent, self.cut = set(), set()
        self.users = [Model.User(link) for link in self.ranked if priorities[link] == 1]
        self.claims = {}

    class User:
        def __init__(self, own):
            self.own, self.has = own, own

    def usable(self):
        """Returns the links whose state is ACT; if there are none, those with carrier."""
        carriers = set(self.priorities) - self.cut
        return carriers - self.silent or carriers

    def free(self, link, user):
        """Returns whether a user can have a link: a spare has one user, a working link any number."""
        others = [other for other in [*self.users, *self.claims.values()] if other is not user]
        return self.priorities[link] == 1 or link not in [other.has for other in others]

    def settle(self):
        usable = self.usable()
        everyone = [*self.users, *self.claims.values()]  # they choose in this order
        for user in everyone:
            if user.has not in usable:
                user.has = None
        # S2.5: the original turns ACT again, and its user returns to it.
        moved = True
        while moved:
            moved = False
            for user in everyone:
                if user.has != user.own and user.own in usable and self.free(user.own, user):
                    user.has = user.own
                    moved = True
        # S2.2, S2.4, S2.6: the spare that is ACT, not in use and of highest priority.
        for user in everyone:
            if user.has is None:
                spares = [link for link in self.ranked if self.priorities[link] > 1 and link in usable]
                user.has = next((link for link in spares if self.free(link, user)), None)

    def stand_ins(self):
        return {user.has: user.own for user in self.users if user.has not in (user.own, None)}

    def states(self):
        broken = self.silent | self.cut
        return {link: "sby" if link in broken else "act" for link in self.priorities}

    def carriers(self):
        """Returns the links by which buckets go. Buckets of a user without a link go by the links of the
        others; if there are none, by the best usable link."""
        own = {user.has for user in self.users if user.has}
        return own or set([link for link in self.ranked if link in self.usable()][:1])


class Course:
    """Two hosts, the model of what they do, and steps that change both."""

    def __init__(self, priorities, crossed=None, **settings):
        self.pair = Pair(priorities, crossed=crossed, switch_priorities=self.crossed(priorities, crossed), **settings)
        self.links = self.pair.server.ports
        self.model = Model(dict(zip(self.links, priorities)), self.order())
        self.own = {far: port for port, far in self.pair.far.items()} | {port: port for port in self.links}

    @staticmethod
    def crossed(priorities, order):
        """Returns the priorities of the switch's ports with which both ends of a cable agree."""
        if order is None:
            return priorities
        far = [0] * len(priorities)
        for priority, n in zip(priorities, order):
            far[n - 1] = priority
        return far

    def order(self):
        """Returns the order of links: that of the port numbers at the end with the lower identity."""
        names = {}
        for host in self.pair.hosts:
            port = next(iter(host.control.ports().values()))
            names[host] = (port["peer"]["system"], port["peer"]["trunk"])
        server, switch = self.pair.hosts
        if names[switch] < names[server]:  # each end has the identity of the other one
            return self.links
        return sorted(self.links, key=lambda port: switch.index[self.pair.far[port]])

    def seen(self, host):
        """Returns the state of a host's links, with the names of the model."""
        ports = host.control.ports()
        return {
            "states": {self.own[name]: port["state"] for name, port in ports.items()},
            "stand-ins": {self.own[name]: self.own[host.name[port["stands-in-for"]]]
                          for name, port in ports.items() if "stands-in-for" in port},
            "carriers": {self.own[name] for name, port in ports.items() if port["buckets"]},
        }  # fmt: skip

    def wanted(self):
        return {"states": self.model.states(), "stand-ins": self.model.stand_ins(), "carriers": self.model.carriers()}

    def agreed(self, what):
        """Waits until both ends agree with the model. Checks that no frame is lost."""
        self.model.settle()
        wanted, got = self.wanted(), {}
        for host in self.pair.hosts:
            def same():
                got.update(self.seen(host))
                return got == wanted

            eventually(same, lambda: f"{host.ports[0][:-1]} after {what} is {wanted}; it is {got}")
        self.traffic(what)

    def traffic(self, what):
        """Sends frames of each bucket from both ends. Checks that they all arrive, by the links of the model."""
        server, switch = self.pair.hosts
        alive = [link for link, state in self.model.states().items() if state == "act"]
        if not alive:
            return
        for one, other in (server, switch), (switch, server):
            with other.netns:
                taps = Taps(other.ports)
            for bucket in range(32):
                one.trunk.send(frame(mac(bucket), mac(1), bucket))
            where = numbers(taps.take(32))
            equal(sorted(where), list(range(32)), f"frames that arrived after {what}")
            equal({self.own[other.ports[index]] for index in where.values()}, self.model.carriers(), f"links of frames after {what}")

    def fail(self, link, way):
        panel = self.pair.panel
        if way == "carrier":
            self.model.cut.add(link)
            panel.pull(link)
        else:
            self.model.silent.add(link)
            for end in panel.ends(link)[:: -1 if way == "one way" else 1][: 1 if way == "one way" else 2]:
                panel.spoil(end, loss=1)

    def mend(self, link):
        panel = self.pair.panel
        if link in self.model.cut:
            self.model.cut.discard(link)
            panel.plug(link)
        self.model.silent.discard(link)
        panel.heal(link)

    def broken(self, link):
        return link in self.model.cut or link in self.model.silent


@repeats
@cases("silence", "one way", "carrier")
def test_working_links_and_spares_fail_in_sequence(way):
    """
    eth1 ══ sw1    working    fail in this order: 1, 2, then the spares that came for them,
    eth2 ══ sw2    working    first that of priority 2, then that of 3; recovered in another
    eth3 ══ sw3    working    order. The last spare has one user at a time
    eth4 ══ sw4    spare, priority 2
    eth5 ══ sw5    spare, priority 3
    eth6 ══ sw6    spare, priority 4
    """
    course = Course((1, 1, 1, 2, 3, 4))
    steps = ["-eth1", "-eth2", "-eth4", "-eth5", "+eth2", "+eth5", "-eth6", "+eth4", "-eth3", "+eth1", "+eth6", "+eth3"]
    for step in steps:
        link = step[1:]
        if step[0] == "-":
            course.fail(link, way)
        else:
            course.mend(link)
        course.agreed(f"{step} of {steps}")
    equal(course.model.stand_ins(), {}, "stand-ins at the end")


@repeats
def test_both_ends_rank_links_of_one_priority_alike():
    """
    eth1 ─╮╭─ sw1    the cables are crossed, so each end has other numbers for the links:
    eth2 ─┼┼─ sw2    both ends choose the same spares
    eth3 ─┼┼─ sw3
    …     ╰╯   …
    """
    course = Course((1, 1, 2, 2, 2, 2), crossed=[2, 1, 6, 4, 3, 5])
    for step in "-eth1", "-eth2", "+eth1", "-eth1":
        (course.mend if step[0] == "+" else lambda link: course.fail(link, "silence"))(step[1:])
        course.agreed(step)


@trodden
@cases(*range(2), alike=True)
def test_random_sequences(_):
    """
    eth1 ══ sw1    links, as many working as spare ones, fail in any way and recover in any
    …       …      order
    """
    random = seeded()
    priorities = sorted(random.choice([1, 2, 2, 3]) for _ in range(5)) + [1]
    random.shuffle(priorities)
    order = random.sample(range(1, 7), 6)
    note(f"priorities {priorities}, cables to {order}")
    course = Course(priorities, crossed=order)
    done = []
    for _ in range(count(25, least=6)):
        link = random.choice(course.links)
        if course.broken(link):
            course.mend(link)
            done.append(f"+{link}")
        else:
            way = random.choice(["silence", "one way", "carrier"])
            course.fail(link, way)
            done.append(f"-{link} ({way})")
        course.agreed(f"steps {done}")
