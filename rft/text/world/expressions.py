"""Expressions of the embedded world: a problem's computation as a form, and the binary trees that compute it.

A `Form` says WHAT is computed (sums of signed terms, products, exact quotients); a `Step` tree says HOW, one equation
per step (`routes.routes` lists every tree of a form; `canonical_route` gives the first).

Every quantity carries its value and its mark. The mark is the quantity as a formula over the given numbers, evaluated
modulo a large prime at fixed pseudo-random points (Schwartz 1980, Zippel 1979): two quantities have the same mark
exactly when they are the same formula, up to a chance of about 1e-17, whatever their values happen to be.

    >>> bags = Prod((given(0, 3), given(1, 17)))            # 3 bags of 17
    >>> left = Sum(((1, bags), (-1, given(2, 5))))          # less 5
    >>> canonical_text(left)
    '(+(*17,3),-5)'
    >>> [f"{s.left.value}{s.op}{s.right.value}={s.value}" for s in steps_of(canonical_route(left, limit=100))]
    ['3*17=51', '51-5=46']
"""

from __future__ import annotations

import hashlib
import math
from functools import lru_cache
from typing import NamedTuple

PRIME = (1 << 61) - 1  # modulus of marks, a Mersenne prime


class Leaf(NamedTuple):
    """A number of the question, or a constant such as the 2 of 'half'."""

    value: int
    mark: int


class Step(NamedTuple):
    """One equation: `left op right = value`."""

    op: str  # + - * /
    left: Leaf | Step
    right: Leaf | Step
    value: int
    mark: int


class Sum(NamedTuple):
    """Signed terms, (+1 or -1, form) each; the first is positive."""

    terms: tuple[tuple[int, Form], ...]


class Prod(NamedTuple):
    """Factors."""

    factors: tuple[Form, ...]


class Div(NamedTuple):
    """An exact quotient by a leaf."""

    top: Form
    bottom: Leaf


class Alt(NamedTuple):
    """The same quantity written in several ways, the canonical one first."""

    options: tuple[Form, ...]


Tree = Leaf | Step
Form = Leaf | Sum | Prod | Div | Alt


def given(index: int, value: int) -> Leaf:
    """The leaf of the question's number `index` (0-based)."""
    return Leaf(value, _given_mark(index))


@lru_cache(maxsize=256)
def _given_mark(index: int) -> int:
    digest = hashlib.sha256(f"given {index}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % PRIME


def const(value: int) -> Leaf:
    """A constant of the computation: its mark is its value."""
    return Leaf(value, value)


def apply_mark(op: str, left: int, right: int) -> int:
    """Mark of `left op right`. Division by a mark of 0 gives 0 (no licensed quantity has that mark)."""
    if op == "+":
        return (left + right) % PRIME
    if op == "-":
        return (left - right) % PRIME
    if op == "*":
        return left * right % PRIME
    return left * _inverse(right) % PRIME


@lru_cache(maxsize=4096)
def _inverse(mark: int) -> int:
    return pow(mark, PRIME - 2, PRIME)


def step(op: str, left: Tree, right: Tree, *, limit: int) -> Step | None:
    """The equation `left op right`, or None unless its result is a whole number in 1..limit."""
    a, b = left.value, right.value
    if op == "/":
        if b == 0 or a % b:
            return None
        value = a // b
    else:
        value = a + b if op == "+" else a - b if op == "-" else a * b
    if not 1 <= value <= limit:
        return None
    return Step(op, left, right, value, apply_mark(op, left.mark, right.mark))


def steps_of(tree: Tree) -> list[Step]:
    """The distinct steps of a tree in post-order."""
    found: dict[Step, None] = {}

    def visit(node: Tree) -> None:
        if isinstance(node, Step):
            visit(node.left)
            visit(node.right)
            found.setdefault(node)

    visit(tree)
    return list(found)


def canonical_route(form: Form, *, limit: int) -> Step | None:
    """The tree that folds a form left to right, first options taken; None when a result leaves 1..limit."""
    tree = _fold(form, limit)
    return tree if isinstance(tree, Step) else None


def value_of(form: Form) -> int:
    """The value of a form whose quotients are exact."""
    match form:
        case Leaf():
            return form.value
        case Sum():
            return sum(sign * value_of(term) for sign, term in form.terms)
        case Prod():
            return math.prod(map(value_of, form.factors))
        case Div():
            return value_of(form.top) // form.bottom.value
        case Alt():
            return value_of(form.options[0])


def canonical_text(form: Form) -> str:
    """The computation and its numbers, whatever the order of commuting parts: '(+(*3,17),-5)'. Two problems with
    the same text are the same problem in other words."""
    match form:
        case Leaf():
            return str(form.value)
        case Alt():
            return canonical_text(form.options[0])
        case Div():
            return f"({canonical_text(form.top)}/{form.bottom.value})"
        case Prod():
            flat = flat_factors(tuple(_first(f) for f in form.factors))
            return "(*" + ",".join(sorted(canonical_text(f) for f in flat)) + ")"
        case Sum():
            terms = flat_terms(tuple((s, _first(t)) for s, t in form.terms))
            return "(" + ",".join(sorted("+-"[s < 0] + canonical_text(t) for s, t in terms)) + ")"


def _first(form: Form) -> Form:
    return form.options[0] if isinstance(form, Alt) else form


def flat_terms(terms: tuple[tuple[int, Form], ...]) -> tuple[tuple[int, Form], ...]:
    """Signed terms with sums inside them taken apart."""
    flat: list[tuple[int, Form]] = []
    for sign, term in terms:
        if isinstance(term, Sum):
            flat += [(sign * s, t) for s, t in flat_terms(tuple((s, _first(t)) for s, t in term.terms))]
        else:
            flat.append((sign, term))
    return tuple(flat)


def flat_factors(factors: tuple[Form, ...]) -> tuple[Form, ...]:
    """Factors with products inside them taken apart."""
    flat: list[Form] = []
    for factor in factors:
        flat += flat_factors(tuple(map(_first, factor.factors))) if isinstance(factor, Prod) else [factor]
    return tuple(flat)


def _fold(form: Form, limit: int) -> Tree | None:
    """Left-to-right tree of a form."""
    match form:
        case Leaf():
            return form
        case Alt():
            return _fold(form.options[0], limit)
        case Div():
            top = _fold(form.top, limit)
            return top and step("/", top, form.bottom, limit=limit)
        case Prod():
            parts = [(1, f) for f in form.factors]
            plus, minus = "*", "*"
        case Sum():
            parts = list(form.terms)
            plus, minus = "+", "-"
    tree = _fold(parts[0][1], limit)
    for sign, part in parts[1:]:
        right = _fold(part, limit)
        if tree is None or right is None:
            return None
        tree = step(plus if sign > 0 else minus, tree, right, limit=limit)
    return tree
