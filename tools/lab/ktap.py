# SPDX-License-Identifier: GPL-2.0
"""Reads and prints KTAP, also from a kernel log. A test that is announced and does not come has failed."""

import re

# A line of a kernel log may begin with a time, and the thread that printed it.
STAMP = re.compile(r"^\[ *\d+\.\d+\](?:\[ *\w+\])? ")
VERSION = re.compile(r"^( *)K?TAP version \d+$")
SUBTEST = re.compile(r"^( *)# Subtest: (.*)$")
PLAN = re.compile(r"^( *)1\.\.(\d+)")
RESULT = re.compile(r"^( *)(ok|not ok) \d+(?: -)? ?(.*?)(?: *# *(SKIP)\b.*)?$")
NOTE = re.compile(r"^ *# ?(.*)$")

PASS, FAIL, SKIP = "pass", "fail", "skip"


class Level:
    def __init__(self, begun=False):
        self.begun, self.name, self.plan, self.seen, self.failed = begun, "", None, 0, 0


class Reader:
    """Takes lines by feed(), and calls report(name, outcome, notes) for each test without subtests.

    It reports a failure for each test of a plan that does not come, and for a document without a plan.
    """

    def __init__(self, report):
        self.report = report
        self.levels = []  # the open ones, outermost first
        self.notes = []

    def feed(self, line):
        line = STAMP.sub("", line.rstrip())
        if m := VERSION.match(line):
            depth = len(m[1]) // 4
            self.close(depth)
            self.level(depth).begun = True
        elif m := SUBTEST.match(line):
            self.level(len(m[1]) // 4).name = m[2]
        elif m := PLAN.match(line):
            self.level(len(m[1]) // 4).plan = int(m[2])
        elif m := RESULT.match(line):
            self.result(len(m[1]) // 4, m[2] == "ok", m[3], m[4])
        elif m := NOTE.match(line):
            self.notes.append(m[1])

    def level(self, depth):
        """Returns the level at this depth. Deeper levels end."""
        self.close(depth + 1)
        while len(self.levels) <= depth:
            self.levels.append(Level())
        return self.levels[depth]

    def result(self, depth, ok, name, skip):
        inner = self.levels[depth + 1] if len(self.levels) > depth + 1 else None
        level = self.level(depth)
        level.seen += 1
        if inner and (ok or inner.failed):  # its subtests were reported
            level.failed += inner.failed
            self.notes = []
        else:
            level.failed += not ok
            self.say(depth, name, FAIL if not ok else SKIP if skip else PASS)

    def close(self, depth=0):
        """Ends the levels of this depth and deeper."""
        while len(self.levels) > depth:
            level, inmost = self.levels[-1], len(self.levels) - 1
            # KUnit prints no plan for the parameters of a case.
            if level.plan is None and (level.begun or level.seen) and inmost < 2:
                level.failed += 1
                self.say(inmost, "the plan", FAIL)
            for missing in range(level.seen, level.plan or 0):
                level.failed += 1
                self.say(inmost, f"test {missing + 1} of {level.plan} did not come", FAIL)
            self.levels.pop()

    def say(self, depth, name, outcome):
        path = [level.name for level in self.levels[1:depth + 1] if level.name]
        self.report(".".join(path + [name]), outcome, self.notes)
        self.notes = []


class Printer:
    """Prints KTAP: groups of tests, and counts of results."""

    def __init__(self):
        self.counts = {PASS: 0, FAIL: 0, SKIP: 0}
        self.groups = 0
        print("KTAP version 1", flush=True)

    def group(self, name):
        self.name, self.number, self.failed = name, 0, 0
        print(f"    KTAP version 1\n    # Subtest: {name}", flush=True)

    def report(self, name, outcome, notes=()):
        self.number += 1
        self.counts[outcome] += 1
        self.failed += outcome == FAIL
        if outcome == FAIL:
            for note in notes:
                print(f"    # {note}")
        ok = "not ok" if outcome == FAIL else "ok"
        print(f"    {ok} {self.number} {name}{' # SKIP' if outcome == SKIP else ''}", flush=True)

    def end_group(self):
        self.groups += 1
        print(f"    1..{self.number}\n{'not ok' if self.failed else 'ok'} {self.groups} {self.name}", flush=True)

    def end(self):
        """Prints the last line. Returns whether there was a test and none failed."""
        passed, failed, skipped = (self.counts[o] for o in (PASS, FAIL, SKIP))
        print(f"1..{self.groups}\n{passed} passed, {failed} failed, {skipped} skipped", flush=True)
        return passed and not failed
