"""How a search for a proof may end other than with one."""

from __future__ import annotations

from relucert.verdict import Violated

__all__ = ["Found", "Stopped"]


class Stopped(Exception):  # noqa: N818 - the search gives up, which is an answer
    """A limit is reached; the message says which."""


class Found(Exception):  # noqa: N818 - an answer, not an error
    """An exactly checked counterexample was met."""

    def __init__(self, violated: Violated) -> None:
        self.violated = violated
