"""What a proof is about: hashes of the network's and of the query's bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from relucert.exact import format_rational
from relucert.query import Query

__all__ = ["SEMANTICS", "Subject", "query_text"]

SEMANTICS = "semantics real"


@dataclass(frozen=True)
class Subject:
    """The header lines that name the network and the query.

    query_lines: for a query that was made and not read, its text, line by line.
    """

    network: str
    query: str
    query_lines: tuple[str, ...] = ()

    @classmethod
    def of_files(cls, network: bytes, query: bytes) -> Subject:
        """Both were read from files with this content (decompressed where the file is .gz)."""
        return cls(f"network {_sha256(network)}", f"query {_sha256(query)}")

    @classmethod
    def of_query(cls, network: bytes, query: Query) -> Subject:
        """The network was read from a file; the query was made, for example from a point."""
        lines = tuple(query_text(query))
        digest = _sha256("".join(line + "\n" for line in lines).encode("ascii"))
        return cls(f"network {_sha256(network)}", f"query text {digest}", lines)


def query_text(query: Query) -> Iterator[str]:
    """A query as lines of exact rationals, the same for equal queries."""
    for case in query.cases:
        yield f"| box {case.box.size}"
        for low, high in zip(case.box.lower, case.box.upper, strict=True):
            yield f"| {format_rational(low)} {format_rational(high)}"
        for part in case.unsafe:
            yield f"| unsafe {len(part.limits)}"
            for row, limit in zip(part.coefficients, part.limits, strict=True):
                yield "| " + " ".join(map(format_rational, (*row, limit)))


def _sha256(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()
