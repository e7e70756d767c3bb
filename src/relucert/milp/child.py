"""The MILP in a process of its own, so that it can work beside another engine and be stopped.

``python -m relucert.milp.child`` reads a pickled `Task` from standard input (eight bytes tell
its length) and writes a pickled verdict to standard output. When its standard input is closed,
which happens at the latest with the end of its parent, however that came, it ends at once.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
from dataclasses import dataclass
from typing import BinaryIO

from relucert.bounds.backward import Relaxation
from relucert.limits import Limits
from relucert.milp.engine import MilpOptions, decide_case
from relucert.network import Network
from relucert.query import Case, Query
from relucert.verdict import Reason, Unknown, Verdict

__all__ = ["LENGTH_BYTES", "Task", "solved"]

LENGTH_BYTES = 8


@dataclass(frozen=True, eq=False)
class Task:
    """One case for the MILP; ``chain`` holds valid bounds on its box."""

    network: Network
    query: Query
    case: Case
    chain: list[Relaxation]
    options: MilpOptions
    seconds: float
    memory: float

    @property
    def message(self) -> bytes:
        """What the child reads."""
        text = pickle.dumps(self)
        return len(text).to_bytes(LENGTH_BYTES, "little") + text


def solved(task: Task) -> Verdict:
    """The verdict of the MILP alone."""
    limits = Limits(task.seconds, task.memory)
    try:
        return decide_case(
            task.network, task.query, task.case, task.chain, task.options, limits,
            attack=lambda _: None,
        )  # fmt: skip
    except MemoryError:
        return Unknown(Reason.MEMORY)


def _end_with(pipe: BinaryIO) -> None:
    while pipe.read(1):
        pass
    os._exit(1)


def main() -> None:
    """Read, solve, write."""
    # Ctrl-C goes to the parent, which decides.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # The answer goes where standard output goes; what a solver prints must not get between.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    pipe = sys.stdin.buffer
    length = int.from_bytes(pipe.read(LENGTH_BYTES), "little")
    task: Task = pickle.loads(pipe.read(length))
    threading.Thread(target=_end_with, args=(pipe,), daemon=True).start()
    answer.write(pickle.dumps(solved(task)))
    answer.flush()
    os._exit(0)  # the other thread sits in a read that nothing ends


if __name__ == "__main__":
    main()
