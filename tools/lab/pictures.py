#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""pictures.py: makes the pictures of trunkctl for Documentation/images, in a guest."""

import sys

import guest

IMAGES = guest.TOP / "Documentation/images"


def main():
    name, lines, plain = None, [], guest.without_ktap()

    def line(text):
        nonlocal name, lines
        words = text.split()
        if words[:1] == ["picture"] and words[1] != "end":
            name, lines = words[1], []
        elif words == ["picture", "end"]:
            file = IMAGES / f"trunkctl-{name}.svg"
            file.write_text("\n".join(lines) + "\n")
            print(file.relative_to(guest.TOP), flush=True)
            name = None
        elif name:
            lines.append(text)
        else:
            plain(text)

    return guest.show(guest.Guest("stock", ["python3", "/tests/pictures.py"], name="pictures"), line)


if __name__ == "__main__":
    sys.exit(main())
