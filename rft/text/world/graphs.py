"""Graph templates of a setting, their Zipf-like frequency, and which split a problem belongs to.

>>> graphs = graph_templates(min_steps=2, max_steps=3, num_graphs=128, limit=100, seed=0)
>>> graphs[0]                               # the most frequent
('rest_groups', 'gain')
>>> split_of("(+(*17,3),-5)", seed=0)       # decided by a stable digest of the canonical form
<WorldSplit.TEST: 'test'>
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from random import Random

from rft.text.world.kinds import KINDS, draw_numbers
from rft.text.world.scenarios import supported

Graph = tuple[str, ...]
ZIPF_SHIFT = 4.0  # Zipf-Mandelbrot: the frequency of rank r is proportional to 1 / (r + shift)
MAX_KINDS = 5  # clauses of a question
HEAD_GRAPHS = 40  # the most frequent graphs, which must have many different problems
ROOM_DRAWS = 60  # two draws of a graph with 1,000 problems coincide 1.8 times in 60 draws on average


class WorldSplit(Enum):
    """Disjoint parts of the world, with their shares of canonical forms in sixteenths."""

    POOL = "train_pool"
    TEST = "test"
    VALIDATION = "validation"
    CORPUS = "corpus"
    HELD_OUT = "held_out"  # the slice that measures pretraining loss


_SIXTEENTHS = (
    [WorldSplit.POOL] * 5
    + [WorldSplit.TEST] * 5
    + [WorldSplit.VALIDATION] * 1
    + [WorldSplit.CORPUS] * 4
    + [WorldSplit.HELD_OUT] * 1
)


def stable_digest(text: str) -> str:
    """Hex digest, the same on every machine."""
    return hashlib.sha256(text.encode()).hexdigest()


def split_of(canonical: str, *, seed: int) -> WorldSplit:
    """The split of a problem by its canonical form (graph and numbers), whatever its wording."""
    return _SIXTEENTHS[int(stable_digest(f"split {seed} {canonical}")[:8], 16) % 16]


@lru_cache(maxsize=32)
def graph_templates(*, min_steps: int, max_steps: int, num_graphs: int, limit: int, seed: int) -> tuple[Graph, ...]:
    """`num_graphs` graphs of min_steps..max_steps canonical equations, most frequent first. Step counts are mixed
    evenly over the ranks, but a graph with few different problems is not among the first HEAD_GRAPHS.
    Raises ValueError where the setting has fewer graphs than asked for."""
    if not 1 <= min_steps <= max_steps:
        raise ValueError(f"need 1 <= min_steps <= max_steps, got {min_steps} and {max_steps}")
    rng = Random(f"graphs {seed}")
    by_steps = {steps: list(_sequences(steps)) for steps in range(min_steps, max_steps + 1)}
    for group in by_steps.values():
        rng.shuffle(group)
    ranked = [graph for row in itertools.zip_longest(*by_steps.values()) for graph in row if graph is not None]
    feasible = (graph for graph in ranked if _feasible(graph, limit))
    head: list[Graph] = []
    small: list[Graph] = []  # too few different problems for a frequent graph: they come after the head
    for graph in feasible:
        (head if _is_roomy(graph, limit) else small).append(graph)
        if len(head) >= min(HEAD_GRAPHS, num_graphs):
            break
    found = list(itertools.islice(itertools.chain(head, small, feasible), num_graphs))
    if len(found) < num_graphs:
        raise ValueError(
            f"only {len(found)} graphs have {min_steps} to {max_steps} steps, got num_graphs={num_graphs}:"
            " ask for fewer graphs or allow more steps"
        )
    return tuple(found)


@lru_cache(maxsize=32)
def cumulative_weights(num_graphs: int) -> tuple[float, ...]:
    """Running totals of the graphs' frequencies by rank, for random.choices."""
    return tuple(itertools.accumulate(1.0 / (rank + 1 + ZIPF_SHIFT) for rank in range(num_graphs)))


def _sequences(steps: int) -> Iterator[Graph]:
    """Every kind sequence with exactly `steps` canonical equations."""
    starts = [k for k in KINDS.values() if k.role == "start"]
    for start in starts:
        yield from _extend((start.name,), steps - start.steps)


def _extend(graph: Graph, left: int) -> Iterator[Graph]:
    if left == 0:
        if supported(graph):
            yield graph
        return
    if len(graph) >= MAX_KINDS:
        return
    for kind in KINDS.values():
        if kind.role != "start" and kind.steps <= left and (kind.role == "middle" or kind.steps == left):
            yield from _extend((*graph, kind.name), left - kind.steps)


def _is_roomy(graph: Graph, limit: int) -> bool:
    """Whether nearly all of ROOM_DRAWS draws are different problems: about a thousand different ones or more."""
    rng = Random(f"room {' '.join(graph)}")
    drawn = (draw_numbers(graph, limit=limit, rng=rng) for _ in range(ROOM_DRAWS))
    return len({tuple(numbers) for numbers in drawn if numbers is not None}) >= ROOM_DRAWS - 1


def _feasible(graph: Graph, limit: int) -> bool:
    rng = Random(f"feasible {' '.join(graph)}")
    return all(draw_numbers(graph, limit=limit, rng=rng) is not None for _ in range(3))
