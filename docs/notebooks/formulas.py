"""Formulas as students type them: read with friendly answers to mistakes, and shown again.

Two ways to write a formula are read. In words, one clause in parentheses or on a line of its own::

    (a or b) and (not a or c)
    not b or not c

or in numbers as in DIMACS files, one clause a line; a 0 may end a line, and a header is read::

    1 2
    -1 3
    -2 -3
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from reductions.problems import Satisfiability

__all__ = ["PageLimits", "TypedFormula", "quoted", "read_formula"]

LONGEST_TEXT = 2000
_HOW = "Write clauses such as <code>(a or not b)</code>, with <code>and</code> between them."
_SYMBOLS = {
    "&": "and", "&&": "and", "∧": "and", "/\\": "and",
    "|": "or", "||": "or", "∨": "or", "\\/": "or",
    "!": "not", "~": "not", "¬": "not", "-": "not", "−": "not",
    "(": "(", ")": ")", "\n": "\n",
}  # fmt: skip
_WORDS = ("and", "or", "not")
_TOKEN = re.compile(
    r"[^\S\n]+|(?P<name>[A-Za-zα-ωΑ-Ω0-9_]+)|(?P<symbol>&&|\|\||/\\|\\/|[&∧|∨!~¬−()\n-])|(?P<other>.)"
)
_NAME = re.compile(r"[A-Za-zα-ωΑ-Ω][A-Za-z0-9]{0,7}|[1-9][0-9]{0,3}")
_NUMBERS = re.compile(r"(?:\s|[+-]?[0-9]+(?![^\s]))*")
_HEADER = re.compile(r"p\s+cnf\s+[0-9]+\s+[0-9]+\s*")


@dataclass(frozen=True)
class PageLimits:
    """What a page shows in full: variables, clauses, and literals of one clause."""

    variables: int = 8
    clauses: int = 16
    literals: int = 6


@dataclass(frozen=True)
class TypedFormula:
    """A formula and what its variables are called; clauses as they were typed."""

    formula: Satisfiability
    names: tuple[str, ...]

    @property
    def helper(self) -> str:
        """A name for one more variable: s, or the next letter that is free."""
        free: tuple[str, ...] = (*"stuvwxyz", "helper")
        return next(name for name in free if name not in self.names)

    def literal(self, literal: int) -> str:
        """A literal as people write it; the variable after the last is the helper."""
        index = abs(literal) - 1
        name = self.names[index] if index < len(self.names) else self.helper
        return name if literal > 0 else f"¬{name}"

    def clause(self, clause: tuple[int, ...]) -> str:
        """A clause as people write it."""
        return " ∨ ".join(map(self.literal, clause)) or "(empty)"


class _MistakeError(Exception):
    """What is wrong, as a sentence in Markdown."""


def quoted(text: str) -> str:
    """Text that somebody typed, shortened, so that Markdown and HTML take it for text."""
    short = text if len(text) <= 30 else f"{text[:30]}..."
    return f"<code>{''.join(c if c.isalnum() else f'&#{ord(c)};' for c in short)}</code>"


def read_formula(text: str, limits: PageLimits | None = None) -> TypedFormula | str:
    """The formula, or one sentence (Markdown) about what is wrong and what to do."""
    limits = limits or PageLimits()
    if len(text) > LONGEST_TEXT:
        return f"The text has {len(text):,} characters; this page reads up to {LONGEST_TEXT:,}."
    if not text.strip():
        return f"There is no formula yet. {_HOW}"
    try:
        # In words a line "c or d" is a clause, not a comment, and "p or q" is no header.
        lines = ["" if re.match(r"c(\s|$)", line) else line for line in text.splitlines()]
        first = next((line for line in lines if line.strip()), "")
        if re.match(r"p\s+(cnf\b|[0-9])", first) or _is_dimacs(lines):
            return _in_numbers(lines, limits)
        if _NUMBERS.fullmatch(text):
            return _in_numbers(text.splitlines(), limits)
        return _in_words(text, limits)
    except _MistakeError as mistake:
        return str(mistake)


def _checked(count: int, limit: int, what: str) -> None:
    if count > limit:
        raise _MistakeError(f"The formula has {count:,} {what}; this page takes up to {limit}.")


def _checked_clauses(clauses: list[list[int]], limits: PageLimits) -> tuple[tuple[int, ...], ...]:
    _checked(len(clauses), limits.clauses, "clauses")
    for number, clause in enumerate(clauses, 1):
        if len(clause) > limits.literals:
            raise _MistakeError(
                f"Clause {number} has {len(clause)} literals; this page takes up to "
                f"{limits.literals} in a clause."
            )
    return tuple(map(tuple, clauses))


# Numbers.


def _is_dimacs(lines: list[str]) -> bool:
    """Whether these are numbers of which a 0 ends a line: words cannot be meant."""
    ended = any(line.split()[-1:] == ["0"] for line in lines)
    return ended and _NUMBERS.fullmatch("\n".join(lines)) is not None


def _in_numbers(lines: list[str], limits: PageLimits) -> TypedFormula:
    clauses: list[list[int]] = []
    declared: tuple[int, int] | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if line.startswith("p"):
            if declared or clauses or not _HEADER.fullmatch(line) or len(line) > 60:
                raise _MistakeError(
                    f"Line {number}, {quoted(line.strip())}: a header is <code>p cnf</code>, the "
                    "number of variables and the number of clauses, once, in the first line. It "
                    "may be left out."
                )
            declared = (int(line.split()[2]), int(line.split()[3]))
            _checked(declared[0], limits.variables, "variables")
            continue
        clauses.append(_numbered_clause(number, line, limits))
    if declared and len(clauses) != declared[1]:
        raise _MistakeError(
            f"The header says {declared[1]} clauses, but there are {len(clauses)} lines of them. "
            "Mend the header or leave it out."
        )
    largest = max((abs(literal) for clause in clauses for literal in clause), default=0)
    if declared and largest > declared[0]:
        raise _MistakeError(
            f"There is a variable {largest}, but the header says {declared[0]} variables."
        )
    if not clauses:
        raise _MistakeError(f"There is no clause yet. {_HOW}")
    _checked(largest, limits.variables, "variables (the largest number counts)")
    count = max(declared[0] if declared else 0, largest)
    return TypedFormula(
        Satisfiability(count, _checked_clauses(clauses, limits)),
        tuple(f"x{variable}" for variable in range(1, count + 1)),
    )


def _numbered_clause(number: int, line: str, limits: PageLimits) -> list[int]:
    words = line.split()
    where = f"Line {number}, {quoted(line.strip())}:"
    for word in words:
        if not re.fullmatch(r"[+-]?[0-9]+", word, re.ASCII):
            raise _MistakeError(f"{where} after a header every line is a clause in numbers.")
        if len(word) > 9:
            raise _MistakeError(
                f"{where} variables are numbered from 1 to at most {limits.variables} here."
            )
    literals = [int(word) for word in words]
    if literals[-1] == 0 and len(literals) > 1:
        literals.pop()
    if 0 in literals:
        raise _MistakeError(
            f"{where} 0 is no literal, as it has no negation: variables are numbered from 1. A 0 "
            "may only end a line."
        )
    return literals


# Words.


@dataclass(frozen=True)
class _Token:
    kind: str  # name, and, or, not, (, ), a new line
    text: str
    line: int

    @property
    def where(self) -> str:
        return f"Line {self.line}:"


def _tokens(text: str) -> list[_Token]:
    found, line = [], 1
    for match in _TOKEN.finditer(text):
        word = match.group()
        if match["other"] is not None:
            raise _MistakeError(
                f"Line {line}: {quoted(word)} is not read here. {_HOW} Symbols such as "
                "<code>&#124; &amp; !</code> and DIMACS numbers do, too."
            )
        if match["symbol"] is not None:
            found.append(_Token(_SYMBOLS[word], word, line))
            line += word == "\n"
        elif match["name"] is not None:
            found.append(_Token(_kind_of(word, line), word, line))
    return found


def _kind_of(word: str, line: int) -> str:
    if word.lower() in _WORDS:
        return word.lower()
    if word.strip("0") == "":
        raise _MistakeError(
            f"Line {line}: 0 is no literal, as it has no negation: variables are numbered from 1."
        )
    if word.lower() in {"xor", "iff", "implies", "nand", "nor", "true", "false"}:
        raise _MistakeError(f"Line {line}: {quoted(word)} is not read here. {_HOW}")
    if not _NAME.fullmatch(word):
        raise _MistakeError(
            f"Line {line}: {quoted(word)} is no name for a variable. A name is a letter and up to "
            "7 more letters or digits, or a number from 1."
        )
    return "name"


def _in_words(text: str, limits: PageLimits) -> TypedFormula:
    clauses = _Reader(_tokens(text)).clauses()
    names = tuple(dict.fromkeys(name for clause in clauses for name, _ in clause))
    _checked(len(names), limits.variables, "variables")
    numbers = {name: number for number, name in enumerate(names, 1)}
    numbered = [[sign * numbers[name] for name, sign in clause] for clause in clauses]
    return TypedFormula(Satisfiability(len(names), _checked_clauses(numbered, limits)), names)


class _Reader:
    """Clauses of tokens. A new line ends a clause where nothing else says that it goes on."""

    def __init__(self, tokens: list[_Token]) -> None:
        last = tokens[-1].line if tokens else 1
        self.tokens = [*tokens, _Token("end", "the end", last)]
        self.place = 0

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def skip_lines(self) -> None:
        while self.now.kind == "\n":
            self.place += 1

    def goes_on_with(self, kind: str) -> bool:
        """Whether this token comes next, new lines aside; then it is taken."""
        start = self.place
        self.skip_lines()
        if self.now.kind == kind:
            self.place += 1
            return True
        self.place = start
        return False

    def clauses(self) -> list[list[tuple[str, int]]]:
        found = []
        self.skip_lines()
        joined = False
        while self.now.kind != "end":
            first, bare = self.now, self.now.kind != "("
            clause = self.clause()
            found.append(clause)
            follows = self.goes_on_with("and")
            if bare and len(clause) > 1 and (joined or follows):
                raise _MistakeError(
                    f"{first.where} put the clause of {quoted(clause[0][0])} and "
                    f"{quoted(clause[-1][0])} into parentheses, as <code>and</code> stands beside "
                    "it. (Conjunctive normal form: clauses with <code>or</code> inside, "
                    "<code>and</code> between them.)"
                )
            joined = follows
            if not follows and self.now.kind not in {"\n", "end"}:
                self.refuse("and</code> or a new line, then the next clause; not <code>")
            self.skip_lines()
            if follows and self.now.kind == "end":
                raise _MistakeError(f"{self.now.where} a clause is missing after the last and.")
        if not found:
            raise _MistakeError(f"There is no clause yet. {_HOW}")
        return found

    def clause(self) -> list[tuple[str, int]]:
        opened = self.now if self.now.kind == "(" else None
        if opened:
            self.place += 1
            self.skip_lines()
            if self.now.kind == ")":
                raise _MistakeError(
                    f"{opened.where} an empty clause is never true. Leave it out or, to say that, "
                    "write <code>a and not a</code>."
                )
        literals = [self.literal()]
        while self.goes_on_with("or"):
            literals.append(self.literal())
        if opened and not self.goes_on_with(")"):
            if self.now.kind in {"end", "\n"}:
                raise _MistakeError(f"{opened.where} a parenthesis is opened and never closed.")
            self.refuse("or</code> or <code>)</code> inside a clause; not <code>")
        return literals

    def literal(self) -> tuple[str, int]:
        sign = 1
        self.skip_lines()
        while self.now.kind == "not":
            sign = -sign
            self.place += 1
            self.skip_lines()
        if self.now.kind == "(":
            raise _MistakeError(
                f"{self.now.where} parentheses hold a clause, and nothing else: neither a "
                "parenthesis inside another nor <code>not</code> before one is read here."
            )
        if self.now.kind != "name":
            self.refuse("a</code> or <code>not a</code>, a literal; not <code>")
        self.place += 1
        name = self.tokens[self.place - 1].text
        return f"x{name}" if name.isdigit() else name, sign

    def refuse(self, expected: str) -> None:
        given = "the end" if self.now.kind in {"end", "\n"} else self.now.text
        raise _MistakeError(
            f"{self.now.where} here should be <code>{expected}"
            f"{''.join(f'&#{ord(c)};' for c in given[:20])}</code>."
        )
