"""Make the corpus of proofs: `PYTHONPATH=tests python tests/proofs/make_corpus.py`.

questions/: networks and properties, a property whose name ends in -false does not hold. valid/:
``<network>--<property>--<what>.rcp`` as the prover writes them. invalid/ and malformed/: the same
spoiled in one way each; expected.csv says where and why the checker stops.
"""

from __future__ import annotations

import csv
import gzip
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
from support.proof_files import HEADER_LINES, counted, packed, read_lines

from relucert.errors import FileError
from relucert.limits import Limits
from relucert.network import Layer, Network
from relucert.proof.check import Accepted, check_proof
from relucert.proof.subject import Subject
from relucert.prover.prove import prove
from relucert.query import Box, Case, Polyhedron, Query
from relucert.read.network import read_network
from relucert.read.vnnlib import read_vnnlib
from relucert.write.npz import write_network_npz
from relucert.write.vnnlib import write_vnnlib

HERE = Path(__file__).parent
QUESTIONS = HERE / "questions"


def deep(seed: int, sizes: list[int], divisor: bool = False) -> Network:
    rng = np.random.default_rng(seed)
    layers = []
    for index, (inputs, outputs) in enumerate(pairwise(sizes)):
        weight = np.round(rng.normal(size=(outputs, inputs)) * 64) / 64
        bias = np.round(rng.normal(size=outputs) * 16) / 64
        last = index == len(sizes) - 2
        div = np.where(np.arange(outputs) % 2, 3.0, 1.0) if divisor and not last else None
        layers.append(Layer(weight, bias, np.full(outputs, not last), div))
    return Network(tuple(layers), f"random {seed}")


def box(size: int, radius: Fraction = Fraction(1)) -> Box:
    return Box((-radius,) * size, (radius,) * size)


def half_spaces(network: Network, where: Box, slack: Fraction, rows: list[list[int]]) -> Query:
    """Outputs ``row y >= greatest sampled value + slack`` for every row: unsafe together."""
    rng = np.random.default_rng(1)
    low = np.array([float(v) for v in where.lower])
    high = np.array([float(v) for v in where.upper])
    shares = rng.random((8192, len(low)))
    shares[::2] = np.round(shares[::2])  # the corners too
    outputs = network.evaluate(low + shares * (high - low))
    values = (outputs @ np.array(rows, dtype=float).T).max(axis=0)
    limits = tuple(-(Fraction(round(float(v) * 1024), 1024) + slack) for v in values)
    coefficients = tuple(tuple(Fraction(-c) for c in row) for row in rows)
    return Query((Case(where, (Polyhedron(coefficients, limits),)),))


def questions() -> None:
    QUESTIONS.mkdir(exist_ok=True)
    deep3, divided = deep(1, [2, 5, 5, 2]), deep(3, [3, 4, 4, 2], divisor=True)
    wide = deep(2, [4, 12, 2])
    crossing = Network.dense([np.array([[1.0], [-1.0]])], [np.zeros(2)], "crossing")
    third = Fraction(-3, 10)
    both = Polyhedron(((Fraction(1), Fraction(0)), (Fraction(0), Fraction(1))), (third, third))
    less = Polyhedron(((Fraction(1), Fraction(2)),), (Fraction(-2),))
    made = {
        ("deep", "above"): (deep3, half_spaces(deep3, box(2), Fraction(1, 8), [[1, -1]])),
        ("deep", "above-false"): (deep3, half_spaces(deep3, box(2), Fraction(-1, 8), [[1, -1]])),
        ("divided", "two"): (divided, half_spaces(divided, box(3), Fraction(1, 16), [[1, 0]])),
        ("divided", "two-false"): (
            divided, half_spaces(divided, box(3), Fraction(-1, 32), [[1, 0]])),
        ("wide", "margin"): (wide, half_spaces(wide, box(4), Fraction(1, 2), [[1, -1]])),
        ("wide", "margin-false"): (wide, half_spaces(wide, box(4), Fraction(-1, 2), [[1, -1]])),
        ("crossing", "mixed"): (crossing, Query((Case(box(1), (both,)),))),
        ("crossing", "cases"): (crossing, Query((Case(box(1), (both, less)),
                                                 Case(box(1, Fraction(1, 10)), (both,))))),
        ("crossing", "mixed-false"): (crossing, Query((Case(box(1), (
            Polyhedron(both.coefficients, (Fraction(0), Fraction(0))),)),))),
    }  # fmt: skip
    for (name, prop), (network, query) in made.items():
        write_network_npz(network, QUESTIONS / f"{name}.npz")
        write_vnnlib(query, QUESTIONS / f"{name}--{prop}.vnnlib")


def load(name: str, prop: str) -> tuple[Network, Query, Subject]:
    net, vnn = QUESTIONS / f"{name}.npz", QUESTIONS / f"{name}--{prop}.vnnlib"
    subject = Subject.of_files(net.read_bytes(), vnn.read_bytes())
    return read_network(net), read_vnnlib(vnn), subject


def valid() -> dict[str, list[str]]:
    found = {}
    for name, prop, strategy in (
        ("deep", "above", "inputs"), ("deep", "above", "signs"), ("deep", "above", "relus"),
        ("divided", "two", "inputs"), ("divided", "two", "signs"), ("divided", "two", "relus"),
        ("wide", "margin", "signs"), ("wide", "margin", "relus"), ("crossing", "mixed", "inputs"),
        ("crossing", "mixed", "relus"), ("crossing", "cases", "inputs"),
    ):  # fmt: skip
        path = HERE / "valid" / f"{name}--{prop}--{strategy}.rcp"
        result = prove(*load(name, prop), path, Limits(60), strategy=strategy)
        print(path.name, result)
        found[path.stem] = read_lines(path)
    return found


def first(lines: list[str], start: str) -> int:
    return next(i for i, line in enumerate(lines) if i >= HEADER_LINES and line.startswith(start))


def last(lines: list[str], start: str) -> int:
    return max(i for i, line in enumerate(lines) if line.startswith(start))


def changed(lines: list[str], at: int, *new: str) -> list[str]:
    return counted([*lines[:at], *new, *lines[at + 1 :]])


def for_false(lines: list[str], name: str, prop: str) -> list[str]:
    """The same records for a property that does not hold."""
    return [lines[0], lines[1], load(name, prop)[2].query, *lines[3:]]


def invalid(proofs: dict[str, list[str]]) -> dict[str, list[str]]:
    deep_in, deep_re = proofs["deep--above--inputs"], proofs["deep--above--signs"]
    wide, mixed = proofs["wide--margin--signs"], proofs["crossing--mixed--inputs"]
    cases = proofs["crossing--cases--inputs"]
    trees, two = proofs["deep--above--relus"], proofs["divided--two--relus"]
    neuron, part, refute = (first(trees, kind) for kind in ("n ", "v ", "d "))
    close, beta = first(deep_in, "c "), first(wide, next(x for x in wide[5:] if " s" in x))
    return {
        "deep--above--dropped-child": counted([*deep_in[: last(deep_in, "b")], "end 0"]),
        "deep--above--record-left-over": changed(deep_in, len(deep_in) - 1, "b", "end 0"),
        "deep--above--negative-weight": changed(deep_in, close, "c 0 w 0=-1p0"),
        "deep--above--no-weight": changed(deep_in, close, "c 0 w 0=0p0"),
        "deep--above--no-such-row": changed(deep_in, close, "c 0 w 1=1p0"),
        "deep--above--no-such-set": changed(deep_in, close, "c 1 w 0=1p0"),
        "crossing--mixed--no-bounds-yet": changed(mixed, first(mixed, "b")),
        "deep--above--split-outside-the-box": changed(
            deep_in, first(deep_in, "x"), "x 0 0x1.8000000000000p+0"),
        "deep--above--split-on-the-face": changed(
            deep_in, first(deep_in, "x"), "x 0 0x1.0000000000000p+0"),
        "deep--above--no-such-input": changed(deep_in, first(deep_in, "x"), "x 2 0x0.0p+0"),
        "deep--above--not-empty": changed(deep_in, close, "e"),
        "deep--above--wrong-layer": changed(deep_re, first(deep_re, "r "), "r 9 0"),
        "deep--above--no-relu": changed(deep_re, first(deep_re, "r "), "r 2 0"),
        "deep--above--sign-fixed-twice": changed(
            deep_re, first(deep_re, "r "), *[deep_re[first(deep_re, "r ")]] * 2),
        "deep--above--a-tree-below-a-split": changed(deep_in, close, "n 1 0+", "v", deep_in[close]),
        "deep--above--a-tree-before-bounds": changed(trees, first(trees, "b"), "n 1 0+", "v", "b"),
        "deep--above--intervals-below-a-split": changed(deep_in, close, "i", deep_in[close]),
        "deep--above--a-part-of-no-tree": changed(trees, neuron, "v", trees[neuron]),
        "deep--above--a-tree-of-no-layer": changed(trees, neuron, "n 9 0+"),
        "deep--above--a-tree-of-no-neuron": changed(trees, neuron, "n 1 99-"),
        "deep--above--a-tree-of-no-set": changed(trees, refute, "d 1 w 0=1p0"),
        "deep--above--a-tree-of-no-row": changed(trees, refute, "d 0 w 1=1p0"),
        "deep--above--a-tree-without-weight": changed(trees, refute, "d 0 w 0=0p0"),
        "deep--above--a-tree-with-a-negative-weight": changed(trees, refute, "d 0 w 0=-1p0"),
        "deep--above--a-tree-without-parts": changed(trees, part),
        "deep--above--a-tree-with-bounds-anew": changed(trees, part, "b", trees[part]),
        "deep--above--a-tree-without-splits": counted(
            [*trees[:refute], "d 0 w 0=1p0", "v", "end 0"]),
        "deep--above--slopes-for-no-neuron": changed(trees, part, "v a0 99=3"),
        "deep--above--slopes-for-no-relu": changed(trees, part, "v a2 0=3"),
        "deep--above--slopes-for-no-layer": changed(trees, part, "v a3 0=3"),
        "deep--above--slopes-of-too-few-neurons": changed(trees, part, "v a0 :00"),
        "deep--above--slopes-of-too-many-neurons": changed(trees, part, "v a0 :" + "00" * 40),
        "deep--above--multipliers-without-signs": changed(trees, part, "v s0 0=1p0"),
        "deep--above--the-same-set-twice": counted([*trees[:-1], *trees[refute:-1], "end 0"]),
        "deep--above--no-splits": counted([*deep_in[:6], "c 0 w 0=1p0", "end 0"]),
        "deep--above--case-of-another-number": changed(deep_in, 4, "case 1"),
        "deep--above-false--proof-of-another-claim": for_false(deep_in, "deep", "above-false"),
        "divided--two-false--proof-of-another-claim": for_false(
            proofs["divided--two--signs"], "divided", "two-false"),
        "divided--two-false--trees-of-another-claim": for_false(two, "divided", "two-false"),
        "wide--margin-false--trees-of-another-claim": for_false(
            proofs["wide--margin--relus"], "wide", "margin-false"),
        "wide--margin-false--proof-of-another-claim": for_false(wide, "wide", "margin-false"),
        "crossing--mixed-false--proof-of-another-claim": for_false(
            mixed, "crossing", "mixed-false"),
        "wide--margin--negative-beta": changed(
            wide, beta, _spoiled(wide[beta], lambda value: "-" + value)),
        "wide--margin--beta-too-large": changed(
            wide, beta, _spoiled(wide[beta], lambda value: value.split("p")[0] + "p20")),
        "wide--margin--beta-dropped": changed(wide, beta, wide[beta].split(" s")[0]),
        "wide--margin--beta-of-an-open-sign": changed(
            wide, first(wide, "c "), wide[first(wide, "c ")].split(" s")[0] + " s0 7=1p0"),
        "crossing--mixed--one-bit-of-a-weight": changed(
            mixed, first(mixed, "c "), "c 0 w 0=1p0,1=1p-3"),
        "crossing--cases--closed-twice": changed(
            cases, first(cases, "c 1"), cases[first(cases, "c 0")]),
        "crossing--cases--a-case-left-out": counted([*cases[: last(cases, "case")], "end 0"]),
    }  # fmt: skip


def _spoiled(line: str, change) -> str:
    head, _, tail = line.partition(" s")
    layer, _, values = tail.partition(" ")
    neuron, _, value = values.partition("=")
    return f"{head} s{layer} {neuron}=" + change(value)


def malformed(proofs: dict[str, list[str]]) -> dict[str, bytes]:
    lines = proofs["deep--above--inputs"]
    content, close, split = packed(lines), first(lines, "c "), first(lines, "x")
    other = lines[1][:-1] + ("0" if lines[1][-1] != "0" else "1")
    relus = proofs["deep--above--relus"]
    part = first(relus, "v ")

    def with_line(at: int, text: str) -> bytes:
        return packed(changed(lines, at, text))

    return {
        "hash-of-another-network": packed([lines[0], other, *lines[2:]]),
        "hash-of-another-query": packed([*lines[:2], lines[2][:-1] + "x", *lines[3:]]),
        "hashes-swapped": packed([lines[0], lines[2], lines[1], *lines[3:]]),
        "another-version": packed(["relucert-proof 2", *lines[1:]]),
        "another-semantics": packed([*lines[:3], "semantics float32", *lines[4:]]),
        "not-a-proof": packed(["hello"]),
        "not-compressed": ("\n".join(lines) + "\n").encode(),
        "nothing": b"",
        "truncated-stream": content[: len(content) // 2],
        "truncated-checksum": content[:-3],
        "truncated-records": packed(lines[: len(lines) // 2]),
        "truncated-line": gzip.compress("\n".join(lines[:8]).encode()[:-2], mtime=0),
        "bytes-after-the-stream": content + b"x",
        "zeros-after-the-stream": content + bytes(8),
        "a-second-stream": content + packed(["b"]),
        "lines-after-the-end": packed([*lines, "b"]),
        "wrong-count": packed([*lines[:-1], "end 7"]),
        "line-too-long": gzip.compress(b"b " * 5_000_000, mtime=0),
        "not-ascii": gzip.compress("\n".join([*lines[:5], "bé", ""]).encode(), mtime=0),
        "unknown-record": with_line(close, "believe me"),
        "asserted-bound": with_line(close, "c 0 w 0=1p0 l1 0=1p0"),
        "huge-exponent": with_line(close, "c 0 w 0=1p999999999999"),
        "large-exponent": with_line(close, "c 0 w 0=1p2000"),
        "tiny-exponent": with_line(close, "c 0 w 0=1p-1075"),
        "huge-number": with_line(close, f"c 0 w 0={'9' * 5000}p0"),
        "decimal-number": with_line(close, "c 0 w 0=0.5"),
        "weight-nan": with_line(close, "c 0 w 0=nan"),
        "weight-missing": with_line(close, "c 0 a1 0=5"),
        "split-nan": with_line(split, "x 0 nan"),
        "split-infinity": with_line(split, "x 0 inf"),
        "split-decimal": with_line(split, "x 0 0.25"),
        "split-of-many-digits": with_line(split, "x 0 0x1.00000000000001p+0"),
        "split-beyond-float64": with_line(split, "x 0 0x1.0000000000000p+1024"),
        "negative-index": with_line(split, "x -1 0x0.0p+0"),
        "index-of-many-digits": with_line(split, f"x {'1' * 40} 0x0.0p+0"),
        "slope-above-one": packed(changed(relus, first(relus, "b"), "b a0 0=257")),
        "tree-of-no-side": packed(changed(relus, first(relus, "n "), "n 1 0")),
        "tree-of-two-sides": packed(changed(relus, first(relus, "n "), "n 1 0+-")),
        "tree-with-slopes": packed(changed(relus, first(relus, "n "), "n 1 0+ a0 0=3")),
        "tree-of-no-weight": packed(changed(relus, first(relus, "d "), "d 0")),
        "tree-with-a-value": packed(changed(relus, part, "v 0x1.0000000000000p+0")),
        "part-with-weights": packed(changed(relus, part, "v w 0=1p0")),
        "slope-byte-above-one": packed(changed(relus, part, "v a0 :81")),
        "slope-bytes-of-an-odd-number": packed(changed(relus, part, "v a0 :800")),
        "slope-bytes-missing": packed(changed(relus, part, "v a0 :")),
        "slope-bytes-in-capitals": packed(changed(relus, part, "v a0 :0A")),
        "format-of-an-earlier-version": packed(changed(relus, part, "t 1 0+ a0 0=3")),
        "neuron-twice": packed(changed(relus, first(relus, "b"), "b a0 0=3,0=4")),
        "list-twice": packed(changed(relus, first(relus, "b"), "b a0 0=3 a0 1=4")),
    }


def where(path: Path, name: str, prop: str) -> tuple[str, str]:
    """Where and why the checker stops."""
    network, query, subject = load(name, prop)
    try:
        checked = check_proof(path, network, query, subject)
    except FileError as error:
        return error.place, error.problem
    if isinstance(checked, Accepted):
        raise SystemExit(f"{path} is accepted")
    return f"record {checked.record}", checked.reason


def main() -> None:
    for folder in ("valid", "invalid", "malformed"):
        (HERE / folder).mkdir(exist_ok=True)
        for old in (HERE / folder).glob("*.rcp"):
            old.unlink()
    questions()
    proofs = valid()
    rows = []
    for stem, lines in invalid(proofs).items():
        path = HERE / "invalid" / f"{stem}.rcp"
        path.write_bytes(packed(lines))
        name, prop, _ = stem.split("--")
        rows.append((f"invalid/{path.name}", *where(path, name, prop)))
    for what, content in malformed(proofs).items():
        path = HERE / "malformed" / f"deep--above--{what}.rcp"
        path.write_bytes(content)
        rows.append((f"malformed/{path.name}", *where(path, "deep", "above")))
    with (HERE / "expected.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows([("file", "place", "reason"), *rows])


if __name__ == "__main__":
    main()
