# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: a network that counts your formula's satisfied clauses; its maximum, proved by the verifier

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="4 Verification is MaxSAT")

with app.setup(hide_code=True):
    from fractions import Fraction
    from functools import cache
    from itertools import product

    import marimo as mo
    from course import BLUE, GREEN, GREY, INK, ORANGE, PINK, friendly, new_figure, picture, shown
    from formulas import PageLimits, read_formula

    from reductions.problems import MaxSatisfiability
    from reductions.rules import SatisfiabilityToNetworkVerification
    from relucert import Box, Case, Polyhedron, Proved, Query, Violated, certify

    COLOURS = (BLUE, ORANGE, GREEN, PINK, GREY, "#e69f00", "#56b4e9", INK)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 4 Verification is MaxSAT

    A verifier finds the largest value of a network's output over a box of inputs (or proves that it
    stays below a threshold). How hard is that? For every formula with $m$ clauses there is a small
    network with **one** hidden layer whose largest output over $[0, 1]^n$ is exactly

    > the largest number of clauses that can be satisfied at once.

    That is MaxSAT. A verifier that is always quick would solve it, and 3-SAT with it, quickly.

    ## Your formula

    In words, `(a or not b) and (b or c)`, or in numbers, one clause a line. At most 8 variables,
    16 clauses, and 6 literals in a clause.
    """)
    return


@app.cell(hide_code=True)
def _():
    EXAMPLES = {
        "five of six": (
            "(a or b)\n(not a or c)\n(not b or c)\n(not c or d)\n(not d or not a)\n(not d or not b)"
        ),
        "three of four": "(a or b)\n(not a or b)\n(a or not b)\n(not a or not b)",
        "all of them": "(a or b) and (not a)",
        "contradictions": "a\nnot a\nb\nnot b\na or b",
        "numbers": "1 2 3\n1 2 -3\n1 -2 3\n1 -2 -3\n-1 4 5\n-1 4 -5\n-1 -4 5\n-1 -4 -5",
    }
    example = mo.ui.dropdown(list(EXAMPLES), value="five of six", label="start from")
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
    ## The network

    The input $x_i$ is the value of the $i$-th variable, 1 for true. For a clause $C$ let $s_C(x)$
    be the sum of $x_i$ over its positive and of $1 - x_i$ over its negative literals: how true it
    is.
    Let $K_i$ be 1 more than the number of clauses that contain variable $i$. Then

    $$y(x) = m - \sum_C \mathrm{relu}(1 - s_C(x)) - \sum_i K_i \min(x_i, 1 - x_i) .$$

    At zeros and ones the first sum counts the clauses that are *not* satisfied, and the last sum
    vanishes. In between, the last sum makes every undecided input expensive. On the box $\min(x_i,
    1 - x_i) = x_i - \mathrm{relu}(2 x_i - 1)$, so all of it is one hidden layer: a neuron for each
    clause, one for each variable, and one more that carries $\sum_i K_i x_i$ along.
    """)
    return


@app.cell
def _(problem, read):
    mo.stop(bool(problem))
    rule = SatisfiabilityToNetworkVerification()
    reduction = rule.reduce(read.formula)
    formula, network = reduction.prepared, reduction.target.network
    m, penalties = len(formula.clauses), rule.penalties(formula)

    def output(x):
        """The network's output at a rational point, exactly."""
        return network.evaluate_exactly(x)[0]

    hidden, last = network.layers
    _names = [
        *(f"clause {read.clause(clause)}" for clause in formula.clauses),
        *(f"variable {name}" for name in read.names),
        "carry",
    ]
    _weights = hidden.weight.toarray()
    _rows = [
        f"| {name} | {' | '.join(f'{w:g}' for w in row)} | {bias:g} | {out:g} |"
        for name, row, bias, out in zip(_names, _weights, hidden.bias, last.weight[0], strict=True)
    ]
    mo.vstack(
        [
            mo.md(
                f"{network.relu_count} neurons; constant of the output {m}."
                + " Repeated clauses, and clauses with a variable and its negation, are left out."
                * (m < len(read.formula.clauses))
            ),
            mo.md(
                f"| neuron | {' | '.join(read.names)} | constant | weight in $y$ |\n"
                f"|:--|{'--:|' * (len(read.names) + 2)}\n" + "\n".join(_rows)
            ),
        ]
    )
    return formula, m, network, output, penalties


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Choose an input

    Each curve shows $y$ when one input moves from 0 to 1 and the others stay. The dots are the
    input that you chose.
    """)
    return


@app.cell(hide_code=True)
def _(problem, read):
    mo.stop(bool(problem))
    inputs = mo.ui.array(
        [
            mo.ui.slider(0, 1, 0.05, value=start, label=name, show_value=True)
            for name, start in zip(
                read.names, (0.8, 0.3, 0.5, 0.1, 0.9, 0.4, 0.6, 0.2), strict=False
            )
        ]
    )
    mo.hstack(list(inputs), wrap=True, justify="start", gap=1.5)
    return (inputs,)


@app.cell
def _(formula, inputs, m, output, penalties, read):
    x = tuple(Fraction(str(value)) for value in inputs.value)
    y = output(x)

    def moved(place, value):
        return (*x[:place], Fraction(value), *x[place + 1 :])

    def curves_picture():
        figure, axis = new_figure(5.6, 4.2)
        span = [Fraction(step, 40) for step in range(41)]
        for place, (name, colour) in enumerate(zip(read.names, COLOURS, strict=False)):
            heights = [float(output(moved(place, value))) for value in span]
            axis.plot(list(map(float, span)), heights, color=colour, label=name, lw=1.8)
            axis.plot(float(x[place]), float(y), "o", color=colour, mec="white", ms=9)
        axis.axhline(m, color=INK, lw=1, ls=":")
        axis.text(0.5, m, "all clauses", ha="center", va="bottom", fontsize=9, color=INK)
        axis.set(xlabel="value of one input", ylabel="y", xlim=(-0.03, 1.03))
        axis.legend(frameon=False, fontsize=9, ncols=4, loc="lower left", bbox_to_anchor=(0, 1))
        return picture(figure, "The output y when one input moves, a curve for each input")

    def clause_row(clause):
        truth = sum(x[abs(q) - 1] if q > 0 else 1 - x[abs(q) - 1] for q in clause)
        return f"| {read.clause(clause)} | {shown(truth)} | {shown(max(0, 1 - truth))} |"

    _cost = sum(k * min(value, 1 - value) for k, value in zip(penalties, x, strict=True))
    if all(value in (0, 1) for value in x):
        _words = friendly(
            rf"This is an assignment, and $y = {shown(y)}$ is the number of satisfied clauses, of "
            rf"{m}.",
            kind="success" if y == m else "info",
        )
    else:
        _words = mo.md(
            rf"$y = {m} - {shown(m - _cost - y)} - {shown(_cost)} = {shown(y)}$: of {m} clauses, "
            f"{shown(m - _cost - y)} is missing, and undecided inputs cost {shown(_cost)}. This is "
            "no assignment yet."
        )
    mo.vstack(
        [
            curves_picture(),
            _words,
            mo.md(
                "| clause | how true, $s_C$ | missing |\n|:--|--:|--:|\n"
                + "\n".join(map(clause_row, formula.clauses))
            ),
        ]
    )
    return x, y


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **Theorem 6.** The maximum of $y$ over $[0, 1]^n$ is the largest number of clauses satisfied at
    once.

    *Why?* Look at one curve. The clause terms have a slope between $-(K_i - 1)$ and $K_i - 1$, as
    variable $i$ is in $K_i - 1$ clauses. The last term has slope $-K_i$ up to $1/2$ and $+K_i$ from
    there on, which is more. So every curve falls, then rises, and is highest at an end. Move one
    input after the other to its better end: $y$ never drops, and you arrive at an assignment.

    ## Rounding

    That proof is an algorithm. It turns *any* input with $y > m - 1$ into a satisfying assignment,
    whoever found the input. From your input:
    """)
    return


@app.cell
def _(output, read, x, y):
    def rounded(point):
        """Every input moved to its better end, one after the other; the steps as rows."""
        point, steps = list(point), []
        for place in range(len(point)):
            ends = [output((*point[:place], Fraction(end), *point[place + 1 :])) for end in (0, 1)]
            point[place] = Fraction(int(ends[1] > ends[0]))
            steps.append((ends, point[place]))
        return tuple(point), steps

    def _row(name, ends, chosen):
        zero, one = (f"**{shown(v)}**" if chosen == k else shown(v) for k, v in enumerate(ends))
        return f"| {name} | {zero} | {one} |"

    _, _steps = rounded(x)
    mo.md(
        f"Start: $y = {shown(y)}$.\n\n| input | $y$ with 0 | $y$ with 1 |\n|:--|--:|--:|\n"
        + "\n".join(_row(name, *step) for name, step in zip(read.names, _steps, strict=True))
        + "\n\nThe end is an assignment that satisfies "
        f"**{shown(max(_steps[-1][0]))}** clauses."
    )
    return (rounded,)


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Ask the verifier

    *Is there an input in the box with $y \ge \tau$?* That is a verification query: outputs from
    $\tau$ on are unsafe. For $\tau = m - 1/2$ a counterexample is a satisfying assignment, and a
    proof of safety says that there is none.
    """)
    return


@app.cell(hide_code=True)
def _(m):
    threshold = mo.ui.slider(
        -0.5, m + 0.5, 0.25, value=m - 0.5, label=r"threshold $\tau$", show_value=True,
        debounce=True,
    )  # fmt: skip
    threshold
    return (threshold,)


@app.cell
def _(formula, network, read, rounded, threshold):
    SECONDS = 20

    @cache
    def asked(tau):
        """Whether y can reach tau: the verifier's answer."""
        n = formula.variables
        unsafe = Polyhedron(((Fraction(-1),),), (-Fraction(tau),))  # -y <= -tau
        case = Case(Box((Fraction(0),) * n, (Fraction(1),) * n), (unsafe,))
        return certify(network, Query((case,)), timeout=SECONDS).verdict

    def satisfied(values):
        return MaxSatisfiability(formula.variables, formula.clauses, 0).satisfied(values)

    _tau = Fraction(str(threshold.value))
    _verdict = asked(_tau)
    if isinstance(_verdict, Violated):
        _point, _ = rounded(_verdict.witness.input)
        _values = ", ".join(
            f"{name} = {shown(value)}"
            for name, value in zip(read.names, _verdict.witness.input, strict=True)
        )
        _ends = ", ".join(
            f"{name} {'true' if value else 'false'}"
            for name, value in zip(read.names, _point, strict=True)
        )
        _said = friendly(
            f"**{_verdict.words}**: at {_values} the output is "
            f"{shown(_verdict.witness.output[0])}. Rounded: **{_ends}**, which satisfies "
            f"{satisfied([value == 1 for value in _point])} clauses.",
            kind="info",
        )
    elif isinstance(_verdict, Proved):
        _said = friendly(
            rf"**{_verdict.words}**: $y < {shown(_tau)}$ on the whole box, so no assignment "
            f"satisfies {shown(_tau)} clauses or more.",
            kind="success",
        )
    else:
        _said = friendly(f"{_verdict.words}. The verifier was given {SECONDS} seconds.")
    _said
    return SECONDS, asked, satisfied


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The maximum, found and proved

    Start with any assignment that satisfies $k$ clauses, and ask for $y \ge k + 1/2$. A
    counterexample rounds to a better assignment; a proof says that $k$ is the maximum. Brute force
    over all $2^n$ assignments must agree.
    """)
    return


@app.cell
def _(SECONDS, asked, formula, m, read, rounded, satisfied):
    def climbed():
        """The best assignment, the questions on the way, and whether the last one was proved."""
        best, asks = (False,) * formula.variables, []
        while (count := satisfied(best)) < m:
            verdict = asked(count + Fraction(1, 2))
            asks.append((count, verdict))
            if not isinstance(verdict, Violated):
                return best, asks, isinstance(verdict, Proved)
            best = tuple(value == 1 for value in rounded(verdict.witness.input)[0])
        return best, asks, True

    best, asks, proved = climbed()
    optimum = MaxSatisfiability(formula.variables, formula.clauses, m).optimum()
    counts = [satisfied(v) for v in product((False, True), repeat=formula.variables)]

    def counts_picture():
        figure, axis = new_figure(5.6, 3.0)
        heights = [counts.count(count) for count in range(m + 1)]
        colours = [BLUE if count == optimum else "#bbbbbb" for count in range(m + 1)]
        axis.bar(range(m + 1), heights, color=colours)
        if proved:
            axis.axvline(satisfied(best) + 0.5, color=ORANGE, lw=2)
        axis.set(xlabel="satisfied clauses", ylabel="assignments", xlim=(-0.6, m + 0.7))
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.yaxis.get_major_locator().set_params(integer=True)
        return picture(
            figure,
            f"How many of all {len(counts)} assignments satisfy how many clauses"
            + f"; the bound proved lies right of {satisfied(best)}" * proved,
        )

    _rows = "\n".join(
        f"| {count} | $y \\ge {shown(count + Fraction(1, 2))}$ | {verdict.words} |"
        for count, verdict in asks
    )
    _values = ", ".join(
        f"{name} {'true' if value else 'false'}"
        for name, value in zip(read.names, best, strict=True)
    )
    mo.vstack(
        [
            mo.md(
                f"| clauses so far | question | answer |\n|--:|:--|:--|\n{_rows}"
                if asks
                else "All variables false satisfies every clause: there is nothing to ask."
            ),
            friendly(
                f"**Maximum: {satisfied(best)} of {m} clauses**, with {_values}. Brute force says "
                f"{optimum}."
                if proved
                else f"At least {satisfied(best)} of {m} clauses; the verifier was stopped after "
                f"{SECONDS} seconds. Brute force says {optimum}.",
                kind="success" if proved and optimum == satisfied(best) else "warn",
            ),
            counts_picture(),
            mo.md(
                "*Bars: all assignments.*"
                + " *Orange: the verifier proved that none lies right of it.*" * proved
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: a valley": mo.md(r"""
    Put all inputs to 0.5. Why is $y$ so low there, and why does every curve look like a V?
    *Answer:* the last sum is largest in the middle, $\sum_i K_i / 2$. So the centre is far below
    the threshold, and the question is whether *any* corner of the box lies above it: with outputs
    $(y, m - 1/2)$ the network is a classifier, and the label of the centre is robust with radius
    $1/2$ iff the formula is unsatisfiable.
    """),
            "Try this 2: a counterexample that is no corner": mo.md(r"""
    Choose *all of them* and look for an input with $y \ge 3/2$ that is not a corner. *Answer:* for
    example a = 0.1, b = 0.95. Rounding leads from there to a = 0, b = 1, which satisfies both
    clauses.
    """),
            "Try this 3: thresholds in between": mo.md(r"""
    Move $\tau$ from $m - 1$ to $m$ in small steps. When does the answer change? *Answer:* for an
    unsatisfiable formula whose maximum is $m - 1$, right after $m - 1$. The maximum is an integer,
    so all thresholds in $(m - 1, m]$ ask the same. With $m - 1/2$ there is room for a solver's
    tolerance on both sides.
    """),
            "Try this 4: and approximately?": mo.md(r"""
    Perhaps a verifier may be off by a few percent. A random assignment satisfies $7/8$ of the
    clauses with three distinct literals on average. Why? And what does it mean for verifiers that,
    unless P = NP, no efficient algorithm does better than $7/8$ on all satisfiable formulas
    (Håstad 2001)? *Answer:* each clause fails with probability $1/8$. So even to approximate the
    maximum of such networks within a factor above $7/8$ is NP-hard: bounds that are always quick
    must sometimes be bad.
    """),
            "Try this 5: weaker penalties": mo.md(r"""
    What goes wrong with $K_i = 0$? Take *three of four* and all inputs 1/2. *Answer:* every clause
    of two literals has $s_C = 1$, so $y$ would be 4 there, though only 3 clauses can be
    satisfied. Notebook 7 lets the computer find that.
    """),
        }
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **What next.** Hard in the worst case: is it hard in practice? Notebook 6 measures. On the
    command line: `reductions reduce formula.cnf --to network-verification -o out/`, then `relucert
    certify out/network.onnx out/property.vnnlib`.
    """)
    return


if __name__ == "__main__":
    app.run()
