#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""cycles.py [ROOT…]: finds cycles among the modules of a crate, or of a part of one.

A module is a file. It depends on another one if a path in its code leads there: `use crate::…`, `use
super::…`, or such a path within code. Comments and tests do not count. A path to the module above does
not count either: `super::…` in `a/b.rs` that leads to `a/mod.rs`.
"""

import re
import sys
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent.parent

# The root file of each crate or part, and the path by which its own files name it.
ROOTS = {
    "rust/kernel/netdev.rs": "crate",
    "rust/trunk/core/mod.rs": "crate::pure",
    "rust/trunk/trunk_main.rs": "crate",
}


def modules(root):
    """Returns the modules below a root, path → file. The path of the root is ()."""
    top = root.parent
    found = {(): root}
    for file in sorted(top.rglob("*.rs")):
        parts = file.relative_to(top).with_suffix("").parts
        if parts[-1] == "mod":
            parts = parts[:-1]
        if file != root and parts[-1:] != ("tests",):
            found[parts] = file
    return found


def code(text):
    """Returns code without comments, strings and tests."""
    text = re.split(r"^(?:#\[.*\]\n)*(?:pub )?mod tests\b", text, maxsplit=1, flags=re.M)[0]
    return re.sub(r'//[^\n]*|"(?:\\.|[^"\\])*"', "", text)


def leaves(tree, prefix=()):
    """Yields the paths of a `use`: `a::{b, c::d}` → a::b, a::c::d."""
    depth, part = 0, ""
    for char in tree + ",":
        if char == "," and not depth:
            part = part.strip()
            if part:
                head, brace, inner = part.partition("{")
                path = prefix + tuple(re.findall(r"\w+", re.sub(r"\bas\s+\w+", "", head)))
                if brace:
                    yield from leaves(inner[:inner.rindex("}")], path)
                else:
                    yield path
            part = ""
            continue
        depth += {"{": 1, "}": -1}.get(char, 0)
        part += char


def paths(text):
    """Yields the paths in code that may lead to another module."""
    for use in re.findall(r"\buse\s+([^;]+);", text):
        yield from leaves(use)
    for path in re.findall(r"\b(?:crate|super|self)(?:::\w+)+", re.sub(r"\buse\s[^;]+;", "", text)):
        yield tuple(path.split("::"))


def resolved(path, module, known, crate):
    """Returns the module that a path in `module` leads to, or None if that is in another crate."""
    crate = tuple(crate.split("::"))
    if path[:len(crate)] == crate:
        path = path[len(crate):]
    elif path[0] in ("super", "self"):
        base = module
        while path and path[0] in ("super", "self"):
            if path[0] == "super":
                base = base[:-1]
            path = path[1:]
        path = base + path
    else:
        return None
    return max((path[:n] for n in range(len(path) + 1) if path[:n] in known), key=len)


def dependencies(root, crate):
    """Returns the modules that each module depends on."""
    known = modules(root)
    found = {}
    for module, file in known.items():
        to = {resolved(path, module, known, crate) for path in paths(code(file.read_text()))}
        found[module] = sorted(m for m in to - {None} if module[:len(m)] != m)
    return found


def cycle(graph):
    """Returns the modules of one cycle, in order, or an empty list."""
    done, way = set(), []

    def visit(module):
        if module in way:
            return way[way.index(module):] + [module]
        if module in done:
            return None
        way.append(module)
        for other in graph[module]:
            if found := visit(other):
                return found
        done.add(way.pop())
        return None

    for module in graph:
        if found := visit(module):
            return found
    return []


def complaints(roots=None):
    for root in roots or ROOTS:
        found = cycle(dependencies(TOP / root, ROOTS.get(root, "crate")))
        if found:
            yield f"{root}: a cycle of modules: {' -> '.join('::'.join(m) or 'the root' for m in found)}"


if __name__ == "__main__":
    said = list(complaints(sys.argv[1:]))
    print("\n".join(said))
    sys.exit(bool(said))
