"""``relucert refute``: two points that a network with a narrow first layer cannot tell apart."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

from relucert.commands.screen import header, print_json, progress_bar
from relucert.exact import format_rational, nearest_float
from relucert.memorization.width_bound import IndistinguishablePair, refute
from relucert.read.network import read_network

__all__ = ["refute_command"]

_SHOWN = 6


def refute_command(network_path: Path, *, budget: Fraction, as_json: bool) -> int:
    """Run the command; returns 1 when the network is refuted, 3 when it is not."""
    network = read_network(network_path)
    with progress_bar(network.input_size) as bar:
        bar.item("exact elimination")
        pair = refute(network, budget, bar.reach)
    if as_json:
        print_json(header(network_path) | _record(pair, budget))
    elif pair is None:
        print(
            f"{network.name}: not refuted: its first hidden layer has rank {network.input_size}, "
            "as many as inputs"
        )
    else:
        _show(network.name, pair)
    return 3 if pair is None else 1


def _record(pair: IndistinguishablePair | None, budget: Fraction) -> dict[str, object]:
    if pair is None:
        return {"refuted": False, "budget": format_rational(budget)}
    return {
        "refuted": True,
        "budget": format_rational(budget),
        "data": "0 labelled 1, every unit vector labelled 2",
        "coordinate": pair.coordinate,
        "direction": [str(value) for value in pair.direction],
        "first": [str(value) for value in pair.first],
        "second": [str(value) for value in pair.second],
        "output": [nearest_float(value) for value in pair.output],
    }


def _show(name: str, pair: IndistinguishablePair) -> None:
    print(
        f"{name}: refuted: it cannot robustly memorize 0 (label 1) and the unit vectors (label 2) "
        f"with budget {format_rational(pair.budget)}"
    )
    print(f"x  in the ball around 0:  {_short(pair.first)}")
    print(f"x' in the ball around unit vector {pair.coordinate}: {_short(pair.second)}")
    print(f"outputs at both, checked equal in rationals: {_short(pair.output)}")


def _short(values: tuple[Fraction, ...]) -> str:
    shown = ", ".join(f"{nearest_float(value):.6g}" for value in values[:_SHOWN])
    return f"({shown}{', ...' if len(values) > _SHOWN else ''})"
