#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0
"""Prints pictures of a trunk at work: what trunkctl shows on a terminal, as SVG.

Each picture is between two lines, "picture NAME" and "picture end".
"""

import html
import re
import sys
import time

import lab
import topology
from terminal import PLAIN, Terminal

SPARE, FAILED, FAILED_BEFORE = "eth4", "eth3", "eth2"

# Sizes of the font, in pixels. They place the text, which is stretched to this width in any font.
SIZE, WIDTH, HEIGHT = 14, 8.4, 19
MARGIN = 14

# The sixteen colours on white: of text, and of the ground below black or white text.
INK = "#1f2328"
PAPER = "#ffffff"
TEXT = ("#1f2328", "#c4232d", "#1a7f37", "#9a6700", "#0a58ca", "#8250df", "#0b7285", "#59636e",
        "#818b98", "#e5484d", "#2da44e", "#bf8700", "#4493f8", "#a475f9", "#1098ad", "#ffffff")
GROUND = ("#1f2328", "#c4232d", "#8fdd9f", "#f0cf6b", "#0a58ca", "#d9bdff", "#86d8e4", "#d1d9e0",
          "#818b98", "#ff9a9a", "#b7f0c1", "#f9e3a3", "#9ccbff", "#ecdcff", "#c3f0f5", "#ffffff")


def runs(row):
    """Returns (column, text, style) of each piece of text with one style and no two blanks within."""
    found, start = [], 0
    for at in range(1, len(row) + 1):
        if at == len(row) or row[at][1] != row[start][1]:
            text = "".join(character for character, _ in row[start:at])
            style = row[start][1]
            found += [(start + m.start(), m[0], style) for m in re.finditer(r"\S+(?: \S+)*", text)]
            start = at
    return found


def colors(style):
    """Returns the colours of text and ground; None is no ground."""
    ink = INK if style.color is None else TEXT[style.color]
    ground = None if style.ground is None else GROUND[style.ground]
    if style.reverse:
        return PAPER, ink
    return ink, ground


def number(value):
    return f"{value:.1f}".removesuffix(".0")


def svg(screen, title):
    rows = screen.cells
    while rows and all(cell == (" ", PLAIN) for cell in rows[-1]):
        rows = rows[:-1]
    width = screen.columns * WIDTH + 2 * MARGIN
    height = len(rows) * HEIGHT + 2 * MARGIN
    yield "<!-- SPDX-License-Identifier: GPL-2.0 -->"
    yield (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {number(width)} {number(height)}" '
           f'width="{number(width)}" height="{number(height)}" '
           f'font-family="ui-monospace, DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{SIZE}">')
    yield f"<title>{html.escape(title)}</title>"
    yield (f'<rect x=".5" y=".5" width="{number(width - 1)}" height="{number(height - 1)}" rx="8" '
           f'fill="{PAPER}" stroke="#818b98"/>')
    for y, row in enumerate(rows):
        top = MARGIN + y * HEIGHT
        start = 0
        for at in range(1, len(row) + 1):
            if at == len(row) or row[at][1] != row[start][1]:
                if ground := colors(row[start][1])[1]:
                    yield (f'<rect x="{number(MARGIN + start * WIDTH)}" y="{top}" '
                           f'width="{number((at - start) * WIDTH)}" height="{HEIGHT}" fill="{ground}"/>')
                start = at
        for x, text, style in runs(row):
            words = f'x="{number(MARGIN + x * WIDTH)}" y="{top + 14}" textLength="{number(len(text) * WIDTH)}"'
            words += f' fill="{colors(style)[0]}"'
            if style.bold:
                words += ' font-weight="bold"'
            if style.dim:
                words += ' opacity=".7"'
            yield f"<text {words}>{html.escape(text)}</text>"
    yield "</svg>"


def show(name, screen, title):
    print(f"picture {name}", *svg(screen, title), "picture end", sep="\n", flush=True)


def flows(source):
    """Returns a function for a Background that sends frames to an address for each bucket, to some more often."""

    def go(stop):
        sender = lab.Sender("trunk0")
        number = 0
        while not stop():
            frames = [lab.frame(lab.mac(0xDE000000 + flow), source, number, 200 + 30 * flow)
                      for flow in range(32) if number % (1 + flow % 3) == 0]
            sender.flood(frames)
            number += 1
            time.sleep(0.02)

    return go


def answers(destination):
    """Returns a function for a Background that sends frames from those addresses."""

    def go(stop):
        sender = lab.Sender("trunk0")
        while not stop():
            sender.flood([lab.frame(destination, lab.mac(0xDE000000 + flow), 0, 400) for flow in range(32)])
            time.sleep(0.1)

    return go


def session(command):
    """Returns the screen after a command, with the prompt and the command."""
    terminal = Terminal(command, rows=40, columns=140)
    status = terminal.end()
    lab.equal(status, 0, command)
    screen = terminal.screen
    prompt = [(character, PLAIN) for character in f"$ {command}".ljust(screen.columns)]
    screen.cells = [prompt] + screen.cells
    used = max(len(line) for line in screen.lines())
    screen.columns = used
    screen.cells = [row[:used] for row in screen.cells]
    return screen


def main():
    # The defaults, except that an emulated processor may answer later.
    usual = {"interval": 100_000, "reply_timeout": 100_000, "hits": 3, "hold_down": 60_000}
    pair = topology.hosts(switch_settings={"role": "switch"}, **usual)
    server, switch = pair.hosts
    with server.netns:
        source = lab.address("trunk0")

    with switch.netns, lab.Background(answers(source)), server.netns, lab.Background(flows(source)):
        watch = Terminal("trunkctl watch trunk0")
        watch.look(2)
        for port in FAILED_BEFORE, FAILED:
            pair.panel.pull(port)
            watch.look(3)
            if port != FAILED:
                pair.panel.plug(port)
                watch.look(3)
        lab.eventually(lambda: server.stand_ins() == {SPARE: FAILED}, "the spare stands in for the port that failed")
        watch.look(2)
        show("watch", watch.screen, "trunkctl watch: eth4 stands in for eth3, whose cable is pulled")
        watch.type("q")
        lab.equal(watch.end(), 0, "status of watch")
        show("show", session("trunkctl show"), "trunkctl show: a trunk of four ports, one of which has failed")
        show("port-show", session("trunkctl port show"), "trunkctl port show: eth4 stands in for eth3")
        show("table-show", session("trunkctl table show trunk0"),
             "trunkctl table show: the 32 buckets of a trunk in the colours of the ports that carry them")
    return 0


if __name__ == "__main__":
    sys.exit(main())
