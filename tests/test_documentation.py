"""Every command and every Python block that the documentation shows is run, page by page.

A comment just above a block says what is special about it: ``<!-- exit: 1 -->``,
``<!-- slow: reason -->`` or ``<!-- not run: reason -->``. Blocks without a language that begin with
a command count too. The README's commands speak of the reader's own files; here they have some.
"""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"((?:^<!--[^\n]*-->\n)*)^```([a-z]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = re.compile(r"<!-- (exit|slow|not run|certify|tests)(?:: *(.*?))? -->")
COMMAND = re.compile(r"^(?:relucert|reductions|python benchmarks)\b")
MARKED = ("index.md", "contributing.md", "tutorials", "how-to", "notebooks")
DIGITS = "instances/digits"

# Commands in pages without marks that this machine need not have the files, tools or hours for.
ELSEWHERE = {
    "benchmarks.md": "measurements on the competition's files, which do not ship",
    "comparing.md": "other verifiers, which do not ship",
}
README_FILES = {
    "net.onnx": f"{DIGITS}/dense_16x2.onnx",
    "narrow.onnx": f"{DIGITS}/dense_16x2.onnx",
    "points.npz": f"{DIGITS}/test_points.npz",
    "property.vnnlib": f"{DIGITS}/properties/robust_5_0.02.vnnlib",
    "points.csv": "docs/plane.csv",
}
LIST = "family,network,property,timeout_s,expected\nmine,net.onnx,property.vnnlib,20,unsat\n"
# The README's files are the reader's; with those above these commands end otherwise than with 0.
README_CODES = {
    "relucert certify net.onnx --data": 1,
    "relucert certify   out/network.onnx": 1,
    "relucert train": 1,
    "relucert refute": 1,
}


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, text, line in the page, and marks by name."""

    language: str
    text: str
    line: int
    marks: dict


def blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        marks = {name: value or "" for name, value in MARK.findall(match[1])}
        line = text.count("\n", 0, match.start(2)) + 1
        found.append(Block(match[2], match[3], line, marks))
    return found


def marked_pages() -> list[Path]:
    docs = ROOT / "docs"
    pages = [page for name in MARKED for page in (docs / name).rglob("*.md")]
    return sorted([*pages, *(docs / name for name in MARKED if name.endswith(".md"))])


def environment() -> dict:
    """The programs of this interpreter first, without files from one run to the next."""
    own = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return {**os.environ, **own, "OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "COLUMNS": "200"}


def checkout(folder: Path, *, all_files: bool) -> None:
    shutil.copytree(ROOT / "instances" / "digits", folder / "instances" / "digits")
    (folder / "docs").mkdir()
    shutil.copy(ROOT / "docs" / "plane.csv", folder / "docs")
    if all_files:
        bundle = "instances/bundles/random-12-unsat-verification"
        shutil.copytree(ROOT / bundle, folder / bundle)
        (folder / "docs/notebooks").mkdir()
        for notebook in (ROOT / "docs/notebooks").glob("*.py"):
            shutil.copy(notebook, folder / "docs/notebooks")
        shutil.copytree(
            ROOT / "tests/reductions/broken_rules", folder / "tests/reductions/broken_rules"
        )


def run_block(block: Block, folder: Path, page: Path) -> None:
    if block.language == "python":
        command = [sys.executable, "-c", block.text]
    else:
        command = ["bash", "-euo", "pipefail", "-c", block.text]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    expected = int(block.marks.get("exit", 0))
    where = f"{page.relative_to(ROOT)}, line {block.line}"
    assert done.returncode == expected, f"{where}: {done.stdout[-600:]}{done.stderr[-1200:]}"
    assert "Traceback" not in done.stderr, where


def runnable(page: Path) -> list[Block]:
    return [
        block
        for block in blocks(page)
        if block.language in ("sh", "console", "python") and "not run" not in block.marks
    ]


def run_page(page: Path, folder: Path, *, slow: bool) -> int:
    checkout(folder, all_files=True)
    chosen = [block for block in runnable(page) if slow or "slow" not in block.marks]
    for block in chosen:
        run_block(block, folder, page)
    return len(chosen)


def has(page: Path, mark: str) -> bool:
    return any(mark in block.marks for block in blocks(page))


@pytest.mark.parametrize("page", marked_pages(), ids=lambda page: page.stem)
def test_the_commands_of_a_page_work(page, tmp_path):
    expected = [block for block in runnable(page) if "slow" not in block.marks]
    assert run_page(page, tmp_path, slow=False) == len(expected)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page in marked_pages() if has(page, "slow")], ids=lambda page: page.stem
)
def test_the_long_commands_of_a_page_work(page, tmp_path):
    assert run_page(page, tmp_path, slow=True) == len(runnable(page))


def test_every_exception_gives_a_reason():
    for page in marked_pages():
        for block in blocks(page):
            for name in ("slow", "not run"):
                assert block.marks.get(name, "reason"), f"{page}, line {block.line}"


def test_every_block_of_commands_is_marked_as_such():
    """A command in a block without a language would be run by nobody."""
    for page in sorted((ROOT / "docs").rglob("*.md")):
        for block in blocks(page):
            if COMMAND.match(block.text) and block.language not in ("sh", "console"):
                assert page.name in ELSEWHERE, f"{page}, line {block.line}"


def readme_commands() -> list[str]:
    text = "".join(
        block.text
        for block in blocks(ROOT / "README.md")
        if COMMAND.match(block.text) and not {"certify", "tests"} & set(block.marks)
    )
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def readme_folder(folder: Path) -> None:
    checkout(folder, all_files=False)
    for name, source in README_FILES.items():
        shutil.copy(ROOT / source, folder / name)
    (folder / "list.csv").write_text(LIST, encoding="utf-8")


def name_of(command: str) -> str:
    return " ".join(command.split()[:2])


def run_readme(folder: Path, commands: list[str]) -> None:
    readme_folder(folder)
    for command in commands:
        code = next((c for begin, c in README_CODES.items() if command.startswith(begin)), 0)
        run_block(Block("sh", command, 0, {"exit": str(code)}), folder, ROOT / "README.md")


def test_commands_that_only_the_readme_shows_work(tmp_path):
    shown = "".join(
        block.text
        for page in marked_pages()
        for block in runnable(page)
        if "slow" not in block.marks
    )
    names = {name_of(line) for line in shown.splitlines()}
    commands = readme_commands()
    assert len(commands) > 10
    run_readme(tmp_path, [line for line in commands if name_of(line) not in names])


@pytest.mark.slow
def test_all_commands_of_the_readme_work(tmp_path):
    run_readme(tmp_path, readme_commands())


def test_the_python_of_the_readme_works(tmp_path):
    checkout(tmp_path, all_files=False)
    found = [block for block in blocks(ROOT / "README.md") if block.language == "python"]
    assert found
    for block in found:
        run_block(block, tmp_path, ROOT / "README.md")
