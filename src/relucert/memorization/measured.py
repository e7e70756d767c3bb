"""The size of a network beside the theorems' orders of growth."""

from __future__ import annotations

import math
from dataclasses import dataclass

from relucert.network import Network

__all__ = ["Measured", "measure"]


@dataclass(frozen=True)
class Measured:
    """width: the largest hidden layer; depth: affine layers; parameters: those not zero.

    per_nn and per_nn_log are parameters / (N n) and parameters / (N n log2 n), for N points of n
    coordinates: the constants in the O(N n) and O(N n log n) of YGZ24. The latter is None for
    n = 1.
    """

    width: int
    depth: int
    parameters: int
    per_nn: float
    per_nn_log: float | None


def measure(network: Network, points: int) -> Measured:
    """Count what the network stores; carried values count as weights of one."""
    size, parameters = network.input_size, network.parameter_count
    width = max((layer.output_size for layer in network.layers[:-1]), default=0)
    each = parameters / (points * size)
    logarithmic = each / math.log2(size) if size > 1 else None
    return Measured(width, len(network.layers), parameters, each, logarithmic)
