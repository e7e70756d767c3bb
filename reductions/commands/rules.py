"""``list``, ``path``, ``graph`` and ``check``: the rules and how they hang together."""

from __future__ import annotations

import importlib.util
import inspect
import sys
from pathlib import Path
from typing import Any

import click

from reductions import graph as rule_graph
from reductions.families import FAMILIES
from reductions.rules import Rule
from relucert.errors import FileError

__all__ = ["check", "graph", "list_command", "path", "rule_in_file"]


def _first_line(item: object) -> str:
    return (inspect.getdoc(item) or "").partition("\n")[0].replace("`", "")


@click.command("list")
def list_command() -> None:
    """List the problems, the rules between them, and the families of formulas."""
    nodes = rule_graph.reduction_graph().nodes(data="problem")
    click.echo("problems:")
    for name, problem in nodes:
        click.echo(f"  {name:24} {_first_line(problem)}")
    click.echo("rules:")
    for rule in rule_graph.RULES:
        click.echo(f"  {rule.name:44} {_first_line(type(rule))}")
    click.echo("families:")
    for family in FAMILIES:
        parameters = " ".join(f"{entry.name}={entry.default}" for entry in family.parameters)
        click.echo(f"  {family.name:16} {family.summary} ({parameters})")


@click.command()
@click.argument("source")
@click.argument("target")
@click.option("--via", multiple=True, help="A problem to pass on the way; may be repeated.")
def path(source: str, target: str, via: tuple[str, ...]) -> None:
    """Show the shortest chain of rules from one problem to another."""
    chain = rule_graph.path(source, target, via=via)
    click.echo(str(chain) if chain.rules else source)
    for rule in chain.rules:
        click.echo(f"{rule.name}: {_first_line(type(rule))}")


@click.command()
@click.option("--draw", type=click.Path(dir_okay=False), help="A .png, .svg or .pdf to draw into.")
def graph(draw: str | None) -> None:
    """Print the graph of reductions, or draw it."""
    if draw is None:
        click.echo(rule_graph.text(), nl=False)
    else:
        rule_graph.draw(draw)


@click.command()
@click.argument("rule")
@click.option("--tests", type=click.IntRange(1), default=500, show_default=True)
@click.option("--seed", type=click.IntRange(0), help="Drawn and printed if missing.")
@click.pass_context
def check(context: click.Context, rule: str, tests: int, seed: int | None) -> None:
    """Search for a smallest counterexample to a RULE: a name, or a Python file that defines one.

    Random small instances are decided by enumeration on both sides, solutions taken there and
    back, sizes compared with the formula. Exits with 1 when the rule is wrong.
    """
    from reductions.checking import check_rule

    subject = rule_in_file(Path(rule)) if rule.endswith(".py") else rule_graph.rule_named(rule)
    report = check_rule(subject, tests, seed)
    click.echo(report.words.rstrip())
    if not report.passed:
        context.exit(1)


def rule_in_file(file: Path) -> Rule[Any, Any]:
    """The one rule that a Python file defines, with its default parameters.

    The file is executed. Raises FileError when it cannot be, or defines no rule or several.
    """
    spec = importlib.util.spec_from_file_location(f"rule_{file.stem}", file)
    if not file.is_file() or spec is None or spec.loader is None:
        raise FileError(file, "no such Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module  # dataclasses look their module up by its name
    try:
        spec.loader.exec_module(module)
        kinds = [
            item
            for item in vars(module).values()
            if inspect.isclass(item) and issubclass(item, Rule) and not inspect.isabstract(item)
        ]
        found = [kind() for kind in kinds if kind.__module__ == module.__name__]
    except Exception as error:
        raise FileError(file, f"does not run ({type(error).__name__}: {error})") from error
    if len(found) != 1:
        raise FileError(file, f"defines {len(found)} rules; it must be one")
    return found[0]
