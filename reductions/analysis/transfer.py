"""Hardness transfer: do two doors find the same formulas hard?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from reductions.analysis.growth import LEVEL, Band
from reductions.analysis.measured import Measured
from reductions.analysis.run_folder import Row

__all__ = ["FEWEST_FORMULAS", "Transfer", "hardness_transfer"]

FEWEST_FORMULAS = 10
_RESAMPLES = 400


@dataclass(frozen=True)
class Transfer:
    """Spearman's rank correlation of two doors' times on the same formulas.

    ``overall`` also rises because both doors slow down with the size; ``within`` ranks formulas
    only against others of the same family, size, ratio and answer, so it tells whether the
    formula is what is hard. None where too few formulas, or all ties, leave it undefined.
    """

    first: str
    second: str
    formulas: int
    overall: Band | None
    within: Band | None


def hardness_transfer(measured: Measured, seed: int) -> list[Transfer]:
    """For every two doors; formulas that a door did not decide are ties at its top."""
    hardness = {door: _hardness(measured.of(door=door)) for door in measured.doors}
    cells = {
        row.formula: (row.family, row.size, row.ratio or 0.0, measured.truth.get(row.formula, ""))
        for row in measured.of()
    }
    return [
        _transfer(first, second, hardness, cells, seed)
        for first, second in combinations(measured.doors, 2)
    ]


def _hardness(rows: list[Row]) -> dict[str, float]:
    known = [row for row in rows if row.cpu_seconds is not None or not row.decided]
    return {row.formula: (row.cpu_seconds or 0.0) if row.decided else float("inf") for row in known}


def _transfer(
    first: str,
    second: str,
    hardness: dict[str, dict[str, float]],
    cells: dict[str, tuple[str, int, float, str]],
    seed: int,
) -> Transfer:
    common = sorted(hardness[first].keys() & hardness[second].keys())
    values = np.array([[hardness[door][formula] for formula in common] for door in (first, second)])
    if len(common) < FEWEST_FORMULAS:
        return Transfer(first, second, len(common), None, None)
    groups: dict[tuple[str, int, float, str], list[int]] = defaultdict(list)
    for index, formula in enumerate(common):
        groups[cells[formula]].append(index)
    blocks = [np.array(block) for block in groups.values() if len(block) > 1]
    random = np.random.default_rng(seed)
    everything = [np.arange(len(common))]
    return Transfer(
        first, second, len(common),
        _correlation(values, everything, random), _correlation(values, blocks, random),
    )  # fmt: skip


def _correlation(
    values: NDArray[np.float64], blocks: list[NDArray[np.int_]], random: np.random.Generator
) -> Band | None:
    """Correlation of the centred ranks within the blocks, with its bootstrap interval."""
    from scipy.stats import rankdata

    products = np.zeros((_RESAMPLES + 1, 3))
    for block in blocks:
        picks = random.integers(len(block), size=(_RESAMPLES + 1, len(block)))
        picks[0] = np.arange(len(block))
        ranks = rankdata(values[:, block[picks]], axis=2)
        x, y = (ranks - (len(block) + 1) / 2) / len(block)
        products += np.stack([(x * y).sum(1), (x * x).sum(1), (y * y).sum(1)], axis=1)
    spread = np.sqrt(products[:, 1] * products[:, 2])
    if spread[0] <= 0:
        return None
    rho = products[spread > 0, 0] / spread[spread > 0]
    low, high = np.quantile(rho[1:], ((1 - LEVEL) / 2, (1 + LEVEL) / 2)) if len(rho) > 1 else rho
    return Band(float(rho[0]), float(min(low, rho[0])), float(max(high, rho[0])))
