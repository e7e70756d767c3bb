"""Make instances/bundles: small formulas with known answers, each reduced to both targets.

Run ``python instances/make_bundles.py``. Everything is made by the ``reductions`` program, with
the command lines that the bundles record; the same versions give the same bytes. The table in
instances/bundles/README.md is read back from the bundles, after checking every answer again.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
from pathlib import Path

from reductions.bundle import Bundle, read_bundle
from reductions.cli import run

BUNDLES = Path(__file__).resolve().parent / "bundles"
TARGETS = {"memorization": "robust-memorization", "verification": "network-verification"}

EVERY_CLAUSE = """c every clause over three variables: unsatisfiable, seven of eight at once
p cnf 3 8
1 2 3 0
1 2 -3 0
1 -2 3 0
1 -2 -3 0
-1 2 3 0
-1 2 -3 0
-1 -2 3 0
-1 -2 -3 0
"""
ALL_BUT_ONE = """c all clauses over three variables but one: a single solution
p cnf 3 7
1 2 3 0
1 2 -3 0
1 -2 3 0
1 -2 -3 0
-1 2 3 0
-1 2 -3 0
-1 -2 3 0
"""
WRITTEN = {"every-clause-3": EVERY_CLAUSE, "all-but-one-3": ALL_BUT_ONE}

THRESHOLD = [
    (f"random-{n}-{answer}", f"threshold-ksat -n {n} --answer {answer} --seed {n}")
    for n in (5, 8, 12, 16, 20, 30, 40)
    for answer in ("sat", "unsat")
]
GENERATED = [
    *THRESHOLD,
    ("hidden-20", "hidden-ksat -n 20 --seed 1"),
    ("hidden-40", "hidden-ksat -n 40 --seed 1"),
    ("pigeonhole-3-2", "pigeonhole --pigeons 3 --holes 2"),
    ("pigeonhole-5-4", "pigeonhole --pigeons 5 --holes 4"),
    ("tseitin-6", "tseitin -n 6 --degree 3 --seed 1"),
    ("tseitin-10", "tseitin -n 10 --degree 3 --seed 1"),
    ("parity-chains-5", "parity-chains -n 5 --seed 1"),
    ("coloring-9-sat", "coloring -n 9 --degree 3 --kind planted --seed 1"),
    ("coloring-10-unsat", "coloring -n 10 --degree 5 --kind regular --seed 2"),
]


def call(*arguments: str) -> None:
    """Run the ``reductions`` program quietly; stop when it fails."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = run(arguments)
    if code != 0:
        sys.exit(f"reductions {' '.join(arguments)} ended with {code}: {said.getvalue()}")


def make(name: str) -> list[Bundle]:
    """Both bundles of the formula NAME.cnf, in the current directory."""
    bundles = []
    for short, target in TARGETS.items():
        directory = f"{name}-{short}"
        call("reduce", f"{name}.cnf", "--to", target, "-o", directory)
        bundle = read_bundle(directory)
        bundle.verify_files()
        print(f"{directory}: {bundle.manifest['expected']['target']}, {bundle.recheck()}")
        bundles.append(bundle)
    return bundles


def row(name: str, bundles: list[Bundle]) -> str:
    """The table's line about one formula."""
    expected = [bundle.manifest["expected"] for bundle in bundles]
    size = bundles[0].manifest["source"]["size"]
    points = bundles[0].manifest["target"]["size"]
    relus = bundles[1].manifest["target"]["size"]["relus"]
    cells = (
        name,
        str(size["variables"]),
        str(size["clauses"]),
        f"{points['points']} x {points['dimension']}",
        str(relus),
        *(entry["target"] for entry in expected),
        expected[0]["why"],
    )
    return f"| {' | '.join(cells)} |"


README = """# Bundles with known answers

Made by `python instances/make_bundles.py`; do not edit by hand. `NAME.cnf` is the formula,
`NAME-memorization` and `NAME-verification` are its bundles. A formula is satisfiable exactly
when its points are memorizable (by a ReLU network of depth 2 and width 2, on whole balls), and
exactly when its property is violated (`sat` in VNN-LIB's words). Every satisfying assignment and
every proof of unsatisfiability was checked: `reductions inspect BUNDLE --recheck` does it again.

| formula | variables | clauses | points | ReLUs | memorization | verification | why |
|---|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Make everything anew."""
    shutil.rmtree(BUNDLES, ignore_errors=True)
    BUNDLES.mkdir(parents=True)
    rows = []
    with contextlib.chdir(BUNDLES):
        for name, text in WRITTEN.items():
            Path(f"{name}.cnf").write_text(text, encoding="ascii", newline="\n")
            rows.append(row(name, make(name)))
        for name, arguments in GENERATED:
            call("generate", *arguments.split(), "-o", f"{name}.cnf")
            rows.append(row(name, make(name)))
        Path("README.md").write_text(
            README + "\n".join(rows) + "\n", encoding="ascii", newline="\n"
        )


if __name__ == "__main__":
    main()
