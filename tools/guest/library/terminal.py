# SPDX-License-Identifier: GPL-2.0
"""A terminal: it runs programs and keeps the screen that they draw.

It knows the control sequences of ECMA-48 and xterm that trunkctl uses. Any other one is an error.
"""

import codecs
import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from typing import NamedTuple

import lab

SEQUENCE = re.compile(r"\x1b\[([?]?)([0-9;]*)([A-Za-z])")


class Style(NamedTuple):
    """A colour is a number of the usual sixteen; None is the terminal's default."""

    color: int | None = None
    ground: int | None = None
    bold: bool = False
    dim: bool = False
    reverse: bool = False


PLAIN = Style()
FLAGS = {1: {"bold": True}, 2: {"dim": True}, 7: {"reverse": True}, 22: {"bold": False, "dim": False},
         27: {"reverse": False}, 39: {"color": None}, 49: {"ground": None}}


class Screen:
    """Rows of cells, each a character and its style."""

    def __init__(self, rows, columns):
        self.rows, self.columns = rows, columns
        self.style = PLAIN
        self.cursor = True  # shown
        self.other = None  # cells and position of the main screen, while the alternate one is shown
        self.rest = ""
        self.clear()

    def clear(self):
        self.cells = [self.blank() for _ in range(self.rows)]
        self.row = self.column = 0

    def blank(self):
        return [(" ", PLAIN)] * self.columns

    def resize(self, rows, columns):
        """Changes the size and clears the screen: the program has to draw it again."""
        self.rows, self.columns = rows, columns
        self.clear()

    def lines(self):
        return ["".join(character for character, _ in row).rstrip() for row in self.cells]

    def feed(self, text):
        text, self.rest = self.rest + text, ""
        at = 0
        while at < len(text):
            if text[at] != "\x1b":
                self.put(text[at])
                at += 1
            elif found := SEQUENCE.match(text, at):
                self.control(*found.groups())
                at = found.end()
            elif re.fullmatch(r"\x1b(\[[?]?[0-9;]*)?", text[at:]):
                self.rest = text[at:]  # the sequence is not complete
                return
            else:
                raise lab.Failed(f"unknown to this terminal: {text[at:at + 20]!r}")

    def put(self, character):
        if character == "\r":
            self.column = 0
        elif character == "\n":
            self.row += 1
        elif character < " ":
            raise lab.Failed(f"unknown to this terminal: {character!r}")
        else:
            if self.column == self.columns:
                self.row, self.column = self.row + 1, 0
            self.scroll()
            self.cells[self.row][self.column] = (character, self.style)
            self.column += 1
        self.scroll()

    def scroll(self):
        while self.row >= self.rows:
            self.cells = self.cells[1:] + [self.blank()]
            self.row -= 1

    def control(self, private, numbers, letter):
        numbers = [int(number or 0) for number in numbers.split(";")]
        match private, letter, numbers:
            case "", "m", _:
                self.sgr(numbers)
            case "", "H", _:
                row, column = (numbers + [1])[:2]
                self.row = min(max(row, 1), self.rows) - 1
                self.column = min(max(column, 1), self.columns) - 1
            case "", "J", [2]:
                self.cells = [self.blank() for _ in range(self.rows)]
            case "?", ("h" | "l"), [25]:
                self.cursor = letter == "h"
            case "?", "h", [1049]:
                self.other = self.cells, self.row, self.column
                self.clear()
            case "?", "l", [1049]:
                if self.other:
                    self.cells, self.row, self.column = self.other
                self.other = None
            case _:
                raise lab.Failed(f"unknown to this terminal: CSI {private}{numbers}{letter}")

    def sgr(self, numbers):
        match numbers:
            case []:
                return
            case [(38 | 48) as what, 5, number, *rest]:
                self.style = self.style._replace(**{"color" if what == 38 else "ground": number})
            case [0, *rest]:
                self.style = PLAIN
            case [59, *rest]:
                pass  # the colour of underlines, which it does not draw
            case [number, *rest] if number in FLAGS:
                self.style = self.style._replace(**FLAGS[number])
            case [number, *rest] if 30 <= number < 38 or 90 <= number < 98:
                self.style = self.style._replace(color=number - 30 if number < 90 else number - 90 + 8)
            case _:
                raise lab.Failed(f"unknown to this terminal: SGR {numbers}")
        self.sgr(rest)


class Terminal:
    """A program in a terminal of its own, in the current namespace."""

    def __init__(self, command, rows=24, columns=80, environment=None, user=None):
        self.screen = Screen(rows, columns)
        self.decoder = codecs.getincrementaldecoder("utf-8")()
        self.master, self.slave = pty.openpty()
        self.size(rows, columns)
        self.before = termios.tcgetattr(self.slave)
        self.process = subprocess.Popen(
            command.split(), stdin=self.slave, stdout=self.slave, stderr=self.slave,
            user=user, env=os.environ | {"TERM": "xterm-256color"} | (environment or {}), start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))

    def size(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows, columns):
        self.take()
        self.screen.resize(rows, columns)
        self.size(rows, columns)

    def take(self, wait=0):
        """Draws the output so far; if there is none, waits for it for so many seconds."""
        while select.select([self.master], [], [], wait)[0]:
            self.screen.feed(self.decoder.decode(os.read(self.master, 65536)))
            wait = 0

    def look(self, seconds):
        """Draws the output of so many seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.take(left)

    def lines(self):
        self.take()
        return self.screen.lines()

    def shows(self, pattern):
        """Returns whether a line matches."""
        return any(re.search(pattern, line) for line in self.lines())

    def comes_to_show(self, *patterns):
        """Waits for a line that matches, for each pattern: output comes in pieces."""
        for pattern in patterns:
            lab.eventually(lambda: self.shows(pattern), lambda: f"it shows {pattern!r}; it shows {self.lines()}")

    def type(self, keys):
        os.write(self.master, keys.encode())

    def kill(self, number):
        self.process.send_signal(number)

    def end(self):
        """Waits until the program ends, and returns its status. Checks that the terminal is as before."""
        lab.eventually(lambda: self.take() or self.process.poll() is not None, "the program ends")
        self.take()
        lab.expect(self.screen.other is None, "the alternate screen is left behind")
        lab.expect(self.screen.cursor, "the cursor is still hidden")
        lab.equal(termios.tcgetattr(self.slave), self.before, "modes of the terminal")
        return self.process.returncode
