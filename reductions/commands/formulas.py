"""``generate`` and ``solve``: making formulas and deciding them."""

from __future__ import annotations

import click

from reductions.commands.common import Finite, command_line, read_formula, value_lines
from reductions.dimacs import write_dimacs
from reductions.families import FAMILIES, Family, Parameter, comments_of
from reductions.rup import check_proof_file
from reductions.sat import SOLVER, Satisfied, Unsatisfiable, proof_bytes, solve
from relucert.write.files import write_atomically

__all__ = ["check_proof_command", "generate", "solve_command"]


@click.group(no_args_is_help=False)
def generate() -> None:
    """Write a formula of a family as DIMACS; add --help to a family for its parameters."""


def _option(parameter: Parameter) -> click.Option:
    name = f"-{parameter.name}" if len(parameter.name) == 1 else f"--{parameter.name}"
    kind = click.Choice(parameter.choices) if parameter.choices else type(parameter.default)
    return click.Option(
        [name, parameter.name],
        type=kind,
        default=parameter.default,
        show_default=True,
        help=parameter.meaning + ".",
    )


def _command(family: Family) -> click.Command:
    def run(output: str, seed: int | None = None, **parameters: int | float | str) -> None:
        made = family.generate(parameters, seed)
        comments = [*comments_of(made), f"command: {command_line()}"]
        write_dimacs(made.formula, output, comments)
        if made.seed is not None:
            click.echo(f"seed: {made.seed}", err=True)

    options: list[click.Parameter] = [_option(parameter) for parameter in family.parameters]
    if family.seeded:
        options.append(
            click.Option(["--seed"], type=click.IntRange(0), help="Drawn and printed if missing.")
        )
    options.append(
        click.Option(["-o", "--output"], default="-", help="A file; - for standard output.")
    )
    text = f"{family.summary[0].upper()}{family.summary[1:]} ({family.reference})."
    return click.Command(family.name, callback=run, params=options, help=text)


for _family in FAMILIES:
    generate.add_command(_command(_family))


@click.command("solve")
@click.argument("formula", default="-")
@click.option("--timeout", type=Finite(0, min_open=True), help="Seconds; none if missing.")
@click.option("--proof", type=click.Path(dir_okay=False), help="Where a DRUP proof goes.")
@click.pass_context
def solve_command(
    context: click.Context, formula: str, timeout: float | None, proof: str | None
) -> None:
    """Decide a DIMACS FORMULA with a SAT solver whose answer is checked.

    Prints the lines of the SAT competitions: "s SATISFIABLE" with "v" lines, checked against every
    clause, or "s UNSATISFIABLE", said only when the proof was checked. Exits with 3 when undecided.
    """
    source = read_formula(formula)
    answer = solve(source.formula, timeout)
    if isinstance(answer, Satisfied):
        click.echo(f"c {SOLVER}; every clause checked\ns SATISFIABLE")
        click.echo("\n".join(value_lines(answer.assignment)))
    elif isinstance(answer, Unsatisfiable) and answer.check is not None:
        if proof is not None:
            write_atomically(proof, proof_bytes(answer.proof or ()))
        click.echo(f"c {SOLVER}; {answer.check.words}\ns UNSATISFIABLE")
    else:
        reason = getattr(answer, "reason", "no proof")
        click.echo(f"c {reason}\ns UNKNOWN")
        context.exit(3)


@click.command("check-proof")
@click.argument("formula")
@click.argument("proof")
@click.option("--timeout", type=Finite(0, min_open=True), help="Seconds; none if missing.")
@click.pass_context
def check_proof_command(
    context: click.Context, formula: str, proof: str, timeout: float | None
) -> None:
    """Check a DRUP PROOF that a DIMACS FORMULA is unsatisfiable; exits with 1 when it is none."""
    source = read_formula(formula).formula
    check = check_proof_file(source.variables, source.clauses, proof, timeout)
    click.echo(check.words)
    if not check.accepted:
        context.exit(3 if check.timed_out else 1)
