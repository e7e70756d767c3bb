"""Linear terms over named variables, as property files write them; all numbers exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Term", "combine_terms"]

# Both parts of a rational stay short enough for its text to be read back.
_MAX_BITS = 6000


@dataclass(frozen=True)
class Term:
    """``sum coefficients[name] * name + constant``; no coefficient is zero."""

    coefficients: dict[str, Fraction]
    constant: Fraction

    def scaled(self, factor: Fraction) -> Term:
        """The product with a number."""
        if not factor:
            return Term({}, Fraction(0))
        scaled = {name: _short(value * factor) for name, value in self.coefficients.items()}
        return Term(scaled, _short(self.constant * factor))

    def minus(self, other: Term) -> Term:
        """The difference."""
        return _sum([self, other.scaled(Fraction(-1))])


def combine_terms(operator: str, terms: Sequence[Term]) -> Term:
    """``+ - * /`` of terms as SMT-LIB means them.

    Raises ValueError, with the reason, for an unknown operator, for products and quotients
    that are not linear, and for numbers that grow beyond 6,000 bits.
    """
    if operator not in ("+", "-", "*", "/"):
        raise ValueError(f"operator {operator!r} is not known")
    if not terms:
        raise ValueError(f"'{operator}' has nothing to work on")
    first = terms[0]
    if operator == "+":
        return _sum(terms)
    if operator == "-":
        if len(terms) == 1:
            return first.scaled(Fraction(-1))
        return first.minus(_sum(terms[1:]))
    if len(terms) == 1:
        raise ValueError(f"'{operator}' needs two arguments")
    return _product(terms) if operator == "*" else _quotient(first, terms[1:])


def _sum(terms: Sequence[Term]) -> Term:
    coefficients: dict[str, Fraction] = {}
    constant = Fraction(0)
    for term in terms:
        constant = _short(constant + term.constant)
        for name, value in term.coefficients.items():
            before = coefficients.get(name)
            coefficients[name] = value if before is None else _short(before + value)
    return Term({name: value for name, value in coefficients.items() if value}, constant)


def _product(terms: Sequence[Term]) -> Term:
    product = Term({}, Fraction(1))
    for term in terms:
        if not term.coefficients:
            product = product.scaled(term.constant)
        elif not product.coefficients:
            product = term.scaled(product.constant)
        else:
            raise ValueError("a product of two variables is not linear")
    return product


def _quotient(first: Term, divisors: Sequence[Term]) -> Term:
    quotient = first
    for divisor in divisors:
        if divisor.coefficients:
            raise ValueError("a quotient by a variable is not linear")
        if not divisor.constant:
            raise ValueError("division by zero")
        quotient = quotient.scaled(1 / divisor.constant)
    return quotient


def _short(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > _MAX_BITS:
        raise ValueError(f"a number grows beyond {_MAX_BITS:,} bits")
    return value
