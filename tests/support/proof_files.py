"""Proof files as lists of lines, and ways of spoiling them."""

from __future__ import annotations

import gzip
from pathlib import Path
from random import Random

HEADER_LINES = 4


def read_lines(path: Path) -> list[str]:
    return gzip.decompress(path.read_bytes()).decode("ascii").splitlines()


def packed(lines: list[str]) -> bytes:
    return gzip.compress(("\n".join(lines) + "\n").encode(), mtime=0)


def counted(lines: list[str]) -> list[str]:
    """The same with an end that counts right, so that a mutation is met and not the count."""
    return [*lines[:-1], f"end {len(lines) - HEADER_LINES - 1}"]


def mutated(lines: list[str], rng: Random) -> list[str]:
    """One to three changes of records; the header and the count stay right."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        body = lines[HEADER_LINES:-1]
        where = rng.randrange(len(body))
        body[where : where + 1] = rng.choice(_WAYS)(body, where, rng)
        lines = counted([*lines[:HEADER_LINES], *body, "end 0"])
        if len(lines) <= HEADER_LINES + 1:
            break
    return lines


def _dropped(body, where, rng):
    return []


def _repeated(body, where, rng):
    return [body[where], body[where]]


def _swapped(body, where, rng):
    return [body[rng.randrange(len(body))]]


def _inserted(body, where, rng):
    new = rng.choice(("b", "e", "r 0 0", "r 1 1", "x 0 0x1.0000000000000p+0", "x 1 0x0.0p+0",
                      "n 1 0+", "n 1 1-", "v", "i", "v a0 0=128,1=7", "d 0 w 0=1p0",
                      "c 0 w 0=1p0", "c 1 w 0=1p0,1=1p0", "c 0 w 0=0p0", "case 0"))  # fmt: skip
    return [new, body[where]]


def _tree(body, where, rng):
    """A bound on a neuron by a tree of one or two parts, in front of a region's records."""
    layer = rng.choice((1, 1, 2))
    parts = []
    for _ in range(2):
        slopes = ",".join(f"{n}={rng.randrange(257)}" for n in sorted(rng.sample(range(4), 2)))
        parts.append(f"v a{rng.randrange(layer)} {slopes}")
    tree = [f"r 0 {rng.randrange(4)}", *parts] if rng.random() < 0.5 else parts[:1]
    return [f"n {layer} {rng.randrange(4)}{rng.choice('+-')}", *tree, body[where]]


def _number_changed(body, where, rng):
    """One digit, sign or bit of one number."""
    line = body[where]
    digits = [index for index, letter in enumerate(line) if letter in "0123456789abcdef"]
    if not digits:
        return [line]
    at = rng.choice(digits)
    new = rng.choice("0123456789") if rng.random() < 0.8 else rng.choice(["-", "", "00", "9e9"])
    return [line[:at] + new + line[at + 1 :]]


def _sign_flipped(body, where, rng):
    line = body[where]
    places = [index for index, letter in enumerate(line) if letter in "=p "]
    if not places:
        return [line]
    at = rng.choice(places) + 1
    return [line[:at] + (line[at + 1 :] if line[at : at + 1] == "-" else "-" + line[at:])]


def _list_dropped(body, where, rng):
    words = body[where].split(" ")
    if len(words) < 4:
        return [body[where]]
    at = rng.randrange(2, len(words), 2)
    return [" ".join(words[:at] + words[at + 2 :])]


def _weight_scaled(body, where, rng):
    """A huge or tiny multiplier in place of one."""
    line = body[where]
    if "p" not in line or not line.startswith("c"):
        return [line]
    at = rng.choice([i for i, letter in enumerate(line) if letter == "p"])
    end = next((i for i in range(at, len(line)) if line[i] in ", "), len(line))
    return [line[: at + 1] + str(rng.choice((-1074, -60, 0, 1, 60, 900))) + line[end:]]


_WAYS = (_dropped, _repeated, _swapped, _inserted, _tree, _number_changed, _number_changed,
         _sign_flipped, _list_dropped, _weight_scaled)  # fmt: skip
