"""Tables for the terminal (rich)."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table

from relucert.exact import nearest_float
from relucert.network import Network
from relucert.radius_bracket import RadiusBracket
from relucert.report.records import Item, verdict_word

__all__ = ["items_table", "network_table", "plain_table", "print_table", "radius_table", "summary"]

_FILE_WIDTH = 160
_COLOURS = {"proved": "green", "violated": "red", "unknown": "yellow"}


def print_table(table: Table, console: Console | None = None) -> None:
    """Print to standard output; wide columns are folded, not cut, in a file not even folded."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(width=max(console.width, _FILE_WIDTH))
    console.print(table)


def items_table(title: str, items: Sequence[Item]) -> Table:
    """One row a question: name, verdict, how, seconds."""
    table = Table(title=title, title_justify="left")
    for heading in ("item", "verdict"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    for item in items:
        colour = _COLOURS[verdict_word(item.verdict)]
        table.add_row(item.name, f"[{colour}]{item.verdict.words}[/]", f"{item.seconds:.2f}")
    return table


def summary(items: Sequence[Item]) -> str:
    """ "17 proved (2 by solver tolerance only), 2 violated, 1 unknown"."""
    words = [verdict_word(item.verdict) for item in items]
    weak = sum(
        not item.verdict.method.rigorous for item in items if hasattr(item.verdict, "method")
    )
    proved = f"{words.count('proved')} proved"
    if weak:
        proved += f" ({weak} to solver tolerance)"
    return f"{proved}, {words.count('violated')} violated, {words.count('unknown')} unknown"


def radius_table(title: str, rows: Sequence[tuple[str, RadiusBracket, float]]) -> Table:
    """One row a point: the bracket, how its lower end was proved, seconds."""
    table = Table(title=title, title_justify="left")
    for heading in ("item", "lower", "upper", "lower end proved by", "open because"):
        table.add_column(heading, overflow="fold")
    table.add_column("seconds", justify="right")
    for name, bracket, seconds in rows:
        upper = "-" if bracket.upper is None else f"{nearest_float(bracket.upper):.7g}"
        table.add_row(
            name,
            f"{nearest_float(bracket.lower):.7g}",
            upper,
            bracket.method.value,
            bracket.reason.value if bracket.reason else "",
            f"{seconds:.2f}",
        )
    return table


def network_table(network: Network) -> Table:
    """One row a layer: kind, sizes, non-zero entries, ReLUs."""
    table = Table(title=network.name, title_justify="left")
    for heading in ("layer", "inputs", "outputs", "non-zero", "ReLUs", "form"):
        table.add_column(heading, justify="right" if heading != "form" else "left")
    for index, layer in enumerate(network.layers):
        form = "dense" if layer.is_dense else "sparse"
        table.add_row(
            str(index),
            str(layer.input_size),
            str(layer.output_size),
            str(layer.parameter_count),
            str(int(layer.relu.sum())),
            form + ("" if layer.divisor is None else ", divided"),
        )
    return table


def plain_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Any rows of text; the first column to the left, the others to the right.

    No lines between the columns: ten of them fit a terminal of 80 characters.
    """
    table = Table(title=title, title_justify="left", box=SIMPLE, padding=0)
    for index, heading in enumerate(header):
        first = index == 0
        table.add_column(heading, justify="left" if first else "right", no_wrap=first)
    for row in rows:
        table.add_row(*row)
    return table
