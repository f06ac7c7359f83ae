#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""guest.py demo [LAYOUT]|shell|bench [NAME]|stock|debug|uml|kunit [COMMAND…]: boots a guest and shows what it prints.
With SLOTS in the environment the guest has slots for cards.

The guests:

stock   QEMU, Debian's own kernel
debug   QEMU, a kernel with every check
uml     User-Mode Linux with sanitizers, a process on this machine; it can make no requests
kunit   the kernel of uml, for the tests in the kernel: all its output comes by its console

A QEMU guest has three serial lines. The first is the kernel's console. The second is for requests of the
guest, a line each. The answer is "ok" or "error …":

    link net1 down|up    pull the cable of its NIC 1 (numbers begin with 0) at both ends, or plug it in
    lose net1 both|in|out|none    lose all frames of its NIC 1, both ways or one, while it has carrier;
                         or none
    plug slot1 igb wire0 wire2    put a card of that model with two NICs into its slot 1 (of 8, from 0),
                         each on one of these wires; all NICs on a wire receive each other's frames
    unplug slot1         take the card out
    barrier NAME         wait until all guests of this run have made this request
    time                 answers "ok" and the host's monotonic clock in ns

The third carries the output of the guest's command. It ends with a line "lab: end STATUS".
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
MEMORY = {"stock": "1G", "debug": "2G", "uml": "1G", "kunit": "512M"}
CHECKS = {"stock": "", "debug": "lockdep,kmemleak", "uml": "", "kunit": ""}
TREE = {"uml": "kunit"}  # the kernel tree of a guest, if it has another name
LOST = {"in": "tx", "out": "rx"}  # the emulator's names of the two ways
SLOTS = 8
DIES_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]


def named(*words):
    """Returns a path of env.sh: of a variable, or of a function with its argument."""
    shell = f'. "$0/env.sh"; {" ".join(words) if words[1:] else f"echo ${words[0]}"}'
    return Path(subprocess.run(["bash", "-c", shell, LAB], stdout=subprocess.PIPE, text=True, check=True).stdout.strip())


class Guest:
    """A guest. `words`: its command. `nics`: a socket for each NIC; the other end is in another guest.
    `beside`: folders of build with further modules for it."""

    def __init__(self, kind, words, name=None, nics=(), role="single", boots=None, checks=None, shell=False,
                 arguments="", options=(), slots=0, more=None, beside=(), seed=None):
        self.kind, self.name = kind, name or kind
        self.status = None  # of the command, once the guest has reported it
        self.partial = collections.defaultdict(bytes)
        made_for = TREE.get(kind, kind)
        tree = named("tree", made_for)
        kernel = boots or tree
        initrd = initramfs.build(tree, TOP / "build" / made_for, TOP / "tools/guest", more,
                                 [TOP / "build" / folder for folder in beside])
        append = (f"panic=-1 log_buf_len=4M rdinit=/init lab.guest={kind} lab.role={role} lab.run={','.join(words)} "
                  f"lab.checks={CHECKS[kind] if checks is None else checks} {arguments}")
        if seed := seed or os.environ.get("SEED"):
            append += f" lab.seed={seed}"
        self.lines = {}  # socket → name
        self.cards = {}  # slot → the emulator's names of its NICs
        self.awaited, self.then = set(), None  # answers that the emulator owes; what to do after them
        self.shell = shell
        if made_for == "kunit":
            self.start_uml(kernel, initrd, append)
        else:
            self.start_qemu(kernel, initrd, append, nics, role, options, slots)

    def start_uml(self, kernel, initrd, append):
        """Starts UML. It has no terminal: it would reset one that it shares."""
        console, theirs = socket.socketpair()
        passed, second = [theirs], "null"
        if self.kind == "uml":
            # The module contains the KUnit tests; they do not run here. While all processes sleep, the
            # clock skips to the next timer, so waiting takes no time.
            append += " loglevel=5 lab.out=/dev/tty1 kunit.enable=0 time-travel"
            self.lines[console] = "console"
            self.output, end = socket.socketpair()
            passed.append(end)
            second = f"fd:{end.fileno()}"
        else:
            self.output = console
        self.lines[self.output] = "output"
        self.process = subprocess.Popen(
            [*DIES_WITH_US, kernel / "image", f"mem={MEMORY[self.kind]}", f"initrd={initrd}", "seccomp=auto",
             "con=null", "con0=fd:0,fd:1", f"con1={second}", *append.split()],
            stdin=theirs, stdout=theirs, stderr=theirs, pass_fds=[p.fileno() for p in passed], start_new_session=True)
        for p in passed:
            p.close()

    def start_qemu(self, kernel, initrd, append, nics, role, options, slots):
        # Without five levels of page tables: the kernel switches them while it identifies its CPU, and an
        # interrupt at that time makes KASAN report a wild address.
        cpu = "max,la57=off"
        command = [*DIES_WITH_US, "qemu-system-x86_64", "-M", "q35", "-cpu", cpu, "-m", MEMORY[self.kind], "-nodefaults",
                   "-display", "none", "-no-reboot", "-kernel", str(kernel / "image"), "-initrd", str(initrd)]
        if not any(o == "-smp" for o in options):
            command += ["-smp", "2"]
        if not any(o == "-icount" for o in options):
            # Emulation works in the same way everywhere; the user may choose hardware.
            accel = os.environ.get("ACCEL", "tcg")
            # With a thread for each processor, the emulator sometimes dies as a card comes or goes
            # (iotlb_to_section).
            command += ["-accel", f"{accel},thread=single" if slots and accel == "tcg" else accel]
            # khugepaged has the lowest priority. On a busy machine it may wait for a processor inside an
            # RCU read-side critical section until the kernel reports a stall.
            append += " transparent_hugepage=never"
        # On a busy machine the emulator may stand still while the kernel counts the ticks of its timer.
        append += " no_timer_check"
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
        for i in range(slots):
            command += ["-device", f"pcie-root-port,id=slot{i},chassis={i + 1},slot={i + 1}"]
        if slots:
            append += " lab.slots"
        for i, nic in enumerate(nics):
            passed.append(nic)
            command += ["-netdev", f"stream,id=net{i},server=off,addr.type=fd,addr.str={nic.fileno()}",
                        "-device", f"virtio-net-pci,netdev=net{i},addr={0x10 + i:#x},"
                                   f"mac=52:54:00:{'01' if role == 'server' else '02'}:00:{i + 1:02x},romfile="]
            for queue in LOST.values():  # lost frames go there
                command += ["-chardev", f"null,id={queue}{i}", "-object",
                            f"filter-redirector,id=net{i}-{queue},netdev=net{i},queue={queue},outdev={queue}{i},status=off"]
        command += ["-append", f"console=ttyS0 {append}", *options]
        self.process = subprocess.Popen(command, pass_fds=[p.fileno() for p in passed],
                                        stdin=None if self.shell else subprocess.DEVNULL,
                                        start_new_session=not self.shell)
        for p in passed:
            p.close()
        self.tell_monitor("qmp_capabilities")

    def tell_monitor(self, command, named=None, **arguments):
        """Sends a command to the emulator. `named`: the id of its answer."""
        request = {"execute": command, "arguments": arguments} | ({"id": named} if named else {})
        self.monitor.sendall(json.dumps(request).encode() + b"\n")

    def heard_monitor(self, said):
        name = said.get("id") or said.get("event") == "DEVICE_DELETED" and said["data"].get("device")
        if "error" in said and said.get("id"):
            self.awaited.clear()
            self.answer(f"error {said['error']['desc']}")
        elif name in self.awaited:
            self.awaited.remove(name)
            if not self.awaited:
                self.then()

    def plug(self, slot, model, wires):
        """Plugs a card in. Function 0 comes last: it makes the guest look for all functions."""
        names = self.cards[slot] = [f"{slot}-{function}" for function in range(len(wires))]
        self.awaited, self.then = {"plugged"}, lambda: self.answer("ok")
        for function, (name, wire) in reversed(list(enumerate(zip(names, wires)))):
            self.tell_monitor("netdev_add", type="hubport", id=f"{name}-wire", hubid=int(wire.removeprefix("wire")))
            # A slot with ARI finds the second function only if the first one names it.
            more = {"x-pcie-ari-nextfn-1": True} if names[function + 1 :] else {}
            self.tell_monitor(
                "device_add", named=None if function else "plugged", driver=model, id=name, bus=slot,
                addr=f"0.{function}", multifunction=len(wires) > 1, netdev=f"{name}-wire", romfile="",
                mac=f"52:54:00:03:{int(slot.removeprefix('slot')):02x}:{function:02x}", **more)  # fmt: skip

    def unplug(self, slot):
        names = self.cards.pop(slot, [])
        if not names:
            self.answer(f"error nothing is in {slot}")
            return

        def let_go():
            for name in names:
                self.tell_monitor("netdev_del", id=f"{name}-wire")
            self.answer("ok")

        self.awaited, self.then = set(names), let_go
        self.tell_monitor("device_del", named="unplug", id=names[0])

    def answer(self, text):
        try:
            self.requests.sendall(text.encode() + b"\n")
        except OSError:
            pass  # the guest has ended, which is reported elsewhere


BOOT = 400  # seconds in which any guest boots, also on a busy machine
HUNG = "it hung as it booted"  # which the emulator does once in some hundred times, with several processors


class Run:
    """Runs guests together until all have ended, or one of them has not booted in time. Calls
    heard(guest, line) for each line of output."""

    def __init__(self, guests, heard, timeout):
        self.guests, self.heard = guests, heard
        self.log = {g: collections.deque(maxlen=40) for g in guests}
        self.waiting = collections.defaultdict(set)
        self.why = {}  # guest → why it failed
        self.silent = {g for g in guests if not g.shell}  # those that have not booted yet
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
        up = time.monotonic() + BOOT
        with selectors.DefaultSelector() as selector:
            for g in self.guests:
                for s, name in g.lines.items():
                    selector.register(s, selectors.EVENT_READ, (g, name))
            while selector.get_map():
                left = end - time.monotonic()
                if self.silent and up < end:
                    left = up - time.monotonic()
                    if left < 0:
                        self.why.update(dict.fromkeys(self.silent, HUNG))
                        return
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
            g.heard_monitor(json.loads(text))
            return
        if name == "requests":
            self.request(g, text.split())
            return
        self.files[g].write(text + "\n")
        self.log[g].append(text)
        if name == "output":
            self.silent.discard(g)
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
            case ["lose", nic, ("both" | "in" | "out" | "none") as ways]:
                for way, queue in LOST.items():
                    status = "on" if ways in (way, "both") else "off"
                    g.tell_monitor("qom-set", path=f"/objects/{nic}-{queue}", property="status", value=status)
                g.answer("ok")
            case ["plug", slot, model, *wires] if wires and slot not in g.cards:
                g.plug(slot, model, wires)
            case ["unplug", slot]:
                g.unplug(slot)
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
        """Ends the waits of other guests for a guest that has ended."""
        self.silent.discard(g)
        if g.status is None:
            self.why[g] = "it died"
        self.guests = [other for other in self.guests if other is not g]
        for others in self.waiting.values():
            for other in others - {g}:
                other.answer("error a guest is gone")
        self.waiting.clear()


def cables(count):
    """Returns both ends of so many cables: two lists of sockets."""
    return tuple(zip(*(socket.socketpair() for _ in range(count))))


def show(guest, line=lambda text: print(text, flush=True)):
    """Runs a guest, and calls line(text) for each line. Returns the status of its command."""
    run = Run([guest], lambda g, text: line(text), 3600)
    if guest in run.why:
        print(*run.log[guest], f"{guest.name}: {run.why[guest]}", sep="\n", file=sys.stderr)
        return 1
    return guest.status


def with_result(guest):
    """Runs a guest and prints its output. Returns the status of its command, and the result that it left by
    lab.leave(), or None."""
    result, plain = None, without_ktap()

    def line(text):
        nonlocal result
        if text.startswith("RESULT-JSON "):
            result = json.loads(text.removeprefix("RESULT-JSON "))
        else:
            plain(text)

    return show(guest, line), result


def demo(layout=None):
    """Runs a demo. The checks of the kernel at its end are printed only if they fail."""
    colour = "lab.color=1" if sys.stdout.isatty() else ""
    words = {None: ["/tests/demo.py"], "plain-switch": ["/tests/plain_switch.py"]}.get(layout, ["/tests/switches.py", layout])
    return show(Guest("stock", ["python3", *words], name="demo", arguments=colour), without_ktap())


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


# Without the instructions that copy any number of bytes: each byte would count as an instruction.
CPU = {"probes": ["-cpu", "max,la57=off,erms=off,fsrm=off,fsrs=off"]}
BESIDE = {"bench": ["floor"]}


def bench(name="bench"):
    """Runs a benchmark, on one processor that takes a nanosecond of the guest's time for an instruction.
    Writes its result to build/bench."""
    guest = Guest("stock", ["python3", f"/tests/{name}.py"], name=name, arguments="tsc=reliable clocksource=tsc",
                  options=["-smp", "1", "-icount", "shift=0,sleep=off", *CPU.get(name, [])], beside=BESIDE.get(name, []))
    status, result = with_result(guest)
    if result is not None:
        out = TOP / f"build/bench/{'results' if name == 'bench' else name}.json"
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(json.dumps(result, indent=1) + "\n")
    return status


def main(what, *words):
    if what in MEMORY:
        return show(Guest(what, words or ["uname", "-a"], slots=SLOTS if "SLOTS" in os.environ else 0))
    return {"demo": demo, "shell": shell, "bench": bench}[what](*words)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
