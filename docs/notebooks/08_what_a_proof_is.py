# /// script
# [tool.marimo.display]
# theme = "system"
# ///
# Shows: a proof file opened record by record, changed by you, and rejected at the right place

import marimo

__generated_with = "0.25.2"
app = marimo.App(width="medium", app_title="8 What a proof is")

with app.setup(hide_code=True):
    import gzip
    import html
    import tempfile
    import zlib
    from dataclasses import dataclass
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
        new_figure,
        picture,
        shown,
    )
    from matplotlib.patches import Rectangle

    from relucert import Decision, RelucertError, read_network, robustness_query
    from relucert.limits import Limits
    from relucert.proof.check import Accepted, check_proof
    from relucert.proof.subject import Subject
    from relucert.prover.certify import certify_with_proof
    from relucert.radius import robustness_radius


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    # 8 What a proof is

    "No point of this ball gets another label" is a statement about infinitely many points. A
    verifier that says so may be wrong: searches are long programs, solvers round. So it can be
    asked for a **proof**: a file that a second, much smaller program checks. The checker here
    shares nothing with the search; whoever trusts the checker need not trust the search.

    What does such a file hold? *No bound and no number that has to be believed*, only **choices**:

    - where to **split**: two regions, $z \ge 0$ and $z \le 0$ for a neuron, or $x_j \le c$ and
      $x_j \ge c$ for an input;
    - which **multipliers** to use: weights $w \ge 0$ for the rows of the unsafe set, slopes
      $\alpha \in [0, 1]$ for ReLUs, and $\beta \ge 0$ for signs that were fixed.

    From the choices the checker derives every bound itself. For a ReLU with $l < 0 < u$ it uses

    $$\alpha z \;\le\; \mathrm{relu}(z) \;\le\; \frac{u}{u - l} (z - l) ,$$

    which holds for *every* $\alpha \in [0, 1]$. A bad choice gives a weak bound, never a wrong one.
    That is the whole idea: **a wrong file can fail to prove, but it cannot prove what is false.**

    ## Make one

    The network is the one of notebook 1. Around $(0.1, 1)$ its label does not change up to the
    radius $r$ of that notebook. Choose a ball and get a proof for it.
    """)
    return


@app.cell(hide_code=True)
def _():
    share = mo.ui.slider(
        30, 100, 1, value=100, label="size of the ball, in % of $r$", show_value=True, debounce=True
    )
    share
    return (share,)


@app.cell
def _():
    path = DIGITS / "moons_8x2.onnx"
    network, content = read_network(path), path.read_bytes()
    decision, point = Decision("argmax", 2), (Fraction(1, 10), Fraction(1))
    low, high = network.evaluate_exactly(point)
    label = int(high > low)
    bracket = robustness_radius(network, point, label, decision)
    folder = Path(tempfile.mkdtemp(prefix="proofs-"))

    @dataclass(frozen=True)
    class Verdict:
        """accepted, refused or malformed; the checker's words; the record that is refused."""

        kind: str
        words: str
        record: int | None = None

    def question(radius):
        """The query, and what the proof's header must say."""
        query = robustness_query(point, label, decision, radius=radius)
        return query, Subject.of_query(content, query)

    def checked(data, radius, arithmetic="exact"):
        """What the checker says of these bytes as a proof for the ball of this radius."""
        file = folder / "proof.rcp"
        file.write_bytes(data)
        try:
            answer = check_proof(file, network, *question(radius), arithmetic)
        except RelucertError as error:
            return Verdict("malformed", str(error).replace(f"{file}", "the file"))
        if isinstance(answer, Accepted):
            return Verdict("accepted", f"all {answer.records} records hold")
        return Verdict("refused", answer.words, answer.record)

    return bracket, checked, folder, network, point, question


@app.cell
def _(bracket, folder, network, question, share):
    radius = Fraction(int(bracket.lower * share.value * 10), 1000)

    def new_proof():
        file = folder / "first.rcp"
        certified = certify_with_proof(network, *question(radius), file, Limits(20))
        return certified.verdict.words, file.read_bytes()

    words, proof = new_proof()
    lines = gzip.decompress(proof).decode("ascii").splitlines()
    return lines, proof, radius, words


@app.cell
def _(lines, proof, radius, words):
    MEANINGS = {
        "relucert-proof": "the format and its version",
        "network": "which network: the hash of its file",
        "query": "which question: the hash of its text",
        "|": "the question's text: the box, then rows of the unsafe set",
        "semantics": "real arithmetic over the stored weights",
        "case": "the tree of a box begins",
        "b": "derive bounds on every layer anew",
        "t": "slopes for single bounds, here and below",
        "x": "two regions: an input at most, then at least, a value",
        "r": "two regions: a neuron's $z \\ge 0$, then $z \\le 0$",
        "c": "the unsafe set is not reached here, with these multipliers",
        "e": "the region is empty",
        "end": "how many records there were",
    }

    def opened():
        rows = []
        for number, line in enumerate(lines, 1):
            text = html.escape(line[:60] + ("..." if len(line) > 60 else ""))
            meaning = MEANINGS.get(line.split()[0], "more of the above, written short")
            rows.append(f"| {number} | <code>{text.replace('|', '&#124;')}</code> | {meaning} |")
        return "| line | text | meaning |\n|---|---|---|\n" + "\n".join(rows)

    mo.vstack(
        [
            mo.md(
                f"Ball of radius {shown(radius)}: **{words}**. The file has {len(proof)} bytes "
                f"compressed, {len(lines)} lines:"
            ),
            mo.md(opened()),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Break it

    Change a line (edit the text), or leave a line out, or flip one bit of the compressed file.
    The checker answers, and says where. In the picture are the regions of the proof, each a
    colour; where a record of a region is refused, the region is hatched.
    """)
    return


@app.cell(hide_code=True)
def _(lines, proof):
    how = mo.ui.radio(
        ["nothing", "change a line", "leave out a line", "flip a bit"],
        value="nothing",
        label="what to change",
        inline=True,
    )
    _split = next((k for k, text in enumerate(lines, 1) if text[:2] in ("r ", "x ")), len(lines))
    which = mo.ui.number(1, len(lines), value=_split, label=f"line, 1 to {len(lines)}")
    bit = mo.ui.slider(
        0, 8 * len(proof) - 1, 1, value=8 * (len(proof) // 2), label="bit", show_value=True,
        debounce=True,
    )  # fmt: skip
    mo.vstack([how, which, bit])
    return bit, how, which


@app.cell(hide_code=True)
def _(lines, which):
    place = (which.value or 1) - 1  # an emptied field counts as 1
    edited = mo.ui.text(
        value=lines[place],
        label=f"line {place + 1}, at most 200 characters",
        max_length=200,
        full_width=True,
    )
    edited
    return edited, place


@app.cell
def _(bit, edited, how, lines, place, proof):
    def packed(text_lines):
        return gzip.compress("".join(f"{line}\n" for line in text_lines).encode(), mtime=0)

    def changed():
        """The changed bytes, and what was done in words."""
        if how.value == "change a line":
            return packed([*lines[:place], edited.value, *lines[place + 1 :]]), (
                f"line {place + 1} is now <code>{html.escape(edited.value)}</code>"
            )
        if how.value == "leave out a line":
            return packed([*lines[:place], *lines[place + 1 :]]), f"line {place + 1} is left out"
        if how.value == "flip a bit":
            data = bytearray(proof)
            data[bit.value // 8] ^= 1 << bit.value % 8
            return bytes(data), f"bit {bit.value % 8} of byte {bit.value // 8} is flipped"
        return proof, "the file is as it was written"

    mutant, done = changed()
    return done, mutant, packed


@app.cell
def _(network):
    @dataclass(frozen=True)
    class Region:
        """A leaf of the proof's tree: the splits that lead to it, the records on the way."""

        splits: tuple
        records: tuple

    def leaves(lines):
        """The leaves of a tree with one unsafe set; none where it is written in another way."""
        found, waiting = [], [Region((), ())]
        start = lines.index("case 0") if "case 0" in lines else len(lines)
        for number, line in enumerate(lines[start + 1 :], 2):
            kind, *words = line.split() or [""]
            if kind == "end" or not waiting:
                break
            now = waiting.pop()
            now = Region(now.splits, (*now.records, number))
            if kind in ("c", "e"):
                found.append(now)
            elif kind in ("r", "x") and len(words) == 2:
                # First z >= 0 or input <= value, then the other side: the last waits on top.
                waiting += [
                    Region((*now.splits, (kind, *words, side)), now.records)
                    for side in ((-1, 1) if kind == "r" else (1, -1))
                ]
            elif kind in ("b", "t"):
                waiting.append(now)
            else:
                return []
        return found

    def inside(region, z):
        """Which of the points z (points, 2) satisfy all splits of the region."""
        hidden, values = [], z
        for layer in network.layers:
            hidden.append(layer.affine(values))
            values = layer.evaluate(values)
        held = np.ones(len(z), dtype=bool)
        for kind, first, second, side in region.splits:
            if kind == "r":
                held &= side * hidden[int(first)][:, int(second)] >= 0
            else:
                held &= side * (z[:, int(first)] - float.fromhex(second)) >= 0
        return held

    return inside, leaves


@app.cell
def _(checked, done, inside, leaves, mutant, network, point, radius):
    answer = checked(mutant, radius)

    def text_of(data):
        try:
            return gzip.decompress(data).decode("ascii").splitlines()
        except (OSError, EOFError, ValueError, zlib.error):
            return []

    def proof_picture():
        """The leaves in the plane; None where the tree cannot be read."""
        try:
            found = leaves(text_of(mutant))
            centre, size = np.array([float(v) for v in point]), float(radius)
            span = np.linspace(-size, size, 300)
            grid = np.stack(np.meshgrid(centre[0] + span, centre[1] + span), -1).reshape(-1, 2)
            masks = [inside(region, grid).reshape(300, 300) for region in found]
        except (ValueError, IndexError):
            return None
        figure, axis = new_figure(6.0, 5.0)
        extent = [centre[0] - size, centre[0] + size, centre[1] - size, centre[1] + size]
        colours = (BLUE, ORANGE, GREEN, PINK, GREY)
        for place, (region, mask) in enumerate(zip(found, masks, strict=True)):
            bad = answer.record in region.records
            axis.contourf(
                mask, levels=[0.5, 1.5], colors=[colours[place % 5]], extent=extent,
                alpha=0.75 if bad else 0.35, hatches=["xx"] if bad else [None],
            )  # fmt: skip
        axis.add_patch(Rectangle(centre - size, 2 * size, 2 * size, fill=False, ec=INK, lw=2))
        wide = np.linspace(-1.25 * size, 1.25 * size, 300)
        plane = np.stack(np.meshgrid(centre[0] + wide, centre[1] + wide), -1).reshape(-1, 2)
        outputs = network.evaluate(plane)
        axis.contour(
            centre[0] + wide, centre[1] + wide, (outputs[:, 1] - outputs[:, 0]).reshape(300, 300),
            levels=[0], colors=INK, linewidths=1.2,
        )  # fmt: skip
        axis.plot(*centre, "o", color=INK)
        axis.set(aspect="equal", xlabel="$x_1$", ylabel="$x_2$")
        return picture(figure, f"{len(found)} regions of the proof in the ball; {answer.kind}")

    drawn = proof_picture()
    kinds = {"accepted": "success", "refused": "danger", "malformed": "danger"}
    mo.vstack(
        [
            mo.callout(
                mo.Html(
                    f"<p>{done}: <strong>{answer.kind}</strong>. {html.escape(answer.words)}</p>"
                ),
                kind=kinds[answer.kind],
            ),
            drawn if drawn is not None else mo.md("*The tree cannot be read, nothing is drawn.*"),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    ## Many changes at once

    Now change the file in every way of a kind, and count what the checker says.
    """)
    return


@app.cell
def _(checked, lines, packed, proof, radius):
    def with_digit_changed():
        """Every digit after the header, one at a time, becomes the next one."""
        for place in range(lines.index("case 0"), len(lines)):
            for column, letter in enumerate(lines[place]):
                if letter.isdigit():
                    other = str((int(letter) + 1) % 10)
                    text = lines[place][:column] + other + lines[place][column + 1 :]
                    yield packed([*lines[:place], text, *lines[place + 1 :]])

    def without_line():
        for place in range(len(lines)):
            yield packed([*lines[:place], *lines[place + 1 :]])

    def with_line_twice():
        for place in range(len(lines)):
            yield packed([*lines[: place + 1], *lines[place:]])

    def with_lines_exchanged():
        for place in range(len(lines) - 1):
            yield packed([*lines[:place], lines[place + 1], lines[place], *lines[place + 2 :]])

    def with_bit_flipped():
        for place in range(8 * len(proof)):
            data = bytearray(proof)
            data[place // 8] ^= 1 << place % 8
            yield bytes(data)

    def cut_short():
        for size in range(len(proof)):
            yield proof[:size]

    changes = {
        "a digit is the next one": with_digit_changed,
        "a line is left out": without_line,
        "a line stands twice": with_line_twice,
        "two lines are exchanged": with_lines_exchanged,
        "a bit of the compressed file is flipped": with_bit_flipped,
        "the file stops early": cut_short,
    }

    def counted(mutants):
        """How often the checker said what, with the cheaper of its two arithmetics."""
        same = (proof, packed(lines))
        kinds = [checked(data, radius, "rounded").kind for data in mutants if data not in same]
        return {kind: kinds.count(kind) for kind in ("malformed", "refused", "accepted")}

    counts = {name: counted(made()) for name, made in changes.items()}

    def counts_picture():
        figure, axis = new_figure(7.0, 3.0)
        names, left = list(counts)[::-1], np.zeros(len(counts))
        for kind, colour in (("malformed", GREY), ("refused", ORANGE), ("accepted", GREEN)):
            shares = np.array(
                [100 * counts[name][kind] / max(1, sum(counts[name].values())) for name in names]
            )
            axis.barh(names, shares, left=left, color=colour, label=kind)
            left += shares
        axis.set(xlim=(0, 100), xlabel="% of all changes of the kind")
        axis.legend(frameon=False, fontsize=9, ncols=3, loc="lower left", bbox_to_anchor=(0, 1))
        return picture(figure, "What the checker says of changed proofs, by kind of change")

    mo.vstack(
        [
            counts_picture(),
            mo.md(
                "| change | malformed | refused | accepted |\n|---|---|---|---|\n"
                + "\n".join(
                    f"| {name} | {c['malformed']} | {c['refused']} | {c['accepted']} |"
                    for name, c in counts.items()
                )
            ),
        ]
    )
    return


@app.cell(hide_code=True)
def _():
    mo.md(r"""
    **Why are some accepted?** Because they are proofs, too. A slope of $196/256$ may become
    $197/256$ and prove the same; a weight may double. And a few bits of a compressed file mean
    nothing (when it was made, and on what system). The checker does not ask whether the file was
    changed. It asks whether the file shows that the statement is true.

    ## Prove something false

    The acid test. Take the records of your proof, and claim with them that a *larger* ball is safe:
    the header is made anew, so that hashes and numbers fit. Beyond 100 % of $r$ the statement is
    false, and no choice of records can prove it.
    """)
    return


@app.cell(hide_code=True)
def _():
    claim = mo.ui.slider(
        30, 130, 1, value=105, label="claimed ball, in % of $r$", show_value=True, debounce=True
    )
    claim
    return (claim,)


@app.cell
def _(bracket, checked, claim, lines, packed, question):
    larger = Fraction(int(bracket.lower * claim.value * 10), 1000)

    def claimed():
        """The same records under the header of another question."""
        _, subject = question(larger)
        header = [lines[0], subject.network, subject.query, *subject.query_lines]
        return packed([*header, *lines[lines.index("semantics real") :]])

    said = checked(claimed(), larger)
    truth = "true" if larger <= bracket.lower else "false or within 0.1 % of it"
    mo.callout(
        mo.Html(
            f"<p>The ball of radius {shown(larger)} is safe (this is {truth}): "
            f"<strong>{said.kind}</strong>. {html.escape(said.words)}</p>"
        ),
        kind="success" if said.kind == "accepted" else "danger",
    )
    return


@app.cell(hide_code=True)
def _():
    mo.accordion(
        {
            "Try this 1: a change that is accepted": mo.md(r"""
    Find a line with slopes (`a0 ...`) and change one of its numbers by a little, then by a lot.
    When does the checker refuse? *Answer:* when the bound that follows from it is no longer
    positive. The file says how to find a bound; the bound itself is never written down.
    """),
            "Try this 2: lie in the header": mo.md(r"""
    Change a digit in a line that begins with `|`, or in a hash. What does the checker say, and why
    must it? *Answer:* the question has another hash, so this would be a proof of something else. A
    proof that does not say what it proves is worth nothing.
    """),
            "Try this 3: a wrong split": mo.md(r"""
    Change the neuron in a line `r ...`. Some neurons are refused at once (their sign is known, so
    there is nothing to split), others later, in a region where the multipliers do not fit any more.
    Why does the checker accept both regions' bounds without looking whether the split is useful?
    *Answer:* every point of the region satisfies $z \ge 0$ or $z \le 0$, whatever the neuron. A
    useless split costs time, not truth.
    """),
            "Try this 4: what is still trusted?": mo.md(r"""
    List what you must believe if the checker accepts. *Answer:* the checker (fewer than 1,500
    lines of code), the readers of the network's and the question's files, Python and numpy's
    arithmetic, the machine. Not: the search, the solver, its tolerances, the network's training,
    this notebook.
    """),
        }
    )
    return


if __name__ == "__main__":
    app.run()
