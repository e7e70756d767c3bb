"""One proof file of a query from the proofs of its cubes (docs/proof-format.md).

The halvings become ``x`` records, and below them each cube's tree is copied as it is: a region
with the cube's box and no bounds yet is just what the cube's own proof begins with.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from relucert.cubes.certify import Cubes
from relucert.cubes.division import Cube
from relucert.errors import RelucertError
from relucert.network import Network
from relucert.proof.check import NotAccepted, check_proof
from relucert.proof.records import CaseRecord, EndRecord, InputSplitRecord, TreeRecord
from relucert.proof.stream import ProofReader
from relucert.proof.subject import Subject
from relucert.prover.writer import ProofWriter
from relucert.query import Query

__all__ = ["MergedProof", "NotMergedError", "merged_proof"]

Progress = Callable[[str], None]


class NotMergedError(RelucertError):
    """The cubes' proofs do not make one that is accepted; the message says why."""


@dataclass(frozen=True)
class MergedProof:
    """An accepted proof file: its size in bytes and its records."""

    path: Path
    size: int
    records: int


def merged_proof(
    network: Network,
    query: Query,
    subject: Subject,
    network_content: bytes,
    found: Cubes,
    path: Path,
    *,
    exact: bool = False,
    progress: Progress | None = None,
) -> MergedProof:
    """Write the proof of the whole query to ``path``, and have it checked from the file.

    found: all cubes proved, with their proofs. network_content: what the cubes' proofs are about.
    Raises NotMergedError where a cube has no proof, or one that begins with records about its whole
    box, which the format does not know below a split; and where the checker does not accept the
    file, which is then kept beside with a name that ends in ``.not-accepted``. Raises FileError
    when the file cannot be written.
    """
    if progress is not None:
        progress(f"merging the proofs of {found.count} cubes")
    with tempfile.TemporaryDirectory(prefix="relucert-cubes-") as folder:
        merger = _Merger(query, network_content, found, Path(folder) / "cube.rcp")
        with ProofWriter(path, subject) as writer:
            for index, case in enumerate(query.cases):
                writer.start_case(index)
                for root in found.roots if case.unsafe else ():
                    if root.index == index:
                        merger.copy(root, writer, split=False)
            writer.finish()
    for arithmetic in ("rounded", "exact") if exact else ("rounded",):
        if progress is not None:
            progress(f"checking the merged proof, {arithmetic}")
        checked = check_proof(path, network, query, subject, arithmetic)
        if isinstance(checked, NotAccepted):
            kept = path.replace(path.with_name(path.name + ".not-accepted"))
            raise NotMergedError(f"not accepted ({arithmetic}): {checked.words}; kept as {kept}")
    return MergedProof(path, path.stat().st_size, writer.records)


@dataclass(frozen=True)
class _Merger:
    """Copies trees; ``place`` is where a cube's proof is put to be read."""

    query: Query
    network_content: bytes
    found: Cubes
    place: Path

    def copy(self, cube: Cube, writer: ProofWriter, split: bool) -> None:
        """The records of a cube, depth first; ``split``: below a halving."""
        waiting = [(cube, split)]
        while waiting:
            one, below = waiting.pop()
            if one.halves is None or one.branch is None:
                self._copy_leaf(one, writer, below)
                continue
            writer.write(InputSplitRecord(*one.branch))
            waiting += [(half, True) for half in reversed(one.halves)]

    def _copy_leaf(self, cube: Cube, writer: ProofWriter, below: bool) -> None:
        content = self.found.proofs.get(cube)
        if content is None:
            raise NotMergedError("a cube has no proof")
        self.place.write_bytes(content)
        question = cube.question(self.query, whole=True)
        reader = ProofReader(self.place)
        reader.expect_subject(Subject.of_query(self.network_content, question))
        while not isinstance(record := reader.next(), EndRecord):
            if isinstance(record, CaseRecord):
                continue
            if below and not isinstance(record, TreeRecord):
                raise NotMergedError(
                    f"a cube's proof has a record {reader.text.split(' ')[0]!r} about its whole "
                    "box, which the format does not know below a split"
                )
            writer.write_text(reader.text)
