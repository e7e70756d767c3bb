"""What a sweep does: items, each one ball about one network, and the order they are done in."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from relucert.batch import choose_decision, parse_selection
from relucert.errors import FileError, QueryError, UsageError
from relucert.exact import format_rational, nearest_float, parse_rational
from relucert.memorization.labels import label_map_in, relabelled
from relucert.network import Network
from relucert.query import Decision
from relucert.read.files import read_bytes
from relucert.read.network import read_network
from relucert.read.points import LabelledPoints, read_points

__all__ = ["DataFile", "Item", "NetworkFile", "Plan", "data_digest", "make_plan", "network_digest"]

Range = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class DataFile:
    """A file of labelled points; ``digest`` is the SHA-256 of its (decompressed) bytes."""

    path: str
    digest: str
    label_column: str | None


@dataclass(frozen=True)
class NetworkFile:
    """A network of a sweep: how tables call it, where it is, what `network_digest` says of it.

    size: numbers that it stores.
    """

    name: str
    path: str
    digest: str
    decision: Decision
    size: int


@dataclass(frozen=True)
class Item:
    """Does the label of one point win on the whole ball? Plain data that any process can read."""

    network: NetworkFile
    data: DataFile
    row: int
    label: int
    radius: str
    clip: tuple[str, str] | None

    @cached_property
    def key(self) -> str:
        """Names the question by its content: the same wherever the files lie, 128 bits."""
        decision = self.network.decision
        content = [
            self.network.digest, self.data.digest, self.data.label_column, self.row, self.label,
            self.radius, self.clip, decision.kind, decision.labels,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:32]

    def seed(self, sweep_seed: int) -> int:
        """The item's own seed, which does not depend on what is done before or beside it."""
        digest = hashlib.sha256(f"{sweep_seed} {self.key}".encode()).digest()
        return int.from_bytes(digest[:4], "big") >> 1

    @property
    def words(self) -> str:
        """For messages."""
        return f"{self.network.name}, point {self.row}, radius {self.radius}"


@dataclass(frozen=True)
class Plan:
    """Networks in the order given, rows of the data, exact radii (increasing), clip range.

    ``labels[n][i]`` is the label of row ``rows[i]`` for network ``n``; ``notes[n]`` tells how
    labels were renamed for it, "" where they stay.
    """

    networks: tuple[NetworkFile, ...]
    data: DataFile
    rows: tuple[int, ...]
    labels: tuple[tuple[int, ...], ...]
    notes: tuple[str, ...]
    radii: tuple[str, ...]
    clip: tuple[str, str] | None

    def items(self) -> list[Item]:
        """Easy ones first: by radius, then by size of the network, then as in the data.

        Small balls are mostly settled by bounds alone, at a cost that grows with the network; so
        the sweep shows results soon, and what is left when time runs short is what is hard.
        """
        cheap_first = sorted(enumerate(self.networks), key=lambda one: (one[1].size, one[0]))
        return [
            Item(network, self.data, row, label, radius, self.clip)
            for radius in self.radii
            for place, network in cheap_first
            for row, label in zip(self.rows, self.labels[place], strict=True)
        ]


def make_plan(
    network_paths: Sequence[Path],
    data_path: Path,
    radii: Sequence[str],
    *,
    selection: str | None,
    label_column: str | None,
    decision: str,
    clip: Range | None,
) -> Plan:
    """Read and check everything that a sweep is about before its first item.

    radii: exact numbers as text. Raises FileError for files that cannot be read and points that
    do not fit, UsageError for options that make no sense, and where a network is given twice.
    """
    if clip is not None and clip[0] > clip[1]:
        low, high = map(nearest_float, clip)
        raise UsageError(f"--clip: the clip range is empty: {low!r} to {high!r}")
    points = read_points(data_path, label_column=label_column)
    rows = parse_selection(selection, len(points)) if selection else list(range(len(points)))
    rows = list(dict.fromkeys(rows))
    _check_clip(data_path, points, rows, clip)
    names = _names(network_paths)
    networks, labels, notes = [], [], []
    for path, name in zip(network_paths, names, strict=True):
        network = read_network(path)
        own, note = relabelled(points, network.notes)
        networks.append(_network_file(path, name, network, own, decision))
        labels.append(_labels(data_path, own, rows, networks[-1], network.input_size))
        notes.append(note)
    _check_different(networks)
    return Plan(
        tuple(networks),
        DataFile(str(data_path), data_digest(data_path), label_column),
        tuple(rows), tuple(labels), tuple(notes), _radii(radii),
        None if clip is None else (format_rational(clip[0]), format_rational(clip[1])),
    )  # fmt: skip


def _radii(texts: Sequence[str]) -> tuple[str, ...]:
    try:
        values = sorted({parse_rational(text) for text in texts})
        written = {value: format_rational(value) for value in values}
        for text in written.values():
            parse_rational(text)  # as the workers will
    except ValueError as error:
        raise UsageError(f"--radius: {error}") from None
    if values and values[0] < 0:
        raise UsageError(f"--radius must not be negative, it is {nearest_float(values[0])}")
    return tuple(written.values())


def _names(paths: Sequence[Path]) -> list[str]:
    """File names where they tell the networks apart, else the paths as given."""
    short = [path.name for path in paths]
    return short if len(set(short)) == len(short) else [str(path) for path in paths]


def _network_file(
    path: Path, name: str, network: Network, points: LabelledPoints, decision: str
) -> NetworkFile:
    targets = label_map_in(network.notes)
    labels = points.labels.tolist() if targets is None else list(targets.values())
    size = sum(layer.parameter_count for layer in network.layers)
    chosen = choose_decision(network, decision, labels)
    return NetworkFile(name, str(path), network_digest(path, network), chosen, size)


def _labels(
    path: Path, points: LabelledPoints, rows: Sequence[int], network: NetworkFile, inputs: int
) -> tuple[int, ...]:
    """Labels of the rows, all of them possible outputs of the network."""
    if points.input_size != inputs:
        problem = f"points have {points.input_size} values, {network.name} takes {inputs}"
        raise FileError(path, problem)
    labels = tuple(points.label(row) for row in rows)
    for row, label in zip(rows, labels, strict=True):
        try:
            network.decision.check(label)
        except QueryError as error:
            raise FileError(path, f"{error} ({network.name})", f"point {row}") from None
    return labels


def _check_clip(
    path: Path, points: LabelledPoints, rows: Sequence[int], clip: Range | None
) -> None:
    """Every point lies in the clip range; those near its ends are looked at exactly."""
    if clip is None:
        return
    low, high = clip
    values = points.values[list(rows)]
    slack = 1e-9 * max(1.0, abs(float(low)), abs(float(high)))
    inside = (values > float(low) + slack) & (values < float(high) - slack)
    for place in np.flatnonzero(~inside.all(axis=1)).tolist():
        for index, value in enumerate(points.point(rows[place])):
            if not low <= value <= high:
                ends = f"{nearest_float(low)!r} to {nearest_float(high)!r}"
                problem = f"input {index} is {nearest_float(value)!r}, outside the clip range"
                raise FileError(path, f"{problem} {ends}", f"point {rows[place]}")


def _check_different(networks: Sequence[NetworkFile]) -> None:
    seen: dict[str, NetworkFile] = {}
    for network in networks:
        other = seen.setdefault(network.digest, network)
        if other is not network:
            raise UsageError(f"{other.path} and {network.path} are the same network; give it once")


def data_digest(path: str | Path) -> str:
    """SHA-256 of a file's decompressed bytes."""
    return hashlib.sha256(read_bytes(path)).hexdigest()


def network_digest(path: str | Path, network: Network) -> str:
    """SHA-256 of the file and of all weights as read from it, some of which may lie elsewhere."""
    digest = hashlib.sha256(read_bytes(path))
    for layer in network.layers:
        weight = sp.csr_array(layer.weight)
        weight.sort_indices()
        arrays = [weight.data, weight.indices, weight.indptr, layer.bias, layer.relu]
        if layer.divisor is not None:
            arrays.append(np.asarray(layer.divisor))
        digest.update(repr([weight.shape, layer.divisor is None]).encode())
        for array in arrays:
            kind = np.int64 if array.dtype.kind in "iub" else np.float64
            digest.update(np.ascontiguousarray(array, dtype=kind).tobytes())
    return digest.hexdigest()
