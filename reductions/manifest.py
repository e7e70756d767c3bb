"""bundle.json and the hashes that tie a bundle's files together.

The manifest is one JSON object. Its ``checksum`` is the SHA-256 of the same object without that
field, in the canonical form written here; ``files`` holds size and SHA-256 of every other file.
So an edit anywhere in the bundle is noticed and named. Hashes show that a file is the one that
was written; they do not show who wrote it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

from relucert.errors import FileError
from relucert.read.files import read_bytes, read_text

__all__ = [
    "FORMAT",
    "MANIFEST",
    "Manifest",
    "field",
    "manifest_path",
    "manifest_text",
    "read_manifest",
    "sha256",
    "verified_bytes",
]

Manifest: TypeAlias = dict[str, Any]

MANIFEST = "bundle.json"
FORMAT = "relucert-bundle 1"
_MAX_MANIFEST = 1 << 30


def sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def manifest_text(manifest: Mapping[str, Any]) -> str:
    """The manifest as it is written, its checksum included."""
    body = {key: value for key, value in manifest.items() if key != "checksum"}
    body["checksum"] = sha256(_canonical(body))
    return json.dumps(body, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _canonical(body: Mapping[str, Any]) -> bytes:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii")


def manifest_path(path: str | Path) -> Path:
    """bundle.json itself, or the one inside a directory."""
    path = Path(path)
    return path / MANIFEST if path.is_dir() else path


def read_manifest(path: str | Path) -> Manifest:
    """Read bundle.json (or a directory's); FileError when truncated, edited or something else."""
    path = manifest_path(path)
    text = read_text(path, _MAX_MANIFEST)
    try:
        manifest: Manifest = json.loads(
            text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
        checksum = sha256(_canonical({k: v for k, v in manifest.items() if k != "checksum"}))
    except json.JSONDecodeError as error:
        raise FileError(
            path, f"is not JSON ({error.msg}); it seems truncated or edited", f"line {error.lineno}"
        ) from None
    except (AttributeError, ValueError, RecursionError) as error:
        raise FileError(path, f"is not a bundle: {error}") from None
    if manifest.get("format") != FORMAT:
        raise FileError(path, f"is not a bundle: its format is not {FORMAT!r}")
    if manifest.get("checksum") != checksum:
        raise FileError(path, "was edited: its checksum does not match; make the bundle again")
    return manifest


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("an object has two fields of one name")
    return result


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number")


def field(manifest: Mapping[str, Any], path: Path, name: str, kind: type) -> Any:
    """A field of the manifest, dotted for nested ones; FileError unless it is of that type."""
    value: Any = manifest
    for part in name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
        raise FileError(path, f"is not a bundle: the field {name!r} is missing or of another type")
    return value


def verified_bytes(manifest: Manifest, path: Path, name: str) -> bytes:
    """The content of one of the bundle's files; FileError when it is not the one recorded."""
    entries = field(manifest, path, "files", dict)
    entry = entries.get(name)
    if not isinstance(entry, dict) or Path(name).name != name:
        raise FileError(path, f"the bundle has no file {name!r}")
    content = read_bytes(path.parent / name)
    if len(content) != entry.get("bytes"):
        raise FileError(
            path.parent / name,
            f"has {len(content)} bytes, the bundle says {entry.get('bytes')}; "
            "it was truncated or edited",
        )
    if sha256(content) != entry.get("sha256"):
        raise FileError(path.parent / name, "was edited: its SHA-256 is not the one in the bundle")
    return content
