"""Expressions of the embedded world: a problem's computation as a form, and every binary tree that computes it.

A `Form` says WHAT is computed (sums of signed terms, products, exact quotients); a `Step` tree says HOW, one equation
per step. `routes(form, limit)` turns the first into all of the second: groupings of sums and products, distributive
and complement routes, in a canonical order whose first element is the canonical route.

Every quantity carries its value and its mark. The mark is the quantity as a formula over the given numbers, evaluated
modulo a large prime at fixed pseudo-random points (Schwartz 1980, Zippel 1979): two quantities have the same mark
exactly when they are the same formula, up to a chance of about 1e-17, whatever their values happen to be.

    bags = Prod((given(0, 3), given(1, 17)))
    left = Sum(((1, bags), (-1, given(2, 5))))
    [tree.value for tree in routes(left, limit=100)]        # [46]: (3*17)-5
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

PRIME = (1 << 61) - 1  # modulus of marks, a Mersenne prime
MAX_FORMS = 24  # rewritten forms of one problem; routes beyond are not enumerated
MAX_TREES = 240  # binary trees of one problem
MAX_FLAT = 4  # terms of a flattened sum or product; a longer chain keeps its inner grouping


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


def routes(form: Form, *, limit: int, most: int = MAX_TREES) -> list[Step]:
    """Every tree that computes `form` with results in 1..limit: distinct, canonical first, the first `most` of them."""
    first = canonical_route(form, limit=limit)
    found: dict[Step, None] = {} if first is None else {first: None}
    for plain in _rewrite(form)[:MAX_FORMS]:
        for tree in _trees(plain, limit):
            if isinstance(tree, Step) and not _repeats(tree):
                found.setdefault(tree)
            if len(found) >= most:
                return list(found)
    return list(found)


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


def _repeats(tree: Step) -> bool:
    """Whether it computes one quantity twice, by two routes."""
    marks = [node.mark for node in steps_of(tree)]
    return len(set(marks)) < len(marks)


def canonical_route(form: Form, *, limit: int) -> Step | None:
    """The first of `routes` without enumerating the rest: left to right, first options; None when it leaves 1..limit."""
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
            flat = _flat_factors(tuple(_first(f) for f in form.factors))
            return "(*" + ",".join(sorted(canonical_text(f) for f in flat)) + ")"
        case Sum():
            flat_terms = _flat_terms(tuple((s, _first(t)) for s, t in form.terms))
            return "(" + ",".join(sorted("+-"[s < 0] + canonical_text(t) for s, t in flat_terms)) + ")"


def _first(form: Form) -> Form:
    return form.options[0] if isinstance(form, Alt) else form


def _flat_terms(terms: tuple[tuple[int, Form], ...]) -> tuple[tuple[int, Form], ...]:
    flat: list[tuple[int, Form]] = []
    for sign, term in terms:
        if isinstance(term, Sum):
            flat += [(sign * s, t) for s, t in _flat_terms(tuple((s, _first(t)) for s, t in term.terms))]
        else:
            flat.append((sign, term))
    return tuple(flat)


def _flat_factors(factors: tuple[Form, ...]) -> tuple[Form, ...]:
    flat: list[Form] = []
    for factor in factors:
        flat += _flat_factors(tuple(map(_first, factor.factors))) if isinstance(factor, Prod) else [factor]
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


def _rewrite(form: Form) -> list[Form]:
    """Forms without Alt that compute the same, canonical first: options, flattening, distributive laws."""
    match form:
        case Leaf():
            return [form]
        case Alt():
            return [plain for option in form.options for plain in _rewrite(option)]
        case Sum():
            parts = itertools.product(*(_rewrite(t) for _, t in form.terms))
            signs = [s for s, _ in form.terms]
            return [_flatten_sum(tuple(zip(signs, combo, strict=True))) for combo in itertools.islice(parts, MAX_FORMS)]
        case Prod():
            combos = itertools.islice(itertools.product(*(_rewrite(f) for f in form.factors)), MAX_FORMS)
            flat = [_flatten_prod(combo) for combo in combos]
            return flat + [spread for prod in flat for spread in _distribute(prod)]
        case Div():
            tops = _rewrite(form.top)
            plain: list[Form] = [Div(top, form.bottom) for top in tops]
            return plain + [spread for top in tops for spread in _divide(top, form.bottom)]


def _flatten_sum(terms: tuple[tuple[int, Form], ...]) -> Form:
    flat = _flat_terms(terms)
    return Sum(flat if len(flat) <= MAX_FLAT else terms)


def _flatten_prod(factors: tuple[Form, ...]) -> Prod:
    flat = _flat_factors(factors)
    return Prod(flat if len(flat) <= MAX_FLAT else factors)


def _distribute(prod: Prod) -> Iterator[Form]:
    """k * (a + b) as k*a + k*b."""
    for index, factor in enumerate(prod.factors):
        if isinstance(factor, Sum):
            others = prod.factors[:index] + prod.factors[index + 1 :]
            yield Sum(tuple((sign, _flatten_prod((*others, term))) for sign, term in factor.terms))


def _divide(top: Form, bottom: Leaf) -> Iterator[Form]:
    """(a + b) / k as a/k + b/k, and (a * b) / k as (a/k) * b; those that do not divide exactly fall out later."""
    if isinstance(top, Sum):
        yield Sum(tuple((sign, Div(term, bottom)) for sign, term in top.terms))
    if isinstance(top, Prod):
        for index, factor in enumerate(top.factors):
            yield Prod((*top.factors[:index], Div(factor, bottom), *top.factors[index + 1 :]))


def _trees(form: Form, limit: int) -> list[Tree]:
    """Binary trees of a form without Alt, left-to-right folding first."""
    match form:
        case Leaf():
            return [form]
        case Div():
            tops = (step("/", top, form.bottom, limit=limit) for top in _trees(form.top, limit))
            return [tree for tree in tops if tree is not None]
        case Prod():
            return _merged([(1, f) for f in form.factors], "*", limit)
        case Sum():
            return _merged(list(form.terms), "+", limit)
        case Alt():
            raise AssertionError("_rewrite removes Alt")


def _merged(parts: list[tuple[int, Form]], op: str, limit: int) -> list[Tree]:
    found: dict[Tree, None] = {}
    choices = itertools.product(*(_trees(part, limit) for _, part in parts))
    for choice in itertools.islice(choices, MAX_TREES):
        for tree in _merge([(sign, tree) for (sign, _), tree in zip(parts, choice, strict=True)], op, limit):
            found.setdefault(tree)
            if len(found) >= MAX_TREES:
                return list(found)
    return list(found)


def _merge(items: list[tuple[int, Tree]], op: str, limit: int) -> Iterator[Tree]:
    """Every way to combine signed items two at a time; items whose combination would be negative are not combined."""
    if len(items) == 1:
        if items[0][0] > 0:
            yield items[0][1]
        return
    for i, j in itertools.combinations(range(len(items)), 2):
        (sign_i, left), (sign_j, right) = items[i], items[j]
        if op == "*" or sign_i == sign_j:
            joined, sign = step(op, left, right, limit=limit), sign_i
        else:
            plus, minus = (left, right) if sign_i > 0 else (right, left)
            joined, sign = step("-", plus, minus, limit=limit), 1
        if joined is not None:
            rest = [*items[:i], (sign, joined), *items[i + 1 : j], *items[j + 1 :]]
            yield from _merge(rest, op, limit)
