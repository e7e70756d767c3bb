"""The checker stays small enough to be read in an afternoon."""

from __future__ import annotations

import ast
from pathlib import Path

PROOF = Path(__file__).parents[2] / "src/relucert/proof"


def code_lines(path: Path) -> int:
    """Lines that are not blank, comment or docstring."""
    text = path.read_text(encoding="utf-8")
    documentation: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(
            node
        ):
            documentation |= set(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    return sum(
        bool(line.strip()) and not line.strip().startswith("#") and number not in documentation
        for number, line in enumerate(text.splitlines(), 1)
    )


def test_the_checker_is_small():
    assert 500 < sum(map(code_lines, PROOF.glob("*.py"))) < 1500
