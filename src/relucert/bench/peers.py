"""Other verifiers: how they are called."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from relucert.bench.options import BenchOptions
from relucert.bench.results import OWN_NAME
from relucert.errors import UsageError

__all__ = ["Peer", "own_tool", "parse_peers"]

_PLACEHOLDERS = ("onnx", "vnnlib", "timeout", "result")
_NEEDED = ("onnx", "vnnlib")
_PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")
_NAME = re.compile(r"[A-Za-z0-9][\w.+-]*")


@dataclass(frozen=True)
class Peer:
    """A verifier that is called as a program.

    command: its words, with placeholders {onnx}, {vnnlib}, {timeout} (seconds) and {result}.
    """

    name: str
    command: tuple[str, ...]

    @property
    def writes_result(self) -> bool:
        """Whether the answer stands in a file and not on standard output."""
        return any("{result}" in word for word in self.command)

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """The words with the placeholders filled in."""
        return [_PLACEHOLDER.sub(lambda m: values[m[1]], word) for word in self.command]


def parse_peers(texts: Sequence[str]) -> list[Peer]:
    """Read ``name=cmd {onnx} {vnnlib} {timeout}``, one a tool; quotes as in a shell.

    Raises UsageError: no name, the same name twice, a placeholder that is unknown or missing, a
    command that is not there.
    """
    if texts and not (hasattr(os, "killpg") and hasattr(os, "wait4")):
        raise UsageError("--external needs process groups, which this system does not have")
    peers: list[Peer] = []
    for text in texts:
        peer = _parsed(text)
        if peer.name == OWN_NAME or peer.name in {other.name for other in peers}:
            raise UsageError(f"--external: the name {peer.name!r} is taken; choose another")
        peers.append(peer)
    return peers


def _parsed(text: str) -> Peer:
    name, equals, command = text.partition("=")
    name = name.strip()
    if not equals or not _NAME.fullmatch(name):
        raise UsageError(f"--external {text!r}: write it as 'name=cmd {{onnx}} {{vnnlib}}'")
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise UsageError(f"--external {name}: {error}") from None
    if not words:
        raise UsageError(f"--external {name}: there is no command after the '='")
    used = {found for word in words for found in _PLACEHOLDER.findall(word)}
    known = ", ".join(f"{{{word}}}" for word in _PLACEHOLDERS)
    unknown = sorted(used - set(_PLACEHOLDERS))
    if unknown:
        raise UsageError(f"--external {name}: unknown placeholder {{{unknown[0]}}}; use {known}")
    for word in _NEEDED:
        if word not in used:
            raise UsageError(f"--external {name}: the command has no placeholder {{{word}}}")
    if shutil.which(words[0]) is None:
        raise UsageError(f"--external {name}: there is no program {words[0]!r}")
    return Peer(name, words)


def own_tool(options: BenchOptions) -> Peer:
    """relucert as a program like the others, timed from outside like them."""
    memory = [] if options.memory == float("inf") else ["--memory", repr(options.memory / 2**30)]
    return Peer(
        OWN_NAME,
        (
            sys.executable, "-P", "-m", "relucert", "certify", "{onnx}", "{vnnlib}",
            "--timeout", "{timeout}", "--engine", options.engine, "--solver", options.solver,
            "--seed", str(options.seed), *memory, "--json",
        ),
    )  # fmt: skip
