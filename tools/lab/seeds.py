# SPDX-License-Identifier: GPL-2.0
"""Reads the file `seeds` in this folder. Guests have both files too."""

import random
import re
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("seeds")
PLACES = ("host", "stock", "debug", "uml")


class Found(NamedTuple):
    """A seed with which a test has failed once."""

    number: int
    where: str
    test: str


def parse(text):
    """Returns the seed of `make test`, and a list of those with which a test has failed."""
    usual, found = [], []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        number, *rest = line.split(None, 2)  # the name of a test may have spaces
        if not re.fullmatch(r"\d+", number) or len(rest) not in (0, 2) or rest and rest[0] not in PLACES:
            raise ValueError(f"seeds: not understood: {line!r}")
        if rest:
            found.append(Found(int(number), rest[0], rest[1].strip()))
        else:
            usual.append(int(number))
    if len(usual) != 1:
        raise ValueError(f"seeds: one seed for `make test`, not {len(usual)}")
    return usual[0], found


def known():
    return parse(FILE.read_text())


def fresh():
    """Returns a random seed."""
    return random.SystemRandom().randrange(1, 1 << 32)
