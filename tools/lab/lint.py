# SPDX-License-Identifier: GPL-2.0
"""What formatters and compilers do not check. Each check yields complaints, "file:line: what"."""

import re
import subprocess
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent

# Only these may hold unsafe code.
UNSAFE = ("rust/kernel/", "rust/bindings/")
NO_COMMENTS = (".json", ".lock", ".png", ".svg")


def sources(suffix=""):
    """The project's files, relative to its top: what git knows, and what it does not ignore."""
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


def code(line):
    """A line of Rust without strings and line comments."""
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


def above(lines, number, *comments):
    """The comment above a line, or above the statement that the line is part of."""
    found = []
    for line in reversed(lines[:number - 1]):
        text = line.strip()
        if text.startswith(comments):
            found.insert(0, text)
        elif found or not text or text.endswith((";", "}")) and not text.startswith("#"):
            break
    return found


def implements(lines, number):
    """Whether a function is a trait's: what it asks of its caller is said there."""
    indent = len(lines[number - 1]) - len(lines[number - 1].lstrip())
    for line in reversed(lines[:number - 1]):
        if line.strip() and len(line) - len(line.lstrip()) < indent:
            return bool(re.match(r"\s*(unsafe )?impl\b.* for ", line))
    return False
