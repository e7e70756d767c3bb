"""The Boolean side of a shape: which half-space excludes which point, proposed by a SAT solver.

Atoms of point p (from 0): wedge c_1, c_2 are the variables 2 p + 1, 2 p + 2; bevel c_1, c_2, c_3,
g_1, g_2 are 5 p + 1 .. 5 p + 5. Clauses that hold for every network of the shape: some c_j; for
bevels also g_1 or g_2 unless c_1 or c_2 (z1 + z2 > c > (z1 + z2)(reference)), and c_k implies
g_k. The two neurons may be exchanged, so c_1 (wedge) or g_1 (bevel) may be asked of point 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from relucert.errors import SolverError
from relucert.limits import Limits
from relucert.memorization.decision.conflicts import AloneConflict, Conflict

__all__ = ["ShapeSat", "require_sat_solver"]

_CONFLICTS_AT_ONCE = 5000


def require_sat_solver() -> None:
    """Raise SolverError when python-sat is not installed."""
    try:
        import pysat.solvers  # noqa: F401
    except ImportError:
        raise SolverError(
            "deciding width 2 by clause learning needs python-sat, which is not installed: "
            "pip install 'relucert[sat]', or choose --engine milp"
        ) from None


class ShapeSat:
    """kind: "wedge" or "bevel"; points: how many lie outside at the start."""

    def __init__(self, kind: str, points: int) -> None:
        from pysat.solvers import Solver

        self.kind = kind
        self.atoms = 2 if kind == "wedge" else 5
        self.half_spaces = 2 if kind == "wedge" else 3
        self.clauses: list[list[int]] = []
        self._points = 0
        self._solver: Any = Solver(name="glucose4")
        self.add_points(points)
        self._add([self.literal(0, 1 if kind == "wedge" else 4)])

    def close(self) -> None:
        """Free the solver."""
        self._solver.delete()

    def literal(self, point: int, atom: int) -> int:
        """The variable of atom 1..5 (c_1, c_2, c_3, g_1, g_2) of a point."""
        return self.atoms * point + atom

    def add_points(self, count: int) -> None:
        """State what holds for every point of the shape."""
        for point in range(self._points, self._points + count):
            base = self.atoms * point
            self._add([base + j for j in range(1, self.half_spaces + 1)])
            if self.kind == "bevel":
                self._add([-base - 3, base + 4, base + 5])
                self._add([-base - 1, base + 4])
                self._add([-base - 2, base + 5])
        self._points += count

    def learn(self, conflict: Conflict) -> None:
        """Add the clauses that an exact conflict stands for."""
        if isinstance(conflict, AloneConflict):
            for j in range(1, 3 if conflict.beyond else self.half_spaces + 1):
                clause = [-self.literal(point, j) for point in conflict.excluded]
                self._add(clause + [-self.literal(point, 3 + j) for point in conflict.beyond])
            return
        for order in ((1, 2, 3), (2, 1, 3)):
            self._add(
                [
                    -self.literal(point, j)
                    for j, members in zip(order, conflict.excluded, strict=True)
                    for point in members
                ]
            )

    def propose(self, limits: Limits) -> list[set[int]] | None:
        """The points of every atom (by number, from 1); None when there are none that fit.

        Empty when the time is up.
        """
        while True:
            self._solver.conf_budget(_CONFLICTS_AT_ONCE)
            answer = _interruptible(self._solver.solve_limited)
            if answer is not None:
                break
            if limits.out_of_time:
                return []
        if not answer:
            return None
        true = {literal for literal in self._solver.get_model() if literal > 0}
        return [set()] + [
            {p for p in range(self._points) if self.literal(p, atom) in true}
            for atom in range(1, self.atoms + 1)
        ]

    def proof(self, limits: Limits) -> list[str] | None:
        """A DRUP refutation of all clauses so far, by a fresh solver; None when time is up."""
        from pysat.solvers import Solver

        with Solver(name="cadical195", with_proof=True, bootstrap_with=self.clauses) as solver:
            answer = None
            while answer is None and not limits.out_of_time:
                solver.conf_budget(_CONFLICTS_AT_ONCE)
                answer = _interruptible(solver.solve_limited)
            if answer is None:
                return None
            if answer:
                raise SolverError("two SAT solvers contradict each other on the learned clauses")
            lines = [line for line in solver.get_proof() or () if line.strip()]
        return lines if lines and lines[-1] == "0" else [*lines, "0"]

    def _add(self, clause: list[int]) -> None:
        self.clauses.append(clause)
        self._solver.add_clause(clause)


def _interruptible(solve: Callable[[], Any]) -> Any:
    """Run the solver; the error that it makes of Ctrl-C becomes KeyboardInterrupt again."""
    from pysolvers import error as solver_error

    try:
        return solve()
    except solver_error as error:
        if "interrupt" in str(error).lower():
            raise KeyboardInterrupt from None
        raise SolverError(f"the SAT solver failed: {error}") from None
