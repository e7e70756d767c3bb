# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: five wrong reductions; read, search, find the smallest counterexample, explain the mistake

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="7 Break this reduction")

with app.setup(hide_code=True):
    import importlib.util
    import random
    import sys
    from itertools import combinations, product

    import marimo as mo
    import numpy as np
    from course import BLUE, GREY, INK, ORANGE, ROOT, friendly, new_figure, picture, shown
    from formulas import PageLimits, quoted, read_formula
    from matplotlib.patches import Rectangle

    from reductions.checking import check_instance, check_rule
    from reductions.problems import NetworkVerification, NotAllEqualSatisfiability
    from relucert import RelucertError

    LETTERS = "abcdef"  # what variables are called that nobody has named
    FOLDER = ROOT / "tests" / "reductions" / "broken_rules"


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 7 Break this reduction

    A reduction from a problem $A$ to a problem $B$ turns an instance $a$ into an instance $b$ and
    promises two things:

    > if $a$ has a solution, then $b$ has one (and here is how to get it);
    > if $b$ has a solution, then $a$ has one, and **any** solution of $b$ leads to it.

    Each of the five rules below breaks a promise. All of them look plausible, and most formulas do
    not notice. Read the rule, guess where it is wrong, then let the computer search.
    """)
    return


@app.cell(hide_code=True)
def _():
    EXERCISES = {
        "A: formulas to not-all-equal": "nae_without_helper",
        "B: not-all-equal to points": "memorization_without_pairs",
        "C: not-all-equal to points, another decoder": "memorization_with_a_narrow_decoder",
        "D: formulas to networks": "verification_threshold_too_low",
        "E: formulas to networks, a simpler network": "verification_without_penalty",
    }
    exercise = mo.ui.dropdown(list(EXERCISES), value="A: formulas to not-all-equal", label="rule")
    version = mo.ui.radio(
        ["broken", "as it should be"], value="broken", label="version", inline=True
    )
    mo.vstack([exercise, version])
    return EXERCISES, exercise, version


@app.cell
def _(EXERCISES, exercise, version):
    file = FOLDER / f"{EXERCISES[exercise.value]}.py"
    mo.stop(
        not file.exists(),
        friendly(f"The rules are not in this copy: `{file.relative_to(ROOT)}` is missing."),
    )

    def loaded(path):
        """The rule that a file defines; the rule that it spoils is its base class."""
        spec = importlib.util.spec_from_file_location(f"exercise_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module  # dataclasses look their module up
        spec.loader.exec_module(module)
        return module.RULE

    broken = loaded(file)
    rule = broken if version.value == "broken" else type(broken).__bases__[0]()
    kind = rule.source_problem

    def source_text():
        """The class without what its name and its docstrings give away."""
        text = file.read_text(encoding="utf-8")
        text = text[text.index("@dataclass") : text.index("RULE =")].strip()
        return text.replace(type(broken).__name__, "ThisRule")

    CLAIMS = {
        "A": (
            "A formula is satisfiable iff it has a not-all-equal assignment. The new instance has "
            "the same variables and the same clauses; solutions are taken over as they are."
        ),
        "B": (
            "As in notebook 3: the origin, the clauses' points and the midpoint have label $+1$, "
            "the unit vectors $-1$. A network of two neurons memorizes the points iff the clauses "
            "have a not-all-equal assignment: a variable is true iff its literal has colour 1."
        ),
        "C": (
            "The points of notebook 3. To decode a network of two neurons, look at its first "
            "neuron: a variable is true iff that neuron is active at the point of its literal."
        ),
        "D": (
            "The network of notebook 4 with a more generous threshold: outputs from $m - 3/2$ on "
            "are unsafe."
        ),
        "E": (
            "The network of notebook 4 without the sum over the variables, $y = m - \\sum_C "
            "\\mathrm{relu}(1 - s_C(x))$, on the box $[0, 1]^n$. Outputs from $m - 1/2$ on are "
            "unsafe. With fewer neurons it is easier to verify."
        ),
    }
    mo.vstack(
        [
            mo.md(f"**The claim.** {CLAIMS[exercise.value[0]]}"),
            mo.md(
                f"**The code**, as a change of the right rule:\n\n```python\n{source_text()}\n```"
            ),
        ]
    )
    return file, kind, rule


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Search

    The search makes random small instances, the smallest first, solves source and target by
    enumeration, takes solutions there and back (also unusual solutions of the target), and stops at
    the first thing that goes wrong. Then it **shrinks** the instance: leave out a clause, a
    variable or a literal as long as something still goes wrong.
    """)
    return


@app.cell(hide_code=True)
def _():
    seed = mo.ui.slider(1, 30, 1, value=1, label="seed", show_value=True, debounce=True)
    tests = mo.ui.slider(
        steps=[5, 10, 20, 50, 100], value=50, label="most instances", show_value=True, debounce=True
    )
    mo.vstack([seed, tests])
    return seed, tests


@app.cell
def _(kind, rule, seed, tests):
    report = check_rule(rule, tests.value, seed.value)

    def in_words(instance):
        """The clauses of an instance, its variables called a, b, c."""
        clauses = [
            "(" + (" ∨ ".join("¬" * (x < 0) + LETTERS[abs(x) - 1] for x in clause) or "empty") + ")"
            for clause in instance.clauses
        ]
        plural = "s" * (instance.variables != 1)
        return f"{', '.join(clauses) or 'no clause'}; {instance.variables} variable{plural}"

    def reason_in_words(reason):
        """What the check says, without the DIMACS text of the instance."""
        text = reason.partition(", for this ")[0].strip()
        return "".join(c if c.isalnum() or c in " ,.:" else f"&#{ord(c)};" for c in text) + "."

    what = "not-all-equal clauses" if kind is NotAllEqualSatisfiability else "clauses"
    smallest = report.counterexample and report.counterexample.instance
    if smallest is None:
        _said = friendly(
            f"No counterexample among {tests.value} instances: the rule held on {report.yes} with "
            f"a solution and {report.no} without, and {report.solutions} target solutions were "
            "decoded. That is evidence, not a proof.",
            kind="success",
        )
    else:
        _said = friendly(
            f"**Smallest counterexample**, {what}: {in_words(smallest)}.\n\n"
            f"**What goes wrong:** {reason_in_words(report.counterexample.reason)}\n\n"
            f"*Shrunk from:* {in_words(report.counterexample.shrunk_from)}.",
            kind="danger",
        )
    _said
    return reason_in_words, smallest, what


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## What the rule does with it

    Every assignment of the source, whether it is a solution, and whether its image is a solution of
    the target. In a right rule the two columns agree. (Where they agree and the rule is wrong all
    the same, the target has *other* solutions, which are nobody's image.) For rules that make a
    network of at most two inputs the picture shows its output; hatched inputs are unsafe, that is,
    solutions (the cross is one).
    """)
    return


@app.cell
def _(rule):
    def walked(instance, names=LETTERS):
        """A table of all assignments and their images."""
        reduction = rule.reduce(instance)
        rows = []
        for values in product((False, True), repeat=instance.variables):
            whole = rule.extend(reduction.prepared, values)
            image = rule.encode(reduction.prepared, reduction.target, whole)
            said = instance.check(values), reduction.target.check(image)
            words = [("no", "yes")[one] for one in said]
            if said[0] != said[1]:
                words = [f"**{word}**" for word in words]
            shown_values = ", ".join(
                f"{name} {'true' if value else 'false'}"
                for name, value in zip(names, values, strict=False)
            )
            rows.append(f"| {shown_values or '(nothing)'} | {words[0]} | {words[1]} |")
        return mo.md(
            "| assignment | solves the source | its image solves the target |\n|:--|:--|:--|\n"
            + "\n".join(rows)
        )

    def landscape(instance, names=LETTERS):
        """The output over the box, for networks of two inputs; else nothing."""
        reduction = rule.reduce(instance)
        target = reduction.target
        if not isinstance(target, NetworkVerification) or target.network.input_size > 2:
            return mo.md("")
        threshold = float(rule.threshold(reduction.prepared))
        figure, axis = new_figure(5.2, 4.2)
        span = np.linspace(0, 1, 201)
        if target.network.input_size == 1:
            heights = target.network.evaluate(span[:, None])[:, 0]
            axis.plot(span, heights, color=BLUE, lw=2)
            axis.axhline(threshold, color=ORANGE)
            axis.fill_between(span, threshold, heights, where=heights >= threshold, color=ORANGE,
                              alpha=0.3, hatch="//")  # fmt: skip
            axis.set(xlabel=names[0], ylabel="y")
        else:
            grid = np.stack(np.meshgrid(span, span), -1).reshape(-1, 2)
            heights = target.network.evaluate(grid)[:, 0].reshape(201, 201)
            shades = axis.contourf(span, span, heights, levels=20, cmap="Blues", alpha=0.8)
            if heights.max() >= threshold:
                axis.contourf(span, span, heights, levels=[threshold, heights.max() + 1],
                              colors="none", hatches=["//"])  # fmt: skip
                axis.contour(span, span, heights, levels=[threshold], colors=ORANGE)
                row, column = np.unravel_index(heights.argmax(), heights.shape)
                axis.plot(span[column], span[row], "X", color=ORANGE, mec="white", ms=13)
            for corner in product((0, 1), repeat=2):
                place = np.array(corner) * 0.86 + 0.07
                value = float(target.network.evaluate(np.array([corner], dtype=float))[0, 0])
                axis.text(*place, shown(value), ha="center", va="center", color=INK,
                          bbox={"fc": "white", "ec": "none", "alpha": 0.8})  # fmt: skip
            figure.colorbar(shades, ax=axis, label="y")
            axis.set(xlabel=names[0], ylabel=names[1], aspect="equal")
        return mo.vstack(
            [
                picture(figure, "The network's output over the box, unsafe inputs hatched"),
                mo.md(f"Unsafe: $y \\ge {shown(threshold)}$; largest here: "
                      f"$y = {shown(heights.max())}$."),
            ]
        )  # fmt: skip

    return landscape, walked


@app.cell
def _(landscape, smallest, walked):
    mo.stop(smallest is None, mo.md("*There is no counterexample to look at.*"))
    mo.vstack([walked(smallest), landscape(smallest)])
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A map of failures

    Is the smallest counterexample a rare accident? Here the rule is tried on *all* sets of distinct
    clauses of a size (without empty ones and without a variable and its negation together), or on
    a sample where there are many.
    """)
    return


@app.cell
def _(kind, rule):
    def all_clauses(variables):
        """Every clause over so many variables, each variable in it at most once."""
        choices = product(*[(0, k, -k) for k in range(1, variables + 1)])
        return [clause for c in choices if (clause := tuple(x for x in c if x))]

    def cell(variables, count):
        """How many instances were tried, and how many of them fail."""
        sets = list(combinations(all_clauses(variables), count))
        most = 20 if variables < 3 else 6
        if len(sets) > most:
            sets = random.Random(7).sample(sets, most)
        failures = 0
        for clauses in sets:
            try:
                failures += check_instance(rule, kind(variables, clauses)) is not None
            except RelucertError:  # too large to be decided by enumeration: says nothing
                continue
        return len(sets), failures

    tried = {(v, m): cell(v, m) for v in (1, 2, 3) for m in (0, 1, 2, 3, 4)}

    def map_picture():
        figure, axis = new_figure(5.6, 3.0)
        for (v, m), (count, failures) in tried.items():
            if count:
                axis.add_patch(Rectangle((m - 0.47, v - 0.47), 0.94, 0.94, color=ORANGE,
                                         alpha=0.08 + 0.85 * failures / count))  # fmt: skip
                axis.text(m, v, f"{failures} of {count}", ha="center", va="center", fontsize=10,
                          color=INK if failures else GREY)  # fmt: skip
        axis.set(xlim=(-0.5, 4.5), ylim=(0.5, 3.5), xlabel="clauses", ylabel="variables")
        axis.set_xticks(range(5))
        axis.set_yticks([1, 2, 3])
        axis.tick_params(length=0)
        return picture(figure, "How many of the instances tried fail, by variables and clauses")

    _total, _failed = (sum(column) for column in zip(*tried.values(), strict=True))
    mo.vstack(
        [
            map_picture(),
            mo.md(f"**{_failed} of {_total} instances fail.** Where nothing stands there is none."),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Your own instance

    Write one that fails, or one that does not although you expected it. In words or numbers; at
    most 3 variables, 6 clauses, and 4 literals in a clause.
    """)
    return


@app.cell(hide_code=True)
def _():
    typed = mo.ui.text_area(value="(a or b) and (not a)", label="your clauses", rows=4)
    typed
    return (typed,)


@app.cell
def _(kind, landscape, reason_in_words, rule, typed, walked, what):
    read = read_formula(typed.value, PageLimits(variables=3, clauses=6, literals=4))
    mo.stop(isinstance(read, str), friendly(str(read)))
    own = kind(read.formula.variables, read.formula.clauses)

    def judged():
        """What fails on the instance, as a framed line."""
        shown_clauses = ", ".join(f"({read.clause(clause)})" for clause in own.clauses)
        try:
            failure = check_instance(rule, own)
        except RelucertError as error:
            return friendly(f"Left open: {quoted(str(error))}. Try fewer variables.")
        if failure is None:
            return friendly(f"The rule holds for the {what} {shown_clauses}.", kind="success")
        return friendly(
            f"**A counterexample**, {what} {shown_clauses}. {reason_in_words(failure)}",
            kind="danger",
        )

    mo.vstack(
        [
            judged(),
            walked(own, read.names),
            landscape(own, read.names),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## What is wrong

    Look only after you have written down your own explanation.
    """)
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "A: what is wrong": mo.md(r"""
    A single literal is never not-all-equal: the formula $(a)$ is satisfiable, and its image is not.
    The other direction is fine, as a not-all-equal assignment has a true literal in every clause.
    The right rule adds a helper $s$ to every clause: it provides the *false* literal that
    satisfiability does not ask for. Its second role is in the way back: of a solution and its
    complement, the one with $s$ false satisfies the formula.
    """),
            "B: what is wrong": mo.md(r"""
    The pairs $e_x + e_{\bar x}$ are missing. They forced $x$ and $\bar x$ to have different
    colours. Without them the two half-spaces may colour $a$ and $\neg a$ alike. Clauses still hold
    two colours, but the colours of literals are no truth values any more: in $(\neg a \vee b)$ the
    decoder reads the colours of $a$ and $b$, and the colour of $\neg a$, which made the clause
    right, is ignored. Only clauses with negations can notice.
    """),
            "C: what is wrong": mo.md(r"""
    The decoder expects the network that the rule itself would build, $F = 1 - \mathrm{relu}(1 - t
    h_1) - \mathrm{relu}(1 - t h_2)$, where a neuron is active exactly at the literals that its
    half-space excludes. Other networks have the same sign everywhere and are built in another way:
    in $-C + \mathrm{relu}(h_1 + C) - \mathrm{relu}(h_1 - h_2)$ the first neuron is active at all
    points if $C$ is large. Then every variable is decoded as true. *Any* solution must lead back,
    whoever found it: that is why the right decoder asks which half-space excludes a point.
    """),
            "D: what is wrong": mo.md(r"""
    $y$ reaches $m - 1 \ge m - 3/2$ as soon as all clauses but one can be satisfied. So $a$, $\neg
    a$ is taken for satisfiable. (The smallest counterexample of all is a single empty clause.) The
    answer is right for satisfiable formulas, and for those of which two clauses must always fail.
    """),
            "E: what is wrong": mo.md(r"""
    At zeros and ones the network counts as it should: every corner of the box is right. But inputs
    need not be zeros and ones. At $x = (1/2, \ldots, 1/2)$ every clause of two literals has $s_C =
    1$ and misses nothing, so $y = m$ whatever the formula. What the network counts now is how well
    a *linear programme* can satisfy the clauses. The terms $K_i \min(x_i, 1 - x_i)$ make it pay for
    fractions.
    """),
        }
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: which promise?": mo.md(r"""
    For each rule: does it break the promise from $A$ to $B$, or the one back? *Answer:* A breaks
    the way there. B, C, D and E break the way back. C has the right answers and fails only when it
    decodes. B, D and E are wrong even in the answer: the target may have solutions where the source
    has none. (For B try the clauses $(a \vee b)$, $(\neg a \vee b)$ below.)
    """),
            "Try this 2: blind spots": mo.md(r"""
    Rule C: why does the table of images show no difference? *Answer:* the images are the networks
    that the rule builds, and those it decodes well. A test that goes there and back with its own
    solutions would find nothing, however often it is run. The search also makes networks of other
    shapes.
    """),
            "Try this 3: a formula for E": mo.md(r"""
    Find a formula for E with clauses of two literals only. How few clauses can it have? *Answer:*
    four, such as all those over $a$ and $b$. With unit clauses three are enough: $(\neg a), (a \vee
    b), (a \vee \neg b)$. Is there one with clauses of at least three literals that fails at $1/2$?
    *Answer:* every unsatisfiable one, such as all eight clauses over three variables.
    """),
            "Try this 4: the right rules": mo.md(r"""
    Choose *as it should be*. Is the rule now proved? *Answer:* no. A few hundred instances held.
    The proofs are on the site's page *Theory*, and the search is what one does before trying to
    prove something.
    """),
            "Try this 5: your own rule": mo.md(r"""
    Copy a file from `tests/reductions/broken_rules`, change it, and run `reductions check
    my_rule.py`. The page *Reduce* among the how-tos begins from an empty file.
    """),
        }
    )
    return


if __name__ == "__main__":
    app.run()
