# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: one ReLU as four inequalities and a binary, its triangle; what tight bounds save

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="2 The MILP encoding")

with app.setup(hide_code=True):
    import time

    import marimo as mo
    import numpy as np
    from course import BLUE, DIGITS, GREEN, GREY, INK, ORANGE, friendly, new_figure, picture
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    from relucert import read_network, read_points
    from relucert.bounds.backward import bound_network, network_intervals
    from relucert.bounds.interval import Intervals
    from relucert.limits import Limits
    from relucert.milp.tighten import tighten


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 2 The MILP encoding, one neuron at a time

    A network of ReLUs is piecewise affine, but it has too many pieces to list. A **mixed-integer
    linear programme** (MILP) describes all of them at once: affine layers are linear equations, and
    each ReLU gets four inequalities and one binary variable (Tjeng, Xiao and Tedrake, 2019).
    Minimise over it how far the right label is ahead of another: if the minimum is positive, no
    input of the box is classified as that other label.

    ## One neuron

    Let $z$ be a **pre-activation** with known bounds $l \le z \le u$, and $a = \max(z, 0)$.

    - $l \ge 0$: the neuron is *active*, $a = z$. No binary is needed.
    - $u \le 0$: the neuron is *inactive*, $a = 0$. No binary is needed.
    - $l < 0 < u$: the neuron is **unstable**. With a binary $p \in \{0, 1\}$ (is it active?), write

    $$a \ge 0, \qquad a \ge z, \qquad a \le u\,p, \qquad a \le z - l\,(1 - p) .$$

    | | $p = 1$ | $p = 0$ |
    |---|---|---|
    | $a \le u\,p$ | $a \le u$, says nothing new | $a \le 0$, so $a = 0$ |
    | $a \le z - l (1 - p)$ | $a \le z$, so $a = z$ | $a \le z - l$, says nothing new |

    The numbers $u$ and $-l$ play the part of the **big M**. Any numbers that are large enough give
    the same MILP; the smaller they are, the better.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The triangle

    Solvers begin with the **LP relaxation**: $p$ may be any number in $[0, 1]$. Eliminate $p$, and
    what is left of the four inequalities is a triangle,

    $$\max(z, 0) \;\le\; a \;\le\; \frac{u\,(z - l)}{u - l} ,$$

    the convex hull of the graph of the ReLU over $[l, u]$. With bounds that are loosened by a
    factor $k$ the triangle grows. At a given $z$, the relaxation allows every $a$ on the thick
    segment; only its lower end is true.
    """)
    return


@app.cell(hide_code=True)
def _():
    low = mo.ui.slider(-4, 1, 0.25, value=-2, label="lower bound $l$", show_value=True)
    high = mo.ui.slider(-1, 4, 0.25, value=3, label="upper bound $u$", show_value=True)
    at = mo.ui.slider(-4, 4, 0.25, value=0.5, label="pre-activation $z$", show_value=True)
    loose = mo.ui.slider(1, 3, 0.25, value=1.5, label="bounds loosened by $k$", show_value=True)
    mo.vstack([low, high, at, loose])
    return at, high, loose, low


@app.cell
def _(at, high, loose, low):
    def allowed(z, l, u):
        """What the relaxation allows for a at this z."""
        if l >= 0 or u <= 0:
            return max(z, 0.0), max(z, 0.0)
        return max(z, 0.0), u * (z - l) / (u - l)

    def neuron_picture(l, u, z, k):
        figure, axis = new_figure(6.5, 4.2)
        for factor, colour, name in ((k, ORANGE, f"bounds times {k:g}"), (1, BLUE, "tight bounds")):
            wide, far = factor * l, factor * u
            if l < 0 < u:
                axis.fill(
                    [wide, 0, far], [0, 0, far], color=colour, alpha=0.25, label=name, zorder=1
                )
                if wide <= z <= far:
                    axis.plot([z, z], allowed(z, wide, far), color=colour, lw=5, zorder=2)
        axis.plot([-12, 0, 12], [0, 0, 12], color=INK, lw=2, label="relu", zorder=3)
        axis.axvline(l, color=GREY, lw=0.8, ls=":")
        axis.axvline(u, color=GREY, lw=0.8, ls=":")
        axis.set(xlim=(-12.5, 12.5), ylim=(-0.6, 12.5), xlabel="$z$", ylabel="$a$")
        reach = 1.08 * max(abs(k * l), abs(k * u), 1.5)
        axis.set(xlim=(-reach, reach), ylim=(-0.05 * reach, reach))
        axis.legend(frameon=False, fontsize=9, loc="upper left")
        return picture(figure, f"ReLU and its triangle over [{l}, {u}], and with looser bounds")

    def neuron_words(l, u, z, k):
        if l > u:
            return friendly(
                f"There is no $z$ with {l:g} $\\le z \\le$ {u:g}. Choose $l \\le u$; the sliders "
                "go from $-4$ to $4$."
            )
        if l >= 0 or u <= 0:
            side = "active: $a = z$" if l >= 0 else "inactive: $a = 0$"
            return friendly(
                f"The neuron is always {side}. No binary, no triangle, nothing lost.", "success"
            )
        if not l <= z <= u:
            return friendly(f"$z = {z:g}$ lies outside the bounds; move $z$ or a bound.")
        (true, tight), (_, loosened) = allowed(z, l, u), allowed(z, k * l, k * u)
        return mo.md(
            f"At $z = {z:g}$ the ReLU gives $a = {true:g}$. The relaxation allows up to "
            f"${tight:.4g}$ with tight bounds and up to ${loosened:.4g}$ with bounds that are "
            f"{k:g} times as wide. The triangle's area is $-l u / 2 = {-l * u / 2:.4g}$; the "
            f"looser one's is $k^2 = {k * k:.4g}$ times that."
        )

    mo.vstack(
        [
            neuron_picture(low.value, high.value, at.value, loose.value)
            if low.value <= high.value
            else mo.md(""),
            neuron_words(low.value, high.value, at.value, loose.value),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A whole network

    Put the neurons together. The network below reads images of $8 \times 8$ pixels and names the
    digit; it has two hidden layers of 50 ReLUs. The rows of its MILP fit on a page: every
    pre-activation is a variable with an equation, every unstable ReLU adds its value, its binary
    and the three rows from above that are not mere bounds.
    """)
    return


@app.cell
def _():
    class Rows:
        """Variables with bounds, and rows ``low <= sum of weights times variables <= high``."""

        def __init__(self):
            self.low, self.high, self.binary = [], [], []
            self.weights, self.least, self.most = [], [], []

        def variable(self, low, high, binary=False):
            self.low.append(low)
            self.high.append(high)
            if binary:
                self.binary.append(len(self.low) - 1)
            return len(self.low) - 1

        def row(self, weights, least, most):
            self.weights.append(weights)
            self.least.append(least)
            self.most.append(most)

    def encode(network, box, bounds):
        """The MILP of the network on the box; ``bounds`` hold l and u of every layer."""
        rows = Rows()
        inputs = [rows.variable(l, u) for l, u in zip(box.lower, box.upper, strict=True)]
        for layer, bound in zip(network.layers, bounds, strict=True):
            outputs = []
            for k in range(layer.output_size):
                l, u = float(bound.lower[k]), float(bound.upper[k])
                z = rows.variable(l, u)
                weights = dict(zip(inputs, layer.weight[k], strict=True))
                rows.row({**weights, z: -1.0}, -layer.bias[k], -layer.bias[k])
                if not layer.relu[k] or l >= 0:
                    outputs.append(z)
                    continue
                a = rows.variable(0.0, max(u, 0.0))
                outputs.append(a)
                if u > 0:
                    p = rows.variable(0.0, 1.0, binary=True)
                    rows.row({a: 1.0, z: -1.0}, 0.0, np.inf)  # a >= z
                    rows.row({a: 1.0, p: -u}, -np.inf, 0.0)  # a <= u p
                    rows.row({a: 1.0, z: -1.0, p: -l}, -np.inf, -l)  # a <= z - l (1 - p)
            inputs = outputs
        return rows, inputs

    return (encode,)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Branch and bound

    If the relaxation's minimum is positive, we are done. If not, take a binary whose value is
    furthest from 0 and 1, and ask twice: once with $p = 0$, once with $p = 1$. Every question is a
    linear programme; a question whose minimum is positive needs no more. The number of questions is
    the price. (A real solver is cleverer in many ways; the price has the same cause. And *proved*
    is a word on loan here: these programmes are solved in floating point. Notebook 8 shows what
    deserves it.)
    """)
    return


@app.cell
def _():
    MOST = 400  # linear programmes; then the search gives up

    def branch_and_bound(rows, cost):
        """(linear programmes solved, minimum of the first, what is known in the end)."""
        objective = np.zeros(len(rows.low))
        for column, weight in cost.items():
            objective[column] += weight
        columns = [list(weights) for weights in rows.weights]
        matrix = coo_array(
            (
                np.concatenate([list(weights.values()) for weights in rows.weights]),
                (np.repeat(range(len(columns)), list(map(len, columns))), np.concatenate(columns)),
            ),
            shape=(len(columns), len(rows.low)),
        ).tocsr()
        least, most = np.array(rows.least), np.array(rows.most)
        equal = least == most
        upper, lower = ~equal & np.isfinite(most), ~equal & np.isfinite(least)
        signs = np.concatenate([np.ones(upper.sum()), -np.ones(lower.sum())])
        chosen = np.concatenate([np.flatnonzero(upper), np.flatnonzero(lower)])
        ends = np.concatenate([most[upper], -least[lower]])
        unequal = matrix[chosen].multiply(signs[:, None]).tocsr()
        binary, waiting, solved, first = np.array(rows.binary, dtype=int), [{}], 0, None
        while waiting and solved < MOST:
            fixed, solved = waiting.pop(), solved + 1
            box = np.column_stack([rows.low, rows.high])
            for column, value in fixed.items():
                box[column] = value
            answer = linprog(
                objective, unequal, ends, matrix[equal], least[equal], box, method="highs"
            )
            first = answer.fun if first is None else first
            if answer.status == 2 or (answer.status == 0 and answer.fun > 0):
                continue
            if answer.status != 0:
                return solved, first, "the solver failed"
            distance = np.abs(answer.x[binary] - np.round(answer.x[binary]))
            if distance.max(initial=0.0) < 1e-6:
                return solved, first, "not positive"  # no relaxation is left at this point
            branch = int(binary[distance.argmax()])
            waiting += [{**fixed, branch: 0.0}, {**fixed, branch: 1.0}]
        return solved, first, "given up" if waiting else "proved"

    return MOST, branch_and_bound


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## What tight bounds buy

    The encoding needs $l$ and $u$ for every neuron, and there are cheap and dear ways to get them:

    - **interval**: add up the largest terms, layer by layer. Ignores that inputs are shared.
    - **backward substitution** (CROWN, DeepPoly): replace every ReLU by two lines, carry the row
      back to the inputs, and only there take the smallest value.
    - **linear programmes**: minimise and maximise each pre-activation over the triangles before.

    All three are valid, so all three MILPs have the same minimum. Is a digit's label the same on
    all images that differ by at most $\varepsilon$ in every pixel? Move $\varepsilon$, and look at
    the price. Larger ones take a few seconds.
    """)
    return


@app.cell(hide_code=True)
def _():
    epsilon = mo.ui.slider(
        0.02, 0.07, 0.01, value=0.06, label=r"radius $\varepsilon$", show_value=True, debounce=True
    )
    digit = mo.ui.slider(0, 9, 1, value=3, label="image", show_value=True, debounce=True)
    mo.vstack([epsilon, digit])
    return digit, epsilon


@app.cell
def _(digit, epsilon):
    network = read_network(DIGITS / "dense_50x2.onnx")
    points = read_points(DIGITS / "test_points.npz")
    image, label = points.values[digit.value], int(points.labels[digit.value])
    scores = network.evaluate(image)
    rival = int(np.argsort(np.where(np.arange(10) == label, -np.inf, scores))[-1])
    box = Intervals(np.maximum(image - epsilon.value, 0), np.minimum(image + epsilon.value, 1))

    def bounds_by_method():
        substituted = bound_network(network, box)
        return {
            "interval": network_intervals(network, box),
            "backward substitution": [part.pre for part in substituted],
            "linear programmes": [
                part.pre for part in tighten(network, box, substituted, Limits())
            ],
        }

    methods = bounds_by_method()
    return box, label, methods, network, rival, scores


@app.cell
def _(MOST, box, branch_and_bound, encode, epsilon, label, methods, network, rival, scores):
    def measured(bounds):
        rows, outputs = encode(network, box, bounds)
        begun = time.process_time()
        solved, first, found = branch_and_bound(rows, {outputs[label]: 1.0, outputs[rival]: -1.0})
        return len(rows.binary), first, solved, found, time.process_time() - begun

    results = {name: measured(bounds) for name, bounds in methods.items()}

    def second_layer_picture():
        figure, axis = new_figure(7.0, 3.6)
        order = np.argsort(methods["interval"][1].upper)
        styles = {
            "interval": (ORANGE, 5),
            "backward substitution": (BLUE, 3),
            "linear programmes": (INK, 1),
        }
        for name, (colour, width) in styles.items():
            bound = methods[name][1]
            axis.vlines(
                range(len(order)), bound.lower[order], bound.upper[order], colors=colour, lw=width,
                label=name, alpha=0.9,
            )  # fmt: skip
        axis.axhline(0, color=GREY, lw=0.8)
        axis.set(xlabel="neurons of the second layer", ylabel="pre-activation", xticks=[])
        axis.legend(frameon=False, fontsize=9, loc="upper left")
        return picture(figure, "Intervals of all second-layer neurons by three kinds of bounds")

    def price_picture():
        figure, axis = new_figure(7.0, 1.9)
        names = list(results)[::-1]
        solved = [results[name][2] for name in names]
        bars = axis.barh(
            names, solved, color=[GREEN if results[n][3] == "proved" else GREY for n in names]
        )
        axis.bar_label(bars, padding=4, fontsize=9)
        axis.set(xlabel="linear programmes (green: proved)", xlim=(0, 1.15 * max(solved)))
        return picture(figure, "Linear programmes that branch and bound needs, by kind of bounds")

    lines = [
        f"| {name} | {unstable} | {first:.3f} | {solved} | {found} | {seconds:.2f} |"
        for name, (unstable, first, solved, found, seconds) in results.items()
    ]
    mo.vstack(
        [
            mo.md(
                f"The image is a **{label}**; the runner-up is **{rival}**, behind by "
                f"{scores[label] - scores[rival]:.2f}. Is it behind on the whole box of radius "
                f"{epsilon.value:g}? (After {MOST} linear programmes the search gives up.)\n\n"
                "| bounds | unstable ReLUs | minimum of the relaxation | linear programmes "
                "| answer | seconds |\n|---|---|---|---|---|---|\n" + "\n".join(lines)
            ),
            price_picture(),
            second_layer_picture(),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: when does each kind of bounds begin to pay?": mo.md(r"""
    At $\varepsilon = 0.02$ all three need a single linear programme. Where does each of them begin
    to branch? Now you know why verifiers try cheap bounds first and dear ones only where they must.
    """),
            "Try this 2: one M for all": mo.md(r"""
    Suppose somebody writes $M = 1000$ in place of every $u$ and $-l$. The MILP is still right. What
    does the relaxation say about a neuron at $z = 0$? *Answer:* $a \le 1000 / 2 = 500$. Nothing is
    ever cut off, and every binary must be branched on. Worse: solvers take $p = 10^{-6}$ for zero,
    and then $a \le u\,p$ allows $a = 10^{-3}$ where the network has 0. Large $M$ are wrong answers
    in waiting; this is why *Proved (MILP, solver tolerance)* is a weaker word than the others.
    """),
            "Try this 3: why are intervals so loose?": mo.md(r"""
    Take $z_1 = x$, $z_2 = x$ with $x \in [0, 1]$, and $y = z_1 - z_2$. What do intervals say about
    $y$, and what is true? *Answer:* $[-1, 1]$, and $0$. Backward substitution carries the row
    $(1, -1)$ back to $x$ and finds the coefficient $0$ there.
    """),
            "Try this 4: count the rows": mo.md(r"""
    How many rows and binaries has the MILP if $s$ neurons are unstable? *Answer:* one equation for
    every neuron and output, here $50 + 50 + 10$, three rows more and one binary for each unstable
    neuron. The inputs and $a \ge 0$ are bounds of variables, not rows.
    """),
        }
    )
    return


if __name__ == "__main__":
    app.run()
