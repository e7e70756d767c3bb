"""``relucert certify``: one property, or many labelled points."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from relucert.batch import Point, run_all
from relucert.commands.competition import time_left, write_answer
from relucert.commands.questions import read_questions
from relucert.commands.reproducer import with_reproducer
from relucert.commands.screen import Bar, header, print_json, progress_bar, say
from relucert.commands.semantics import Semantics, witness_text
from relucert.errors import UsageError
from relucert.limits import Limits, usable_cores
from relucert.memorization.certify_balls import Balls, certify_alone, proved_together
from relucert.network import Network
from relucert.query import Query
from relucert.read.network import read_network
from relucert.read.vnnlib import read_vnnlib
from relucert.report.memorization import MemorizationResult
from relucert.report.records import Item, csv_text, exit_code, how, verdict_record, verdict_word
from relucert.report.tables import items_table, print_table, summary
from relucert.verdict import Interrupted, Proved, Reason, Unknown, Verdict, Violated
from relucert.verify import Outcome
from relucert.write.files import check_target, make_folder, write_atomically

if TYPE_CHECKING:
    from relucert.commands.cubes import Dividing
    from relucert.commands.prove import Proofs

__all__ = ["certify_command", "one_question"]

_CSV_HEADER = ("item", "label", "radius", "verdict", "how", "seconds")


def one_question(
    files: Sequence[Path],
    *,
    data: Path | None,
    radii: Sequence[Fraction] | None,
    output: None,
    cluster: str | None,
    **others: Any,
) -> dict[str, Any]:
    """The arguments of `certify_command`: one network, one property or radius, no folder.

    Raises UsageError for more than that, which is a sweep and needs a folder.
    """
    networks = [path for path in files if ".vnnlib" not in path.suffixes]
    if data is not None and others["result_file"] is not None:
        raise UsageError("--result-file is for a PROPERTY; for points there is --csv")
    if data is None and len(files) > 2:
        raise UsageError("without --data, give one NETWORK and one PROPERTY")
    if data is not None and len(networks) == len(files) > 1:
        raise UsageError("several networks are a sweep: say -o FOLDER where its results go")
    if data is not None and len(radii or ()) > 1:
        raise UsageError("several radii are a sweep: say -o FOLDER where its results go")
    if cluster is not None and others["cubes"] is None:
        raise UsageError("--cluster is for --cubes and sweeps: say -o FOLDER for a sweep's results")
    if cluster is not None and others["jobs"] is not None:
        raise UsageError("--jobs counts local processes: it does not go with --cluster")
    if not others["check"] and (others["cubes"] is not None or others["proof_path"] is not None):
        raise UsageError("--no-check does not go with --cubes or --proof: these are always checked")
    if others["cubes"] is not None and (data is not None or others["semantics"] != "real"):
        raise UsageError("--cubes divides the question of one PROPERTY, over the reals")
    network_path, property_path = (*files, None)[:2]
    return {
        "network_path": network_path, "property_path": property_path, "data": data,
        "radius": radii[0] if radii else None, "cluster": cluster, **others,
    }  # fmt: skip


def certify_command(
    network_path: Path,
    *,
    property_path: Path | None,
    data: Path | None,
    radius: Fraction | None,
    norm: str,
    semantics: str,
    engine: str,
    jobs: int | None,
    witness_out: Path | None,
    proof_path: Path | None,
    exact_check: bool,
    check: bool,
    clip: tuple[Fraction, Fraction] | None,
    selection: str | None,
    label_column: str | None,
    decision: str,
    timeout: float,
    solver: str,
    threads: int,
    memory: float,
    seed: int,
    as_json: bool,
    csv_path: Path | None,
    result_file: Path | None,
    cubes: int | None,
    cluster: str | None,
) -> int:
    """Run the command; returns the exit code. ``norm`` is "linf", the only one there is."""
    started = time.monotonic()
    jobs = jobs or usable_cores()
    source, radius = _source(property_path, data, radius, clip)
    check_target(csv_path)
    check_target(witness_out, folder=data is not None)
    check_target(result_file)
    network = read_network(network_path)
    meaning = Semantics.wanted(semantics, network_path, network, proof_path is not None)
    proofs = _dividing(
        cubes, cluster, jobs, (engine, solver, threads, memory, seed), lambda: Limits(timeout),
        network_path, property_path, proof_path, exact_check,
    ) or _proofs(
        proof_path, exact_check, engine, network_path, property_path,
        lambda: Limits(timeout, memory, threads), seed,
    )  # fmt: skip

    def question(query: Query, bar: Bar) -> Outcome:
        if proofs is not None:
            return meaning.labelled(query, proofs.certify(network, query, bar.work))
        return with_reproducer(network, query, meaning.certify(
            query, engine=engine, timeout=timeout, solver=solver, threads=threads,
            memory=memory, seed=seed, jobs=jobs, check=check, progress=bar.work,
        ), engine)  # fmt: skip

    if property_path is not None:
        query = read_vnnlib(source)
        memorization = None
        timeout = time_left(timeout, started, result_file)
        items, rows, whole = _one_property(query, question)
        write_answer(result_file, network_path, network, query, items[0].verdict)
    else:
        questions = read_questions(
            source, network, selection=selection, label_column=label_column, decision=decision,
            clip=clip,
        )  # fmt: skip
        points = questions.points

        def ball(point: Point) -> Query:
            return questions.ball(point, radius)

        known: dict[int, Outcome] = {}
        stopped = False
        by_itself = engine != "auto" or proofs is not None or meaning.is_float32
        if not by_itself:
            known, stopped = _proved_together(network, points, ball, check)

        def answer(point: Point, bar: Bar) -> Outcome:
            if point.row in known:
                return known[point.row]
            if by_itself:
                return question(ball(point), bar)
            found = meaning.labelled(ball(point), certify_alone(
                network, ball(point), seed, timeout=timeout, solver=solver, threads=threads,
                memory=memory, jobs=jobs, check=check, progress=bar.work,
            ))  # fmt: skip
            return with_reproducer(network, ball(point), found, engine)

        asked = [point for point in points if point.row in known] if stopped else points
        items, rows, whole = _many_points(asked, answer, radius)
        whole = whole and not stopped
        memorization = None if meaning.is_float32 else MemorizationResult.of(
            questions.file, radius, clip is not None, items, len(points), questions.note
        )  # fmt: skip
    _write_witnesses(witness_out, items, single=property_path is not None)
    if csv_path is not None:
        write_atomically(csv_path, csv_text(_CSV_HEADER, rows).encode())
    records = {} if proofs is None else proofs.records
    _show(network_path, network, items, seed, memorization, as_json, records, meaning)
    return exit_code([item.verdict for item in items], whole)


def _proofs(path: Path | None, exact_check: bool, *others: Any) -> Proofs | None:
    """None when no proof is asked for: most runs need not wait for the prover to be loaded."""
    if path is None and not exact_check:
        return None
    from relucert.commands.prove import Proofs

    return Proofs.wanted(path, exact_check, *others)


def _dividing(
    cubes: int | None,
    cluster: str | None,
    jobs: int,
    settings: tuple[str, str, int, float, int],
    limits: Callable[[], Limits],
    network_path: Path,
    property_path: Path | None,
    *others: Any,
) -> Dividing | None:
    """None when the question is not to be divided."""
    if cubes is None or property_path is None:
        return None
    from relucert.commands.cubes import Dividing
    from relucert.cubes.work import Settings

    return Dividing.wanted(
        cubes, cluster, jobs, Settings(*settings), limits, network_path, property_path, *others
    )


def _source(
    property_path: Path | None,
    data: Path | None,
    radius: Fraction | None,
    clip: tuple[Fraction, Fraction] | None,
) -> tuple[Path, Fraction]:
    """The file with the question, and the radius (0 for a property, which brings its box)."""
    source = data or property_path
    if source is None or (data is not None and property_path is not None):
        raise UsageError("give either a PROPERTY file or --data with --radius")
    if data is None and (radius is not None or clip is not None):
        raise UsageError("--radius and --clip go with --data; a PROPERTY brings its own box")
    if data is not None and radius is None:
        raise UsageError("--data needs --radius")
    if radius is not None and radius < 0:
        raise UsageError(f"--radius must not be negative, it is {float(radius)}")
    return source, radius or Fraction(0)


def _one_property(
    query: Query, question: Callable[[Query, Bar], Outcome]
) -> tuple[list[Item], list[tuple[object, ...]], bool]:
    started = time.monotonic()
    verdict: Verdict
    with progress_bar(1) as bar:
        bar.item(query.name)
        try:
            verdict = question(query, bar).verdict
        except KeyboardInterrupt as stop:
            standing = stop.standing if isinstance(stop, Interrupted) else None
            verdict = Unknown(Reason.INTERRUPTED, standing=standing)
    item = Item(query.name, verdict, time.monotonic() - started)
    return [item], [_row(item, "", "")], True


def _proved_together(
    network: Network, points: list[Point], ball: Callable[[Point], Query], check: bool
) -> tuple[dict[int, Outcome], bool]:
    """The balls that bounds for many at once prove, by row, and whether Ctrl-C came meanwhile.

    Their time is shared equally. check: see `proved_together`.
    """
    started, stopped = time.monotonic(), False
    proved: list[tuple[int, Proved]] = []
    with progress_bar(len(points)) as bar:
        bar.item("bounds for all balls")
        try:
            balls = Balls.of([ball(point) for point in points])
            for place, verdict in proved_together(network, balls, bar.reach, check):
                if verdict is not None:
                    proved.append((points[place].row, verdict))
        except MemoryError:
            return {}, False
        except KeyboardInterrupt:
            stopped = True
    if stopped:
        say(f"relucert: interrupted: {len(proved)} of {len(points)} points done")
    seconds = (time.monotonic() - started) / max(1, len(points))
    return {row: Outcome(verdict, seconds, 0) for row, verdict in proved}, stopped


def _many_points(
    points: list[Point], answer: Callable[[Point, Bar], Outcome], radius: Fraction
) -> tuple[list[Item], list[tuple[object, ...]], bool]:
    items: list[Item] = []
    rows: list[tuple[object, ...]] = []
    with progress_bar(len(points)) as bar:

        def work(point: Point) -> Outcome:
            bar.item(point.name)
            return answer(point, bar)

        def interrupted() -> None:
            say(f"relucert: interrupted: {len(items)} of {len(points)} points done")

        for point, outcome in run_all(points, work, interrupted):
            items.append(Item(point.name, outcome.verdict, outcome.seconds))
            rows.append(_row(items[-1], point.label, radius))
            bar.done(verdict_word(outcome.verdict))
    return items, rows, len(items) == len(points)


def _row(item: Item, label: object, radius: object) -> tuple[object, ...]:
    verdict = item.verdict
    seconds = f"{item.seconds:.3f}"
    return (item.name, label, radius, verdict_word(verdict), how(verdict), seconds)


def _write_witnesses(path: Path | None, items: list[Item], single: bool) -> None:
    """One file for a property; for points a folder with a file for each violation."""
    if path is None:
        return
    for item in items:
        if not isinstance(item.verdict, Violated):
            continue
        target = path if single else path / f"{item.name.replace(' ', '_')}.txt"
        if not single:
            make_folder(path)
        write_atomically(target, witness_text(item.verdict.witness).encode())


def _show(
    network_path: Path,
    network: Network,
    items: list[Item],
    seed: int,
    memorization: MemorizationResult | None,
    as_json: bool,
    proofs: dict[str, dict[str, Any]],
    meaning: Semantics,
) -> None:
    if as_json:
        results: list[dict[str, Any]] = [
            {"item": item.name, "seconds": round(item.seconds, 3)}
            | verdict_record(item.verdict)
            | proofs.get(item.name, {})
            for item in items
        ]
        whole = {} if memorization is None else {"memorization": memorization.record}
        head = header(network_path, seed) | {"semantics": meaning.word}
        print_json(head | whole | {"results": results})
        return
    print_table(items_table(f"{network.name}: {meaning.title}", items))
    if len(items) == 1 and isinstance(items[0].verdict, Violated):
        print(witness_text(items[0].verdict.witness), end="")
    if memorization is not None:
        print(memorization.words)
    for record in proofs.values():
        if "proof" not in record:
            continue
        print("proof: {file}, {bytes:,} bytes, {records:,} records, found in {found_seconds} s, "
              "checked in {check_seconds} s".format(**record["proof"]))  # fmt: skip
    print(f"{summary(items)}; seed {seed}")
