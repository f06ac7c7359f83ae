#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""switches.py [LAYOUT…]: makes links and switches fail in layouts with switches, and measures the time
until clients that have a path left get answers again. With LAYOUT it demonstrates some failures; without,
it measures all of them and leaves the result."""

import sys
import time

import layouts
import lab

HEAD = f"{'':34}{'failed':>16}{'repaired':>16}"
UNITS = f"{'longest time without an answer, ms':34}{'udp':>8}{'tcp':>8}{'udp':>8}{'tcp':>8}   cut off"
SHOWN = {
    "one-switch": ["eth1: no carrier", "eth2: silent", "eth1, eth2, eth3: silent"],
    "two-switches": ["eth1: silent", "switch-a to the server: no carrier", "switch-b to the server: silent", "switch-b is off",
                     "isl1: no carrier", "isl1, isl2: no carrier"],
}  # fmt: skip


def say(text=""):
    print(text, flush=True)


def drawing(script):
    """Returns the drawing at the top of a script."""
    lines = lab.read(f"{layouts.SAMPLES}/{script}.sh").splitlines()
    drawn = [line[1:] for line in lines if line.startswith("#      ") or line.startswith("#   ")]
    return "\n".join(line for line in drawn if any(c in line for c in "─═║│┘") or "server " in line)


def measure(script, only=None):
    """Measures the failures of a layout. Prints and returns a row for each."""
    with layouts.Layout(script) as layout, layouts.Failing(layout) as world:
        say(f"{HEAD}\n{UNITS}")
        rows = []
        for what, change, cut in layouts.failures(world):
            if only is None or what in only:
                rows.append(world.fails(what, change, cut))
                say(rows[-1])
        return rows


def main(names):
    started = time.monotonic()
    if names:
        for script in names:
            say(f"{drawing(script)}\n\nThree TCP connections and a stream of datagrams between the server and each client.")
            say(f"All links are tested every {layouts.INTERVAL / 1000:.0f} ms; after three without an answer a link is out of use.\n")
            measure(script, SHOWN[script])
        say(f"\nNo connection was lost: clients that were cut off went on after the repair. The demo took {time.monotonic() - started:.0f} s.")
        return
    found = {}
    for script in SHOWN:
        say(script)
        found[script] = [row._asdict() for row in measure(script)]
    lab.leave({"interval_us": layouts.INTERVAL, "misses": 3, "unit": "ms", "longest_gap": found})


if __name__ == "__main__":
    main(sys.argv[1:])
