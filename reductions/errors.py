"""What can go wrong between a problem and its reduction."""

from __future__ import annotations

from relucert.errors import InputError, RelucertError

__all__ = ["DecodingError", "EnumerationError", "ReductionError"]


class DecodingError(RelucertError):
    """What was handed back does not solve the target problem, or does not lead back to the source.

    The message names the first violated clause, point or bound.
    """


class EnumerationError(InputError):
    """The instance is too large, or its margins are too narrow, to be decided by enumeration."""


class ReductionError(RelucertError):
    """A rule broke its own promise: what it encoded does not solve its target (a bug)."""
