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
