"""``--result-file``: the answer to one property in the form of the verification competition."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from relucert.commands.screen import say
from relucert.errors import RelucertError, UsageError
from relucert.float32.program import Program, program_of_file
from relucert.float32.sturdy import sturdiest
from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Query
from relucert.verdict import Verdict, Violated
from relucert.write.competition import ERROR, is_decimal, result_word, write_result

__all__ = ["errors_recorded", "time_left", "write_answer"]

_CHOOSING_SECONDS = 2.0


@contextmanager
def errors_recorded(path: Path | None) -> Iterator[None]:
    """What ends the command by an error leaves the word "error" in the result file."""
    try:
        yield
    except Exception:
        if path is not None:
            with suppress(RelucertError):  # the error that is told is the first
                write_result(path, ERROR)
        raise


def time_left(timeout: float, started: float, path: Path | None) -> float:
    """The time limit less what reading the files took: the competition's clock runs meanwhile."""
    return timeout if path is None else max(0.1, timeout - (time.monotonic() - started))


def write_answer(
    path: Path | None, network_path: Path, network: Network, query: Query, verdict: Verdict
) -> None:
    """Write the word, and the sturdiest counterexample; says what a reader may find wrong with it.

    Raises FileError when the file cannot be written.
    """
    if path is None:
        return
    if not isinstance(verdict, Violated):
        write_result(path, result_word(verdict))
        return
    point = verdict.witness
    if all(map(is_decimal, point.input)):  # an answer first: the time may be up at any moment
        write_result(path, result_word(verdict), point.input, point.output)
    program = _program(network_path, network)
    limits = Limits(_CHOOSING_SECONDS)
    found = sturdiest(network, query, point.input, program, limits)
    write_result(path, result_word(verdict), found.input, found.output)
    if not found.exact:
        say("relucert: the counterexample in the result file is one up to its rounding only")
    elif not found.as_float64:
        say("relucert: the counterexample is exact; read as float64 it is none any more")
    elif program is not None and found.float32_share < 1.0:
        say("relucert: the counterexample is exact; run in float32 it may be none")


def _program(path: Path, network: Network) -> Program | None:
    try:
        return program_of_file(path, network)
    except UsageError:
        return None  # a graph whose execution is not covered
