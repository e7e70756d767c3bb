"""A picture of one search: the boxes that it closed, coloured by how often they were halved.

    python benchmarks/engine_boxes.py docs/engine-boxes.png

A random network with two inputs (fixed seed), asked whether its output gets below a number a
little smaller than its minimum.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from relucert.limits import Limits
from relucert.network import Network
from relucert.query import Box, Case, Polyhedron, Query
from relucert.search.few_inputs import Ingredients, search_few_inputs
from relucert.search.star.kernel import compiled_kernel, ready_kernel
from relucert.search.star.pool import OPEN
from relucert.search.star.tuning import BUDGET, DONE, Tuning
from relucert.verdict import Proved

SEED, WIDTH, SIDE = 21, 40, 300


@dataclass
class Watched:
    """The compiled loop, one node at a time; boxes that got no children are kept."""

    loop: Callable[..., int]
    boxes: list[tuple[np.ndarray, np.ndarray, int]] = field(default_factory=list)
    nodes: int = 0

    def __call__(
        self, flat: Any, work: Any, programme: Any, pool: Any, tuning: Any, most: int
    ) -> int:
        for _ in range(most):
            before = set(pool.open[: pool.counters[OPEN]].tolist())
            if not before:
                return DONE
            code = self.loop(flat, work, programme, pool, tuning, 1)
            after = set(pool.open[: pool.counters[OPEN]].tolist())
            (slot,) = before - after
            self.nodes += 1
            if not after - before:
                self.boxes.append((pool.low[slot].copy(), pool.high[slot].copy(), pool.depth[slot]))
            if code != BUDGET:
                return code
        return BUDGET


def network() -> Network:
    """Two inputs, three hidden layers, one output."""
    rng = np.random.default_rng(SEED)
    sizes = (2, WIDTH, WIDTH, WIDTH, 1)
    weights = [rng.normal(size=(m, n)) * np.sqrt(2 / n) for n, m in pairwise(sizes)]
    return Network.dense(weights, [rng.normal(size=m) * 0.3 for m in sizes[1:]])


def main(target: Path) -> None:
    """Search, and draw."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    one, net = Fraction(1), network()
    axis_values = np.linspace(-1, 1, SIDE)
    grid = np.stack(np.meshgrid(axis_values, axis_values), axis=-1).reshape(-1, 2)
    outputs = net.evaluate(grid)[:, 0]
    spread = float(outputs.max() - outputs.min())
    threshold = Fraction(float(outputs.min()) - 0.001 * spread)
    case = Case(Box((-one, -one), (one, one)), (Polyhedron(((one,),), (threshold,)),))
    loop = ready_kernel() or compiled_kernel()
    if loop is None:
        raise SystemExit("this needs numba")
    watched = Watched(loop)
    # Halving only, without programmes: splits of ReLUs would not be seen as boxes.
    made_of = Ingredients(Tuning(relus=0, linear=-1), kernel=watched)
    verdict = search_few_inputs(net, Query((case,)), case, Limits(), ingredients=made_of)
    if not isinstance(verdict, Proved):
        raise SystemExit(f"expected a proof: {verdict.words}")

    figure, axis = plt.subplots(figsize=(7.2, 6), layout="constrained")
    patches = PatchCollection(
        [Rectangle(tuple(low), *(high - low)) for low, high, _ in watched.boxes],
        cmap="viridis", edgecolor="white", linewidth=0.4,
    )  # fmt: skip
    depths = [int(depth) for _, _, depth in watched.boxes]
    patches.set_array(np.array(depths))
    axis.add_collection(patches)
    image = outputs.reshape(SIDE, SIDE)
    lines = axis.contour(axis_values, axis_values, image, 8, colors="white", alpha=0.5,
                         linewidths=0.8)  # fmt: skip
    axis.clabel(lines, fontsize=7)
    lowest = grid[outputs.argmin()]
    axis.plot(*lowest, "x", color="#ff5555", markersize=9, markeredgewidth=2, clip_on=False)
    axis.set(xlim=(-1, 1), ylim=(-1, 1), aspect="equal", xlabel="input 1", ylabel="input 2")
    bar = figure.colorbar(patches, label="halvings", ticks=sorted(set(depths)))
    bar.ax.tick_params(labelsize=8)
    axis.set_title(f"{watched.nodes} nodes, {len(depths)} boxes closed by a bound above zero",
                   loc="left", fontsize=10)  # fmt: skip
    figure.savefig(target, dpi=130)
    print(f"{watched.nodes} nodes, {len(depths)} boxes, depth {max(depths)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
