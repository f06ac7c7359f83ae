# SPDX-License-Identifier: GPL-2.0
"""Runs tests that draw random numbers, with new seeds, for some minutes.

On the host it runs the tests of the tools, and the fuzzer; in guests each test that draws random
numbers. It runs them side by side, in rounds; each round has a new seed. For a test that fails it prints
the seed, the command that repeats it, and the line for the list of seeds.
"""

import collections
import functools
import itertools
import os
import re
import subprocess
import threading
import time

import guest
import ktap
import seeds
import threads

FUZZ = 60  # seconds of a round of the fuzzer
CASES = "32"  # of each property, in a round


class Explorer:
    def __init__(self, minutes, say=lambda text: print(text, flush=True)):
        self.begun, self.minutes, self.say_line = time.monotonic(), minutes, say
        self.rounds, self.failed, self.lock = collections.Counter(), [], threading.Lock()

    def left(self):
        """Returns the seconds that are left."""
        return self.begun + 60 * self.minutes - time.monotonic()

    def say(self, text, notes=()):
        elapsed = int(time.monotonic() - self.begun)
        with self.lock:
            self.say_line(f"[{elapsed // 60}:{elapsed % 60:02d} of {self.minutes:g}:00] {text}")
            for note in notes:
                self.say_line(f"    {note}")

    def round(self, where, seed, run):
        """Calls run(report, seed) as one round. A failure that it reports was found with that seed."""

        def report(name, outcome, notes=()):
            if outcome == ktap.FAIL:
                self.found(where, name, seed, notes)

        run(report, seed)
        self.rounds[where] += 1
        self.say(f"{where}: round {self.rounds[where]}, seed {seed}, is over")

    def found(self, where, test, seed, notes):
        self.failed.append((where, test, seed))
        self.say(f"{where}: {test} FAILED", [*(f"# {note}" for note in notes), *advice(where, test, seed)])

    def summary(self):
        """Prints the last lines. Returns whether nothing failed."""
        rounds = ", ".join(f"{where} {number}" for where, number in sorted(self.rounds.items()))
        self.say(f"rounds: {rounds or 'none'}; {len(self.failed)} failed")
        for where, test, seed in self.failed:
            self.say_line(f"    {where}: {test}, seed {seed}")
        return not self.failed


def advice(where, test, seed):
    """Returns the command that repeats a failure and, for a test, the line for the list of seeds."""
    if where == "fuzz":
        return [f"again: tools/lab/in-root tools/fuzz/run {test}"]
    again = "make test-host" if where == "host" else f"make test-guest GUEST={where}"
    again = f"again: {again} SEED={seed}"
    # A check of a guest as a whole has a name with spaces.
    named = re.match(r"[\w.:]+", test)[0]
    if named != test.partition("[")[0]:
        return [again]
    return [f"{again} TEST={named}", f"tools/lab/seeds: {seed} {where} {test}"]


FUZZ_TARGETS = sorted(path.stem for path in (guest.TOP / "tools/fuzz/fuzz_targets").glob("*.rs"))


def fuzz(explorer, target, seed, report):
    """Runs a round of the fuzzer with one target, which writes an input that fails to a file."""
    limit = max(1, min(FUZZ, int(explorer.left())))
    done = subprocess.run([guest.TOP / "tools/fuzz/run", target, f"-seed={seed}", f"-max_total_time={limit}"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode:
        lines = done.stdout.splitlines()
        files = re.findall(r"Test unit written to (\S+)", done.stdout)
        report(f"{target} {files[0]}" if files else f"the fuzzer, {target}", ktap.FAIL, lines[-40:])


def in_guest(explorer, kind, name, seed, report, ran):
    """Runs a round in a guest. It ends when the time is over."""

    def reader(_):
        return ktap.Reader(lambda *what: report(*what) if explorer.left() > 0 else None)

    run = ran(lambda: [guest.Guest(kind, ["python3", "/tests/run.py"], name, arguments="lab.random", seed=seed)],
              reader, max(explorer.left(), 1))
    for g, why in run.why.items():
        if explorer.left() > 0:
            report(why, ktap.FAIL, run.log[g])


PACKAGES = [word for package in ("trunk-core", "trunk-fuzz", "trunk-nl") for word in ("-p", package)]


def main(minutes, kinds, cargo_test, ran):
    """Explores for so many minutes, in guests of these kinds. run-tests has the functions `cargo_test` and
    `ran`. Returns the exit status."""
    os.environ.setdefault("PROPTEST_CASES", CASES)
    explorer = Explorer(minutes)

    def properties(report, seed):
        done, passed = cargo_test(report, *PACKAGES, seed=seed)
        if not passed:
            report("cargo test", ktap.FAIL, done.stdout.splitlines()[-40:])

    def on_host():
        """Yields rounds: (where, function of a report and a seed)."""
        for target in itertools.cycle(FUZZ_TARGETS):
            yield "host", properties
            yield "fuzz", lambda report, seed, target=target: fuzz(explorer, target, seed, report)

    def in_guests(number):
        for kind in itertools.islice(itertools.cycle(kinds), number, None):
            yield kind, functools.partial(in_guest_round, kind, f"{kind}-explore-{number}")

    def in_guest_round(kind, name, report, seed):
        in_guest(explorer, kind, name, seed, report, ran)

    def work(rounds):
        for where, run in rounds:
            if explorer.left() <= 0:
                return
            explorer.round(where, seeds.fresh(), run)

    workers = [on_host(), *map(in_guests, range(max(1, os.cpu_count() - 1)))]
    threads.side_by_side(functools.partial(work, rounds) for rounds in workers)
    return 0 if explorer.summary() else 1
