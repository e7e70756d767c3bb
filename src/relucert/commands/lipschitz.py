"""``relucert lipschitz``: how steep a network is, exactly or as a bracket."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert.commands.screen import header, print_json, progress_bar, say
from relucert.errors import UsageError
from relucert.exact import format_rational, nearest_float
from relucert.memorization.lipschitz_constant import LipschitzBracket, lipschitz_constant
from relucert.network import Network
from relucert.query import Box
from relucert.read.network import read_network
from relucert.verdict import Reason

__all__ = ["lipschitz_command"]

Range = tuple[Fraction, Fraction]
_SHOWN = 6
_PLACES = 10


@dataclass(frozen=True)
class _Row:
    """One scalar function of the outputs, and what was found about it."""

    name: str
    bracket: LipschitzBracket


def lipschitz_command(
    network_path: Path,
    *,
    ranges: Sequence[Range],
    norm: str,
    output: int | None,
    minus: int | None,
    timeout: float,
    memory: float,
    seed: int,
    as_json: bool,
) -> int:
    """Run the command; returns 0 when every constant is exact, else 3.

    ranges: none for all inputs, one for every input, or one for each. output, minus: numbers of
    outputs, from 0; without them every output is a function of its own.
    """
    network = read_network(network_path)
    box = _box(ranges, network.input_size)
    functions = _functions(network, output, minus)
    rows: list[_Row] = []
    with progress_bar(len(functions)) as bar:
        for name, coefficients in functions:
            bar.item(name)
            bracket = lipschitz_constant(
                network, coefficients, box=box, norm=norm, timeout=timeout, memory=memory,
                seed=seed, progress=bar.work,
            )  # fmt: skip
            rows.append(_Row(name, bracket))
            bar.done("exact" if bracket.exact else "open")
            if bracket.reason is Reason.INTERRUPTED:
                say(f"relucert: interrupted: {len(rows)} of {len(functions)} functions begun")
                break
    complete = len(rows) == len(functions)
    if as_json:
        about = {"norm": norm, "box": _box_record(box), "complete": complete}
        whole = {"outputs_linf": _ends(_largest(rows))} if complete and output is None else {}
        print_json(
            header(network_path, seed) | about | whole | {"functions": [_record(r) for r in rows]}
        )
    else:
        _show(network, box, norm, rows, complete and output is None and len(rows) > 1)
        print(f"seed {seed}")
    return 0 if complete and all(row.bracket.exact for row in rows) else 3


def _box(ranges: Sequence[Range], size: int) -> Box | None:
    if not ranges:
        return None
    if len(ranges) not in (1, size):
        raise UsageError(
            f"--box was given {len(ranges)} times: give it once for all inputs, or {size} times, "
            "once for each"
        )
    chosen = list(ranges) * size if len(ranges) == 1 else list(ranges)
    return Box(tuple(low for low, _ in chosen), tuple(high for _, high in chosen))


def _functions(
    network: Network, output: int | None, minus: int | None
) -> list[tuple[str, tuple[int, ...]]]:
    """Names and coefficients of the scalar functions asked for."""
    size = network.output_size
    if minus is not None and output is None:
        raise UsageError("--minus needs --output: the difference of two outputs")
    for option, index in (("--output", output), ("--minus", minus)):
        if index is not None and not 0 <= index < size:
            raise UsageError(f"{option} {index}: the network's outputs are 0 to {size - 1}")
    if output is not None and output == minus:
        raise UsageError(f"--output {output} --minus {minus} is zero everywhere")
    if output is not None:
        name = f"output {output}" + ("" if minus is None else f" - output {minus}")
        return [(name, tuple((i == output) - (i == minus) for i in range(size)))]
    return [(f"output {i}", tuple(int(i == j) for j in range(size))) for i in range(size)]


def _largest(rows: Sequence[_Row]) -> LipschitzBracket:
    """The constant of all outputs together in l_inf is the largest of theirs."""
    first = max(rows, key=lambda row: row.bracket.lower).bracket
    upper = max(row.bracket.upper for row in rows)
    return LipschitzBracket(first.norm, first.lower, upper, first.pair, first.regions, 0.0)


def decimal_root(value: Fraction, power: int, up: bool) -> str:
    """``value ** (1 / power)`` to ten places, rounded down or up; exact where it ends earlier."""
    scale = 10**_PLACES
    if power == 1:
        scaled = value * scale
        whole = -(-scaled.numerator // scaled.denominator) if up else math.floor(scaled)
    else:
        scaled = value * scale * scale
        whole = math.isqrt(scaled.numerator // scaled.denominator)
        if up and whole * whole != scaled:
            whole += 1
    return format_rational(Fraction(whole, scale))


def _text(value: Fraction) -> str | None:
    """The rational in full; None beyond the 4,300 digits that Python writes."""
    try:
        return str(value)
    except ValueError:
        return None


def _ends(bracket: LipschitzBracket) -> dict[str, Any]:
    power = bracket.norm.power
    record: dict[str, Any] = {
        "exact": bracket.exact,
        "lower": decimal_root(bracket.lower, power, up=False),
        "upper": decimal_root(bracket.upper, power, up=True),
    }
    names = ("lower_squared", "upper_squared") if power == 2 else ("lower_exact", "upper_exact")
    record[names[0]] = _text(bracket.lower)
    record[names[1]] = _text(bracket.upper)
    return record


def _record(row: _Row) -> dict[str, Any]:
    bracket, pair = row.bracket, row.bracket.pair
    return {"function": row.name} | _ends(bracket) | {
        "pair": None if pair is None else {
            "first": [_text(value) for value in pair.first],
            "second": [_text(value) for value in pair.second],
            "change": _text(pair.change),
        },
        "regions": bracket.regions,
        "open_because": bracket.reason.name.lower() if bracket.reason else None,
        "seconds": round(bracket.seconds, 3),
    }  # fmt: skip


def _box_record(box: Box | None) -> list[list[str]] | None:
    if box is None:
        return None
    return [
        [format_rational(low), format_rational(high)]
        for low, high in zip(box.lower, box.upper, strict=True)
    ]


def _show(network: Network, box: Box | None, norm: str, rows: Sequence[_Row], vector: bool) -> None:
    where = "all inputs" if box is None else "the box"
    if box is not None and box.lower == box.upper:
        where = "the box, which is a single point"
    elif box is not None and any(a == b for a, b in zip(box.lower, box.upper, strict=True)):
        where = "the box, in which some inputs do not vary"
    print(f"{network.name}: Lipschitz constant over {where}, inputs in {norm}")
    for row in rows:
        print(f"{row.name}: {_words(row.bracket)}")
        if len(rows) == 1 and row.bracket.pair is not None:
            pair = row.bracket.pair
            print(f"  attained from {_short(pair.first)}")
            print(f"            to {_short(pair.second)}")
    if vector:
        print(f"all outputs, in l_inf: {_words(_largest(rows))}")


def _words(bracket: LipschitzBracket) -> str:
    power = bracket.norm.power
    low = decimal_root(bracket.lower, power, up=False)
    high = decimal_root(bracket.upper, power, up=True)
    if bracket.exact:
        value, shown = _brief(bracket.lower), low if low == high else f"{low}..."
        if power == 1:
            return f"{shown} exactly" if value in (None, low) else f"{value} = {shown} exactly"
        square = "its square a long rational" if value is None else f"the square root of {value}"
        return f"{shown} exactly, {square}"
    reason = f" (open: {bracket.reason.value})" if bracket.reason else ""
    return f"between {low} and {high}{reason}"


def _brief(value: Fraction) -> str | None:
    """The rational in full, None when that is long (--json has all of it)."""
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > 150:
        return None
    text = format_rational(value)
    return text if len(text) <= 40 else None


def _short(values: tuple[Fraction, ...]) -> str:
    shown = ", ".join(f"{nearest_float(value):.6g}" for value in values[:_SHOWN])
    return f"({shown}{', ...' if len(values) > _SHOWN else ''})"
