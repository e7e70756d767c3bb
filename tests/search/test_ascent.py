"""The ascent of multipliers: rows whose bound is enough are left alone, the others are not."""

from itertools import pairwise

import numpy as np
import pytest

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.limits import Limits
from relucert.network import Network
from relucert.search.ascent import Ascent, Guess
from relucert.search.compact import compacted

SIZES = [8, 14, 12, 4]
BOX = Intervals(np.full(8, -0.6), np.full(8, 0.6))


@pytest.fixture(scope="module")
def situation():
    """An ascent, rows, signs of some ReLUs, and where to start."""
    rng = np.random.default_rng(7)
    weights = [rng.normal(size=(b, a)) / np.sqrt(a) for a, b in pairwise(SIZES)]
    network = Network.dense(weights, [0.3 * rng.normal(size=b) for b in SIZES[1:]])
    chain = compacted(bound_network(network, BOX), BOX, {}, 2, whole_last=True).chain
    ascent = Ascent(chain, BOX, [0, 1], 0.25)
    rows = rng.normal(size=(30, 4))
    widths = {index: ascent.chain[index].unstable for index in (0, 1)}
    signs = {
        index: rng.choice([-1, 0, 0, 0, 0, 1], size=(30, width)).astype(np.int8)
        for index, width in widths.items()
    }
    alpha = {index: np.full((30, width), 0.5, np.float32) for index, width in widths.items()}
    beta = {index: np.zeros((30, width), np.float32) for index, width in widths.items()}
    return ascent, rows, signs, Guess(alpha, beta)


def _values(ascent, rows, signs, guess):
    fixed = {index: own != 0 for index, own in signs.items()}
    lines = ascent.lines(guess, signs, fixed)
    return ascent.bounds(rows.astype(np.float32), lines, guess, signs, {0, 1})[0]


def test_rows_that_have_enough_stop_and_the_others_go_on(situation):
    ascent, rows, signs, start = situation
    before = _values(ascent, rows, signs, start)
    alone = _values(ascent, rows, signs, ascent.run(rows, signs, start, 12, Limits()))
    assert (alone > before + 0.01).mean() > 0.9
    enough = np.where(np.arange(30) % 3 == 0, np.inf, before + 0.5 * (alone - before))
    enough[::2] = -np.inf  # half of them: fewer would not be worth dropping
    found = _values(
        ascent, rows, signs, ascent.run(rows, signs, start, 12, Limits(), enough.astype(np.float32))
    )
    assert (found >= np.minimum(enough, alone) - 1e-4).all()
    assert found[::2] == pytest.approx(before[::2], abs=1e-5)
    unlimited = (np.arange(30) % 3 == 0) & (np.arange(30) % 2 != 0)
    assert found[unlimited] == pytest.approx(alone[unlimited], abs=1e-3)
    assert found.sum() < alone.sum() - 1


def test_where_all_have_enough_nothing_is_done(situation):
    ascent, rows, signs, start = situation
    enough = np.full(30, -np.inf, np.float32)
    found = ascent.run(rows, signs, start, 12, Limits(), enough)
    for index in (0, 1):
        np.testing.assert_array_equal(found.alpha[index], start.alpha[index])
        np.testing.assert_array_equal(found.beta[index], start.beta[index])
    assert not start.beta[0].any()  # what was given is as it was
