# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: a network in the plane, its linear regions, the exact robustness radius of your point

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="1 What a verifier does")

with app.setup(hide_code=True):
    from fractions import Fraction

    import marimo as mo
    import numpy as np
    from course import BLUE, DIGITS, INK, ORANGE, friendly, new_figure, picture, shown
    from matplotlib.patches import Rectangle

    from relucert import Decision, Violated, certify, read_network, read_points, robustness_query
    from relucert.radius import robustness_radius


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 1 What a verifier does

    A trained network gives labels to points. Testing it on some points says nothing about the
    points in between. A **verifier** answers a question about *infinitely* many points at once:

    > Does the network give the same label to **every** point of the ball
    > $B(x, r) = \{z : \lVert z - x \rVert_\infty \le r\}$?

    The answer is *Proved*, or *Violated* with a point that gets another label, or, when time runs
    out, *Unknown*. The largest radius that can be proved has a name, the **robustness radius**
    of $x$. In this notebook you find it for points of your own choice.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A network in the plane

    The network below has two inputs, two hidden layers of 8 ReLUs and two outputs. It was trained
    to tell two moons apart. The label of $z$ is the number of the larger output; a tie is no label.

    Between the inputs and the outputs every neuron computes $\mathrm{relu}(t) = \max(t, 0)$ of an
    affine function of the layer before. So the plane falls into **linear regions**: on each of
    them every ReLU is either on or off throughout, and the network is one affine map.
    """)
    return


@app.cell
def _():
    network = read_network(DIGITS / "moons_8x2.onnx")
    points = read_points(DIGITS / "moons_points.npz")
    decision = Decision("argmax", 2)

    window = (-1.5, 2.5, -1.2, 1.7)
    columns, rows = np.linspace(*window[:2], 500), np.linspace(*window[2:], 380)
    grid = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2)

    def pattern_numbers(z):
        """Which linear region each point lies in: its pattern of active ReLUs, as a number."""
        signs = []
        for layer in network.layers[:-1]:
            signs.append(layer.affine(z) > 0)
            z = layer.evaluate(z)
        _, numbers = np.unique(np.hstack(signs), axis=0, return_inverse=True)
        return numbers.reshape(-1)

    regions = pattern_numbers(grid)
    outputs = network.evaluate(grid)
    margin = outputs[:, 1] - outputs[:, 0]
    return columns, decision, margin, network, points, regions, rows, window


@app.cell(hide_code=True)
def _():
    view = mo.ui.dropdown(["labels", "linear regions", "both"], value="both", label="Colours show")
    view
    return (view,)


@app.cell
def _(columns, margin, points, regions, rows, view, window):
    def background(axis, what):
        """Labels and linear regions, computed on a grid of floats: a picture, no proof."""
        shape = (len(rows), len(columns))
        if what != "labels":
            tints = np.random.default_rng(5).uniform(0.72, 1.0, (regions.max() + 1, 3))
            axis.imshow(tints[regions].reshape(*shape, 3), extent=window, origin="lower")
        if what != "linear regions":
            axis.contourf(
                columns,
                rows,
                margin.reshape(shape),
                levels=[-1e9, 0, 1e9],
                colors=[BLUE, ORANGE],
                alpha=0.25,
            )
        axis.contour(columns, rows, margin.reshape(shape), levels=[0], colors=INK, linewidths=1.6)
        axis.set(xlim=window[:2], ylim=window[2:], aspect="equal", xlabel="$x_1$", ylabel="$x_2$")

    _figure, _axis = new_figure(7.0, 5.2)
    background(_axis, view.value)
    for _label, _colour, _marker in ((0, BLUE, "o"), (1, ORANGE, "s")):
        _axis.scatter(
            *points.values[points.labels == _label].T,
            c=_colour,
            marker=_marker,
            s=22,
            edgecolors="white",
            linewidths=0.6,
        )
    _count = len(np.unique(regions))
    mo.vstack(
        [
            picture(_figure, "The plane with two moons of points, labels and linear regions"),
            mo.md(
                f"The grid meets **{_count} linear regions**. 16 ReLUs have "
                rf"$2^{{16}} = {2**16:,}$ patterns of on and off; nearly all of them belong to no "
                "point of the plane. The black line is the **decision boundary**, where both "
                "outputs are equal. It is straight inside every region and bends only where it "
                "passes from one to the next."
            ),
        ]
    )
    return (background,)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The robustness radius of your point

    For a point $x$ with label $c$ the radius is

    $$r(x) = \min \{ \lVert z - x \rVert_\infty : z \text{ does not get the label } c \} .$$

    The ball of the maximum norm is a square. It grows until it touches the decision boundary. The
    verifier does not look at the picture: it *proves* a lower end and finds a point with another
    label for the upper end, both as fractions, until the two agree to 0.1 %.
    """)
    return


@app.cell(hide_code=True)
def _():
    first = mo.ui.slider(-1.2, 2.2, 0.05, value=0.1, label="$x_1$", show_value=True)
    second = mo.ui.slider(-0.8, 1.4, 0.05, value=1.0, label="$x_2$", show_value=True)
    share = mo.ui.slider(
        50, 150, 5, value=105, label="size of the ball, in % of the radius", show_value=True
    )
    mo.vstack([first, second, share])
    return first, second, share


@app.cell
def _(decision, first, network, second):
    point = (Fraction(str(first.value)), Fraction(str(second.value)))
    _low, _high = network.evaluate_exactly(point)
    label = int(_high > _low)
    bracket = robustness_radius(network, point, label, decision, timeout=20)
    return bracket, label, point


@app.cell
def _(bracket, decision, label, network, point, share):
    radius = bracket.upper * Fraction(share.value, 100)
    question = robustness_query(point, label, decision, radius=radius)
    verdict = certify(network, question, timeout=20).verdict
    witness = verdict.witness if isinstance(verdict, Violated) else None
    return radius, verdict, witness


@app.cell
def _(background, bracket, label, point, radius, verdict, witness):
    def square(centre, size, **style):
        low = [float(value - size) for value in centre]
        return Rectangle(low, 2 * float(size), 2 * float(size), fill=False, **style)

    _figure, _axis = new_figure(7.0, 5.2)
    background(_axis, "both")
    _axis.add_patch(square(point, bracket.upper, edgecolor=INK, linestyle=":", linewidth=1.6))
    _axis.add_patch(square(point, radius, edgecolor=INK, linewidth=2.0))
    _axis.plot(
        *map(float, point), "os"[label], color=(BLUE, ORANGE)[label], markersize=9, mec="white"
    )
    if witness is not None:
        _axis.plot(*map(float, witness.input), "X", color=INK, markersize=11, mec="white")
    _found = ""
    if witness is not None:
        _x, _y = witness.input, witness.output
        _found = (
            f" The cross is at ({shown(_x[0])}, {shown(_x[1])}). There, computed exactly, the "
            f"outputs are {shown(_y[0], 8)} and {shown(_y[1], 8)}: label {label} does not win."
        )
    mo.vstack(
        [
            picture(_figure, "The chosen point, its ball, and the counterexample if there is one"),
            mo.md(
                f"**Radius** of ({shown(point[0])}, {shown(point[1])}), label {label}: at least "
                f"{shown(bracket.lower, 7)} (proved), at most {shown(bracket.upper, 7)} (a point "
                f"with another label lies there). *Dotted: this ball.*\n\n"
                f"**Ball of radius {shown(radius)}** (solid): {verdict.words}.{_found}"
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Why not just try many points?

    Take a ball a little larger than the radius. It contains wrong points, but few: a corner that
    pokes across the boundary. Random trials must hit it.
    """)
    return


@app.cell(hide_code=True)
def _():
    trials = mo.ui.slider(
        steps=[10, 30, 100, 300, 1000, 3000, 10000, 30000],
        value=1000,
        label="number of random points",
        show_value=True,
    )
    trials
    return (trials,)


@app.cell
def _(bracket, label, network, point, trials):
    _centre = np.array([float(value) for value in point])
    _generator = np.random.default_rng(1)
    _lines = []
    for _share in (1.001, 1.01, 1.05, 1.2):
        _size = _share * float(bracket.upper)
        _z = _centre + _generator.uniform(-_size, _size, (trials.value, 2))
        _wrong = int((network.evaluate(_z).argmax(axis=1) != label).sum())
        _lines.append(f"| {_share:.3f} r | {_wrong} of {trials.value} |")
    friendly(
        "Every ball in this table contains a point with another label.\n\n"
        "| radius | random points with another label |\n|---|---|\n"
        + "\n".join(_lines)
        + f"\n\nHere r = {shown(bracket.upper)}.",
        kind="neutral",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: is the radius always reached at a corner of the square?": mo.md(r"""
    Move the point so that the square touches the boundary with a side and not with a corner. Where
    is that possible? *Answer:* only where the boundary runs along an axis, or where it has a corner
    of its own, that is, where it passes from one region to the next.
    """),
            "Try this 2: find a point with a very small radius": mo.md(r"""
    What happens with the ball at 95 % of it, and at 105 %? The verdict changes, however small
    the ball. *The reason:* the verdicts come from rational arithmetic and from bounds that
    account for every rounding, not from the grid of the picture.
    """),
            "Try this 3: how many random points replace a proof?": mo.md(r"""
    In the plane, a corner of area $\varepsilon^2$ is missed by $k$ random points with probability
    $(1 - \varepsilon^2)^k$. In $n$ dimensions a corner has volume $\varepsilon^n$. How many points
    would you need for an image of $8 \times 8$ pixels and $\varepsilon = 1/10$? *Answer:* about
    $10^{64}$. No number of random points is a proof, even in the plane.
    """),
        }
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **What next.** The regions are too many to list in larger networks. Notebook 2 shows how a
    verifier describes all of them at once, with one binary variable for each ReLU.
    """)
    return


if __name__ == "__main__":
    app.run()
