"""bundle.json: whatever is edited, truncated or malformed is refused by name."""

import json
from pathlib import Path

import pytest

from reductions.manifest import (
    FORMAT,
    field,
    manifest_text,
    read_manifest,
    sha256,
    verified_bytes,
)
from relucert.errors import FileError

CONTENT = b"some bytes\n"


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    (tmp_path / "data.bin").write_bytes(CONTENT)
    manifest = {
        "format": FORMAT,
        "name": "größe",
        "files": {"data.bin": {"bytes": len(CONTENT), "sha256": sha256(CONTENT)}},
    }
    path = tmp_path / "bundle.json"
    path.write_text(manifest_text(manifest), encoding="utf-8")
    return path


def test_round_trip(bundle: Path) -> None:
    manifest = read_manifest(bundle.parent)
    assert manifest["name"] == "größe"
    assert read_manifest(bundle) == manifest
    assert manifest_text(manifest) == bundle.read_text(encoding="utf-8")
    assert verified_bytes(manifest, bundle, "data.bin") == CONTENT


def test_every_truncation_is_refused(bundle: Path) -> None:
    content = bundle.read_bytes().rstrip()
    for length in range(len(content)):
        bundle.write_bytes(content[:length])
        with pytest.raises(FileError, match=r"bundle\.json"):
            read_manifest(bundle)


def test_every_edited_value_is_refused(bundle: Path) -> None:
    manifest = json.loads(bundle.read_text(encoding="utf-8"))
    edits = [
        manifest | {"name": "other"},
        manifest | {"extra": 1},
        manifest | {"checksum": "0" * 64},
        manifest | {"checksum": None},
        {key: value for key, value in manifest.items() if key != "checksum"},
    ]
    for edited in edits:
        bundle.write_text(json.dumps(edited))
        with pytest.raises(FileError, match="was edited"):
            read_manifest(bundle)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{}", "format"),
        ("[]", "not a bundle"),
        ("3", "not a bundle"),
        ("null", "not a bundle"),
        ('{"format": "x"}', "format"),
        ('{"a": 1, "a": 2}', "two fields"),
        ('{"a": NaN}', "not a number"),
        ('{"a": 1e400}', "not a bundle"),
        ('{"a": ' + "9" * 5000 + "}", "not a bundle"),
        ("[" * 100_000, "not a bundle"),
        ("{'a': 1}", "line 1: is not JSON"),
    ],
)
def test_malformed_json(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "bundle.json"
    path.write_text(text)
    with pytest.raises(FileError, match=words):
        read_manifest(path)


def test_edited_and_truncated_files_are_named(bundle: Path) -> None:
    manifest, data = read_manifest(bundle), bundle.parent / "data.bin"
    data.write_bytes(CONTENT[:-1])
    with pytest.raises(FileError, match=r"data\.bin: has 10 bytes, the bundle says 11"):
        verified_bytes(manifest, bundle, "data.bin")
    data.write_bytes(CONTENT.replace(b"some", b"more"))
    with pytest.raises(FileError, match=r"data\.bin: was edited"):
        verified_bytes(manifest, bundle, "data.bin")
    data.unlink()
    with pytest.raises(FileError, match="no such file"):
        verified_bytes(manifest, bundle, "data.bin")
    for name in ("other", "../data.bin"):
        with pytest.raises(FileError, match="has no file"):
            verified_bytes(manifest, bundle, name)


def test_files_outside_the_bundle_are_not_opened(bundle: Path) -> None:
    manifest = read_manifest(bundle)
    manifest["files"]["../data.bin"] = manifest["files"]["data.bin"]
    with pytest.raises(FileError, match="has no file"):
        verified_bytes(manifest, bundle, "../data.bin")


def test_fields(bundle: Path) -> None:
    manifest = {"a": {"b": 1, "t": True}}
    assert field(manifest, bundle, "a.b", int) == 1
    for name, kind in (("a.b", str), ("a.c", int), ("a.b.c", int), ("a.t", int)):
        with pytest.raises(FileError, match=name):
            field(manifest, bundle, name, kind)
