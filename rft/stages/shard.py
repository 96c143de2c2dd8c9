"""A pool of sampled solutions: shards, each a fixed block of problems by a fixed block of draws with a seed of its own.

A shard writes `samples.jsonl.gz`, rows of rft.records.Sample in problem order, then draw order. Its seed is a stable digest
of the pool's seed and the shard, so that the number of workers, their order, restarts and the k asked for cannot change it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.records import Sample, read_jsonl, write_jsonl
from rft.stages.drafts import with_drafts
from rft.stages.evaluate import Evaluate
from rft.stages.generation import Generation, generate
from rft.stages.problems import Subset
from rft.stages.stage import SAMPLES_FILE, Done, Stage, StageContext, added, said
from rft.stages.weights import Weights
from rft.text.prompts import cleaning_of
from rft.text.subsets import rank

SEED_BITS = 31  # what every engine takes


@dataclass(frozen=True)
class ShardFile:
    """A finished shard."""

    folder: Path

    def samples(self) -> Iterator[Sample]:
        """Problem by problem, draw by draw."""
        return (Sample.from_json(row) for row in read_jsonl(self.folder / SAMPLES_FILE))


@dataclass(frozen=True, eq=False, kw_only=True)
class DrawnShard(Stage[ShardFile]):
    """Draws `draws[0]` up to `draws[1]` of the problems `block[0]` up to `block[1]` of a subset, whoever draws."""

    samples: ClassVar[bool] = True
    subset: Subset
    block: tuple[int, int]
    draws: tuple[int, int]
    temperature: float
    top_p: float
    seed: int
    stream: str  # name of its random stream: donors that share a stream would draw alike
    shown_rule: str = said("")  # under which draws are graded while they come, for who looks on

    def read(self, folder: Path) -> ShardFile:
        return ShardFile(folder)

    @property
    def random_seed(self) -> int:
        """The seed of this shard alone: other models, problems and draws take other random numbers."""
        place = (self.stream, self.subset.source.split, *self.block, *self.draws)
        return rank(f"shard-{self.seed}", *place) >> (64 - SEED_BITS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Shard(DrawnShard):
    """Drawn by a model that is here."""

    kind: ClassVar[str] = "shard"
    version: ClassVar[int] = 2  # 2: draws in an order that does not depend on their content
    weights: Weights
    generation: Generation
    drafts: Evaluate | None = added(None)

    @property
    def edition(self) -> int:
        return self.version + cleaning_of(self.generation.own_template)

    def run(self, work: StageContext) -> Done:
        first, last = self.block
        first_draw, last_draw = self.draws
        problems = self.subset.problems(work)[first:last]
        if self.drafts is not None:
            problems = with_drafts(problems, self.generation.prompt, work.open(self.drafts).samples())
        made = generate(
            self.generation,
            problems,
            num_draws=last_draw - first_draw,
            model=work.open(self.weights),
            work=work,
            temperature=self.temperature,
            top_p=self.top_p,
            first_draw=first_draw,
            seed=self.random_seed,
            rule=self.shown_rule or None,
        )
        expected = (last - first) * (last_draw - first_draw)
        if len(made.samples) != expected:
            raise RuntimeError(f"the sampler gave {len(made.samples)} solutions, expected {expected}")
        write_jsonl(work.out / SAMPLES_FILE, (sample.to_json() for sample in made.samples))
        return Done(made.tokens, made.flops)


@dataclass(frozen=True)
class Pool:
    """The first `num_draws` solutions of one donor to every question of a subset."""

    donor: str  # its model's name, or that of a server
    shards: tuple[DrawnShard, ...]
    num_draws: int  # the shards may hold more

    def samples(self, work: StageContext) -> Iterator[Sample]:
        """In the order of the shards."""
        for shard in self.shards:
            for sample in work.open(shard).samples():
                if sample.draw < self.num_draws:
                    assert sample.model == self.donor, f"shard of {sample.model} in the pool of {self.donor}"
                    yield sample

    def expected(self, num_questions: int, work: StageContext) -> int:
        """How many samples there must be."""
        return num_questions * self.num_draws


def pools_of(value: Any) -> Iterator[Pool]:
    """The pools that a stage reads, wherever they stand in its fields."""
    if isinstance(value, Pool):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from pools_of(item)
    elif isinstance(value, Stage):
        for one in dataclasses.fields(value):
            if one.compare and not isinstance(getattr(value, one.name), Stage):
                yield from pools_of(getattr(value, one.name))


def used_in(stages: Iterable[Stage[Any]], *, makers: Iterable[Stage[Any]]) -> dict[str, float]:
    """By key of each shard the share of its draws that a cell uses: what its model is made of, where that reads the shard;
    a pool that merely fixes the size of a thinned union may read more of it.
    """
    return used_shares(stages) | used_shares(makers)


def used_shares(stages: Iterable[Stage[Any]]) -> dict[str, float]:
    """By key of each shard the share of its draws that these stages read: pools are topped up in whole blocks."""
    used: dict[str, float] = {}
    for pool in (pool for stage in stages for pool in pools_of(stage)):
        for shard in pool.shards:
            first, last = shard.draws
            share = min(1.0, max(0.0, (pool.num_draws - first) / (last - first)))
            used[shard.key] = max(share, used.get(shard.key, 0.0))
    return used


def drawn(pool: Pool, ids: Iterable[str], work: StageContext) -> dict[str, list[Sample]]:
    """The pool's samples of each problem, by draw. Raises RuntimeError when a problem has fewer than `num_draws`."""
    found: dict[str, list[Sample]] = {name: [] for name in ids}
    for sample in pool.samples(work):
        if sample.id in found:
            found[sample.id].append(sample)
    for name, samples in found.items():
        samples.sort(key=lambda sample: sample.draw)
        if [sample.draw for sample in samples] != list(range(pool.num_draws)):
            raise RuntimeError(f"problem {name} has {len(samples)} draws, expected {pool.num_draws}: a shard is short")
    return found
