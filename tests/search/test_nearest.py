"""Steps to the nearest unsafe input, many points at once."""

import numpy as np
import pytest

from relucert.network import Network
from relucert.query import Decision
from relucert.search.margins import Margins
from relucert.search.nearest import Near, nearest_candidates


def _near(centres, labels, outputs, low=-np.inf, high=np.inf, farthest=2.0**20):
    decision = Decision("argmax", outputs)
    kinds = {label: Margins(decision.wrong_outputs(label)) for label in set(labels)}
    return Near(np.array(centres), [kinds[label] for label in labels], low, high, farthest)


def test_a_linear_network_is_done_in_one_step():
    # Label 0 wins while 3 x + y > 0: from (1, 1) the boundary is 4 / 4 away.
    network = Network.dense([np.array([[3.0, 1.0], [0.0, 0.0]])], [np.zeros(2)])
    (x,) = nearest_candidates(network, _near([[1.0, 1.0]], [0], 2), np.random.default_rng(0))
    assert np.abs(x - 1.0).max() == pytest.approx(1.0, rel=1e-9)


def test_the_clip_range_is_kept_and_made_up_for():
    # x may only fall by 0.2, so y has to fall by more: 3 * 0.2 + 1 * eps = 1 from (0.2, 0.4).
    network = Network.dense([np.array([[3.0, 1.0], [0.0, 0.0]])], [np.array([0.0, 0.5])])
    near = _near([[0.2, 0.4]], [0], 2, 0.0, 1.0, 1.0)
    (x,) = nearest_candidates(network, near, np.random.default_rng(0))
    assert x == pytest.approx([0.033, 0.4 - 0.167], abs=0.2)
    assert (x >= 0).all()
    assert 3 * x[0] + x[1] <= 0.5 + 1e-9


def test_nothing_unsafe_in_reach():
    network = Network.dense([np.array([[1.0], [0.0]])], [np.array([1.0, 0.0])])
    near = _near([[0.5]], [0], 2, 0.0, 1.0, 1.0)
    assert nearest_candidates(network, near, np.random.default_rng(0)) == [None]


def test_what_is_found_is_unsafe_and_close_to_the_best_of_a_grid():
    rng = np.random.default_rng(3)
    weights = [rng.normal(size=(8, 2)), rng.normal(size=(3, 8))]
    network = Network.dense(weights, [rng.normal(size=8), rng.normal(size=3)])
    centres = rng.uniform(-1, 1, (12, 2))
    labels = network.evaluate(centres).argmax(axis=1).tolist()
    found = nearest_candidates(network, _near(centres, labels, 3), np.random.default_rng(1))
    grid = np.stack(np.meshgrid(*[np.linspace(-3, 3, 401)] * 2), axis=-1).reshape(-1, 2)
    answers = network.evaluate(grid).argmax(axis=1)
    close = 0
    for centre, label, x in zip(centres, labels, found, strict=True):
        distances = np.abs(grid - centre).max(axis=1)[answers != label]
        outputs = network.evaluate(x)
        assert outputs[label] <= np.delete(outputs, label).max() + 1e-12
        distance, best = np.abs(x - centre).max(), distances.min(initial=np.inf)
        assert distance <= 2 * best
        close += distance <= best * 1.02 + 0.01
    assert close >= 6
