"""``relucert inspect``: what was read from a network file and a property file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from relucert.commands.screen import header, print_json
from relucert.network import Network
from relucert.query import Query
from relucert.read.network import read_network
from relucert.read.vnnlib import read_vnnlib
from relucert.report.tables import network_table, print_table

__all__ = ["inspect_command"]


def inspect_command(network_path: Path, property_path: Path | None, as_json: bool) -> int:
    """Run the command; returns 0."""
    network = read_network(network_path)
    query = None if property_path is None else read_vnnlib(property_path)
    if query is not None:
        query.fits(network.input_size, network.output_size)
    if as_json:
        record = header(network_path) | _network_record(network)
        print_json(record | ({} if query is None else {"property": _query_record(query)}))
        return 0
    print_table(network_table(network))
    facts = _network_record(network)
    print(
        f"{facts['inputs']} inputs {facts['input_shape']}, {facts['outputs']} outputs, "
        f"{facts['relus']} ReLUs, {facts['parameters']} non-zero parameters\n"
        f"weights from {facts['smallest_weight']:.3g} to {facts['largest_weight']:.3g} in size"
    )
    for note in network.notes:
        print(f"note: {note}")
    if query is not None:
        facts = _query_record(query)
        print(
            f"{query.name}: {facts['cases']} boxes, {facts['unsafe_sets']} unsafe polyhedra, "
            f"{facts['free_inputs']} inputs that vary"
        )
    return 0


def _network_record(network: Network) -> dict[str, Any]:
    sizes = [
        np.abs(layer.weight.data if sp.issparse(layer.weight) else np.asarray(layer.weight))
        for layer in network.layers
    ]
    flat = np.concatenate([part.ravel()[part.ravel() > 0] for part in sizes])
    return {
        "inputs": network.input_size,
        "input_shape": list(network.input_shape),
        "outputs": network.output_size,
        "layers": len(network.layers),
        "relus": network.relu_count,
        "parameters": network.parameter_count,
        "smallest_weight": float(flat.min(initial=np.inf)) if len(flat) else 0.0,
        "largest_weight": float(flat.max(initial=0.0)),
        "notes": list(network.notes),
    }


def _query_record(query: Query) -> dict[str, Any]:
    free = {
        index
        for case in query.cases
        for index, (low, high) in enumerate(zip(case.box.lower, case.box.upper, strict=True))
        if low < high
    }
    return {
        "name": query.name,
        "cases": len(query.cases),
        "unsafe_sets": sum(len(case.unsafe) for case in query.cases),
        "free_inputs": len(free),
    }
