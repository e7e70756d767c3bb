"""relucert: exact verification and complexity toolkit for ReLU networks.

from relucert import certify, read_network, read_query
network = read_network("net.onnx")
query = read_query("property.vnnlib")
print(certify(network, query, timeout=60))
"""

from __future__ import annotations

# Nothing is imported here, not even typing: the command line watches signals first.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from relucert.errors import RelucertError
    from relucert.network import Layer, Network
    from relucert.query import Box, Case, Decision, Polyhedron, Query, robustness_query
    from relucert.read.network import read_network
    from relucert.read.points import read_points
    from relucert.read.vnnlib import read_vnnlib as read_query
    from relucert.verdict import Proved, Unknown, Violated
    from relucert.verify import certify

__version__ = "0.1.0"

# Looked up on first use, so that ``import relucert`` loads no solver and no ONNX.
_HOMES = {
    "Box": "relucert.query",
    "Case": "relucert.query",
    "Decision": "relucert.query",
    "Layer": "relucert.network",
    "Network": "relucert.network",
    "Polyhedron": "relucert.query",
    "Proved": "relucert.verdict",
    "Query": "relucert.query",
    "RelucertError": "relucert.errors",
    "Unknown": "relucert.verdict",
    "Violated": "relucert.verdict",
    "certify": "relucert.verify",
    "read_network": "relucert.read.network",
    "read_points": "relucert.read.points",
    "read_query": "relucert.read.vnnlib",
    "robustness_query": "relucert.query",
}
_OTHER_NAMES = {"read_query": "read_vnnlib"}

__all__ = [
    "Box",
    "Case",
    "Decision",
    "Layer",
    "Network",
    "Polyhedron",
    "Proved",
    "Query",
    "RelucertError",
    "Unknown",
    "Violated",
    "__version__",
    "certify",
    "read_network",
    "read_points",
    "read_query",
    "robustness_query",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'relucert' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), _OTHER_NAMES.get(name, name))
