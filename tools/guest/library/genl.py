# SPDX-License-Identifier: GPL-2.0
"""The netlink family `trunk`, by the kernel's own client and byte by byte.

The client (`client()`) knows the family from its spec, and uses names. `Raw` sends messages that the
client cannot send, such as one with an attribute that is too short.
"""

import errno
import pickle
import socket
import struct
import sys
import types

from lab import KIND, attribute, attributes, eventually

YNL = "/ynl/pyynl"
SPEC = f"/ynl/specs/{KIND}.yaml"

NETLINK_GENERIC, SOL_NETLINK = 16, 270
ADD_MEMBERSHIP, CAP_ACK, EXT_ACK, GET_STRICT_CHK = 1, 10, 11, 12
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR, NLM_F_DUMP, NLM_F_CAPPED, NLM_F_ACK_TLVS = (
    1, 2, 4, 16, 0x300, 0x100, 0x200)  # fmt: skip
NLMSG_ERROR, NLMSG_DONE = 2, 3
EXTACK_MSG, EXTACK_OFFS, EXTACK_MISS_TYPE, EXTACK_MISS_NEST = 1, 2, 5, 6
NESTED = 0x8000
GENL_ID_CTRL, CTRL_GETFAMILY, CTRL_FAMILY_ID, CTRL_FAMILY_NAME, CTRL_MCAST_GROUPS = 16, 3, 1, 2, 7


sys.path.append(YNL)
import lib  # the client, as a library


def read_once(yaml):
    """Returns a module in place of the client's yaml, which keeps the spec. The client reads the spec for
    each socket, and that takes longer than most of what a test does with the socket."""
    with open(SPEC) as file:
        text = file.read()
    known = pickle.dumps(yaml.load(text, Loader=lib.SpecFamily._yaml_loader))

    def load(stream, Loader):
        again = stream.read()
        return pickle.loads(known) if again == text else yaml.load(again, Loader=Loader)

    return types.SimpleNamespace(load=load)


lib.nlspec.pyyaml = read_once(lib.nlspec.pyyaml)
# Names may have any bytes; the client expects ASCII.
lib.ynl.NlAttr.as_strz = lambda attr: attr.raw.rstrip(b"\0").decode(errors="surrogateescape")


def client():
    """Returns a client in the current namespace."""
    return lib.YnlFamily(SPEC, schema="")


class Control:
    """A trunk of the namespace that was current when this was made, by the client."""

    def __init__(self, dev="trunk0"):
        self.client, self.dev = client(), dev
        self.index = socket.if_nametoindex(dev)
        self.mine = {"ifindex": self.index}

    def get(self):
        return self.client.do("trunk-get", self.mine)

    def set(self, **settings):
        """Changes settings: set(far_end="aggregate")."""
        self.client.do("trunk-set", self.mine | dashed(settings))

    def ports(self):
        """Returns a dictionary: name → attributes of the port."""
        return {m["port"]["ifname"]: m["port"] for m in self.client.dump("port-get", self.mine)}

    def port(self, name):
        return self.ports()[name]

    def port_set(self, name, **settings):
        self.client.do("port-set", {"port": {"ifindex": self.ports()[name]["ifindex"]} | dashed(settings)})

    def table(self):
        """Returns the buckets, in order."""
        return [bucket for m in self.client.dump("table-get", self.mine) for bucket in m["bucket"]]

    def column(self, what="port"):
        """Returns one attribute of all buckets; for `port` and `home`, the name of the port or None."""
        names = {port["ifindex"]: name for name, port in self.ports().items()}
        return [names.get(bucket.get(what)) if what in ("port", "home") else bucket.get(what) for bucket in self.table()]

    def table_set(self, homes, auto=False):
        """Sets homes: bucket → name of a port, or None for automatic."""
        ports = self.ports()
        buckets = [{"index": n} | ({"home": ports[name]["ifindex"]} if name else {}) for n, name in homes.items()]
        self.client.do("table-set", self.mine | ({"table-auto": True} if auto else {}) | {"bucket": buckets})

    def failback(self, port=None):
        names = {"port": {"ifindex": self.ports()[port]["ifindex"]}} if port else {}
        self.client.do("failback", self.mine | names)

    def statistics(self, port=None):
        """Returns the counters of the trunk, or of a port."""
        for m in self.client.dump("stats-get", self.mine):
            if m.get("port", {}).get("ifname") == port:
                return m["statistics"]

    def history(self):
        return [event for m in self.client.dump("history-get", self.mine) for event in m["event"]]


    def missing(self):
        """Returns the missing ports by name: priority, weight, enabled."""
        ports = [m["port"] for m in self.client.dump("missing-get", self.mine)]
        return {port["ifname"]: (port["priority"], port["weight"], port["enabled"]) for port in ports}

    def await_port(self, name, **settings):
        self.client.do("missing-add", self.mine | {"port": {"ifname": name} | settings})

    def forget_port(self, name):
        self.client.do("missing-del", self.mine | {"port": {"ifname": name}})

    def claims(self):
        """Returns the claims, oldest first."""
        return [claim for m in self.client.dump("claim-get", self.mine) for claim in m["claim"]]


class Holder:
    """A socket that may hold claims of a trunk, in the namespace that was current when this was made."""

    def __init__(self, dev="trunk0"):
        self.client, self.mine = client(), {"ifindex": socket.if_nametoindex(dev)}
        self.seen = []

    def claim(self, port, mark, **more):
        """Claims a link, by the port's interface index. Returns the claim of the answer."""
        reply, = self.client.do("claim-add", self.mine | {"claim": [{"port": port, "mark": mark} | more]})["claim"]
        return reply

    def release(self, mark):
        self.client.do("claim-del", self.mine | {"claim": [{"mark": mark}]})

    def close(self):
        self.client.sock.close()

    def told(self):
        """Returns all notifications so far about the claims of this socket."""
        self.client.check_ntf()
        while not self.client.async_msg_queue.empty():
            heard = self.client.async_msg_queue.get()
            self.seen += heard["msg"]["claim"]
        return self.seen


def dashed(settings):
    return {name.replace("_", "-"): value for name, value in settings.items()}


class Events:
    """The events of the current namespace from now on, by the client."""

    def __init__(self):
        self.client = client()
        self.client.ntf_subscribe("events")
        self.seen = []

    def look(self):
        """Returns all events so far: (name of the notification, message, event)."""
        self.client.check_ntf()
        while not self.client.async_msg_queue.empty():
            heard = self.client.async_msg_queue.get()
            self.seen += [(heard["name"], heard["msg"], event) for event in heard["msg"]["event"]]
        return self.seen

    def until(self, condition, what):
        """Waits for an event for which condition(event) holds, and returns the first such event."""
        eventually(lambda: any(condition(event) for _, _, event in self.look()), f"event: {what}")
        return next(event for _, _, event in self.seen if condition(event))


# Byte by byte


def u32(kind, value):
    return attribute(kind, struct.pack("I", value))


def nest(kind, *parts):
    return attribute(kind | NESTED, b"".join(parts))


def messages(data):
    """Yields (type, payload) of each netlink message in received data."""
    while data:
        length, kind = struct.unpack_from("IH", data)
        yield kind, data[16:length]
        data = data[(length + 3) & ~3 :]


EVENT, SEQ = 14, 1  # attributes: an event, its number


def event_number(payload):
    """Returns the number of the event in a notification."""
    inner = dict(attributes(dict(attributes(payload[4:]))[EVENT]))
    return int.from_bytes(inner[SEQ], "little")


class Answer:
    """How a request ended. error: errno or 0; text, offset, missing: of the extended answer, or None;
    messages: what came before the end, each as its bytes after the generic netlink header."""

    def __init__(self):
        self.error, self.text, self.offset, self.missing, self.messages = None, None, None, None, []
        self.interrupted = False

    def __repr__(self):
        name = errno.errorcode.get(self.error, self.error)
        return f"{name} {self.text!r} at {self.offset}, missing {self.missing}, {len(self.messages)} messages"


class Raw:
    """A generic netlink socket of the current namespace."""

    def __init__(self, family=KIND):
        self.socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_GENERIC)
        for option in (CAP_ACK, EXT_ACK, GET_STRICT_CHK):
            self.socket.setsockopt(SOL_NETLINK, option, 1)
        self.sequence = 0
        answer = self.ask(CTRL_GETFAMILY, attribute(CTRL_FAMILY_NAME, family), to=GENL_ID_CTRL)
        if answer.error:
            raise OSError(answer.error, f"family {family}")
        found = dict(attributes(answer.messages[0]))
        self.family, = struct.unpack("H", found[CTRL_FAMILY_ID])
        self.groups = {}
        for _, group in attributes(found[CTRL_MCAST_GROUPS]) if CTRL_MCAST_GROUPS in found else ():
            parts = dict(attributes(group))
            self.groups[parts[1].rstrip(b"\0").decode()], = struct.unpack("I", parts[2])

    def message(self, command, body=b"", flags=NLM_F_ACK, to=None):
        """The bytes of a request."""
        self.sequence += 1
        head = struct.pack("IHHII", 20 + len(body), self.family if to is None else to, flags | NLM_F_REQUEST,
                           self.sequence, 0)  # fmt: skip
        return head + struct.pack("BBH", command, 1, 0) + body

    def ask(self, command, body=b"", flags=NLM_F_ACK, to=None):
        """Sends a request, and returns its answer."""
        self.socket.send(self.message(command, body, flags, to))
        return self.answer()

    def dump(self, command, body=b""):
        return self.ask(command, body, NLM_F_ACK | NLM_F_DUMP)

    def answer(self):
        """Receives the answer to the last request."""
        answer = Answer()
        while answer.error is None:
            data = self.socket.recv(1 << 17)
            while data:
                length, kind, flags, sequence, _ = struct.unpack_from("IHHII", data)
                payload, data = data[16:length], data[(length + 3) & ~3 :]
                if sequence != self.sequence:  # an event
                    continue
                answer.interrupted |= bool(flags & NLM_F_DUMP_INTR)
                if kind in (NLMSG_ERROR, NLMSG_DONE):
                    answer.error = -struct.unpack_from("i", payload)[0]
                    if flags & NLM_F_ACK_TLVS:
                        self.extended(answer, payload[20 if kind == NLMSG_ERROR else 4 :])
                else:
                    answer.messages.append(payload[4:])
        return answer

    @staticmethod
    def extended(answer, data):
        for kind, value in attributes(data):
            if kind == EXTACK_MSG:
                answer.text = value.rstrip(b"\0").decode()
            elif kind == EXTACK_OFFS:
                answer.offset, = struct.unpack("I", value)
            elif kind == EXTACK_MISS_TYPE:
                answer.missing, = struct.unpack("I", value)

    def subscribe(self, group="events"):
        self.socket.setsockopt(SOL_NETLINK, ADD_MEMBERSHIP, self.groups[group])
