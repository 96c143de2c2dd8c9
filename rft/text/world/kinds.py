"""Clause kinds: what one sentence of a question does to the running quantity, and which numbers it takes.

A graph is a sequence of kinds, a start first: ('groups', 'lose', 'share') reads "3 bags of 17; loses 6; shared by 5"
and computes (3*17-6)/5. `build(kinds, numbers)` turns graph and numbers into a form; `draw_numbers` draws them.

    >>> value_of(build(("groups", "lose", "share"), [3, 17, 6, 5]))
    9
    >>> KINDS["share"].role                     # it can only close a question
    'final'
"""

# ruff: noqa: ARG001 - every kind draws and builds through one signature, whether it needs all of it or not
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from rft.text.world.expressions import (
    Alt,
    Div,
    Form,
    Leaf,
    Prod,
    Sum,
    canonical_route,
    const,
    given,
    steps_of,
    value_of,
)

OPERAND_MAX = 50
MAX_CLAUSES = 1 << 17  # remembered by `_clause`
MAX_TRIES = 40  # draws of the numbers of one problem before it is given up

# (random source, running value, largest whole number) -> the clause's numbers, or None where none fit
Draw = Callable[[Random, int, int], tuple[int, ...] | None]
# (running form, the clause's numbers as leaves) -> the new running form
Build = Callable[[Form, Sequence[Leaf]], Form]


@dataclass(frozen=True)
class Kind:
    """One clause kind."""

    name: str
    role: str  # start | middle | final: a final kind can only close the question
    steps: int  # equations it adds to the canonical path
    numbers: int  # numbers it takes from the text
    draw: Draw
    build: Build


def _one(low: int, high: int) -> Draw:
    def draw(rng: Random, value: int, limit: int) -> tuple[int, ...]:
        return (rng.randint(low, high),)

    return draw


def _within(rng: Random, low: int, high: int) -> tuple[int, ...] | None:
    high = min(high, OPERAND_MAX)
    return (rng.randint(low, high),) if low <= high else None


def _groups(rng: Random, room: int) -> tuple[int, ...] | None:
    """Count and size with count * size <= room."""
    count = rng.randint(2, 10)
    size = _within(rng, 2, min(25, room // count))
    return size and (count, *size)


def _two_parts(rng: Random, room: int) -> tuple[int, ...] | None:
    if room < 4:
        return None
    both = rng.randint(4, min(room, OPERAND_MAX + 20))
    first = rng.randint(2, both - 2)
    return (first, both - first)


def _mixed(rng: Random, value: int, limit: int) -> tuple[int, ...] | None:
    return (rng.randint(2, 6), rng.randint(2, 15), rng.randint(2, 15))


def _rest_groups(rng: Random, value: int, limit: int) -> tuple[int, ...] | None:
    groups = _groups(rng, limit)
    return (groups[0], rng.randint(1, groups[0] - 1), groups[1]) if groups else None


def _divisor(low: int, high: int) -> Draw:
    def draw(rng: Random, value: int, limit: int) -> tuple[int, ...] | None:
        fitting = [k for k in range(low, min(high, value // 2) + 1) if value % k == 0]
        return (rng.choice(fitting),) if fitting else None

    return draw


def _half(rng: Random, value: int, limit: int) -> tuple[int, ...] | None:
    return () if value % 2 == 0 and value >= 4 else None


def _join_times(x: Form, n: Sequence[Leaf]) -> Form:
    return Alt((Sum(((1, x), (1, Prod((n[0], x))))), Prod((Sum(((1, n[0]), (1, const(1)))), x))))


def _join_more(sign: int) -> Build:
    def build(x: Form, n: Sequence[Leaf]) -> Form:
        return Alt((Sum(((1, x), (1, Sum(((1, x), (sign, n[0])))))), Sum(((1, Prod((const(2), x))), (sign, n[0])))))

    return build


def _fraction(x: Form, n: Sequence[Leaf]) -> Form:
    part = Div(x, n[0])
    return Alt((Sum(((1, x), (-1, part))), Prod((Sum(((1, n[0]), (-1, const(1)))), part))))


def _rest(x: Form, n: Sequence[Leaf]) -> Form:
    spread = Sum(((1, Prod((n[0], n[2]))), (-1, Prod((n[1], n[2])))))
    return Alt((Prod((Sum(((1, n[0]), (-1, n[1]))), n[2])), spread))


def _plus(x: Form, *terms: tuple[int, Form]) -> Form:
    return Sum(((1, x), *terms))


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("have", "start", 0, 1, _one(5, OPERAND_MAX), lambda x, n: n[0]),
        Kind("groups", "start", 1, 2, lambda rng, x, limit: _groups(rng, limit), lambda x, n: Prod((n[0], n[1]))),
        Kind("parts", "start", 1, 2, lambda rng, x, limit: _two_parts(rng, limit), lambda x, n: _plus(n[0], (1, n[1]))),
        Kind("mixed", "start", 2, 3, _mixed, lambda x, n: Prod((n[0], _plus(n[1], (1, n[2]))))),
        Kind("rest_groups", "start", 2, 3, _rest_groups, _rest),
        Kind(
            "gain", "middle", 1, 1, lambda rng, x, limit: _within(rng, 2, limit - x), lambda x, n: _plus(x, (1, n[0]))
        ),
        Kind("lose", "middle", 1, 1, lambda rng, x, limit: _within(rng, 2, x - 2), lambda x, n: _plus(x, (-1, n[0]))),
        Kind("half", "middle", 1, 0, _half, lambda x, n: Div(x, const(2))),
        Kind("fraction", "middle", 2, 1, _divisor(3, 5), _fraction),
        Kind(
            "gain_groups",
            "middle",
            2,
            2,
            lambda rng, x, limit: _groups(rng, limit - x),
            lambda x, n: _plus(x, (1, Prod((n[0], n[1])))),
        ),
        Kind(
            "lose_groups",
            "middle",
            2,
            2,
            lambda rng, x, limit: _groups(rng, x - 2),
            lambda x, n: _plus(x, (-1, Prod((n[0], n[1])))),
        ),
        Kind(
            "lose_two",
            "middle",
            2,
            2,
            lambda rng, x, limit: _two_parts(rng, x - 2),
            lambda x, n: _plus(x, (-1, n[0]), (-1, n[1])),
        ),
        Kind("join_times", "middle", 2, 1, _one(2, 5), _join_times),
        Kind("join_more", "middle", 2, 1, lambda rng, x, limit: _within(rng, 2, limit - 2 * x), _join_more(1)),
        Kind("join_fewer", "middle", 2, 1, lambda rng, x, limit: _within(rng, 2, x - 2), _join_more(-1)),
        Kind("times", "final", 1, 1, _one(2, 9), lambda x, n: Prod((n[0], x))),
        Kind("price", "final", 1, 1, _one(2, 12), lambda x, n: Prod((x, n[0]))),
        Kind("share", "final", 1, 1, _divisor(2, 12), lambda x, n: Div(x, n[0])),
        Kind("packs", "final", 1, 1, _divisor(2, 25), lambda x, n: Div(x, n[0])),
        Kind("more", "final", 1, 1, lambda rng, x, limit: _within(rng, 2, limit - x), lambda x, n: _plus(x, (1, n[0]))),
        Kind("fewer", "final", 1, 1, lambda rng, x, limit: _within(rng, 2, x - 2), lambda x, n: _plus(x, (-1, n[0]))),
        Kind(
            "need",
            "final",
            1,
            1,
            lambda rng, x, limit: (rng.randint(x + 2, min(x + OPERAND_MAX, limit)),) if x + 2 <= limit else None,
            lambda x, n: Sum(((1, n[0]), (-1, x))),
        ),
    )
}


def build(graph: Sequence[str], numbers: Sequence[int]) -> Form:
    """The form of a graph with its numbers. Raises ValueError for an unknown kind or the wrong count of numbers."""
    unknown = [name for name in graph if name not in KINDS]
    needed = sum(KINDS[name].numbers for name in graph if name in KINDS)
    if not graph or unknown or needed != len(numbers):
        raise ValueError(f"graph {list(graph)} with {len(numbers)} numbers: unknown kinds {unknown}, needs {needed}")
    form: Form = const(0)
    leaves = [given(index, value) for index, value in enumerate(numbers)]
    for name in graph:
        kind = KINDS[name]
        form = kind.build(form, leaves[: kind.numbers])
        leaves = leaves[kind.numbers :]
    return form


def draw_numbers(graph: Sequence[str], *, limit: int, rng: Random) -> list[int] | None:
    """Numbers with which every canonical equation stays in 1..limit and no two quantities share a value (so that the
    checker can tell them apart); None when MAX_TRIES draws found none."""
    for _ in range(MAX_TRIES):
        numbers = _try_numbers(graph, limit, rng)
        if numbers is not None:
            return numbers
    return None


def _try_numbers(graph: Sequence[str], limit: int, rng: Random) -> list[int] | None:
    numbers: list[int] = []
    results: list[int] = []
    value, whole = 0, True
    for name in graph:
        drawn = KINDS[name].draw(rng, value, limit)
        if drawn is None:
            return None
        numbers += drawn
        value, steps = _clause(name, value, drawn, limit)
        if not 1 <= value <= limit or len(set(numbers)) < len(numbers):
            return None
        whole = whole and steps is not None  # go on drawing: a failed clause must not shift the random stream
        results += steps or ()
    values = numbers + results
    return numbers if whole and results and len(set(values)) == len(values) else None


@lru_cache(maxsize=MAX_CLAUSES)
def _clause(name: str, value: int, drawn: tuple[int, ...], limit: int) -> tuple[int, tuple[int, ...] | None]:
    """The value after a clause, and the results of its own equations; None where one leaves 1..limit.

    Remembered: a corpus repeats its clauses, and building their forms anew took most of its time.
    """
    form = KINDS[name].build(const(value), [given(index, number) for index, number in enumerate(drawn)])
    if isinstance(form, Leaf):
        return form.value, ()
    root = canonical_route(form, limit=limit)
    return value_of(form), None if root is None else tuple(node.value for node in steps_of(root))
