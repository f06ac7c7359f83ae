# SPDX-License-Identifier: GPL-2.0
"""The smallest driver on the same abstractions, from samples/."""

from lab import *

SAMPLE, SAMPLE_KIND = "rust_netdev_sample", "rdummy"


def test_the_sample_sends_and_counts():
    """
    rdummy0    takes every frame and drops it, like a dummy
    """
    load(SAMPLE)
    each = count(1_000)
    try:
        ip(f"link add rdummy0 type {SAMPLE_KIND}\nlink set rdummy0 up")
        taps = Taps(["rdummy0"], outgoing=True)
        sender = Sender("rdummy0")
        for n in range(each):
            sender.send(frame(mac(n), mac(1), n))
        equal(len(taps.take(each)), each, "frames sent")
        got = counters("rdummy0")
        equal((got["tx_packets"], got["tx_bytes"]), (each, each * 60), "packets and bytes")
        ip(f"link add rdummy1 type {SAMPLE_KIND}\nlink del rdummy0")
    finally:
        unload(SAMPLE)
    expect(link("rdummy1") is None, "a device without its driver")


EOPNOTSUPP = 95


def test_the_sample_is_given_no_shared_frames():
    """
    pktgen (a frame sent several times) ──✗ rdummy0    a driver may change its frames
    """
    if attempt("modprobe pktgen").returncode:
        raise Skipped("no pktgen")
    load(SAMPLE)
    thread = "/proc/net/pktgen/kpktgend_0"
    try:
        ip(f"link add rdummy0 type {SAMPLE_KIND}\nlink set rdummy0 up")
        write(thread, "add_device rdummy0\n")
        write("/proc/net/pktgen/rdummy0", "clone_skb 1\n")
        expect(False, "the sample takes shared frames")
    except OSError as error:
        equal(error.errno, EOPNOTSUPP, "errno")
    finally:
        write(thread, "rem_device_all\n")
        unload(SAMPLE)


def test_netpoll_does_not_send_by_the_sample():
    """
    netconsole ──✗ rdummy0    its frames come with interrupts disabled, which the driver does not support
    """
    load(SAMPLE)
    config = "/sys/kernel/config"
    try:
        if attempt("modprobe netconsole").returncode:
            raise Skipped("no netconsole")
        attempt(f"mount -t configfs none {config}")
        target = f"{config}/netconsole/sample"
        if attempt(["mkdir", target]).returncode:
            raise Skipped("netconsole takes no targets")
        ip(f"link add rdummy0 type {SAMPLE_KIND}\naddress add 192.0.2.1/24 dev rdummy0\nlink set rdummy0 up")
        for name, value in ("dev_name", "rdummy0"), ("local_ip", "192.0.2.1"), ("remote_ip", "192.0.2.2"):
            write(f"{target}/{name}", value)
        try:
            write(f"{target}/enabled", "1")
        except OSError:
            pass
        equal(open(f"{target}/enabled").read().strip(), "0", "enabled")
        os.rmdir(target)
    finally:
        attempt("rmmod netconsole")
        unload(SAMPLE)
