"""Prove a query, writing the proof as it is found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from relucert.limits import Limits
from relucert.network import Network
from relucert.proof.region import Refused, Region, root_region
from relucert.proof.subject import Subject
from relucert.prover.guide import Guide
from relucert.prover.inputs import prove_by_inputs
from relucert.prover.outcomes import Found, Stopped
from relucert.prover.relus import prove_by_relus
from relucert.prover.replay import replay
from relucert.prover.signs import prove_by_signs
from relucert.prover.tree import Progress, Tree
from relucert.prover.writer import ProofWriter
from relucert.query import Case, Query
from relucert.search.split_log import SplitLog
from relucert.verdict import Method, Proved, Reason, Unknown, Verdict

__all__ = ["ProofResult", "prove"]

_FEW_INPUTS = 15
_STRATEGIES = {"inputs": prove_by_inputs, "relus": prove_by_relus, "signs": prove_by_signs}


@dataclass(frozen=True)
class ProofResult:
    """Proved with the file written, or Violated or Unknown and no file.

    records: of the proof. regions: nodes of its trees. size: of the file in bytes.
    """

    verdict: Verdict
    records: int
    regions: int
    size: int


def prove(
    network: Network,
    query: Query,
    subject: Subject,
    path: str | Path,
    limits: Limits,
    progress: Progress | None = None,
    strategy: str = "auto",
    logs: Mapping[int, SplitLog] | None = None,
    known: Mapping[int, Region] | None = None,
) -> ProofResult:
    """Look for a proof of ``query`` and write it to ``path``.

    Violated is answered only where a counterexample is met by chance: attack first.

    strategy: "inputs" halves the box, "relus" follows the search over signs of ReLUs, "signs"
    fixes them with bounds anew, "auto" chooses by how many inputs vary.
    logs: by case, of searches that have proved it, to be followed.
    known: by case, its whole box with the checker's first bounds, where they are known.
    Proved means that a file is written, with bounds that account for their rounding: what the
    checker says to it is for `check_proof`. Raises FileError when the file cannot be written,
    QueryError when query and network do not fit.
    """
    query.fits(network.input_size, network.output_size)
    guide, regions = Guide(network, limits), 0
    with ProofWriter(path, subject) as writer:
        for index, case in enumerate(query.cases):
            writer.start_case(index)
            if not case.unsafe:
                continue
            tree = Tree(network, query, case, guide, writer, limits, progress)
            try:
                root = root_region(case)
                if known is not None and index in known:
                    root = replace(root, layers=known[index].layers)
                if logs is not None and index in logs:
                    replay(tree, root, logs[index])
                else:
                    chosen = strategy if strategy != "auto" else _chosen(case)
                    _STRATEGIES[chosen](tree, root)
            except Found as found:
                return ProofResult(found.violated, 0, regions + tree.regions, 0)
            except Stopped as stop:
                regions += tree.regions
                words = f"{stop}; {tree.regions} regions, {100 * tree.closed:.3g} % proved"
                return ProofResult(Unknown(_reason(limits), words), writer.records, regions, 0)
            except Refused as refusal:
                return ProofResult(Unknown(Reason.NUMERICS, str(refusal)), 0, regions, 0)
            except ArithmeticError as error:
                words = f"numbers beyond the range of float64 ({error})"
                return ProofResult(Unknown(Reason.NUMERICS, words), 0, regions, 0)
            regions += tree.regions
        writer.finish()
    return ProofResult(Proved(Method.CHECKED), writer.records, regions, Path(path).stat().st_size)


def _chosen(case: Case) -> str:
    box = case.box
    varying = sum(low < high for low, high in zip(box.lower, box.upper, strict=True))
    return "inputs" if varying <= _FEW_INPUTS else "relus"


def _reason(limits: Limits) -> Reason:
    if limits.out_of_time:
        return Reason.TIME
    return Reason.MEMORY if limits.out_of_memory else Reason.MARGIN
