"""The shards of one donor's draws to the questions of a subset, made as far as they are asked for: k = 16 is part of k = 64.

    row = ShardRow(first, drawer, blocks=((0, 256), (256, 512)), draws_each=4)
    row.first(16)          # 8 shards: two blocks of questions by four blocks of draws; the same objects whoever asks

Cells of a sweep that draw from one model share its row.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rft.plan.yields import BYTES_PER_SAMPLE_TOKEN
from rft.stages.shard import Shard
from rft.stages.stage import Twins, Work

Block = tuple[int, int]  # first, last


@dataclass(frozen=True)
class Drawer:
    """Who draws from what, for labels and estimates: shards that agree in it and in their place share both."""

    model: str
    split: str
    num_params: float
    question_tokens: float
    solution_tokens: float

    def work(self, block: Block, draws: Block) -> Work:
        """The size of a shard."""
        count = (block[1] - block[0]) * (draws[1] - draws[0])
        tokens = count * self.solution_tokens
        flops_each = 2.0 * self.num_params * (self.solution_tokens + self.question_tokens)
        return Work(tokens, count * flops_each, BYTES_PER_SAMPLE_TOKEN * tokens)

    def label(self, block: Block, draws: Block) -> str:
        """For people."""
        return f"sample {self.model} {self.split} {block[0]}-{block[1]} draw {draws[0]}+{draws[1] - draws[0]}"


@functools.lru_cache(maxsize=100_000)
def placed(drawer: Drawer, block: Block, draws: Block) -> Mapping[str, Any]:
    """The fields by which shards of one pool differ."""
    return {
        "block": block,
        "draws": draws,
        "label": drawer.label(block, draws),
        "work": drawer.work(block, draws),
    }


class ShardRow:
    """See the module."""

    def __init__(self, first: Shard | None, drawer: Drawer, *, blocks: Sequence[Block], draws_each: int) -> None:
        """`first`: the shard of the first place; None where the subset is empty."""
        self._made = [] if first is None else [first]
        self._drawer, self._blocks, self._draws_each = drawer, blocks, draws_each

    def first(self, num_draws: int) -> tuple[Shard, ...]:
        """The shards that hold the first draws to every question; the last may hold more."""
        count = -(-num_draws // self._draws_each) * len(self._blocks)
        if len(self._made) < count:
            places = list(itertools.islice(self._places(num_draws), len(self._made), None))
            self._made += map(Twins(self._made[0], tuple(places[0])).of, places)
        return tuple(self._made[:count])

    def _places(self, num_draws: int) -> itertools.chain[Mapping[str, Any]]:
        """Of all shards in order: draws before questions."""
        return itertools.chain.from_iterable(
            (placed(self._drawer, block, (first, first + self._draws_each)) for block in self._blocks)
            for first in range(0, num_draws, self._draws_each)
        )
