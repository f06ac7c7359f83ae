#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Runs the guest tests, all or those whose name contains one of the words given; prints KTAP.

A test runs in a process and a network namespace of its own. It fails also if the kernel reports
something meanwhile, or if the module cannot be removed afterwards.
"""

import contextlib
import glob
import importlib
import os
import random
import signal
import subprocess
import sys
import time
import traceback
import types

import lab

sys.path.append("/lab")
import seeds

LIMIT = int(os.environ.get("LIMIT", 1200))  # seconds until a test counts as hung: no measurement


HERE = os.path.dirname(os.path.abspath(__file__))


def collect(pattern, words):
    """Returns the tests in the order of files and lines, then those of the list of seeds."""
    tests, everything = [], {}
    only_random = "lab.random" in lab.COMMAND_LINE
    slots = "lab.slots" in lab.COMMAND_LINE
    for path in sorted(glob.glob(f"{HERE}/{pattern}.py")):
        if slots != path.endswith("/test_hotplug.py"):
            continue  # a guest with slots for cards runs only the tests of cards
        module = importlib.import_module(os.path.basename(path)[:-3])
        about_a_program = getattr(module, "IS_ABOUT_A_PROGRAM", False)
        if lab.GUEST != "uml" and about_a_program and not words:
            continue  # a program does nothing else there, and takes many times as long
        area = module.__name__.removeprefix("test_")
        for name, function in vars(module).items():
            if not name.startswith("test_") or getattr(function, "__module__", "") != module.__name__:
                continue
            name = f"{area}.{name.removeprefix('test_')}"
            every = [lab.Test(name, function)]
            if hasattr(function, "cases"):
                every = [lab.Test(f"{name}[{case}]", function, (case,)) for case in function.cases]
            everything.update({test.name: test for test in every})
            if only_random:
                tests += every if draws(function) else []
                continue
            # Emulation is slow: tests whose paths others take run there only if asked for by name.
            brief = lab.GUEST != "uml" and not words
            if brief and (hasattr(function, "repeats") or lab.GUEST == "debug" and hasattr(function, "trodden")):
                continue
            tests += every[:1] if brief and getattr(function, "alike", False) else every
    if only_random:  # there may not be time for all
        random.Random(lab.SEED).shuffle(tests)
    usual, found = seeds.known()
    for number, where, name in found if lab.SEED == usual else ():
        if where == lab.GUEST and name in everything:
            tests.append(everything[name]._replace(seed=number))
    return [test for test in tests if not words or any(word in test.name for word in words)]


def draws(thing, seen=None):
    """Returns whether a function or a class, or what it uses of the tests, draws random numbers."""
    seen = set() if seen is None else seen
    if thing is lab.seeded:
        return True
    module = sys.modules.get(getattr(thing, "__module__", None))
    if thing in seen or os.path.dirname(getattr(module, "__file__", None) or "/") != HERE:
        return False
    seen.add(thing)
    if isinstance(thing, type):
        inner = [value for value in vars(thing).values() if isinstance(value, (types.FunctionType, type))]
        return any(draws(each, seen) for each in [*inner, *thing.__bases__])
    names = set(names_in(thing.__code__)) & set(thing.__globals__)
    named = [thing.__globals__[name] for name in names]
    return any(draws(each, seen) for each in named if isinstance(each, (types.FunctionType, type)))


def names_in(code):
    """Yields the names in code, and in the functions within it."""
    yield from code.co_names
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from names_in(inner)


def in_child(test, namespace):
    """Runs a test in a process (and a namespace) of its own. Returns None if it passed, else (skipped, why)."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        skipped, why = False, ""
        lab.TEST, lab.SEED = test.name, test.seed or lab.SEED
        try:
            with lab.Netns() if namespace else contextlib.nullcontext():
                test.function(*test.arguments)
        except lab.Skipped as reason:
            skipped, why = True, str(reason)
        except BaseException as error:
            why = str(error) if isinstance(error, lab.Failed) else repr(error)
            for entry in traceback.extract_tb(error.__traceback__):
                file = os.path.basename(entry.filename)
                if file.startswith(("test_", "two_")) or not isinstance(error, lab.Failed):
                    lab.note(f"{file}:{entry.lineno}: {entry.line}")
        os.write(writing, f"{'skip' if skipped else 'fail' if why else 'pass'} {why}"[:4000].encode())
        sys.stdout.flush()
        os._exit(0)
    os.close(writing)
    signal.alarm(LIMIT)
    try:
        said = os.read(reading, 4096).decode(errors="replace")
    except TimeoutError:
        said = f"fail hung: no end after {LIMIT} s"
        lab.write("/proc/sysrq-trigger", "w")  # the kernel says who waits, and where
    signal.alarm(0)
    os.close(reading)
    try:  # ends the test if it hangs, and processes that it left
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    os.waitpid(pid, 0)
    verdict, _, why = said.partition(" ")
    if verdict == "pass":
        return None
    return verdict == "skip", why or "the test died"


def still_loaded():
    """Removes the module if the test left it. Returns why that failed, or an empty string."""
    if not lab.loaded():
        return ""
    rmmod = subprocess.Popen(["rmmod", lab.KIND], stderr=subprocess.PIPE, text=True)
    for _ in range(600):
        if rmmod.poll() is not None:
            return rmmod.stderr.read().strip()
        time.sleep(0.1)
    lab.write("/proc/sysrq-trigger", "w")
    return "rmmod hangs"


def out_of_time(*_):
    raise TimeoutError


def run_all(tests, namespace=True):
    """Runs tests and prints a line for each. Returns how many failed."""
    signal.signal(signal.SIGALRM, out_of_time)
    log = lab.KernelLog()
    failed = 0
    print(f"KTAP version 1\n1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        name = f"{test.name}, seed {test.seed}" if test.seed else test.name
        started = time.monotonic()
        ended = in_child(test, namespace)
        skipped, why = ended or (False, "")
        left = still_loaded()
        if not skipped:
            lines = log.lines()
            bad = [line for line in lines if lab.COMPLAINTS.search(line)]
            for line in lines if bad or left or why.startswith("hung") else []:
                lab.note(f"kernel: {line}")
            why = "; ".join(filter(None, [why, left, bad and f"the kernel complains: {bad[0]}"]))
        if skipped:
            print(f"ok {number} {name} # SKIP {why}", flush=True)
            continue
        if why:
            lab.note(why)
            failed += 1
        lab.note(f"{time.monotonic() - started:.1f} s")
        print(f"{'not ok' if why else 'ok'} {number} {name}", flush=True)
    return failed


def main(words):
    role = lab.said("role") or "single"
    if role == "single":
        tests = collect("test_*", words)
        if part := lab.said("part"):
            number, parts = map(int, part.split("/"))
            tests = tests[number - 1 :: parts]
        failed = run_all(tests)
    else:
        import two_guests

        failed = run_all(two_guests.collect(role, words), namespace=False)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
