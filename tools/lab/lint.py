# SPDX-License-Identifier: GPL-2.0
"""Checks that formatters and compilers do not make. Each check yields complaints, "file:line: what"."""

import re
import subprocess
from pathlib import Path

import seeds as listed

TOP = Path(__file__).resolve().parent.parent.parent

# Only these may hold unsafe code.
UNSAFE = ("rust/kernel/", "rust/bindings/")
NO_COMMENTS = (".json", ".lock", ".png", ".svg")


def sources(suffix=""):
    """Returns the project's files, relative to its top: those in git, and new ones that it does not ignore."""
    out = subprocess.run(["git", "-c", "safe.directory=*", "ls-files", "-co", "--exclude-standard", f"*{suffix}"],
                         cwd=TOP, stdout=subprocess.PIPE, text=True, check=True).stdout
    return [f for f in sorted(set(out.splitlines())) if (TOP / f).is_file()]


def spdx():
    for file in sources():
        if file.endswith(NO_COMMENTS) or re.match(r"(LICENSES?|COPYING)\b", file) or not (TOP / file).stat().st_size:
            continue
        head = (TOP / file).read_text(errors="replace").splitlines()[:5]
        if not any("SPDX-License-Identifier: " in line for line in head):
            yield f"{file}:1: no SPDX-License-Identifier in the first lines"


def documented():
    """Checks that the tests exist which the documentation names, as file.test."""
    there = {}
    for file in sources(".py"):
        if m := re.fullmatch(r"tools/guest/\w+/(?:test_)?(\w+)\.py", file):
            there[m[1]] = set(re.findall(r"^def test_(\w+)\(", (TOP / file).read_text(), re.M))
    for file in sources(".rst"):
        for number, line in enumerate((TOP / file).read_text().splitlines(), 1):
            for area, name in re.findall(r"(?<![\w/.-])(\w+)\.(\w+)(?![\w/.(])", line):
                if there.get(area) and name not in there[area] | {"py", "rs", "rst"}:
                    yield f"{file}:{number}: there is no test {area}.{name}"


def paths():
    """Checks that the files exist which the documentation names. `core/` is short for `rust/trunk/core/`."""
    for file in [*sources(".rst"), *sources(".md")]:
        for number, line in enumerate((TOP / file).read_text().splitlines(), 1):
            for path in re.findall(r"`((?:core|rust|tools|samples|include|Documentation)/[\w./@-]+)`", line):
                if not (TOP / re.sub("^core/", "rust/trunk/core/", path)).exists():
                    yield f"{file}:{number}: there is no file {path}"


def seeds():
    """Checks that the tests exist which the list of seeds names, in the place that it names."""
    text = "\n".join((TOP / file).read_text() for file in sources(".rs"))
    for found in listed.known()[1]:
        name = found.test.partition("[")[0]
        if found.where == "host":
            there = re.search(rf"\bfn {name.rpartition('::')[2]}\(", text)
        else:
            area, _, test = name.partition(".")
            files = [file for file in sources(".py") if re.fullmatch(rf"tools/guest/tests/(test_)?{area}\.py", file)]
            there = any(f"\ndef test_{test}(" in (TOP / file).read_text() for file in files)
        if not there:
            yield f"tools/lab/seeds: there is no test {found.test} for {found.where}"


def tables():
    """Checks that all rules of a table (the lines of "=" above, within and below it) are equal."""
    for file in sources(".rst"):
        top = None
        for number, line in enumerate((TOP / file).read_text().splitlines(), 1):
            if not line.strip():
                top = None
            elif re.fullmatch(r" *=+( +=+)+", line):
                top = top or line
                if line != top:
                    yield f"{file}:{number}: this rule is not the one that the table begins with"


def code(line):
    """Returns a line of Rust without strings and line comments."""
    return re.sub(r'"(\\.|[^"\\])*"', '""', line).split("//")[0]


def unsafe():
    for file in sources(".rs"):
        lines = (TOP / file).read_text().splitlines()
        for number, line in enumerate(lines, 1):
            if not re.search(r"\bunsafe\b", code(line)):
                continue
            if not file.startswith(UNSAFE):
                yield f"{file}:{number}: unsafe outside {' and '.join(UNSAFE)}"
            elif re.search(r"\bunsafe (extern \"C\" |extern \"\" )?fn \w", code(line)):
                if not implements(lines, number) and "/// # Safety" not in above(lines, number, "///"):
                    yield f"{file}:{number}: an unsafe fn without a section # Safety"
            elif re.search(r"\bunsafe( impl\b| *\{)", code(line)):
                if "SAFETY:" not in line and "// SAFETY:" not in "\n".join(above(lines, number, "//")):
                    yield f"{file}:{number}: unsafe without a comment SAFETY:"


# Refusals that no test can cause, and why.
UNREACHABLE = {
    "trunk: a port does not take the XDP program": "only for a driver that gives no text for it",
    "trunk: the port cannot listen to probes": "only if there is no memory for one more group address",
    "trunk: the port refuses a VLAN that the trunk is used by": "only if there is no memory, or the hardware is full",
    "trunk: the port refuses a receive mode of the trunk": "only if a counter of requests is full",
}


def refusals():
    """Checks that a test in a guest expects the exact text of each refusal."""
    tests = "\n".join((TOP / file).read_text() for file in sources(".py") if file.startswith("tools/guest/"))
    for file in sources(".rs"):
        if not file.startswith(("rust/trunk/", "rust/kernel/")):
            continue
        text = (TOP / file).read_text().split("#[kunit_tests(")[0]
        # The text of a refusal begins with its subject and a colon.
        for found in re.finditer(r'(?:\bc|\bfmt!\(\s*)"([\w.{}-]+: [^"]+)"', text):
            words = found[1]
            parts = map(re.escape, re.split(r"\{[^}]*\}", words))
            tested = re.search("[^\"\\n]+?".join(parts), tests)
            number = text.count("\n", 0, found.start()) + 1
            if not tested and words not in UNREACHABLE:
                yield f"{file}:{number}: no test in tools/guest expects \"{words}\""
            if tested and words in UNREACHABLE:
                yield f"{file}:{number}: it is tested, so not unreachable: \"{words}\""


def above(lines, number, *comments):
    """Returns the comment above a line, or above the statement that the line is part of."""
    found = []
    for line in reversed(lines[:number - 1]):
        text = line.strip()
        if text.startswith(comments):
            found.insert(0, text)
        elif found or not text or text.endswith((";", "}")) and not text.startswith("#"):
            break
    return found


def implements(lines, number):
    """Returns whether a function is that of a trait, which has the section # Safety."""
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    for line in reversed(lines[:number - 1]):
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            return bool(re.match(r"\s*(unsafe )?impl\b.* for ", line))
    return False
