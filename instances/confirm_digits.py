"""Decide every property of instances/digits with two engines and write down what both say.

    python instances/confirm_digits.py

The first engine is `relucert certify`. The second is the plain big-M formulation below (interval
bounds, one binary a neuron, scipy's MILP), which shares nothing with the first but the readers. A
violation is also run through onnxruntime, which counts as the second where the plain formulation
runs out of time. Writes digits/expected.toml and digits/instances.csv; stops when two answers
differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnxruntime
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array, lil_array

from relucert import certify, read_network, read_query
from relucert.network import Network
from relucert.query import Case, Polyhedron, Query
from relucert.verdict import Proved, Violated
from relucert.write.files import write_atomically

HERE = Path(__file__).parent / "digits"
SECONDS = 60.0


def smallest_margin(network: Network, case: Case, part: Polyhedron) -> float | None:
    """The minimum of ``C y - d`` (one row) over the box by plain big-M; None when time runs out."""
    lower, upper = (np.array([float(v) for v in end]) for end in (case.box.lower, case.box.upper))
    low, high, integer = list(lower), list(upper), [False] * len(lower)
    rows: list[tuple[dict[int, float], float, float]] = []
    wires = list(range(len(lower)))
    for layer in network.layers:
        weight = csr_array(layer.weight).toarray()
        positive, negative = np.maximum(weight, 0), np.minimum(weight, 0)
        at_low, at_high = np.array([low[w] for w in wires]), np.array([high[w] for w in wires])
        z_low = positive @ at_low + negative @ at_high + layer.bias
        z_high = positive @ at_high + negative @ at_low + layer.bias
        fresh = []
        for i in range(layer.output_size):
            terms = {w: float(weight[i, j]) for j, w in enumerate(wires) if weight[i, j]}
            value = len(low)
            fresh.append(value)
            relu = bool(layer.relu[i])
            low.append(max(0.0, z_low[i]) if relu else z_low[i])
            high.append(max(0.0, z_high[i]) if relu else z_high[i])
            integer.append(False)
            if not relu or z_low[i] >= 0:
                rows.append((terms | {value: -1.0}, -layer.bias[i], -layer.bias[i]))
            elif z_high[i] > 0:
                active = len(low)
                low.append(0.0)
                high.append(1.0)
                integer.append(True)
                gap = {value: 1.0} | {w: -c for w, c in terms.items()}
                rows.append((gap, layer.bias[i], np.inf))
                rows.append((gap | {active: -z_low[i]}, -np.inf, layer.bias[i] - z_low[i]))
                rows.append(({value: 1.0, active: -z_high[i]}, -np.inf, 0.0))
        wires = fresh
    matrix = lil_array((len(rows), len(low)))
    for index, (terms, _, _) in enumerate(rows):
        for column, value in terms.items():
            matrix[index, column] = value
    cost = np.zeros(len(low))
    (row,), (limit,) = part.coefficients, part.limits
    cost[wires] = [float(v) for v in row]
    found = milp(
        cost,
        constraints=LinearConstraint(matrix.tocsr(), [r[1] for r in rows], [r[2] for r in rows]),
        bounds=Bounds(np.array(low), np.array(high)),
        integrality=np.array(integer, dtype=int),
        options={"time_limit": SECONDS},
    )
    return float(found.fun) - float(limit) if found.status == 0 else None


def second_opinion(network: Network, query_cases: tuple[Case, ...]) -> str | None:
    """ "holds" or "violated" by the plain formulation, None when it cannot tell."""
    margins = [smallest_margin(network, case, part) for case in query_cases for part in case.unsafe]
    if any(margin is not None and margin < -1e-5 for margin in margins):
        return "violated"
    if all(margin is not None and margin > 1e-5 for margin in margins):
        return "holds"
    return None


def nearly_unsafe(query: Query, y: np.ndarray) -> bool:
    """Whether a float output is unsafe up to float32 rounding."""
    return any(
        all(
            sum(float(c) * v for c, v in zip(row, y, strict=True)) <= float(limit) + 1e-4
            for row, limit in zip(part.coefficients, part.limits, strict=True)
        )
        for case in query.cases
        for part in case.unsafe
    )


def main() -> None:
    """Confirm every network with every property."""
    records, rows = [], ["family,network,property,timeout_s,expected"]
    names = ["dense_16x2", "dense_32x1", "dense_50x2", "conv", "residual"]
    for name in names:
        network = read_network(HERE / f"{name}.onnx")
        session = onnxruntime.InferenceSession(str(HERE / f"{name}.onnx"))
        for path in sorted((HERE / "properties").glob("*.vnnlib")):
            query = read_query(path)
            verdict = certify(network, query, timeout=SECONDS, seed=0).verdict
            other = second_opinion(network, query.cases)
            words = {Proved: "holds", Violated: "violated"}.get(type(verdict))
            print(f"{name} {path.stem}: {verdict.words}; plain MILP: {other}", flush=True)
            if words is None or (words == "holds" and other is None):
                continue
            if other is not None and words != other:
                sys.exit(f"{name} {path.name}: relucert says {words}, the plain MILP {other}")
            confirmed = [verdict.words]
            if other is not None:
                confirmed.append("plain big-M MILP (scipy)")
            if isinstance(verdict, Violated):
                x = np.array([float(v) for v in verdict.witness.input], dtype=np.float32)
                shape = [int(d) for d in session.get_inputs()[0].shape]
                y = session.run(None, {"input": x.reshape(shape)})[0].ravel()
                exact = np.array([float(v) for v in verdict.witness.output])
                if not np.allclose(y, exact, atol=1e-3) or not nearly_unsafe(query, y):
                    sys.exit(f"{name} {path.name}: onnxruntime computes other outputs")
                confirmed.append("onnxruntime computes the witness's outputs")
            records.append((name, path, words, confirmed))
            answer = "unsat" if words == "holds" else "sat"
            rows.append(f"{name},{name}.onnx,properties/{path.name},60,{answer}")
    text = "# made by: python instances/confirm_digits.py\n"
    for name, path, words, confirmed in records:
        listed = ", ".join(f'"{line}"' for line in confirmed)
        text += (
            f'\n[[instance]]\nnetwork = "{name}.onnx"\nproperty = "properties/{path.name}"\n'
            f'expected = "{words}"\nconfirmed_by = [{listed}]\n'
        )
    write_atomically(HERE / "expected.toml", text)
    write_atomically(HERE / "instances.csv", "\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
