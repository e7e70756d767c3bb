"""What ``relucert certify --proof`` does for every question: attack, prove, check the file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from relucert.commands.check import point_file
from relucert.errors import FileError, UsageError
from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.subject import Subject
from relucert.prover.certify import certify_with_proof
from relucert.query import Query
from relucert.read.files import read_bytes
from relucert.read.network import network_content
from relucert.verdict import Proved, Reason, Unknown
from relucert.verify import Outcome, certify

__all__ = ["Proofs"]

_PROOF_SHARE = 0.7


@dataclass(frozen=True, eq=False)
class Proofs:
    """Where proofs go and how they are checked; ``records`` tells of those accepted, by item.

    property_content: of the property file; None for labelled points, whose proofs go to a folder.
    """

    path: Path
    exact: bool
    network_content: bytes
    property_content: bytes | None
    limits: Callable[[], Limits]
    seed: int
    records: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def wanted(
        cls,
        path: Path | None,
        exact: bool,
        engine: str,
        network_path: Path,
        property_path: Path | None,
        limits: Callable[[], Limits],
        seed: int,
    ) -> Proofs | None:
        """None when no proof is asked for; raises UsageError where the options do not fit."""
        if path is None:
            if exact:
                raise UsageError("--exact-check goes with --proof")
            return None
        if engine != "auto":
            raise UsageError("--proof has its own engine; leave --engine out")
        content = None if property_path is None else read_bytes(property_path)
        return cls(path, exact, network_content(network_path), content, limits, seed)

    def certify(self, network: Network, query: Query, progress: Callable[[str], None]) -> Outcome:
        """The verdict on one query: Proved with a proof accepted from the file.

        Where none is found in most of the time, the other engines have the rest; then Proved
        can only be what the MILP says up to its tolerance, and has no file.
        """
        if self.property_content is not None:
            subject, path = Subject.of_files(self.network_content, self.property_content), self.path
        else:
            subject = Subject.of_query(self.network_content, query)
            path = self._folder() / point_file(query.name)
        limits = self.limits()
        found = certify_with_proof(
            network, query, subject, path, limits.within(_PROOF_SHARE * limits.remaining),
            seed=self.seed, exact=self.exact, progress=progress,
        )  # fmt: skip
        if found.path is not None:
            self.records[query.name] = {
                "proof": {
                    "file": str(found.path),
                    "bytes": found.size,
                    "records": found.records,
                    "found_seconds": round(found.prove_seconds, 3),
                    "check_seconds": round(found.check_seconds, 3),
                    "arithmetics": list(found.arithmetics),
                }
            }
            return Outcome(found.verdict, found.seconds, self.seed)
        if not isinstance(found.verdict, Unknown) or limits.out_of_time:
            return Outcome(found.verdict, found.seconds, self.seed)
        progress("without a proof: the other engines")
        rest = certify(
            network, query, timeout=limits.remaining, memory=limits.memory,
            threads=limits.threads, seed=self.seed, progress=progress,
        ).verdict  # fmt: skip
        # A verdict of bounds should have had a proof: there is none, so it is not claimed.
        if isinstance(rest, Proved) and rest.method.rigorous:
            words = (
                f"no proof of it was found; without a file certify says {rest.words!r}; "
                f"{found.verdict.detail}"
            )
            rest = Unknown(Reason.ENGINE, words)
        return Outcome(rest, limits.elapsed, self.seed)

    def _folder(self) -> Path:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FileError(self.path, f"is no folder ({error.strerror or error})") from None
        return self.path
