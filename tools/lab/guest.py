#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""guest.py demo|shell|bench|stock|debug|kunit [COMMAND…]: boots a guest and shows what it prints.

Guests: what they boot, how they run, and how they talk to us.

stock   QEMU, Debian's own kernel
debug   QEMU, a kernel with every check
kunit   User-Mode Linux with sanitizers; all it says comes by its console

A QEMU guest has three serial lines. The first is the kernel's console. By the second the guest asks
for something, a line a request, and is answered with "ok" or "error …":

    link net1 down|up    pull the cable of its NIC 1 (counted from 0), at both ends, or plug it in
    barrier NAME         wait until all guests of this run have asked for the same
    time                 answers "ok" and the host's monotonic clock in ns

The third carries what the guest's command prints. The end is a line "lab: end STATUS" on it.
"""

import collections
import json
import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import initramfs

LAB = Path(__file__).resolve().parent
TOP = LAB.parent.parent
MEMORY = {"stock": "1G", "debug": "2G", "kunit": "512M"}
CHECKS = {"stock": "", "debug": "lockdep,kmemleak", "kunit": ""}
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


def named(*words):
    """A path as env.sh has it: of a variable, or of a function with its argument."""
    shell = f'. "$0/env.sh"; {" ".join(words) if words[1:] else f"echo ${words[0]}"}'
    return Path(subprocess.run(["bash", "-c", shell, LAB], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


class Guest:
    """One guest. `words`: the command it runs; `nics`: a socket each, its other end another guest's."""

    def __init__(self, kind, words, name=None, nics=(), role="single", boots=None, checks=None, shell=False,
                 arguments="", options=()):
        self.kind, self.name = kind, name or kind
        self.status = None  # of the command, once it has ended as it should
        self.partial = collections.defaultdict(bytes)
        tree = named("tree", kind)
        kernel = boots or tree
        initrd = initramfs.build(tree, TOP / "build" / kind, TOP / "tools/guest")
        append = (f"panic=-1 log_buf_len=4M rdinit=/init lab.role={role} lab.run={','.join(words)} "
                  f"lab.checks={CHECKS[kind] if checks is None else checks} {arguments}")
        self.lines = {}  # socket → what it is
        self.shell = shell
        if kind == "kunit":
            self.start_uml(kernel, initrd, append)
        else:
            self.start_qemu(kernel, initrd, append, nics, role, options)

    def start_uml(self, kernel, initrd, append):
        """UML resets a terminal it shares, so it gets none."""
        ours, theirs = socket.socketpair()
        self.process = subprocess.Popen(
            [*DIES_WITH_US, kernel / "image", f"mem={MEMORY['kunit']}", f"initrd={initrd}", "con=null", "con0=fd:0,fd:1", "con1=null",
             *append.split()], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        theirs.close()
        self.output = ours
        self.lines = {ours: "output"}

    def start_qemu(self, kernel, initrd, append, nics, role, options):
        command = [*DIES_WITH_US, "qemu-system-x86_64", "-M", "q35", "-cpu", "max", "-m", MEMORY[self.kind], "-nodefaults",
                   "-display", "none", "-no-reboot", "-kernel", str(kernel / "image"), "-initrd", str(initrd)]
        if not any(o == "-smp" for o in options):
            command += ["-smp", "2"]
        if not any(o == "-icount" for o in options):
            # Emulation works everywhere and alike; hardware that is really there is the user's to name.
            command += ["-accel", os.environ.get("ACCEL", "tcg")]
        passed = []

        def line(name):
            ours, theirs = socket.socketpair()
            passed.append(theirs)
            self.lines[ours] = name
            command.extend(["-chardev", f"socket,id={name},fd={theirs.fileno()}"])
            return ours

        if self.shell:
            append += " lab.shell quiet loglevel=4"
            command += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        else:
            append += " loglevel=5"
            line("console")
            command += ["-serial", "chardev:console"]
        self.requests = line("requests")
        self.output = line("output")
        self.monitor = line("monitor")
        command += ["-serial", "chardev:requests", "-serial", "chardev:output", "-mon", "chardev=monitor,mode=control"]
        for i, nic in enumerate(nics):
            passed.append(nic)
            command += ["-netdev", f"stream,id=net{i},server=off,addr.type=fd,addr.str={nic.fileno()}",
                        "-device", f"virtio-net-pci,netdev=net{i},addr={0x10 + i:#x},"
                                   f"mac=52:54:00:{'01' if role == 'server' else '02'}:00:{i + 1:02x},romfile="]
        command += ["-append", f"console=ttyS0 {append}", *options]
        self.process = subprocess.Popen(command, pass_fds=[p.fileno() for p in passed],
                                        stdin=None if self.shell else subprocess.DEVNULL,
                                        start_new_session=not self.shell)
        for p in passed:
            p.close()
        self.tell_monitor("qmp_capabilities")

    def tell_monitor(self, command, **arguments):
        self.monitor.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")

    def answer(self, text):
        try:
            self.requests.sendall(text.encode() + b"\n")
        except OSError:
            pass  # it is gone: its end says the rest


class Run:
    """Guests run together until all have ended. heard(guest, line) gets each line of output as it comes."""

    def __init__(self, guests, heard, timeout):
        self.guests, self.heard = guests, heard
        self.log = {g: collections.deque(maxlen=40) for g in guests}
        self.waiting = collections.defaultdict(set)
        self.why = {}  # guest → why it did not end well
        logs = TOP / "build/log"
        logs.mkdir(parents=True, exist_ok=True)
        self.files = {g: open(logs / f"{g.name}.log", "w") for g in guests}
        try:
            self.loop(time.monotonic() + timeout)
        finally:
            for g in guests:
                g.process.kill()
                g.process.wait()
                self.files[g].close()

    def loop(self, end):
        with selectors.DefaultSelector() as selector:
            for g in self.guests:
                for s, name in g.lines.items():
                    selector.register(s, selectors.EVENT_READ, (g, name))
            while selector.get_map():
                left = end - time.monotonic()
                if left < 0:
                    for g in {key.data[0] for key in selector.get_map().values()}:
                        self.why[g] = "it did not end in time"
                    return
                for key, _ in selector.select(left):
                    g, name = key.data
                    try:
                        data = key.fileobj.recv(65536)
                    except ConnectionResetError:
                        data = b""
                    if not data:
                        selector.unregister(key.fileobj)
                        if name == "output":
                            self.ended(g)
                    *lines, g.partial[name] = (g.partial[name] + data).split(b"\n")
                    for l in lines:
                        self.line(g, name, l.decode(errors="replace").rstrip("\r"))

    def line(self, g, name, text):
        if name == "monitor":
            return
        if name == "requests":
            self.request(g, text.split())
            return
        self.files[g].write(text + "\n")
        self.log[g].append(text)
        if name == "output":
            if text.startswith("lab: end "):
                g.status = int(text.split()[2] or -1)
            else:
                self.heard(g, text)

    def request(self, g, words):
        match words:
            case ["link", nic, ("up" | "down") as state]:
                for end in self.guests:
                    end.tell_monitor("set_link", name=nic, up=state == "up")
                g.answer("ok")
            case ["barrier", name]:
                self.waiting[name].add(g)
                if len(self.waiting[name]) == len(self.guests):
                    for each in self.waiting.pop(name):
                        each.answer("ok")
            case ["time"]:
                g.answer(f"ok {time.monotonic_ns()}")
            case _:
                g.answer(f"error unknown request: {' '.join(words)}")

    def ended(self, g):
        """A guest is gone: whoever waits for it waits no more."""
        if g.status is None:
            self.why[g] = "it died"
        self.guests = [other for other in self.guests if other is not g]
        for others in self.waiting.values():
            for other in others - {g}:
                other.answer("error a guest is gone")
        self.waiting.clear()


def cables(count):
    """Both ends of so many cables: two lists of sockets."""
    return tuple(zip(*(socket.socketpair() for _ in range(count))))


def show(guest, line=lambda text: print(text, flush=True)):
    """Runs a guest for what it prints; how its command ended."""
    run = Run([guest], lambda g, text: line(text), 3600)
    if guest in run.why:
        print(*run.log[guest], f"{guest.name}: {run.why[guest]}", sep="\n", file=sys.stderr)
        return 1
    return guest.status


def demo():
    """The report on the kernel at the end is worth a line only if there is something in it."""
    colour = "lab.color=1" if sys.stdout.isatty() else ""
    return show(Guest("stock", ["python3", "/tests/demo.py"], name="demo", arguments=colour), without_ktap())


def without_ktap():
    notes = []

    def line(text):
        if re.match(r"not ok|# ", text):
            notes.append(text)
        if text.startswith("not ok"):
            print(*notes, sep="\n", flush=True)
        elif not re.match(r"KTAP|1\.\.|ok|# ", text):
            print(text, flush=True)

    return line


def shell(kind="stock"):
    size = shutil.get_terminal_size()
    guest = Guest(kind, ["python3", "/tests/topology.py"], name="shell", shell=True,
                  arguments=f"lab.terminal={size.lines}x{size.columns}")
    return guest.process.wait()


def bench():
    """One processor that takes a nanosecond of the guest's time for an instruction."""
    guest = Guest("stock", ["sh", "/tests/bench.sh"], name="bench", arguments="tsc=reliable clocksource=tsc",
                  options=["-smp", "1", "-icount", "shift=0,sleep=off"])
    results, plain = None, without_ktap()

    def line(text):
        nonlocal results
        if text == "BENCH-JSON-BEGIN":
            results = []
        elif text == "BENCH-JSON-END":
            out = TOP / "build/bench/results.json"
            out.parent.mkdir(parents=True, exist_ok=True)
            out.write_text("\n".join(results) + "\n")
            results = None
        elif results is not None:
            results.append(text)
        else:
            plain(text)

    return show(guest, line)


def main(what, *words):
    if what in MEMORY:
        return show(Guest(what, words or ["uname", "-a"]))
    return {"demo": demo, "shell": shell, "bench": bench}[what](*words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
