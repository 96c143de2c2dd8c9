"""Solution paths of one computation: every order of steps, grouping and operand order, as GSM8K-format text.

A path is one linearised tree: its steps in an order in which each comes after what it needs, and for every commuting
step which operand stands first. `enumerate_paths` lists them (canonical first, then one of each route in turn, so that
a short prefix already holds every route). `draw_path` draws one: the canonical path with a given probability, else one of
any route, short ones more often.

    >>> from rft.text.world.kinds import build
    >>> paths = enumerate_paths(build(("groups", "lose"), [3, 17, 5]), limit=60)
    >>> paths.count
    2
    >>> [path.key() for path in paths.first]
    ['3*17=51|51-5=46', '17*3=51|51-5=46']
    >>> paths.first[0].text()
    'makes <<3*17=51>>51\\nleft <<51-5=46>>46\\n#### 46'
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from rft.text.world.expressions import Form, Step, canonical_route, steps_of
from rft.text.world.routes import routes

# Words that open a solution line, by operation; a solution keeps to one of the two wordings.
LABELS: tuple[dict[str, str], dict[str, str]] = (
    {"+": "total", "-": "left", "*": "makes", "/": "part"},
    {"+": "sum", "-": "rest", "*": "gives", "/": "each"},
)


MAX_DRAWN = 32  # routes a drawn path may follow


@dataclass(frozen=True)
class Path:
    """One solution: equations in order, as (left, op, right, result)."""

    equations: tuple[tuple[int, str, int, int], ...]

    def key(self) -> str:
        """The equation list as one string: two paths are the same iff their keys are equal (paper section 3.3)."""
        return "|".join(f"{a}{op}{b}={c}" for a, op, b, c in self.equations)

    def text(self, *, wording: int = 0) -> str:
        """GSM8K-format solution in one of the wordings (0 or 1)."""
        words = LABELS[wording]
        lines = [f"{words[op]} <<{a}{op}{b}={c}>>{c}" for a, op, b, c in self.equations]
        return "\n".join([*lines, f"#### {self.equations[-1][3]}"])


@dataclass(frozen=True)
class Paths:
    """The paths of a problem."""

    first: tuple[Path, ...]  # in canonical order, at most `most` of them; [0] is the canonical path
    count: int  # of all distinct paths of the enumerated routes; exact where count <= len(first)


class _Route:
    """One tree with its distinct steps in post-order, and the numbering of its paths."""

    def __init__(self, root: Step) -> None:
        self.steps = steps_of(root)
        place = {node: index for index, node in enumerate(self.steps)}
        self.needs = [
            sum(1 << place[child] for child in {node.left, node.right} if isinstance(child, Step))
            for node in self.steps
        ]
        self.flippable = [i for i, s in enumerate(self.steps) if s.op in "+*" and s.left.value != s.right.value]
        self._orders: dict[int, int] = {(1 << len(self.steps)) - 1: 1}

    def orders(self, done: int = 0) -> int:
        """Number of orders that complete the set of steps `done` (bit mask)."""
        if done not in self._orders:
            self._orders[done] = sum(self.orders(done | 1 << step) for step in self._ready(done))
        return self._orders[done]

    def _ready(self, done: int) -> list[int]:
        return [i for i, needs in enumerate(self.needs) if not done >> i & 1 and needs & done == needs]

    @property
    def count(self) -> int:
        return self.orders() << len(self.flippable)

    def path(self, number: int) -> Path:
        """Path `number` of `count`; 0 is in post-order with operands as in the tree."""
        flips = {step for bit, step in enumerate(self.flippable) if number >> bit & 1}
        left, done = number >> len(self.flippable), 0
        order: list[int] = []
        while len(order) < len(self.steps):
            for step in self._ready(done):
                below = self.orders(done | 1 << step)
                if left < below:
                    break
                left -= below
            order.append(step)
            done |= 1 << step
        return Path(tuple(_equation(self.steps[i], i in flips) for i in order))


def _equation(step: Step, flip: bool) -> tuple[int, str, int, int]:
    left, right = step.left.value, step.right.value
    return (right, step.op, left, step.value) if flip else (left, step.op, right, step.value)


def canonical_path(form: Form, *, limit: int) -> Path:
    """The canonical path: as the question tells it, left to right."""
    root = canonical_route(form, limit=limit)
    assert root is not None, "graphs are drawn so that their canonical route stays within the limit"
    return _Route(root).path(0)


def enumerate_paths(form: Form, *, limit: int, most: int = 64) -> Paths:
    """Distinct paths with all results in 1..limit: the first `most` in canonical order, and the number of all."""
    all_routes = [_Route(tree) for tree in routes(form, limit=limit)]
    # a route's numbers are visited in steps coprime to its count: neighbours would differ in one flip only
    queues = [map(route.path, _spread(route.count)) for route in all_routes]
    found: dict[str, Path] = {}
    for path in itertools.chain.from_iterable(itertools.zip_longest(*queues)):
        if path is not None:
            found.setdefault(path.key(), path)
        if len(found) >= most:
            return Paths(tuple(found.values()), max(len(found), sum(route.count for route in all_routes)))
    return Paths(tuple(found.values()), len(found))


def _spread(count: int) -> Iterator[int]:
    stride = next(s for s in range(max(1, int(count * 0.618)), count + 2) if _coprime(s, count))
    return (index * stride % count for index in range(count))


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def draw_path(form: Form, *, limit: int, style: float, rng: Random) -> tuple[Path, int]:
    """A path and its wording: with probability `style` the canonical ones. Else one of the first MAX_DRAWN routes, those with
    fewer equations first and the more seldom the later they come (as 1 / rank), uniform over its paths and the wordings:
    people mostly go a short way, and some of them any way."""
    if rng.random() < style:
        return canonical_path(form, limit=limit), 0
    found = sorted(
        (_Route(tree) for tree in routes(form, limit=limit, most=MAX_DRAWN)), key=lambda route: len(route.steps)
    )
    route = rng.choices(found, weights=[1 / rank for rank in range(1, len(found) + 1)])[0]
    return route.path(rng.randrange(route.count)), rng.randrange(2)
