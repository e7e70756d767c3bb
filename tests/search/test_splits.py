"""Which ReLU is split: against the bounds that splitting each of them really gives."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relucert.bounds.backward import bound_network
from relucert.bounds.interval import Intervals
from relucert.network import Network
from relucert.search.ascent import Ascent, Guess
from relucert.search.compact import compacted
from relucert.search.splits import look_ahead

BOX = Intervals(np.full(6, -0.7), np.full(6, 0.5))


def _chain(seed, sizes=(6, 14, 2)):
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(b, a)).round(2) for a, b in pairwise(sizes)]
    network = Network.dense(weights, [rng.normal(size=b).round(2) for b in sizes[1:]])
    return compacted(bound_network(network, BOX), BOX, {}, 1, whole_last=True).chain


def _situation(seed):
    """Random rows, signs and multipliers."""
    chain = _chain(seed)
    ascent = Ascent(chain, BOX, [0], 0.25)
    rng, width = np.random.default_rng(seed + 1), ascent.chain[0].unstable
    rows = rng.normal(size=(5, 2)).astype(np.float32)
    signs = {0: rng.choice([-1, 0, 0, 0, 1], size=(5, width)).astype(np.int8)}
    beta = np.where(signs[0] != 0, rng.uniform(0, 0.3, size=(5, width)), 0)
    alpha = rng.uniform(size=(5, width)).astype(np.float32)
    return ascent, rows, signs, Guess({0: alpha}, {0: beta.astype(np.float32)})


def _bound(ascent, rows, signs, guess):
    fixed = {0: signs[0] != 0}
    lines = ascent.lines(guess, signs, fixed)
    return ascent.bounds(rows, lines, guess, signs, {0})


def _half(ascent, row, signs, guess, neuron, sign, beta):
    """The bound of one half, with this multiplier for its sign."""
    signs, betas = {0: signs[0].copy()}, {0: guess.beta[0].copy()}
    signs[0][0, neuron], betas[0][0, neuron] = sign, beta
    return float(_bound(ascent, row, signs, Guess(guess.alpha, betas))[0][0])


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_the_best_of_all_is_chosen_with_the_better_multipliers(seed):
    ascent, rows, signs, guess = _situation(seed)
    neurons, start = look_ahead(ascent, rows, signs, guess)
    values, met, _ = _bound(ascent, rows, signs, guess)
    for i, (neuron, begin) in enumerate(zip(neurons, start, strict=True)):
        row, own, one = rows[i : i + 1], {0: signs[0][i : i + 1]}, guess.chosen([i])
        missing = max(-float(values[i]), 1e-30)
        scores = {}
        for other in np.flatnonzero((own[0][0] == 0) & (met[0][i] != 0)):
            step = 2 * abs(float(met[0][i, other]))
            score = 1.0
            for sign in (1, -1):
                tried = [_half(ascent, row, own, one, other, sign, b) for b in (0.0, step)]
                gain = max(tried) - float(values[i])
                score *= min(max(gain, 0.0), missing) / missing + 1e-3
                if other == neuron and abs(tried[0] - tried[1]) > 1e-3:
                    assert begin[(1 - sign) // 2] == pytest.approx(step * (tried[1] > tried[0]))
            scores[other] = score
        if values[i] < -0.1 and scores:
            assert scores[neuron] >= max(scores.values()) * 0.98 - 1e-6


def test_what_is_fixed_is_never_chosen():
    for seed in range(200):
        ascent, rows, signs, guess = _situation(seed)
        signs[0][0] = 1  # nothing is open
        signs[0][1, 1:] = -1
        neurons, start = look_ahead(ascent, rows, signs, guess)
        assert neurons[0] == -1
        assert not start[0].any()
        assert neurons[1] in (0, -1)
        for row, neuron in enumerate(neurons):
            assert neuron == -1 or signs[0][row, neuron] == 0


def test_numbers_beyond_float32_choose_nothing():
    ascent, rows, signs, guess = _situation(1)
    neurons, start = look_ahead(ascent, rows * np.float32(np.inf), signs, guess)
    assert np.isfinite(start).all()
    assert ((neurons == -1) | (signs[0][np.arange(5), neurons] == 0)).all()
