"""``relucert decide``: does any network of depth 2 and a given width memorize the data?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from relucert.commands.plot import check_plane, draw_memorization
from relucert.commands.screen import data_header, print_json, progress_bar
from relucert.errors import UsageError
from relucert.exact import format_rational, nearest_float
from relucert.memorization.decision.answers import Answer, No, Unknown, Yes
from relucert.memorization.decision.balls import sign_or_nearest
from relucert.memorization.decision.certificate import read_certificate, write_certificate
from relucert.memorization.decision.check import check_no_certificate
from relucert.memorization.decision.decide import decide
from relucert.memorization.decision.largest import BudgetBracket, largest_budget
from relucert.network import Network
from relucert.read.points import LabelledPoints, read_points
from relucert.write.npz import write_network_npz
from relucert.write.onnx import write_onnx

__all__ = ["decide_command"]

_MOST_DIGITS = 10


@dataclass(frozen=True)
class SearchOptions:
    """How to search: engine, seconds, MILP solver, its threads, bytes, seed."""

    engine: str
    timeout: float
    solver: str
    threads: int
    memory: float
    seed: int


def decide_command(
    data_path: Path,
    *,
    budget: Fraction | None,
    largest: bool,
    precision: Fraction,
    width: int,
    label_column: str | None,
    output: Path | None,
    plot: Path | None,
    certificate_out: Path | None,
    check_certificate: Path | None,
    as_json: bool,
    **search: Any,
) -> int:
    """Run the command; returns 0 for yes, 1 for no, 3 for unknown (or an open bracket).

    search: the fields of `SearchOptions`.
    """
    if (budget is None) == (not largest):
        raise UsageError("give either --budget MU or --largest-budget")
    options = SearchOptions(**search)
    data = read_points(data_path, label_column=label_column)
    if plot is not None:
        check_plane(plot, data)
    record = _header(data_path, data, width, options.seed)
    if budget is None:
        if check_certificate is not None:
            raise UsageError("--check-certificate needs the --budget that the certificate is about")
        with progress_bar(1) as bar:
            bar.item(data.name)
            bracket = largest_budget(
                data, width, precision=precision, progress=bar.work, **asdict(options)
            )
        _write(bracket.yes, output)
        _write(bracket.no, certificate_out)
        _draw(plot, data, bracket.yes, bracket.lower or Fraction(0))
        return _show_bracket(record, bracket, as_json)
    if check_certificate is not None:
        return _check(record, data, budget, width, check_certificate, as_json)
    with progress_bar(1) as bar:
        bar.item(data.name)
        decided = decide(data, budget, width, progress=bar.work, **asdict(options))
    _write(decided.answer, output if isinstance(decided.answer, Yes) else certificate_out)
    _draw(plot, data, decided.answer, decided.budget)
    record |= {"budget": format_rational(decided.budget), "labels": decided.labels}
    record |= _answer_record(decided.answer) | {"seconds": round(decided.seconds, 3)}
    if as_json:
        print_json(record)
    else:
        _say(record, data, decided.answer)
    return {Yes: 0, No: 1, Unknown: 3}[type(decided.answer)]


def _check(
    record: dict[str, Any], data: LabelledPoints, budget: Fraction, width: int, path: Path,
    as_json: bool,
) -> int:  # fmt: skip
    """Check a certificate written earlier: 0 when accepted, 1 when rejected."""
    check = check_no_certificate(data, budget, width, read_certificate(path))
    record |= {"budget": format_rational(budget), "certificate": str(path)}
    record |= {"accepted": check.accepted, "problem": check.problem}
    if as_json:
        print_json(record)
    else:
        print(f"{path}: {check.words}: depth 2, width {width}, budget {record['budget']}")
    return 0 if check.accepted else 1


def _header(path: Path, data: LabelledPoints, width: int, seed: int) -> dict[str, Any]:
    return data_header(path) | {
        "points": len(data),
        "dimension": data.input_size,
        "depth": 2,
        "width": width,
        "seed": seed,
    }


def _write(answer: Answer | None, path: Path | None) -> None:
    """The network of a Yes, the certificate of a No, where a file was asked for."""
    if path is None:
        return
    if isinstance(answer, Yes):
        _write_network(answer.network, path)
    elif isinstance(answer, No) and answer.certificate is not None:
        write_certificate(answer.certificate, path)


def _write_network(network: Network, path: Path) -> None:
    if path.suffix == ".onnx":
        write_onnx(network, path)
    else:
        write_network_npz(network, path)


def _draw(path: Path | None, data: LabelledPoints, answer: Answer | None, budget: Fraction) -> None:
    """The network of a Yes, where a picture was asked for."""
    if path is None or not isinstance(answer, Yes):
        return
    width = answer.network.layers[0].output_size
    title = f"{data.name}: a network of width {width}, budget {_short(budget)}"
    draw_memorization(path, data, budget, answer.network, sign_or_nearest(data), title=title)


def _short(value: Fraction) -> str:
    words = format_rational(value)
    return words if len(words) <= _MOST_DIGITS else f"{nearest_float(value):.6g}"


def _answer_record(answer: Answer) -> dict[str, Any]:
    if isinstance(answer, Yes):
        margin = None if answer.margin is None else format_rational(answer.margin)
        return {"answer": "yes", "shape": answer.shape, "margin": margin}
    if isinstance(answer, No):
        certified = answer.certificate is not None
        return {"answer": "no", "certified": certified, "eps_min": answer.eps_min}
    return {"answer": "unknown", "reason": answer.reason.name.lower(), "detail": answer.detail}


def _complexity(data: LabelledPoints, width: int) -> str:
    """How the question was decided, and how hard it is."""
    if len(set(data.labels.tolist())) > 2:
        return "more than two labels: a MILP over activation patterns"
    if width == 1:
        return "width 1: a linear programme, polynomial time"
    if width == 2:
        return "width 2: NP-hard, decided by wedges and bevels"
    return f"width {width}: a MILP over activation patterns"


def _say(record: dict[str, Any], data: LabelledPoints, answer: Answer) -> None:
    print(
        f"{answer.words}: depth 2, width {record['width']}, budget {record['budget']}\n"
        f"{_complexity(data, record['width'])}"
    )
    print(f"{record['labels']}; {record['seconds']:.2f} s; seed {record['seed']}")


def _show_bracket(record: dict[str, Any], bracket: BudgetBracket, as_json: bool) -> int:
    closed = bracket.open_because is None
    lower = None if bracket.lower is None else format_rational(bracket.lower)
    upper = format_rational(bracket.upper)
    because = "half of the separation bound" if bracket.no is None else bracket.no.words
    record |= {
        "labels": bracket.labels,
        "largest_budget": {"feasible": lower, "infeasible": upper, "infeasible_because": because},
        "decisions": bracket.decisions,
        "seconds": round(bracket.seconds, 3),
    }
    if bracket.open_because is not None:
        record["open_because"] = bracket.open_because.words
    if as_json:
        print_json(record)
        return 0 if closed else 3
    if bracket.yes is None:
        found = "no budget is known to be feasible"
    else:
        found = f"feasible: {lower} ({nearest_float(bracket.lower or Fraction(0)):.6g})"
    print(f"{found}; infeasible: {upper} ({nearest_float(bracket.upper):.6g}, {because})")
    if bracket.open_because is not None:
        print(f"the bracket stays open: {bracket.open_because.words}")
    print(f"{record['labels']}; {bracket.decisions} decisions, {bracket.seconds:.2f} s; "
          f"seed {record['seed']}")  # fmt: skip
    return 0 if closed else 3
