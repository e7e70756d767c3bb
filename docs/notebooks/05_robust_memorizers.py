# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: networks built for your points and budget, their size and slope; narrow ones refuted live

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="5 Robust memorizers")

with app.setup(hide_code=True):
    import re
    import tempfile
    from fractions import Fraction
    from pathlib import Path

    import marimo as mo
    import numpy as np
    from course import (
        BLUE,
        DIGITS,
        GREEN,
        GREY,
        INK,
        ORANGE,
        PINK,
        friendly,
        new_figure,
        picture,
        shown,
    )
    from matplotlib.patches import Rectangle

    from relucert import (
        Layer,
        Network,
        Proved,
        RelucertError,
        certify,
        read_network,
        read_points,
        robustness_query,
    )
    from relucert.memorization.construct import construct
    from relucert.memorization.lipschitz_constant import lipschitz_constant
    from relucert.memorization.separation import separation_bound
    from relucert.memorization.width_bound import refute

    COLOURS = (BLUE, ORANGE, GREEN, PINK, GREY)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 5 Robust memorizers

    Given points $x_1, \ldots, x_N \in \mathbb{Q}^n$ with labels, a network **robustly memorizes**
    them with **budget** $\mu$ when it gives the right label to every point of every ball $B(x_i,
    \mu)$. Let the **separation bound** $\lambda_D$ be the smallest distance between points with
    different labels (in the maximum norm).

    - For $\mu \ge \lambda_D / 2$ no network can do it: two balls with different labels meet.
    - For every $\mu < \lambda_D / 2$ Yu, Gao and Zhang (ICLR 2024) *construct* a network with
      $O(Nn)$ parameters. Nothing is trained, and no luck is needed.
    - Finding the *smallest* network is NP-hard; that is notebook 3.

    ## Your points

    One point a line: two coordinates from -10 to 10 with at most 3 decimals, and a label from 1
    to 5. At most 24 points.
    """)
    return


@app.cell(hide_code=True)
def _():
    typed = mo.ui.text_area(
        value="0, 0, 1\n1, 0.2, 2\n0.3, 1, 2\n1.4, 1.1, 1\n2, 0.1, 1\n2.1, 1.5, 3\n0.8, 2, 3",
        label="points",
        rows=8,
    )
    ratio = mo.ui.slider(
        0, 99, 1, value=80, label=r"budget $\mu$, in % of $\lambda_D / 2$", show_value=True,
        debounce=True,
    )  # fmt: skip
    kind = mo.ui.dropdown(["deep", "wide", "lipschitz"], value="deep", label="construction")
    mo.vstack([typed, ratio, kind])
    return kind, ratio, typed


@app.cell
def _(typed):
    MOST_POINTS = 24
    DECIMAL, LABEL = re.compile(r"[+-]?\d{1,2}(\.\d{0,3})?", re.ASCII), re.compile("[1-5]")

    def checked_line(number, line):
        """The numbers of a line, or a sentence about what is wrong with it."""
        cells = [cell.strip() for cell in line.split(",")]
        where = f"Line {number}, `{line.strip()[:40].replace('`', ' ')}`:"
        if len(cells) != 3:
            return f"{where} write two coordinates and a label with commas between them."
        if not all(DECIMAL.fullmatch(cell) for cell in cells[:2]):
            return f"{where} coordinates are decimals such as -1.25, with at most 3 decimals."
        if not LABEL.fullmatch(cells[2]):
            return f"{where} labels are the integers from 1 to 5."
        coordinates = [Fraction(cell) for cell in cells[:2]]
        if any(abs(value) > 10 for value in coordinates):
            return f"{where} coordinates go from -10 to 10."
        return (*map(float, coordinates), int(cells[2]))

    def points_of(text):
        """The data set, or a sentence about what is wrong."""
        lines = [line for line in text.splitlines() if line.strip()]
        if not 2 <= len(lines) <= MOST_POINTS:
            return f"There are {len(lines)} points; this page takes 2 to {MOST_POINTS}."
        rows = [checked_line(number, line) for number, line in enumerate(lines, 1)]
        wrong = [row for row in rows if isinstance(row, str)]
        if wrong:
            return wrong[0]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "points.csv"
            path.write_text("".join(f"{x},{y},{label}\n" for x, y, label in rows))
            points = read_points(path)
        separation = separation_bound(points)
        if separation is None:
            return "All points have the same label: a constant network memorizes them. Use two."
        if separation.bound == 0:
            return (
                f"Lines {separation.first + 1} and {separation.second + 1} are the same point with "
                r"different labels: $\lambda_D = 0$, and no network memorizes them."
            )
        return points, separation

    read = points_of(typed.value)
    problem = read if isinstance(read, str) else ""
    friendly(f"{problem} The picture comes back when this is mended.") if problem else mo.md("")
    return problem, read


@app.cell
def _(kind, problem, ratio, read):
    mo.stop(bool(problem))
    points, separation = read
    budget = Fraction(ratio.value, 100) * separation.bound / 2
    try:
        memorizer, refusal = construct(points, separation, budget, kind.value), ""
    except RelucertError as error:
        memorizer, refusal = None, str(error)
    mo.stop(memorizer is None, friendly(f"No network: {refusal}."))
    return budget, memorizer, points, separation


@app.cell
def _(budget, memorizer, points, separation):
    network, decision = memorizer.network, memorizer.labels.decision
    targets = memorizer.labels.of(points.labels)

    def ball_is_proved(row):
        question = robustness_query(points.point(row), int(targets[row]), decision, radius=budget)
        return isinstance(certify(network, question, timeout=10).verdict, Proved)

    proved = [ball_is_proved(row) for row in range(len(points))]

    def nearest_labels(z):
        y = network.evaluate(z)[:, 0]
        if decision.kind == "sign":
            return np.where(y > 0, 1, np.where(y < 0, 0, -1))
        return np.clip(np.round(y), 1, decision.labels).astype(int) - 1

    def plane_picture():
        figure, axis = new_figure(6.5, 5.0)
        reach = float(budget) + 0.35 * float(separation.bound)
        (left, bottom), (right, top) = points.values.min(0) - reach, points.values.max(0) + reach
        columns, rows = np.linspace(left, right, 260), np.linspace(bottom, top, 260)
        grid = np.stack(np.meshgrid(columns, rows), -1).reshape(-1, 2)
        given = nearest_labels(grid).reshape(260, 260)
        for place in np.unique(given[given >= 0]):
            axis.contourf(
                columns,
                rows,
                given == place,
                levels=[0.5, 1.5],
                colors=[COLOURS[place]],
                alpha=0.25,
            )
        axis.contour(columns, rows, given, levels=np.arange(-0.5, 5), colors=GREY, linewidths=0.6)
        ranks = {label: k for k, label in enumerate(sorted(set(targets.tolist())))}
        for row, centre in enumerate(points.values):
            place = ranks[int(targets[row])] if decision.kind == "sign" else int(targets[row]) - 1
            side = 2 * float(budget)
            axis.add_patch(
                Rectangle(centre - float(budget), side, side, fill=False, ec=COLOURS[place], lw=1.8)
            )
            axis.plot(*centre, "os^Dv"[place], color=COLOURS[place], mec="white", ms=8)
        axis.set(xlim=(left, right), ylim=(bottom, top), aspect="equal")
        return picture(figure, "Points with their balls, and the labels the built network gives")

    hidden = network.layers[:-1]
    mo.vstack(
        [
            mo.md(
                rf"$\lambda_D = {shown(separation.bound)}$, between lines {separation.first + 1} "
                rf"and {separation.second + 1}. Budget $\mu = {shown(budget)}$."
            ),
            plane_picture(),
            mo.md(
                f"A network of **depth {len(network.layers)}**, **width "
                f"{max(layer.output_size for layer in hidden)}** and **{network.parameter_count} "
                f"parameters** (non-zero weights and biases). The verifier, which knows nothing of "
                f"the construction, proves **{sum(proved)} of {len(proved)}** balls."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## How it works

    Let $\delta = \lambda_D - 2 \mu > 0$ and let $E_i$ measure how far $x$ is outside the $i$-th
    ball,

    $$E_i(x) = \sum_j \big[ \mathrm{relu}(x_j - x_{ij} - \mu) +
    \mathrm{relu}(x_{ij} - \mu - x_j) \big] .$$

    Then $T_i = y_i (1 - E_i / \delta)$ is $y_i$ on the ball of $x_i$ and at most 0 on all balls
    with another label, as these are at least $\delta$ away. So $F = \max(0, T_1, \ldots, T_N)$ is
    right everywhere. *Deep* takes the maximum one sample after the other with $\max(A, T) = A +
    \mathrm{relu}(T - A)$; *wide* takes it in a binary tree. *Lipschitz* is another construction,
    for two labels: its $F$ serves every $\mu < \lambda_D / 2$ at once.

    ## How many parameters?
    """)
    return


@app.cell(hide_code=True)
def _():
    size = mo.ui.slider(1, 12, 1, value=4, label="inputs $n$", show_value=True, debounce=True)
    size
    return (size,)


@app.cell
def _(size):
    def random_points(count, inputs):
        generator = np.random.default_rng(1000 * count + inputs)
        values = generator.integers(0, 1000, (count, inputs))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "random.csv"
            lines = (",".join(map(str, [*row, 1 + place % 2])) for place, row in enumerate(values))
            path.write_text("\n".join(lines) + "\n")
            return read_points(path)

    def parameters(count, inputs):
        points = random_points(count, inputs)
        separation = separation_bound(points)
        half = Fraction(1, 2) * separation.bound / 2
        return {
            name: construct(points, separation, half, name).network.parameter_count
            for name in ("deep", "wide", "lipschitz")
        }

    counts = (4, 8, 16, 32, 64)
    measured = [parameters(count, size.value) for count in counts]

    def growth_picture():
        figure, axis = new_figure(6.5, 3.6)
        for name, colour, marker in (
            ("deep", BLUE, "o"), ("wide", ORANGE, "s"), ("lipschitz", GREEN, "^"),
        ):  # fmt: skip
            axis.plot(counts, [m[name] for m in measured], marker=marker, color=colour, label=name)
        axis.set(xlabel="points N", ylabel="parameters", xlim=(0, 68), ylim=(0, None))
        axis.legend(frameon=False, fontsize=9)
        return picture(figure, "Parameters of three constructions against the number of points")

    mo.vstack(
        [
            growth_picture(),
            mo.md(
                "| points N | deep | deep / (N n) | wide | lipschitz |\n|---|---|---|---|---|\n"
                + "\n".join(
                    f"| {count} | {m['deep']} | {m['deep'] / (count * size.value):.2f} "
                    f"| {m['wide']} | {m['lipschitz']} |"
                    for count, m in zip(counts, measured, strict=True)
                )
            ),
            mo.md(
                "Straight lines: $O(Nn)$. Some growth with $N$ cannot be helped: $N$ points can "
                "be labelled in $2^N$ ways, so a fixed architecture with weights of $b$ bits "
                "needs at least $N / b$ of them."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The price of a large budget: the slope

    A network that has *exactly* its label on every ball, as *deep* has, must get from one label
    to another within $\delta = \lambda_D - 2 \mu$. So its **Lipschitz constant**, the largest
    slope $|F(x) - F(x')| / \lVert x - x' \rVert_\infty$, grows like $1 / \delta$. The
    construction *lipschitz* promises only the right *sign*, for every $\mu < \lambda_D / 2$ at
    once, with the constant $2 / \lambda_D$; none is smaller when $F(x_i) = \pm 1$. Points on a
    line, with two labels:
    """)
    return


@app.cell(hide_code=True)
def _():
    budget_share = mo.ui.slider(
        0, 95, 5, value=50, label=r"budget on the line, in % of $\lambda_D / 2$", show_value=True
    )
    budget_share
    return (budget_share,)


@app.cell
def _(budget_share):
    def line_points():
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "line.csv"
            path.write_text("0,1\n1,2\n2.5,2\n3.5,1\n")
            return read_points(path)

    on_line = line_points()
    apart = separation_bound(on_line)

    def slope(memorizer):
        return lipschitz_constant(memorizer.network, (1,), timeout=5)

    def line_picture():
        mu = Fraction(budget_share.value, 100) * apart.bound / 2
        found = {name: construct(on_line, apart, mu, name) for name in ("deep", "lipschitz")}
        figure, axes = new_figure(6.5, 4.8, rows=2)
        grid = np.linspace(-1, 4.5, 1101)
        for axis, (name, memorizer) in zip(axes, found.items(), strict=True):
            colour = BLUE if name == "deep" else GREEN
            axis.plot(grid, memorizer.network.evaluate(grid[:, None])[:, 0], color=colour, lw=2)
            for row, target in enumerate(memorizer.labels.of(on_line.labels)):
                x = float(on_line.values[row, 0])
                axis.plot([x - float(mu), x + float(mu)], [target] * 2, color=INK, lw=5, alpha=0.5)
                axis.plot(x, target, "o", color=INK, ms=6)
            axis.set(ylabel=name)
        steep = {name: slope(memorizer) for name, memorizer in found.items()}
        return picture(
            figure, "Two constructions on a line, with the balls as thick strokes"
        ), steep

    _drawn, _slopes = line_picture()
    mo.vstack(
        [
            _drawn,
            mo.md(
                "Lipschitz constants, computed exactly from the networks: "
                + ", ".join(
                    f"*{name}* **{found.lower}**"
                    if found.exact
                    else f"*{name}* between {shown(found.lower)} and {shown(found.upper)}"
                    for name, found in _slopes.items()
                )
                + ". Thick strokes are the balls: there *deep* has exactly the label, *lipschitz* "
                "the right sign."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A width bound, refuted live

    How narrow may a network be? Let $D_n$ be the origin with label 1 and the unit vectors
    $e_1, \ldots, e_n$ with label 2, so $\lambda_D = 1$.

    **Theorem.** If the first hidden layer has fewer than $n$ neurons, the network does not robustly
    memorize $D_n$ for any $\mu \in [1/4, 1/2)$, whatever comes after that layer.

    *Why:* the first matrix $W$ has $W v = 0$ for some $v \ne 0$. Scale $v$ so that its largest
    entry is $v_j = 1$. With $t = 1 - 2 \mu$ there are $x \in B(0, \mu)$ and $x' \in B(e_j, \mu)$
    with $x' - x = t v$. So $W x = W x'$: the network cannot tell them apart.

    The proof is an algorithm. Choose a random network, and get its $x$ and $x'$.
    """)
    return


@app.cell(hide_code=True)
def _():
    inputs = mo.ui.slider(2, 10, 1, value=6, label="inputs $n$ of the network", show_value=True)
    width = mo.ui.slider(1, 10, 1, value=5, label="width of the first layer", show_value=True)
    seed = mo.ui.slider(0, 20, 1, value=3, label="seed of its weights", show_value=True)
    mu = mo.ui.slider(0.25, 0.49, 0.01, value=0.3, label=r"budget $\mu$ for $D_n$", show_value=True)
    mo.vstack([inputs, width, seed, mu])
    return inputs, mu, seed, width


@app.cell
def _(inputs, mu, seed, width):
    def random_network():
        generator = np.random.default_rng(seed.value)
        sizes = (inputs.value, width.value, 8, 1)
        weights = [
            generator.integers(-9, 10, (sizes[k + 1], sizes[k])).astype(float) for k in range(3)
        ]
        return Network.dense(weights, [np.zeros(size) for size in sizes[1:]], "random")

    pair = refute(random_network(), Fraction(str(mu.value)))

    def pair_picture():
        figure, axis = new_figure(6.5, 3.4)
        ball = float(mu.value)
        for place in range(inputs.value):
            centre = 1.0 if place == pair.coordinate else 0.0
            for shift, middle, colour in ((-0.18, 0.0, BLUE), (0.18, centre, ORANGE)):
                axis.add_patch(
                    Rectangle((place + shift - 0.15, middle - ball), 0.3, 2 * ball, color=colour,
                              alpha=0.25, lw=0)
                )  # fmt: skip
        places = np.arange(inputs.value)
        axis.plot(
            places - 0.18, [float(v) for v in pair.first], "o", color=BLUE, label="x, label 1"
        )
        axis.plot(
            places + 0.18, [float(v) for v in pair.second], "s", color=ORANGE, label="x', label 2"
        )
        axis.set(xlabel="coordinate", xticks=places, xticklabels=places + 1, ylim=(-0.8, 1.8))
        axis.legend(frameon=False, fontsize=9, ncols=2)
        return picture(figure, "The coordinates of both points, each inside its ball")

    if pair is None:
        _shown = friendly(
            f"The first matrix has rank {inputs.value}: nothing is lost in the first layer, and "
            "the theorem says nothing. Make the layer narrower than the input.",
            "info",
        )
    else:
        _shown = mo.vstack(
            [
                pair_picture(),
                mo.md(
                    "Every coordinate lies in its ball (shaded), and the exact output is the same, "
                    f"**{shown(pair.output[0], 8)}**, at both points. One of them has the wrong "
                    "label, whatever labels the outputs stand for."
                ),
            ]
        )
    _shown
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    The same for a trained network: it reads images of $8 \times 8$ pixels, and its first layer has
    16 neurons. It gives the same ten outputs for these two images. The first is close to a black
    image, the second close to one with a single white pixel. (Pixels that the network hardly looks
    at, with weights up to 0.2, stay black: with them it would be too easy.)
    """)
    return


@app.cell
def _(mu):
    def without_ignored_pixels():
        """The network on the pixels with large weights, and which these are."""
        first, *others = read_network(DIGITS / "dense_16x2.onnx").layers
        used = np.abs(first.weight).max(axis=0) > 0.2
        return Network((Layer(first.weight[:, used], first.bias, first.relu), *others)), used

    seeing, used = without_ignored_pixels()
    narrow = refute(seeing, Fraction(str(mu.value)))

    def image_pair():
        figure, axes = new_figure(6.0, 2.9, columns=2)
        for axis, values, name in zip(
            axes, (narrow.first, narrow.second), ("x, label 1", "x', label 2"), strict=True
        ):
            pixels = np.zeros(64)
            pixels[used] = [float(value) for value in values]
            axis.imshow(pixels.reshape(8, 8), cmap="gray", vmin=-0.5, vmax=1.0)
            axis.set(xticks=[], yticks=[])
            axis.set_title(name, fontsize=10)
        return picture(figure, "Two images that the narrow network cannot tell apart")

    mo.vstack(
        [
            image_pair(),
            mo.md(
                f"The network looks at {used.sum()} pixels with 16 neurons. Values below 0, which "
                "the theorem needs, are darker than the grey of 0."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: where does the construction break?": mo.md(r"""
    Set the budget to 99 %. Everything is still proved, but look at the slope on the line at 95 %.
    Then add a point very close to one with another label. What happens to all balls? *Answer:*
    $\lambda_D$ is the smallest distance, so one close pair shrinks the budget of all points.
    """),
            "Try this 2: deep or wide?": mo.md(r"""
    Compare depth and width of *deep* and *wide* for your points. Which of the numbers depend on
    $N$? *Answer:* *deep* has $2N + 1$ layers and width $3n + 1$; *wide* has depth $O(\log N)$ and
    width $O(Nn)$. The number of parameters is $O(Nn)$ for both.
    """),
            "Try this 3: is width n enough?": mo.md(r"""
    Set the width of the random network equal to $n$. The refutation fails. Does the network
    memorize $D_n$? *Answer:* nobody has said so: a bound from below is no construction. Find a
    network of width $n$ that does. (Hint: $\sum_j \mathrm{relu}(x_j - 1/2)$ is 0 on the ball of
    the origin and at least $1/2 - \mu$ on all others.)
    """),
            "Try this 4: type something wrong": mo.md(r"""
    Two equal points with different labels, a label 9, a coordinate `1/0`. What does the page say,
    and what would a network have to do?
    """),
        }
    )
    return


if __name__ == "__main__":
    app.run()
