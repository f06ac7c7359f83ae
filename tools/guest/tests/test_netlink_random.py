# SPDX-License-Identifier: GPL-2.0
"""Any netlink request is answered by success or an errno with a text; a refusal changes nothing."""

import errno

import genl
from genl import NESTED, NLM_F_ACK, NLM_F_DUMP, Control, Raw
from lab import *

REQUESTS = 4_000


class Requests:
    """Random requests, as bytes: valid ones by the spec, most of which are then damaged."""

    def __init__(self, random, trunks, ports, others):
        """Interface indices: of trunks, of ports, of other devices and of none."""
        self.random, self.trunks, self.ports, self.indexes = random, trunks, ports, trunks + ports + others
        self.spec = genl.lib.SpecFamily(genl.SPEC, schema_path="")
        self.ops = list(self.spec.ops.values())
        self.sets = self.spec.attr_sets
        self.spoilers = [
            self.drop, self.repeat, self.stranger, self.other_value, self.other_length, self.flags, self.shuffle,
            self.noise, self.length, self.deep, self.empty_nest,
        ]  # fmt: skip

    def one(self):
        """Returns (operation or None, its number, bytes after the header, whether it is a dump)."""
        op = self.random.choice(self.ops)
        mode = self.random.choice([m for m in ("do", "dump") if m in op.yaml])
        wanted = op.yaml[mode].get("request", {}).get("attributes", [])
        parts = self.sound(op.name, op.attr_set, wanted)
        number, dump = op.req_value, mode == "dump"
        if self.random.random() < 0.6:
            for _ in range(self.random.choice([1, 1, 1, 2, 3])):
                parts = self.random.choice(self.spoilers)(op.attr_set, parts)
        if self.random.random() < 0.02:
            number = self.random.randrange(256)
            op = next((op for op in self.ops if op.req_value == number), None)
        if self.random.random() < 0.02:
            dump = not dump
        return op, number, b"".join(parts), dump

    # Valid attributes

    def sound(self, name, names, wanted):
        """Yields most of the attributes, each with a value in its range."""
        parts = []
        wanted = [a for a in wanted if a in self.required(name) or self.random.random() < 0.4]
        if "role" in wanted:  # is enough
            wanted = [a for a in wanted if a not in ("selector", "far-end")]
        for attr in wanted:
            repeats = self.random.choice([1, 1, 2, 5, 40]) if names[attr].is_multi else 1
            if name in ("table-get", "claim-add", "claim-del"):
                repeats = 1
            parts += [self.attribute(names, attr, name) for _ in range(repeats)]
        return parts

    @staticmethod
    def required(name):
        named = {"port-get": ["port"], "port-set": ["port"], "table-get": ["ifindex", "bucket"],
                 "claim-add": ["ifindex", "claim"], "claim-del": ["ifindex", "claim"],
                 "missing-add": ["ifindex", "port"], "missing-del": ["ifindex", "port"]}  # fmt: skip
        return named.get(name, ["ifindex"])

    # First the attribute that names it
    WRITABLE = {"port": ["ifindex", "priority", "weight", "enabled"], "bucket": ["index", "home"], "claim": ["mark", "port", "name"],
                "auto-join": ["name", "driver", "bus", "address", "priority"]}  # fmt: skip

    def attribute(self, names, attr, op=""):
        spec = names[attr]
        if spec["type"] != "nest":
            return attribute(spec.value, self.value(names.name, attr, spec))
        inner = self.sets[spec["nested-attributes"]]
        if inner.name not in self.WRITABLE:
            chosen = self.random.sample(list(inner.attrs), 2)
        else:
            key, *rest = self.WRITABLE[inner.name]
            chosen = [key] + [a for a in rest if op.endswith("-set") and self.random.random() < 0.5]
            if op == "claim-add":
                chosen = [key, "port"]
            if op.startswith("missing"):
                chosen = ["ifname"] + [a for a in rest if op == "missing-add" and self.random.random() < 0.5]
        return attribute(spec.value | NESTED, b"".join(self.attribute(inner, a) for a in chosen))

    def value(self, names, attr, spec):
        checks, random = spec.yaml.get("checks", {}), self.random
        if attr in ("ifindex", "home", "port"):
            likely = self.trunks if names == "trunk" else self.ports
            return struct.pack("I", random.choice(likely if random.random() < 0.9 else self.indexes))
        if attr == "bits":
            return struct.pack("I", random.choice([0, 1, 2, 3, 4, 5, 5, 5, 6, 8]))
        if attr == "index":
            return struct.pack("I", random.randrange(1 << random.choice([0, 3, 4, 5, 5, 5, 8])))
        if attr == "mark":
            return struct.pack("I", random.randrange(1, 4))
        if attr == "key":
            return random.randbytes(random.choice([0, 16]))
        if attr == "probe-address":
            return random.choice([b"\x01\x80\xc2\0\0\x0e", mac(random.getrandbits(40))])
        if attr in ("interval", "reply-timeout"):  # short ones, so that claims do not wait long
            return struct.pack("I", random.choice([1_000, 2_000, 10_000]))
        if attr == "failback-delay":  # long ones, so that none ends during the test
            return struct.pack("I", random.randrange(3_600_000, 86_400_001))
        if spec["type"] == "flag":
            return b""
        if attr == "address":
            return random.randbytes(random.randint(1, 6))
        if spec["type"] == "string":  # one that matches no device
            return b"none1\0"
        if spec["type"] == "uint":
            return struct.pack("Q", random.getrandbits(64))
        if "enum" in spec:
            return struct.pack("I", random.randrange(len(self.spec.consts[spec["enum"]].entries)))
        low, high = checks.get("min", 0), checks.get("max", 0xFFFF_FFFF)
        return struct.pack("I", random.choice([low, high, random.randint(low, high), random.randint(low, min(high, low + 4))]))

    # Damage. Each function takes a list of attributes and returns another one.

    def drop(self, names, parts):
        return [part for part in parts if self.random.random() < 0.5]

    def repeat(self, names, parts):
        return parts + self.random.choices(parts, k=self.random.choice([1, 2, 30])) if parts else parts

    def stranger(self, names, parts):
        """Adds an attribute that the operation does not take, or that does not exist."""
        if self.random.random() < 0.5:
            known = [a for a in names if not a.startswith("unspec")]
            return parts + [self.attribute(names, self.random.choice(known), "-set")]
        return parts + [attribute(self.random.choice([0, 15, 99, 0x3FFF]), self.random.randbytes(self.random.randrange(12)))]

    def within(self, parts, change):
        """Applies change(kind, payload) to any attribute, also in nests."""
        sound = [n for n, part in enumerate(parts) if list(tolerant(part))]
        if not sound:
            return parts
        at = self.random.choice(sound)
        length, kind = struct.unpack_from("HH", parts[at])
        payload = parts[at][4:length]
        if kind & NESTED and self.random.random() < 0.8:
            inner = [attribute(k | NESTED * (k == 0), v) for k, v in tolerant(payload)]
            new = attribute(kind, b"".join(self.within(inner, change)))
        else:
            new = change(kind, payload)
        return parts[:at] + [new] + parts[at + 1 :]

    def other_value(self, names, parts):
        numbers = [0, 1, 2, 3, 16, 17, 64, 65_535, 65_536, 86_400_000, 86_400_001, 1 << 31, (1 << 32) - 1, *self.indexes]
        return self.within(parts, lambda kind, payload: attribute(kind, struct.pack("I", self.random.choice(numbers))))

    def other_length(self, names, parts):
        length = self.random.choice([0, 1, 2, 3, 5, 8, 100, 5_000])
        return self.within(parts, lambda kind, payload: attribute(kind, self.random.randbytes(length)))

    def flags(self, names, parts):
        return self.within(parts, lambda kind, payload: attribute(kind ^ self.random.choice([0x8000, 0x4000, 0xC000]), payload))

    def shuffle(self, names, parts):
        return self.random.sample(parts, len(parts))

    def noise(self, names, parts):
        return parts + [self.random.randbytes(self.random.choice([1, 3, 4, 7, 64]))]

    def length(self, names, parts):
        """Gives an attribute a wrong length."""
        if not parts:
            return parts
        at = self.random.randrange(len(parts))
        false = struct.pack("H", self.random.choice([0, 1, 3, 4, 5, len(parts[at]) + 4, 0xFFFF]))
        return parts[:at] + [false + parts[at][2:]] + parts[at + 1 :]

    def deep(self, names, parts):
        inner = b""
        for _ in range(self.random.choice([3, 20, 200])):
            inner = attribute(self.random.choice([names["port"].value, names["bucket"].value]) | NESTED, inner)
        return parts + [inner]

    def empty_nest(self, names, parts):
        return parts + [attribute(names[self.random.choice(["port", "bucket", "event"])].value | NESTED, b"")]


def tolerant(data):
    """Returns the attributes of a payload, as far as it can be parsed."""
    while len(data) >= 4:
        length, kind = struct.unpack_from("HH", data)
        if not 4 <= length <= len(data):
            return
        yield kind, data[4:length]
        data = data[(length + 3) & ~3 :]


class World:
    """trunk0 ─┬─ eth1 ── sw1      trunk1 ─── dummy1      there: trunk9 ─── dummy9
               ├─ eth2 ── sw2      dummy2
               └─ eth3 ── sw3
    """

    def __init__(self):
        self.star, self.there = Star(3), Netns()
        with self.star.server:
            ip(f"""link add trunk1 type {KIND}
                   link add dummy1 type dummy
                   link add dummy2 type dummy
                   link set dummy1 master trunk1
                   link set trunk1 up""")
            for dev in "trunk0", "trunk1":
                bring_up(dev)
            self.control = Control()
            self.root = Raw()
            os.seteuid(65534)  # a socket has at most the rights of the process that opened it
            self.nobody = Raw()
            os.seteuid(0)
            here = [number for number, _ in socket.if_nameindex()]
            self.trunk1 = socket.if_nametoindex("trunk1")
        with self.there:
            ip(f"""link add trunk9 index 4711 type {KIND}
                   link add dummy9 index 4712 type dummy
                   link set dummy9 master trunk9""")
            self.outside = Raw()
        spec = self.control.client
        port = spec.attr_sets["port"]
        self.port_nest, self.passing = spec.attr_sets["trunk"]["port"].value, {port[name].value for name in ("rounds", "rounds-missed")}
        probe = spec.attr_sets["trunk"]["probe"].value
        self.by_carrier = spec.ops["trunk-set"].req_value, attribute(probe, 0)
        ports = [port["ifindex"] for port in self.control.ports().values()]
        # For random requests: trunks, ports, others
        self.indexes = [self.control.index], ports, here + [4711, 4712, 9_999, 0x7FFF_FFFF]
        self.gets = [self.control.client.ops[name].req_value for name in ("trunk-get", "port-get", "claim-get")]
        self.table = self.control.client.ops["table-get"].req_value

    def state(self):
        """Returns all that is visible of both namespaces, without counters."""
        seen = [raw.dump(get) for raw in (self.root, self.outside) for get in self.gets]
        seen += [self.root.dump(self.table), self.outside.dump(self.table)]
        for answer in seen:
            equal((answer.error, answer.interrupted), (0, False), "end of a dump")
        return [[self.lasting(m) for m in answer.messages] for answer in seen]

    def lasting(self, message):
        parts = [(kind, attributes(value) if kind == self.port_nest else value) for kind, value in attributes(message)]
        return [(kind, [part for part in value if part[0] not in self.passing] if kind == self.port_nest else value)
                for kind, value in parts]  # fmt: skip

    def require_no_answers(self):
        """Switches probes off: no peer answers here, so ports that need answers would become sby in the next round."""
        command, mode = self.by_carrier
        ifindex = self.control.client.attr_sets["trunk"]["ifindex"].value
        for raw, trunk in ((self.root, self.control.index), (self.root, self.trunk1), (self.outside, 4711)):
            answer = raw.ask(command, attribute(ifindex, trunk) + mode)
            equal(answer.error, 0, f"probe auto of trunk {trunk}")
        reason = self.control.client.attr_sets["port"]["reason"].value
        by_probes = self.control.client.consts["reason"].entries["probe-timeout"].value

        def over():
            messages = self.root.dump(self.gets[1]).messages + self.outside.dump(self.gets[1]).messages
            ports = [dict(attributes(dict(attributes(m))[self.port_nest])) for m in messages]
            return all(struct.unpack("I", port[reason])[0] < by_probes for port in ports)

        eventually(over, "no port is sby for want of replies")


# Refusals of generic netlink itself, before the family gets the request, have no text.
WORDLESS = {errno.EPERM, errno.EOPNOTSUPP}


@repeats
def test_random_requests():
    """
    4,000 valid and damaged requests, by root, by the user nobody, and from another namespace. A request
    that is refused changes no trunk.
    """
    world = World()
    random = seeded()
    requests = Requests(random, *world.indexes)
    asking = [world.root] * 8 + [world.nobody, world.outside]
    before, tally = world.state(), {}
    for _ in range(count(REQUESTS, on_stock=0.25)):
        op, number, body, dump = requests.one()
        raw = random.choice(asking)
        answer = raw.ask(number, body, NLM_F_ACK | NLM_F_DUMP * dump)
        what = f"{op and op.name} ({number}){' dump' * dump} by {who(world, raw)} {body.hex()}: {answer}"
        key = (op.name if op else "none", "ok" if not answer.error else errno.errorcode[answer.error])
        tally[key] = tally.get(key, 0) + 1
        changes = op and "uns-admin-perm" in op.yaml.get("flags", [])
        if answer.error:
            expect(answer.error in errno.errorcode, f"no errno: {what}")
            expect(answer.text or answer.error in WORDLESS or not op, f"no words: {what}")
            if changes and not dump and raw is world.nobody:
                equal(answer.error, errno.EPERM, what)
        elif changes:
            expect(raw is not world.nobody, f"not refused: {what}")
            before = settled(world)
            continue
        after = world.state()
        expect(after == before, f"changed: {difference(before, after)} by {what}")
    for name in sorted({name for name, _ in tally}):
        note(f"{name}: {dict((how, n) for (which, how), n in sorted(tally.items()) if which == name)}")
    for op in requests.ops:
        expect(SLOW or tally.get((op.name, "ok")), f"{op.name} never succeeded")


def difference(before, after):
    """Returns the messages that are in only one of them."""
    return [[m for m in one if m not in other] for was, now in zip(before, after) for one, other in ((was, now), (now, was))]


def who(world, raw):
    return {world.root: "root", world.nobody: "nobody", world.outside: "an outsider"}[raw]


def settled(world):
    """Checks after a success that the table agrees with the ports. Returns the state."""
    world.require_no_answers()
    state = world.state()
    got, ports, table = world.control.get(), world.control.ports(), world.control.table()
    equal(len(table), 1 << got["bits"], "buckets")
    act = {port["ifindex"] for port in ports.values() if port["state"] == "act"}
    carrying = {bucket.get("port") for bucket in table}
    expect(carrying <= (act or {None}), f"buckets on {carrying}, ports that are act {act}")
    for what, column in (("buckets", "port"), ("homes", "home")):
        for name, port in ports.items():
            equal(port[what], sum(bucket.get(column) == port["ifindex"] for bucket in table), f"{what} of {name}")
    return state


def test_random_requests_while_devices_come_and_go():
    """
    CPU 0 ┐            random requests and dumps from two processes, and frames, while
          ├─ trunk0    ports and trunks come and go: each is answered
    CPU 1 ┘
    """
    world = World()
    chance = seeded()
    seeds = [chance.randrange(1 << 32) for _ in range(2)]

    def asking(seed):
        def go(stop):
            requests, raw = Requests(random.Random(seed), *world.indexes), Raw()
            while not stop():
                _, number, body, dump = requests.one()
                raw.ask(number, body, NLM_F_ACK | NLM_F_DUMP * dump)

        return go

    with world.star.server:
        netlink = Rtnetlink()
        with Background(asking(seeds[0]), 0), Background(asking(seeds[1]), 1), Background(flooding("trunk0"), 0):
            for step in range(count(200)):
                name = chance.choice(["eth1", "eth2", "eth3", "dummy1", "dummy2"])
                try:
                    match chance.randrange(5):
                        case 0:
                            netlink.master(name, None)
                        case 1 | 2:
                            netlink.up(name, False)
                            netlink.master(name, chance.choice(["trunk0", "trunk1"]))
                        case 3:
                            netlink.up(name, chance.random() < 0.7)
                        case 4:
                            netlink.delete("trunk1")
                            netlink.add("trunk1", KIND)
                            netlink.up("trunk1")
                except OSError:
                    pass
        ip("link del trunk0")
        equal([m["ifname"] for m in genl.client().dump("trunk-get", {})], ["trunk1"], "trunks left")
