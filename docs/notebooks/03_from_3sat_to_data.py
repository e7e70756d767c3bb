# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: your formula as points; flip variables, watch the two-neuron network; decode a trained one

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="3 From 3-SAT to data")

with app.setup(hide_code=True):
    from fractions import Fraction

    import marimo as mo
    import numpy as np
    from course import BLUE, GREY, INK, ORANGE, PINK, friendly, new_figure, picture, shown
    from formulas import PageLimits, read_formula
    from matplotlib.patches import Rectangle

    from reductions.rules import (
        NaeSatisfiabilityToRobustMemorization,
        SatisfiabilityToNaeSatisfiability,
    )
    from relucert import Unknown
    from relucert.memorization.decision.decide import decide
    from relucert.memorization.training import Trainer
    from relucert.read.points import LabelledPoints


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 3 From 3-SAT to data

    Is there a network of **two neurons** that gets some labelled points right, each with a whole
    ball around it? The question looks like geometry. It is logic in disguise: every formula can be
    turned into points such that

    > the formula has a satisfying assignment **if and only if** a ReLU network of depth 2 and
    > width 2 robustly memorizes the points.

    3-SAT is NP-complete, so the question about the network is NP-hard. The translation takes two
    steps: from the formula to *not-all-equal* clauses, and from these to points. You do both with
    a formula of your own, then go back: from any network that memorizes the points to an
    assignment.

    ## Your formula

    In words, `(a or not b) and (b or c)`, or in numbers, one clause a line. At most 8 variables,
    16 clauses, and 6 literals in a clause.
    """)
    return


@app.cell(hide_code=True)
def _():
    EXAMPLES = {
        "one solution": "(a or b) and (not a)",
        "exactly one of three": (
            "(a or b or c)\n(not a or not b)\n(not a or not c)\n(not b or not c)"
        ),
        "no solution": "(a or b)\n(not a or b)\n(a or not b)\n(not a or not b)",
        "numbers": "1 2 3\n-1 -2 4\n-3 -4 5\n1 -4 -5\n-2 3 -5\n2 -3 4",
    }
    example = mo.ui.dropdown(list(EXAMPLES), value="one solution", label="start from")
    example
    return EXAMPLES, example


@app.cell(hide_code=True)
def _(EXAMPLES, example):
    typed = mo.ui.text_area(value=EXAMPLES[example.value], label="formula", rows=6)
    typed
    return (typed,)


@app.cell(hide_code=True)
def _(typed):
    read = read_formula(typed.value, PageLimits(variables=8, clauses=16, literals=6))
    problem = read if isinstance(read, str) else ""
    friendly(f"{problem} The pictures come back when this is mended.") if problem else mo.md("")
    return problem, read


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Step 1: not all equal

    An assignment is **not-all-equal** (NAE) when every clause has a true literal *and* a false
    one. Add one new variable $s$, the helper, to every clause.

    **Lemma 2.** The formula is satisfiable iff the new one has an NAE assignment. *Why?* Let $s$
    be false: each clause has a false literal now, and needs a true one from before. And if an NAE
    assignment has $s$ true, flip all variables: it stays NAE, and $s$ is false.
    """)
    return


@app.cell
def _(problem, read):
    mo.stop(bool(problem))
    to_nae = SatisfiabilityToNaeSatisfiability().reduce(read.formula)
    nae = to_nae.target

    _other_name = f"\n\nAs s is taken, the helper is called {read.helper} here."
    _fewer = len(nae.clauses) < len(read.formula.clauses)
    mo.md(
        "| clause | with the helper |\n|:--|:--|\n"
        + "\n".join(
            f"| {read.clause(clause[:-1])} | {read.clause(clause)} |" for clause in nae.clauses
        )
        + "\n\nRepeated clauses, and clauses with a variable and its negation, are left out."
        * _fewer
        + _other_name * (read.helper != "s")
    )
    return nae, to_nae


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Step 2: points

    Every literal gets a coordinate, and $e_l$ is the unit vector of literal $l$. With $v$
    variables (the helper included) and $m$ clauses there are $3v + m + 2$ points in dimension
    $2v$:

    - the origin, label $+1$;
    - $e_l$ for every literal, label $-1$;
    - $e_x + e_{\bar x}$ for every variable, a *pair*, label $+1$;
    - the sum of its literals' unit vectors for every clause, label $+1$;
    - the midpoint $(e_s + e_{\bar s}) / 2$, label $+1$.

    Let $k$ be the number of literals in the largest clause, helper included (at least 2). Any
    budget below $1 / (2vk)$ will do.
    """)
    return


@app.cell(hide_code=True)
def _():
    share = mo.ui.slider(
        0, 95, 5, value=50, label=r"budget $\mu$, in % of $1 / (2vk)$", show_value=True
    )
    share
    return (share,)


@app.cell
def _(nae, read, share):
    v, k = nae.variables, max(2, nae.largest_clause)
    rule = NaeSatisfiabilityToRobustMemorization(Fraction(share.value, 100) / (2 * v * k))
    to_points = rule.reduce(nae)
    clauses, data = to_points.prepared.clauses, to_points.target
    rows = np.array([[float(value) for value in row] for row in data.dense_points()])

    literals = [sign * variable for variable in range(1, v + 1) for sign in (1, -1)]
    names = [
        "origin",
        *map(read.literal, literals),
        *(f"pair {read.literal(variable)}" for variable in range(1, v + 1)),
        *(f"clause {number}" for number in range(1, len(clauses) + 1)),
        "midpoint",
    ]

    def data_picture():
        figure, axis = new_figure(0.36 * 2 * v + 1.6, 0.2 * len(rows) + 0.9)
        for row, label in enumerate(data.labels):
            for column, value in enumerate(rows[row]):
                colour = (BLUE if label > 0 else ORANGE) if value else "#eeeeee"
                axis.add_patch(
                    Rectangle(
                        (column, row), 0.94, 0.9, color=colour, alpha=1.0 if value != 0.5 else 0.5
                    )
                )
        axis.set(xlim=(-0.1, 2 * v), ylim=(len(rows), -0.1))
        axis.set_xticks(np.arange(2 * v) + 0.47, list(map(read.literal, literals)), fontsize=9)
        axis.set_yticks(np.arange(len(rows)) + 0.45, names, fontsize=8)
        axis.xaxis.tick_top()
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
        return picture(figure, "The points as rows, a column for each literal; colours are labels")

    mo.vstack(
        [
            data_picture(),
            mo.md(
                f"**{len(rows)} points in dimension {2 * v}.** Blue rows have label $+1$, orange "
                f"ones $-1$; light blue is 1/2, grey 0. $v = {v}$, $k = {k}$, budget "
                rf"$\mu = {data.budget}$."
            ),
        ]
    )
    return clauses, data, k, literals, names, rows, rule, to_points, v


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## From an assignment to a network

    Two half-spaces colour the literals. Let $a^{(1)}$ have the entry $-1$ at true literals and
    $k - 1$ at false ones, $a^{(2)}$ the other way round, and

    $$h_j(x) = \tfrac12 + \langle a^{(j)}, x \rangle .$$

    True literals' points violate $h_1 > 0$, false ones' $h_2 > 0$: each literal gets the colour of
    the half-space that excludes it. A pair holds both colours, so neither half-space excludes it.
    A clause's point is excluded by $h_1$ exactly when *all* its literals are true, by $h_2$ when
    all are false. So all points are right iff the assignment is not-all-equal. The network

    $$F(x) = 1 - \mathrm{relu}(1 - t h_1(x)) - \mathrm{relu}(1 - t h_2(x))$$

    is positive where both $h_j$ are ($t$ is a large number), and it has two neurons. **Flip the
    variables** and watch which points fall on the wrong side.
    """)
    return


@app.cell(hide_code=True)
def _(problem, read):
    mo.stop(bool(problem))
    switches = mo.ui.array([mo.ui.switch(label=f"{name} is true") for name in read.names])
    mo.hstack(list(switches), wrap=True, justify="start", gap=1.2)
    return (switches,)


@app.cell
def _(clauses, data, k, literals, names, read, rows, rule, switches, to_points):
    values = (*switches.value, False)  # the helper is false

    def is_true(literal):
        return values[abs(literal) - 1] == (literal > 0)

    # rule.encode makes the network whether or not the assignment solves anything.
    network = rule.encode(to_points.prepared, data, values)
    form = data.form(network)
    _worst = [
        label * (form.minimum_on_ball if label > 0 else form.maximum_on_ball)(point, data.budget)
        for point, label in zip(data.points, data.labels, strict=True)
    ]
    right = [value > 0 for value in _worst]

    _a = np.array([-1 if is_true(literal) else k - 1 for literal in literals])
    h = np.stack([0.5 + rows @ _a, 0.5 + rows @ (k - 2 - _a)], axis=1)
    reach = float(data.budget) * len(literals) / 2 * k
    _steepness = float(1 - form.neurons[0].bias) * 2  # z = 1 - t h, at the origin 1 - t / 2

    def side_picture():
        figure, axis = new_figure(5.6, 5.2)
        low, high = h.min(0) - 1.2, h.max(0) + 1.0
        span = [np.linspace(low[j], high[j], 400) for j in (0, 1)]
        grid = np.meshgrid(*span)
        inside = 1 - sum(np.maximum(0, 1 - _steepness * side) for side in grid)
        axis.contourf(*span, inside, levels=[0, 2], colors=[BLUE], alpha=0.13)
        axis.axvline(0, color=GREY, lw=1)
        axis.axhline(0, color=GREY, lw=1)
        places = {}
        for index, place in enumerate(map(tuple, h)):
            places.setdefault(place, []).append(index)
        for place, members in places.items():
            wrong = [index for index in members if not right[index]]
            colour = BLUE if data.labels[members[-1]] > 0 else ORANGE
            corner = np.array(place) - reach
            axis.add_patch(Rectangle(corner, 2 * reach, 2 * reach, color=colour, alpha=0.35, lw=0))
            axis.plot(*place, "X" if wrong else "o", color=PINK if wrong else colour,
                      mec="white", ms=13 if wrong else 8)  # fmt: skip
            axis.annotate(
                in_short([names[index] for index in wrong or members]), place, (9, 9),
                textcoords="offset points", fontsize=8.5, color=INK,
                bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none", "alpha": 0.75},
            )  # fmt: skip
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), xlabel="$h_1$", ylabel="$h_2$")
        axis.text(0.985, 0.985, "F > 0", transform=axis.transAxes, ha="right", va="top", color=BLUE)
        return picture(
            figure,
            f"All points by h1 and h2; {right.count(False)} of {len(right)} are on the wrong side",
        )

    def in_short(members):
        """Names of points in one place, not longer than a line."""
        clauses_here = [name for name in members if name.startswith("clause")]
        pairs = [name for name in members if name.startswith("pair")]
        others = [name for name in members if name not in clauses_here and name not in pairs]
        if len(clauses_here) > 2:
            clauses_here = [f"{len(clauses_here)} clauses"]
        if len(pairs) > 1:
            pairs = [f"{len(pairs)} pairs"]
        text = ", ".join([*others, *pairs, *clauses_here])
        return text if len(text) <= 44 else text[:42] + "..."

    def clause_row(number, clause):
        held = [read.literal(x) for x in clause if is_true(x)]
        missed = [read.literal(x) for x in clause if not is_true(x)]
        place = names.index(f"clause {number}")
        return (
            f"| {number} | {', '.join(held) or '**none**'} | {', '.join(missed) or '**none**'} | "
            f"{shown(h[place, 0])} | {shown(h[place, 1])} | {shown(_worst[place])} | "
            f"{'right' if right[place] else '**wrong**'} |"
        )

    _count = right.count(False)
    mo.vstack(
        [
            side_picture(),
            mo.md(
                r"*Squares are the balls: where $(h_1, h_2)$ stays when the point moves by at "
                r"most $\mu$.*"
            ),
            friendly(
                f"**The network robustly memorizes all {len(right)} points:** this assignment "
                "satisfies the formula. Checked in exact arithmetic, on whole balls."
                if not _count
                else f"**{_count} of {len(right)} balls are wrong**, those of clauses without a "
                "true literal. The network does not memorize the points.",
                kind="danger" if _count else "success",
            ),
            mo.md(
                "| clause | true literals | false literals | $h_1$ | $h_2$ | least $F$ on its ball "
                "| ball |\n|:--|:--|:--|:--|:--|:--|:--|\n"
                + "\n".join(clause_row(number, c) for number, c in enumerate(clauses, 1))
            ),
        ]
    )
    return in_short, is_true, network


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## From a network back to an assignment

    The other direction is the surprising one. Take **any** network of two neurons that gets the
    points right, whoever found it. Then $\{F > 0\}$ is a *wedge*, an intersection of two
    half-spaces, or a *bevel*, which has a third that is tied to the two. Each $e_l$ is excluded by
    a half-space; give $l$ its **colour**. For an affine $H$ and a set $S$ of literals

    $$H \Big( \sum_{l \in S} e_l \Big) = \sum_{l \in S} H(e_l) - (|S| - 1) H(0) .$$

    If all of $S$ had one colour, the right side would not be positive. But pairs and clauses have
    label $+1$. So no pair and no clause has a single colour: call literals of colour 1 true, and
    the assignment is not-all-equal.

    Below, an exact procedure that knows only the points looks for a network. (It is the one of
    `relucert decide`; it answers No with a proof when there is none.)
    """)
    return


@app.cell
def _(data, rows):
    points = LabelledPoints(np.array(data.labels), "formula", rows)
    decided = decide(points, data.budget, timeout=15).answer
    found = getattr(decided, "network", None)
    return decided, found, points


@app.cell
def _(data, in_short, names, read, rows, to_nae, to_points):
    def plane_picture(network, title):
        """All points by the two pre-activations of any network of two neurons."""
        form = data.form(network)
        neurons = [*form.neurons]
        z = np.array([[float(neuron(point)) for neuron in neurons] for point in data.points])
        reach = [float(data.budget * neuron.norm) for neuron in neurons]
        figure, axis = new_figure(5.6, 4.4)
        low, high = z.min(0) - reach, z.max(0) + reach
        low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
        span = [np.linspace(low[j], high[j], 400) for j in (0, 1)]
        output = float(form.constant) + sum(
            sign * np.maximum(0, side)
            for sign, side in zip(form.signs, np.meshgrid(*span), strict=True)
        )
        axis.contourf(*span, output, levels=[0, 1e9], colors=[BLUE], alpha=0.13)
        for place, label in zip(z, data.labels, strict=True):
            colour = BLUE if label > 0 else ORANGE
            sizes = 2 * np.array(reach)
            axis.add_patch(Rectangle(place - sizes / 2, *sizes, color=colour, alpha=0.25, lw=0))
            axis.plot(*place, "o", color=colour, mec="white", ms=7)
        for place, members in neighbours(z[1 : 1 + data.dimension], 0.06 * (high - low)):
            axis.annotate(
                in_short([names[1 + index] for index in members]), place, (7, 6),
                textcoords="offset points", fontsize=8.5, color=INK,
            )  # fmt: skip
        axis.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
        axis.set(xlabel="first neuron $z_1$", ylabel="second neuron $z_2$")
        return picture(figure, title)

    def neighbours(places, apart):
        """Places that are close to the first of a group, so that their names share a line."""
        groups = []
        for index, place in enumerate(places):
            near = next((g for g in groups if (abs(g[0] - place) < apart).all()), None)
            if near is None:
                groups.append((place, [index]))
            else:
                near[1].append(index)
        return groups

    def decoded_words(network):
        """The assignment that a memorizing network stands for, through both reductions."""
        values = to_nae.decode(to_points.decode(network))
        shown_values = ", ".join(
            f"{name} {'true' if value else 'false'}"
            for name, value in zip(read.names, values, strict=True)
        )
        return f"It decodes to: **{shown_values}**, which satisfies every clause."

    return decoded_words, plane_picture


@app.cell
def _(decided, decoded_words, found, plane_picture):
    if found is not None:
        _said = mo.vstack(
            [
                plane_picture(found, "The points by the two neurons of the network found"),
                friendly(f"{decided.words}. {decoded_words(found)}", kind="success"),
            ]
        )
    elif isinstance(decided, Unknown):
        _said = friendly(f"{decided.words}: no answer within 15 seconds. Try fewer clauses.")
    else:
        _said = friendly(
            f"**{decided.words}.** No network of two neurons gets these points right, so the "
            "formula has no satisfying assignment. Flip the variables above as you like.",
            kind="danger",
        )
    _said
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Decode a trained network

    Existing is not finding. Gradient descent starts somewhere and goes downhill; here it is tried
    from several random starts, with the points and their balls as its only knowledge. Each network
    is judged exactly.
    """)
    return


@app.cell(hide_code=True)
def _():
    starts = mo.ui.slider(1, 40, 1, value=12, label="random starts", show_value=True, debounce=True)
    starts
    return (starts,)


@app.cell
def _(data, decoded_words, plane_picture, points, starts):
    trained = list(Trainer(points, data.budget, 2, steps=500, seed=1).run(starts.value))
    _good = next((one for one in trained if one.succeeded), None)

    def training_picture():
        figure, axis = new_figure(5.6, 2.6)
        proved = [one.proved for one in trained]
        colours = [BLUE if one.succeeded else GREY for one in trained]
        axis.bar(range(1, len(proved) + 1), proved, color=colours)
        axis.axhline(len(points), color=INK, lw=1, ls=":")
        axis.set(xlabel="start", ylabel="balls right", ylim=(0, len(points) + 1.5))
        axis.xaxis.get_major_locator().set_params(integer=True)
        return picture(
            figure,
            f"How many of {len(points)} balls each of {len(trained)} trained networks gets right",
        )

    _shown = [
        training_picture(),
        mo.md(
            f"{sum(one.succeeded for one in trained)} of {len(trained)} starts end at a network "
            f"that gets all {len(points)} balls right (dotted line)."
        ),
    ]
    if _good is not None:
        _shown += [
            plane_picture(_good.network, "The points by the two neurons of a trained network"),
            friendly(
                f"Start {_good.index + 1} succeeds. {decoded_words(_good.network)}", "success"
            ),
        ]
    mo.vstack(_shown)
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: an unsatisfiable formula": mo.md(r"""
    Choose *no solution*. Flip the variables: how many balls are wrong, at least? *Answer:* always
    exactly one here, another one each time: every assignment violates one of the four clauses. The
    exact procedure says No, and gradient descent never succeeds, but only the first of these is a
    proof.
    """),
            "Try this 2: why the pairs?": mo.md(r"""
    Think of the points without the pairs. Which colours could the literals have then? *Answer:* $x$
    and $\bar x$ could have the same colour, and there would be no truth value to read off. Notebook
    7 lets you find a formula for which that goes wrong.
    """),
            "Try this 3: why the midpoint?": mo.md(r"""
    Without it $\{F < 0\}$ could be the convex side. Find two half-spaces whose intersection holds
    all $e_l$ and no other point of the data but the midpoint. *Answer:* the strip $1/2 < \sum_l
    x_l < 3/2$. So without the midpoint two neurons would do for every formula.
    """),
            "Try this 4: budget and dimension": mo.md(r"""
    Add clauses over the same variables, then new variables. When does the largest allowed budget
    $1/(2vk)$ shrink? *Answer:* only with variables and longer clauses. By $h_1$ and $h_2$ a ball
    is a square of half side $\mu v k$, and it must not touch the axes, which are $1/2$ away.
    """),
            "Try this 5: complement": mo.md(r"""
    Swap the two neurons of a network. The colours swap, so every true literal becomes false. Why
    does it decode to the same assignment nevertheless? *Answer:* the complement of an NAE
    assignment is NAE, and the helper $s$ tells which of the two is meant: it is to be false.
    """),
        }
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **What next.** `reductions explain formula.cnf -o page.html` writes all of this for one formula
    on a page of its own, for a handout. Notebook 4 turns formulas into *networks* instead of
    points.
    """)
    return


if __name__ == "__main__":
    app.run()
