# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: the phase transition of random 3-SAT, growth read with runs cut off, five ways to decide

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="6 How hardness grows")

with app.setup(hide_code=True):
    import csv
    import json
    import math
    from collections import Counter
    from inspect import getsource
    from statistics import median_low

    import marimo as mo
    import numpy as np
    from course import BLUE, GREEN, GREY, INK, ORANGE, PINK, ROOT, friendly, new_figure, picture

    from reductions.families import generate
    from reductions.scaling.doors.door import Allowed
    from reductions.scaling.doors.registry import opened

    KEPT = ROOT / "docs" / "experiments" / "random-3sat"  # a larger run, if it is there


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 6 How hardness grows

    NP-hardness speaks of the worst case, as $n$ goes to infinity. What happens to *these* formulas,
    with *this* procedure, at sizes that a laptop can handle? Only an experiment tells, and
    experiments are easily misread. Here you run small ones: first over the number of clauses, then
    over the number of variables, then with the detours of notebooks 3 and 4.

    ## A procedure that fits on a page

    DPLL (Davis, Putnam, Logemann, Loveland): while a clause has a single literal, make it true.
    Otherwise choose a variable and try both values. What is counted is **dead ends**: how often
    some clause has lost all its literals. Unlike seconds, that count is the same on every machine.
    When it reaches a limit, the search is cut off.
    """)
    return


@app.cell
def _():
    class CutOffError(Exception):
        """The limit of dead ends is reached."""

    def assigned(clauses, literal):
        """The clauses that remain when the literal is made true."""
        return [[x for x in c if x != -literal] for c in clauses if literal not in c]

    def busiest(clauses):
        """The literal of the variable that is most often in the shortest clauses."""
        shortest = min(map(len, clauses))
        votes = Counter(x for c in clauses if len(c) == shortest for x in c)
        return min(votes, key=lambda x: (-votes[x] - votes[-x], abs(x), x < 0))

    def first(clauses):
        """The literal of the variable with the least number."""
        return min(abs(x) for c in clauses for x in c)

    def dpll(formula, limit, choose=busiest):
        """Satisfiable or not, None if cut off; and the number of dead ends."""
        ends = 0

        def search(clauses):
            nonlocal ends
            while clauses and len(shortest := min(clauses, key=len)) < 2:
                if not shortest:
                    ends += 1
                    if ends >= limit:
                        raise CutOffError
                    return False
                clauses = assigned(clauses, shortest[0])
            if not clauses:
                return True
            literal = choose(clauses)
            return search(assigned(clauses, literal)) or search(assigned(clauses, -literal))

        try:
            return search([list(clause) for clause in formula.clauses]), ends
        except CutOffError:
            return None, ends

    mo.accordion({"The procedure, as it is run here": mo.md(f"```python\n{getsource(dpll)}```")})
    return busiest, dpll, first


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The phase transition

    A *random 3-SAT* formula has $n$ variables and clauses of three distinct variables with random
    signs. All depends on the **ratio**, the number of clauses for each variable. With few clauses
    nearly every formula is satisfiable, with many nearly none. In between lies a sharp transition,
    for large $n$ near the ratio 4.267 (the grey line), and there the search is hardest.
    """)
    return


@app.cell(hide_code=True)
def _():
    variables = mo.ui.slider(
        10, 60, 10, value=40, label="variables $n$", show_value=True, debounce=True
    )
    per_ratio = mo.ui.slider(
        10, 40, 10, value=30, label="formulas for each ratio", show_value=True, debounce=True
    )
    mo.vstack([variables, per_ratio])
    return per_ratio, variables


@app.cell
def _(dpll, per_ratio, variables):
    ratios = [2 + step / 2 for step in range(13)]

    def transition(n):
        """For every ratio, the answers and dead ends of the formulas."""
        found = []
        for ratio in ratios:
            made = (
                generate("random-3sat", {"n": n, "ratio": ratio}, seed).formula
                for seed in range(per_ratio.value)
            )
            found.append([dpll(formula, 10_000) for formula in made])
        return found

    runs = transition(variables.value)
    share = [sum(bool(answer) for answer, _ in row) / len(row) for row in runs]

    def transition_picture():
        figure, (top, bottom) = new_figure(5.6, 5.2, rows=2)
        counts = [[ends for _, ends in row] for row in runs]
        top.plot(ratios, [100 * value for value in share], "o-", color=BLUE)
        top.set(ylabel="% satisfiable", ylim=(-4, 104))
        bottom.fill_between(
            ratios, *np.quantile(counts, [0.25, 0.75], axis=1), color=ORANGE, alpha=0.25, lw=0
        )
        bottom.plot(ratios, list(map(median_low, counts)), "s-", color=ORANGE)
        bottom.set(ylabel="dead ends", xlabel="clauses for each variable", ylim=(0, None))
        for axis in (top, bottom):
            axis.axvline(4.267, color=GREY, lw=1, ls=":")
        return picture(figure, "Share of satisfiable formulas, and median dead ends, by ratio")

    _half = next((r for r, value in zip(ratios, share, strict=True) if value < 0.5), None)
    _peak = max(zip(runs, ratios, strict=True), key=lambda p: median_low([e for _, e in p[0]]))[1]
    mo.vstack(
        [
            transition_picture(),
            mo.md(
                f"{len(ratios) * per_ratio.value} formulas of {variables.value} variables. Fewer "
                f"than half are satisfiable from ratio **{_half}** on; the median of the dead ends "
                f"is largest at **{_peak}**. *Band: the middle half of the formulas.*"
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Growth, and how to read what was cut off

    Now the ratio stays at 5, a little beyond the transition, where most formulas are unsatisfiable,
    and the number of variables grows. Two rules for the next variable are compared: the *busiest*
    one in the shortest clauses, or simply the *first* one. Each formula is given a limit of dead
    ends. The hard ones are cut off there, and what is known of them is only: *at least* the limit.

    There are two ways to draw a median. **Leaving out** the formulas that were cut off looks
    natural and is wrong: only the easy ones remain. **Counting them as larger than the limit** is
    right, as a median needs only to know that they are large. Where half of the formulas are
    cut off, it is not known, and the curve ends.
    """)
    return


@app.cell(hide_code=True)
def _():
    limit = mo.ui.slider(
        steps=[10, 30, 100, 300, 1000],
        value=100,
        label="limit of dead ends",
        show_value=True,
        debounce=True,
    )
    largest = mo.ui.slider(
        30, 60, 10, value=50, label="largest $n$", show_value=True, debounce=True
    )
    mo.vstack([limit, largest])
    return largest, limit


@app.cell
def _(busiest, dpll, first, largest, limit):
    sizes = list(range(10, largest.value + 1, 10))
    PER_SIZE = 20

    def measured(choose):
        """For every size the dead ends of the formulas, infinite where cut off."""
        rows = []
        for n in sizes:
            made = (
                generate("random-3sat", {"n": n, "ratio": 5.0}, 1000 * n + seed).formula
                for seed in range(PER_SIZE)
            )
            answers = [dpll(formula, limit.value, choose) for formula in made]
            rows.append([math.inf if answer is None else ends for answer, ends in answers])
        return rows

    rules = {"busiest": (measured(busiest), BLUE, "o"), "first": (measured(first), ORANGE, "s")}

    def medians(rows):
        """Right: what was cut off counts as large. Wrong: it is left out."""
        right = [median_low(row) for row in rows]
        finite = [[value for value in row if value < math.inf] for row in rows]
        return right, [median_low(row) if row else math.inf for row in finite]

    def growth_picture():
        figure, axis = new_figure(5.6, 4.4)
        for name, (rows, colour, marker) in rules.items():
            right, wrong = ([v if v < math.inf else np.nan for v in m] for m in medians(rows))
            shift = -0.7 if name == "busiest" else 0.7
            for n, row in zip(sizes, rows, strict=True):
                ended = [value for value in row if value < math.inf]
                axis.plot([n + shift] * len(ended), np.maximum(ended, 0.7), marker, ms=3,
                          color=colour, alpha=0.35)  # fmt: skip
                if len(ended) < len(row):
                    axis.plot(n + shift, limit.value, "^", color=colour, ms=6)
                    axis.annotate(
                        str(len(row) - len(ended)), (n + shift, limit.value), (0, 5),
                        textcoords="offset points", ha="center", fontsize=8.5, color=colour,
                    )  # fmt: skip
            axis.plot(sizes, np.maximum(right, 0.7), color=colour, lw=2, label=f"{name}: median")
            axis.plot(sizes, np.maximum(wrong, 0.7), color=colour, lw=1.5, ls=":",
                      label=f"{name}: cut off left out")  # fmt: skip
        axis.axhline(limit.value, color=GREY, lw=1)
        axis.set(xlabel="variables n", ylabel="dead ends", yscale="log")
        axis.set(ylim=(0.6, 2.2 * limit.value))
        axis.legend(frameon=False, fontsize=8.5, ncols=2, loc="lower left", bbox_to_anchor=(0, 1))
        return picture(figure, "Dead ends against variables for two rules, with medians")

    def in_words(value):
        return f"more than {limit.value}" if value == math.inf else str(value)

    _table = "\n".join(
        f"| {n} | "
        + " | ".join(
            f"{in_words(medians(rows)[0][place])} | {in_words(medians(rows)[1][place])} | "
            f"{rows[place].count(math.inf)}"
            for rows, _, _ in rules.values()
        )
        + " |"
        for place, n in enumerate(sizes)
    )
    mo.vstack(
        [
            growth_picture(),
            mo.md(
                f"*Dots: formulas, {PER_SIZE} of each size; 0 is drawn at the bottom. Triangles: "
                "how many were cut off at the limit.*"
            ),
            mo.md(
                "| $n$ | busiest: median | left out | cut off "
                "| first: median | left out | cut off |"
                f"\n|--:|--:|--:|--:|--:|--:|--:|\n{_table}"
            ),
        ]
    )
    return rules, sizes


@app.cell(hide_code=True)
def _(rules, sizes):
    def doubling(rows):
        """How many more variables double the median, by least squares; None where unknown."""
        points = [
            (n, math.log2(median_low(row)))
            for n, row in zip(sizes, rows, strict=True)
            if 1 <= median_low(row) < math.inf
        ]
        if len(points) < 3:
            return None
        slope = float(np.polyfit(*zip(*points, strict=True), 1)[0])
        return 1 / slope if slope > 0 else None

    def sentence(name, rows):
        more = doubling(rows)
        if more is None:
            return f"For *{name}* fewer than three medians are known: no line can be fitted."
        seconds = 1e-3 * max(1, median_low(rows[0])) * 2 ** ((300 - sizes[0]) / more)
        unit, length = next(
            (unit, length)
            for unit, length in (
                ("years", 3.15e7),
                ("days", 86_400),
                ("minutes", 60),
                ("seconds", 1),
            )
            if seconds >= 2 * length or unit == "seconds"
        )
        digits = 10 ** math.floor(math.log10(seconds / length))
        reach = f"{round(seconds / length / digits) * digits:,g} {unit}"
        return (
            f"*{name}*: {more:.1f} more variables double the median. **If** that went on up to 300 "
            f"variables, a search with 1000 dead ends a second would take about {reach}."
        )

    friendly(
        "A straight line on the logarithmic axis is exponential growth. "
        + " ".join(sentence(name, rows) for name, (rows, _, _) in rules.items())
        + " So few sizes do not say whether it goes on.",
        kind="neutral",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## The same formulas through other doors

    A formula can be decided as it is, or by way of a network to verify (notebook 4) or of data to
    memorize (notebook 3). Each *door* counts its own work:

    - `cdcl`: clause learning on the formula, conflicts;
    - `milp-cnf`: an integer programme of the formula, simplex iterations;
    - `verify-search`: branch and bound on the network, nodes;
    - `verify-milp`: an integer programme of the network, simplex iterations;
    - `decide`: is there a network of two neurons for the points? Linear programmes.

    Three formulas of each size at the ratio 4.26, three seconds for each. (Add `verify-milp` and
    wait a little longer.)
    """)
    return


@app.cell(hide_code=True)
def _():
    doors = mo.ui.multiselect(
        ["cdcl", "milp-cnf", "verify-search", "verify-milp", "decide"],
        value=["cdcl", "verify-search", "decide"],
        label="doors",
    )
    top_size = mo.ui.slider(
        9, 18, 3, value=15, label="largest number of variables", show_value=True, debounce=True
    )
    mo.vstack([doors, top_size])
    return doors, top_size


@app.cell
def _(doors, top_size):
    mo.stop(not doors.value, friendly("Choose at least one door."))
    door_sizes = list(range(6, top_size.value + 1, 3))

    def through(door):
        """What the door found for the formulas of every size."""
        door.warm_up()
        allowed = Allowed(seconds=3.0, memory=2.0**31)
        return [
            [
                door.decide(
                    generate("random-3sat", {"n": n, "ratio": 4.26}, 100 * n + seed).formula,
                    allowed,
                )
                for seed in range(3)
            ]
            for n in door_sizes
        ]

    chosen = opened(doors.value, ())
    found = {name: through(door) for name, door in chosen.items()}

    def doors_picture():
        figure, axis = new_figure(5.6, 3.8)
        styles = zip(found.items(), (BLUE, ORANGE, GREEN, PINK, INK), "os^Dv", strict=False)
        for (name, rows), colour, marker in styles:
            label = f"{name}: {chosen[name].effort_name}"
            for n, row in zip(door_sizes, rows, strict=True):
                for one in row:
                    cut = one.status != "ok"
                    axis.plot(n, max(one.effort or 0, 0.7), marker, color=colour, ms=7, alpha=0.6,
                              mfc="none" if cut else colour, label=label)  # fmt: skip
                    label = None
        axis.set(xlabel="variables n", ylabel="work, each in its own unit", yscale="log")
        axis.set_xticks(door_sizes)
        axis.legend(frameon=False, fontsize=8.5, loc="lower left", bbox_to_anchor=(0, 1))
        return picture(figure, "Work of the chosen doors against the number of variables")

    _answers = {
        (place, index): {
            rows[place][index].answer
            for rows in found.values()
            if rows[place][index].status == "ok"
        }
        for place in range(len(door_sizes))
        for index in range(3)
    }
    _contradictions = sum(len(said - {"unknown"}) > 1 for said in _answers.values())
    _cut = sum(one.status != "ok" for rows in found.values() for row in rows for one in row)
    mo.vstack(
        [
            doors_picture(),
            mo.md(
                f"{len(_answers)} formulas, {len(found)} doors: **{_contradictions} "
                f"contradictions**, {_cut} cut off (drawn hollow). Satisfying assignments were led "
                "back through the reductions and checked. The lowest line stands for 0."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## A larger experiment

    The doors were also measured at leisure, with more formulas and in seconds: 15 seconds and 2 GiB
    for each formula.
    """)
    return


@app.cell(hide_code=True)
def _():
    against = mo.ui.dropdown(
        ["variables, satisfiable", "variables, unsatisfiable", "clauses for each variable"],
        value="variables, unsatisfiable",
        label="CPU seconds against",
    )
    against if (KEPT / "measurements.csv").exists() else mo.md("")
    return (against,)


@app.cell
def _(against):
    mo.stop(
        not (KEPT / "measurements.csv").exists(),
        friendly("The folder `docs/experiments/random-3sat` is not in this copy.", kind="info"),
    )
    with (KEPT / "measurements.csv").open(encoding="utf-8", newline="") as file:
        measurements = list(csv.DictReader(file))
    seconds = json.loads((KEPT / "run.json").read_text(encoding="utf-8"))["plan"]["seconds"]
    truth = {row["formula_sha256"]: row["answer"] for row in measurements if row["status"] == "ok"}

    def kept_rows(door):
        """CPU seconds of a door, infinite where cut off, by the chosen quantity."""
        groups = {}
        for row in measurements:
            if row["door"] != door:
                continue
            time = float(row["cpu_seconds"]) if row["status"] == "ok" else math.inf
            if against.value == "clauses for each variable":
                if row["size"] == "30":
                    groups.setdefault(float(row["ratio"]), []).append(time)
            elif row["ratio"] == "4.26":
                wanted = "sat" if against.value.endswith(", satisfiable") else "unsat"
                if truth.get(row["formula_sha256"]) == wanted:
                    groups.setdefault(float(row["size"]), []).append(time)
        return dict(sorted(groups.items()))

    def kept_picture():
        figure, axis = new_figure(5.6, 4.2)
        names = list(dict.fromkeys(row["door"] for row in measurements))
        for name, colour, marker in zip(sorted(names), (BLUE, ORANGE, GREEN, PINK, INK), "os^Dv",
                                        strict=False):  # fmt: skip
            groups = {key: median_low(row) for key, row in kept_rows(name).items()}
            known = {key: value for key, value in groups.items() if value < math.inf}
            axis.plot(list(known), list(known.values()), marker=marker, color=colour, label=name)
        axis.axhline(seconds, color=GREY, lw=1)
        axis.set(xlabel=against.value.partition(",")[0], ylabel="CPU seconds, median", yscale="log")
        axis.legend(frameon=False, fontsize=8.5, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        return picture(figure, f"Median CPU seconds of five doors against {against.value}")

    _cut_off = Counter(row["door"] for row in measurements if row["status"] != "ok")
    mo.vstack(
        [
            kept_picture(),
            mo.md(
                f"{len(measurements)} measurements of {len({*truth})} formulas. Cut off: "
                + (", ".join(f"{n} of `{d}`" for d, n in sorted(_cut_off.items())) or "none")
                + f". The grey line is the limit of {seconds:g} s; where a median is not known, as "
                "half of the runs were cut off, the curve ends."
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: a sharper transition": mo.md(r"""
    Move $n$ from 10 to 60. What happens to the curve of satisfiable shares, and where does it cross
    50 %? *Answer:* it becomes steeper, and for small $n$ it crosses later than 4.267. The sharp
    transition is a statement about large $n$; at $n = 10$ you see a gentle slope.
    """),
            "Try this 2: why is it hardest there?": mo.md(r"""
    Explain both ends of the lower curve. *Answer:* with few clauses nearly any assignment works,
    and the search walks straight to one. With many clauses, each choice forces many others, and
    every dead end comes early. In the middle a search goes deep before it fails.
    """),
            "Try this 3: flatten a curve": mo.md(r"""
    Set the limit to 10. Read only the dotted curves: what would you conclude? *Answer:* that the
    effort hardly grows with $n$. The formulas that could tell otherwise were left out. With a
    larger limit the dotted curves change everywhere, while the solid ones only get longer.
    """),
            "Try this 4: is it the formula or the procedure?": mo.md(r"""
    Compare *first* with *busiest*. *Answer:* the same formulas, and a different number of variables
    that double the effort. Hardness in an experiment belongs to a formula *and* a procedure. What
    belongs to the problem alone is a theorem about all procedures, and nobody has one for 3-SAT
    (it would say that P and NP differ).
    """),
            "Try this 5: is 3-SAT with 15 variables hard?": mo.md(r"""
    `decide` solves a hundred linear programmes where `cdcl` meets a few conflicts or none. Is the
    formula hard? *Answer:* no, the detour is. A reduction shows that data is at *least* as hard as
    formulas; it does not promise that the detour is a good way to solve them.
    """),
        }
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **What next.** `reductions scale` runs such an experiment with each measurement in a process of
    its own, and `reductions analyse` fits laws of growth with bands, and says which of them the
    data rejects. A kept run is described under *Measurements*. Reductions themselves can be wrong:
    break some in notebook 7.
    """)
    return


if __name__ == "__main__":
    app.run()
