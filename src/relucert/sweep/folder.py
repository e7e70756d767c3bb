"""The folder of a sweep: its record, its lock, its journal.

    sweep.json     what the sweep is: files, points, radii, settings, versions, commands
    journal        a line for every finished item (see `relucert.sweep.journal`)
    .lock          held while a relucert works in the folder

The results are written beside them at the end (see `relucert.sweep.results`).
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from relucert import __version__
from relucert.errors import FileError, UsageError
from relucert.sweep.items import Plan
from relucert.sweep.journal import Journal
from relucert.sweep.settings import Settings
from relucert.write.files import make_folder, write_atomically

__all__ = ["JOURNAL", "RECORD", "SweepFolder", "recorded_seed"]

FORMAT = 1
RECORD, JOURNAL, _LOCK = "sweep.json", "journal", ".lock"
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def recorded_seed(folder: Path) -> int | None:
    """The seed of the sweep that a folder holds; None where it holds none.

    Raises FileError where its record cannot be read.
    """
    if not (folder / RECORD).exists():
        return None
    seed = _record(folder / RECORD)["sweep"].get("settings", {}).get("seed")
    return seed if isinstance(seed, int) else None


def _record(path: Path) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        problem = f"cannot be read ({error}): choose another folder"
        raise FileError(path, problem) from None
    if not isinstance(record, dict) or not isinstance(record.get("sweep"), dict):
        raise FileError(path, "is not the record of a sweep: choose another folder")
    return record


class SweepFolder:
    """A folder with one sweep, locked; a context manager. Made where there is none.

    A folder that holds the same sweep is gone on with. ``command`` is kept for the record.
    Raises UsageError when the folder holds other files or a sweep that differs (saying in what),
    or when another process works in it; FileError when it cannot be read or written.
    """

    def __init__(self, folder: Path, plan: Plan, settings: Settings, command: str) -> None:
        self.path = folder
        make_folder(folder)
        self._lock = _locked(folder)
        try:
            sweep = _sweep_record(plan, settings)
            self.resumed = (folder / RECORD).exists()
            self._begin(sweep, command)
            self.digest = hashlib.sha256(_canonical(sweep).encode()).hexdigest()[:32]
            self.journal = Journal(folder / JOURNAL, self.digest)
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> SweepFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self.journal.close()
        os.close(self._lock)

    def _begin(self, sweep: dict[str, Any], command: str) -> None:
        """Write what the sweep is, or check that it is this one."""
        path = self.path / RECORD
        before: dict[str, Any] = {}
        if self.resumed:
            before = _record(path)
            differing = _differing(before["sweep"], sweep)
            if differing:
                raise UsageError(f"{self.path} holds a sweep with {differing}: choose another -o")
        elif any(not name.startswith(".") for name in os.listdir(self.path)):  # noqa: PTH208
            # Files with a dot are left by a start that was killed.
            raise UsageError(f"{self.path} is not empty and holds no sweep: choose another -o")
        record = {
            "sweep": sweep,
            "commands": [*before.get("commands", []), command],
            "versions": before.get("versions") or _versions(),
        }
        write_atomically(path, json.dumps(record, indent=2, allow_nan=False) + "\n")


def _sweep_record(plan: Plan, settings: Settings) -> dict[str, Any]:
    """Everything that a verdict may depend on, by content; paths are only where it is found."""
    return {
        "format": FORMAT,
        "relucert": __version__,
        "settings": settings.record,
        "data": {"sha256": plan.data.digest, "label_column": plan.data.label_column},
        "networks": {
            network.name: {
                "digest": network.digest,
                "decision": [network.decision.kind, network.decision.labels],
            }
            for network in plan.networks
        },
        "radii": list(plan.radii),
        "clip": None if plan.clip is None else list(plan.clip),
        "points": _ranges(plan.rows),
    }


def _ranges(rows: tuple[int, ...]) -> str:
    """ "0-99,105": as --points has it."""
    parts: list[list[int]] = []
    for row in rows:
        if parts and row == parts[-1][1] + 1:
            parts[-1][1] = row
        else:
            parts.append([row, row])
    return ",".join(f"{a}-{b}" if b > a else str(a) for a, b in parts)


def _versions() -> dict[str, str]:
    """Of what computes; for people, a difference is no obstacle."""
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("numpy", "scipy", "highspy", "onnx"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _canonical(record: Mapping[str, Any]) -> str:
    return json.dumps(record, sort_keys=True, allow_nan=False)


def _differing(before: Mapping[str, Any], now: Mapping[str, Any], place: str = "") -> str:
    """The first thing in which two records differ, in words; "" when none."""
    for name in dict.fromkeys([*before, *now]):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            words = _differing(old, new, f"{place}{name} ")
            if words:
                return words
        elif old != new:
            return f"{place}{name} {_short(old)}, not {_short(new)}"
    # The order of networks is that of the results.
    if list(before) != list(now) and place.startswith("networks"):
        return f"networks {_short(list(before))}, not {_short(list(now))}"
    return ""


def _short(value: object) -> str:
    words = "none" if value is None else str(value)
    return words if len(words) <= 60 else f"{words[:57]}..."


def _locked(folder: Path) -> int:
    """An open, locked file; the lock ends with the process, however that ends."""
    path = folder / _LOCK
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise FileError(path, f"cannot be written ({error.strerror or error})") from None
    try:
        import fcntl
    except ImportError:  # Windows: nothing guards against two at once
        return handle
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise UsageError(
            f"another relucert works in {folder}: wait for it, or choose another -o"
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:  # those file systems know no locks
            os.close(handle)
            raise FileError(path, f"cannot be locked ({error.strerror or error})") from None
    return handle
