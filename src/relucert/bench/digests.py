"""What a row of a results file is about: the very files, and what the tool was asked to do."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

from relucert import __version__
from relucert.bench.instances import Instance
from relucert.bench.options import BenchOptions
from relucert.bench.peers import Peer
from relucert.bench.results import OWN_NAME

__all__ = ["digests_of"]

_LENGTH = 16


def digests_of(
    instances: Sequence[Instance], peers: Sequence[Peer], options: BenchOptions
) -> dict[tuple[str, str, str], str]:
    """By tool, network and property: of the files' bytes, the time limit, and the tool's settings.

    Seeds, memory and cores are left out: they change from run to run, and no answer's truth rests
    on them.
    """
    check = "checked" if options.check else "not checked"
    asked = {OWN_NAME: f"relucert {__version__} {options.engine} {options.solver} {check}"}
    asked |= {peer.name: "\0".join(peer.command) for peer in peers}
    paths = {item.folder / name for item in instances for name in item.key}
    contents = {path: _content(path) for path in paths}
    found = {}
    for item in instances:
        files = [contents[item.folder / name] for name in item.key]
        limit = f"{min(item.timeout, options.timeout):g}"
        for tool, words in asked.items():
            text = "\n".join([*files, limit, words])
            found[tool, *item.key] = sha256(text.encode()).hexdigest()[:_LENGTH]
    return found


def _content(path: Path) -> str:
    """The bytes' digest; a file that cannot be read has an error for a row."""
    try:
        return sha256(path.read_bytes()).hexdigest()
    except OSError:
        return "none"
