"""``analyse``: from the measurements of a run to a page that shows how hard instances grow."""

from __future__ import annotations

from pathlib import Path

import click

from reductions.analysis.report import write_report
from reductions.commands.common import command_line

__all__ = ["analyse"]


@click.command()
@click.argument("run", type=click.Path())
@click.option(
    "-o", "--output", type=click.Path(), help="The report's folder; RUN/report if missing."
)
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the resamples."
)
def analyse(run: str, output: str | None, seed: int) -> None:
    """Analyse the measurements in the folder RUN and write report.html with its CSVs.

    Fits growth laws to the times and efforts of every door (runs that were cut off count as such),
    draws cactus plots, medians, curves over the clause ratio, and ranks doors against each other.
    The same run and seed give the same page.
    """
    folder = Path(output) if output is not None else Path(run) / "report"
    written = write_report(run, folder, seed, command_line())
    for note in written.notes:
        click.echo(f"note: {note}", err=True)
    for finding in written.findings:
        click.echo(f"- {finding}")
    click.echo(f"{written.page}: {written.rows} measurements, {written.tables} CSVs beside it")
