"""Bundles: an instance as files that other tools read, and all it takes to come back.

A bundle is a directory. ``bundle.json`` embeds the source formula, names every rule of the chain
with its parameters (rationals as text), the expected answer and why, and the hash of every file
beside it. Reading a bundle makes the target again from the source, exactly; the files beside it
are for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from reductions.answers import ExpectedAnswer, literals_of
from reductions.chains import chain_to, rebuilt_chain, recorded_chain
from reductions.dimacs import DimacsFile, dimacs_lines, parse_dimacs
from reductions.families.family import comment_value
from reductions.manifest import (
    FORMAT,
    MANIFEST,
    Manifest,
    field,
    manifest_path,
    manifest_text,
    read_manifest,
    sha256,
    verified_bytes,
)
from reductions.payload import ANSWER_WORDS, write_payload
from reductions.problems.clauses import Assignment
from reductions.rules import Instance
from reductions.rup import check_proof
from reductions.sat import proof_bytes
from relucert import __version__
from relucert.errors import FileError, InputError
from relucert.write.files import write_atomically

__all__ = ["PROOF", "Bundle", "read_bundle", "write_bundle"]

PROOF = "proof.drup"

_REQUIRED = {
    "generator": str,
    "command": str,
    "question": str,
    "expected": dict,
    "source": dict,
    "source.size": dict,
    "target.problem": str,
    "target.size": dict,
    "chain": list,
    "files": dict,
    "notes": list,
}
_LONGEST_SEED = 30


def write_bundle(
    directory: Path,
    source: DimacsFile,
    target: str,
    *,
    parameters: Mapping[str, Fraction],
    answer: ExpectedAnswer,
    command: str,
    name: str,
) -> Bundle:
    """Reduce a formula and write the target, the proof if there is one, and bundle.json, last.

    The same source, parameters, answer and command give the same bytes. Raises InputError for
    parameters out of range, UsageError for a target that bundles are not made for, FileError
    when a file cannot be written.
    """
    chain = chain_to(target, source.formula, parameters)
    (directory / MANIFEST).unlink(missing_ok=True)  # an older one would not fit the new files
    remarks = [f"made by relucert {__version__}: {command}", f"source: {name}"]
    payload = write_payload(chain.target, directory, [*remarks, answer.words])
    names = list(payload.files)
    if answer.proof is not None:
        write_atomically(directory / PROOF, proof_bytes(answer.proof))
        names.append(PROOF)
    comments = source.comments
    manifest: Manifest = {
        "format": FORMAT,
        "generator": f"relucert {__version__}",
        "command": command,
        "question": payload.question,
        "expected": _expected(answer, target),
        "source": {
            "problem": source.formula.name,
            "name": name,
            "family": comment_value(comments, "family"),
            "seed": _seed(source),
            "size": dict(source.formula.size()),
        },
        "target": {"problem": target, "size": dict(chain.target.size())},
        "chain": recorded_chain(chain),
        "files": {file: _file_entry(directory / file) for file in names},
        "notes": list(payload.notes),
        "dimacs": "".join(dimacs_lines(source.formula, comments)),
    }
    write_atomically(directory / MANIFEST, manifest_text(manifest).encode("utf-8"))
    return Bundle(directory / MANIFEST, manifest, source)


def _seed(source: DimacsFile) -> int | None:
    """The seed that the comments claim, where it reads as one."""
    text = comment_value(source.comments, "seed") or ""
    readable = text.isascii() and text.isdigit() and len(text) <= _LONGEST_SEED
    return int(text) if readable else None


def _file_entry(path: Path) -> dict[str, Any]:
    content = path.read_bytes()
    return {"bytes": len(content), "sha256": sha256(content)}


def _expected(answer: ExpectedAnswer, target: str) -> dict[str, Any]:
    """Both sides' answers, the reason, and the evidence."""
    words = {True: "satisfiable", False: "unsatisfiable"}
    entry: dict[str, Any] = {"source": "unknown", "target": "unknown"}
    if answer.satisfiable is not None:
        entry["source"] = words[answer.satisfiable]
        entry["target"] = ANSWER_WORDS[target][answer.satisfiable]
    entry["why"] = answer.why.value
    if answer.detail:
        entry["detail"] = answer.detail
    if answer.assignment is not None:
        entry["assignment"] = " ".join(map(str, literals_of(answer.assignment)))
    if answer.proof is not None:
        entry["proof"] = PROOF
    return entry


def read_bundle(path: str | Path) -> Bundle:
    """Open bundle.json, or the one in a directory, and check it; its files are not yet looked at.

    Raises FileError when it is truncated, edited, or not a bundle.
    """
    path = manifest_path(path)
    manifest = read_manifest(path)
    source = parse_dimacs(field(manifest, path, "dimacs", str), f"{path}: dimacs")
    for name, kind in _REQUIRED.items():
        field(manifest, path, name, kind)
    for step in manifest["chain"]:
        if not isinstance(step, dict) or not isinstance(step.get("parameters"), dict):
            raise FileError(path, "a step of its chain is not a rule with parameters")
    return Bundle(path, manifest, source)


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: where its manifest is, what it says, and the source formula."""

    path: Path
    manifest: Manifest
    source: DimacsFile

    @property
    def target_name(self) -> str:
        """The target problem's name."""
        return str(self.manifest["target"]["problem"])

    @cached_property
    def instance(self) -> Instance:
        """The reduction, made again from the embedded source; FileError when it has changed."""
        try:
            chain = rebuilt_chain(self.manifest["chain"], self.source.formula)
        except InputError as error:
            raise FileError(self.path, f"its chain of rules cannot be followed: {error}") from None
        size = field(self.manifest, self.path, "target.size", dict)
        if chain.target.name != self.target_name or dict(chain.target.size()) != size:
            raise FileError(
                self.path, "this version reduces the source to another target; make it again"
            )
        return chain

    @property
    def assignment(self) -> Assignment | None:
        """The satisfying assignment recorded, if any."""
        text = self._expected("assignment")
        if text is None:
            return None
        literals = set(text.split())
        return tuple(str(v) in literals for v in range(1, self.source.formula.variables + 1))

    def _expected(self, name: str) -> str | None:
        entry = field(self.manifest, self.path, "expected", dict).get(name)
        return entry if isinstance(entry, str) else None

    def verify_files(self) -> None:
        """Compare every file's size and hash; FileError names the first that differs."""
        for name in field(self.manifest, self.path, "files", dict):
            verified_bytes(self.manifest, self.path, name)

    def decode(self, solution: Any) -> Assignment:
        """A satisfying assignment for any solution of the target, checked.

        Raises DecodingError, naming the first violated point or bound, when it is no solution.
        """
        assignment: Assignment = self.instance.decode(solution)
        return assignment

    def recheck(self, timeout: float | None = None) -> str:
        """Check the evidence for the expected answer again; one line that says what was found.

        Raises FileError when the evidence does not hold.
        """
        formula = self.source.formula
        if self.assignment is not None:
            if not formula.check(self.assignment):
                raise FileError(self.path, "the assignment does not satisfy the formula")
            return "the assignment satisfies every clause"
        if self._expected("proof") is None:
            return "there is no evidence to check"
        content = verified_bytes(self.manifest, self.path, PROOF)
        lines = content.decode("ascii", "replace").splitlines()
        check = check_proof(formula.variables, formula.clauses, lines, timeout)
        if not check.accepted and not check.timed_out:
            raise FileError(self.path.parent / PROOF, check.words)
        return check.words

    @property
    def summary(self) -> str:
        """One line: what became what, and the expected answer."""
        manifest = self.manifest
        sizes = [_size_words(manifest[side]["size"]) for side in ("source", "target")]
        return (
            f"{self.path}: {self.source.formula.name} ({sizes[0]}) -> {self.target_name} "
            f"({sizes[1]}), expected {self._expected('target')} ({self._expected('why')})"
        )

    @property
    def description(self) -> list[str]:
        """What ``inspect`` prints; every file is verified on the way, FileError as there."""
        manifest, source = self.manifest, self.manifest["source"]
        lines = [
            f"bundle: {self.path}",
            f"made by: {manifest['generator']}: {manifest['command']}",
            f"source: {source.get('name')}, {source.get('problem')}, {_size_words(source['size'])}",
        ]
        if source.get("family"):
            lines.append(f"family: {source['family']}, seed {source.get('seed')}")
        for step in manifest["chain"]:
            values = ", ".join(f"{name} {value}" for name, value in step["parameters"].items())
            lines.append(f"rule: {step.get('rule')}" + (f" ({values})" if values else ""))
        lines.append(f"target: {self.target_name}, {_size_words(manifest['target']['size'])}")
        lines.append(f"question: {manifest['question']}")
        detail = self._expected("detail")
        reason = f"{self._expected('why')}{', ' + detail if detail else ''}"
        lines.append(f"expected: {self._expected('target')} ({reason})")
        for name in manifest["files"]:
            size = len(verified_bytes(manifest, self.path, name))
            lines.append(f"file: {name}, {size:,} bytes, as recorded")
        return lines + [f"note: {note}" for note in manifest["notes"]]


def _size_words(size: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in size.items())
