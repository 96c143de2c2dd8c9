"""Every way to compute a form: groupings of sums and products, distributive and complement routes, as binary trees.

>>> from rft.text.world.expressions import given
>>> bags = Prod((given(0, 3), given(1, 17)))
>>> left = Sum(((1, bags), (-1, given(2, 5)), (-1, given(3, 8))))
>>> for tree in routes(left, limit=100):
...     print(*(f"{s.left.value}{s.op}{s.right.value}" for s in steps_of(tree)))
3*17 51-5 46-8
3*17 51-8 43-5
3*17 5+8 51-13
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from rft.text.world.expressions import (
    Alt,
    Div,
    Form,
    Leaf,
    Prod,
    Step,
    Sum,
    Tree,
    canonical_route,
    flat_factors,
    flat_terms,
    step,
    steps_of,
)

MAX_FORMS = 24  # rewritten forms of one problem; routes beyond are not enumerated
MAX_TREES = 240  # binary trees of one problem
MAX_FLAT = 4  # terms of a flattened sum or product; a longer chain keeps its inner grouping


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


def _repeats(tree: Step) -> bool:
    """Whether it computes one quantity twice, by two routes."""
    marks = [node.mark for node in steps_of(tree)]
    return len(set(marks)) < len(marks)


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
    flat = flat_terms(terms)
    return Sum(flat if len(flat) <= MAX_FLAT else terms)


def _flatten_prod(factors: tuple[Form, ...]) -> Prod:
    flat = flat_factors(factors)
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
