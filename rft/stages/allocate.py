"""Draws spent where they are wanted: more of them to the questions that a model seldom answers (DART-Math).

    first = p.sample(sft, subset=questions, num_draws=4)                    # wave 0: as many to every question
    deal = Deal(first=first, targets=..., num_blocks=512, ...)              # who gets the next blocks of draws, and
    DealtShard(deal=deal, part=(0, 256), ...)                               # a fixed share of these blocks, drawn
    DealtPool(first, deals=(deal,), dealt=(..., ...), num_draws=16)         # all of it, read as a pool

The two rules of Tong et al. 2024 (arXiv 2407.13690): `uniform` wants c correct draws of every question; `proportional` wants
c times the question's failure rate over the largest one, at least one. Failure rates are those of the first draws, so that
targets do not follow what is drawn to reach them. Each wave sees all earlier draws and deals a fixed share of the budget in
blocks, each to the question with the fewest draws among those below their target and cap. How many stages there are is known
before anything is drawn, so that a wave runs in parallel and resumes like any pool. The budget is that of the uniform pool,
k draws a question on average, and never more; it is left unspent where every question has its target or its cap.

`Deal` writes `dealt.jsonl`, a row a block in the order in which they were dealt: {"id": "w-0f3a", "first_draw": 8}.
"""

from __future__ import annotations

import dataclasses
import heapq
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rft.config import AllocationRule
from rft.records import Outcome, Problem, Sample, read_jsonl, write_jsonl
from rft.stages.foreign import ImportedPool
from rft.stages.generation import Generation, generate
from rft.stages.problems import Subset
from rft.stages.shard import SEED_BITS, DrawnShard, Pool, ShardFile
from rft.stages.stage import SAMPLES_FILE, Done, Stage, StageContext, added, said
from rft.stages.weights import Weights
from rft.text.answers import grade
from rft.text.prompts import cleaning_of
from rft.text.subsets import rank

DEALT_FILE = "dealt.jsonl"


@dataclass(frozen=True)
class Standing:
    """What a question has so far."""

    num_draws: int
    num_correct: int

    @property
    def failure_rate(self) -> float:
        """Share of its draws that are not correct."""
        return 1 - self.num_correct / self.num_draws


@dataclass(frozen=True)
class Block:
    """Draws that a question is dealt, from `first_draw` on."""

    id: str
    first_draw: int


@dataclass(frozen=True)
class Targets:
    """How many correct draws are wanted of a question."""

    rule: AllocationRule
    correct: int

    def of(self, first: Mapping[str, Standing]) -> dict[str, int]:
        """By question, from what the first draws came to."""
        if self.rule is AllocationRule.uniform:
            return dict.fromkeys(first, self.correct)
        largest = max((one.failure_rate for one in first.values()), default=0.0)
        shares = {name: one.failure_rate / largest if largest else 0.0 for name, one in first.items()}
        return {name: max(1, math.ceil(self.correct * share - 1e-9)) for name, share in shares.items()}


def deal_blocks(
    standings: Mapping[str, Standing],
    *,
    targets: Mapping[str, int],
    num_blocks: int,
    block: int,
    cap: int,
    seed: int,
) -> list[Block]:
    """At most `num_blocks` blocks of `block` draws, each to the question with the fewest draws of those that may have one.

    Ties by a seeded rank. A question may have one while it is below its target and stays within `cap` draws; what its new
    draws come to is seen by the next wave.
    """
    waiting = [
        (one.num_draws, rank(f"allocate-{seed}", name), name)
        for name, one in standings.items()
        if one.num_correct < targets[name] and one.num_draws + block <= cap
    ]
    heapq.heapify(waiting)
    dealt: list[Block] = []
    while waiting and len(dealt) < num_blocks:
        count, lot, name = waiting[0]
        dealt.append(Block(name, count))
        if count + 2 * block <= cap:
            heapq.heapreplace(waiting, (count + block, lot, name))
        else:
            heapq.heappop(waiting)
    return dealt


@dataclass(frozen=True)
class DealtBlocks:
    """A finished deal."""

    folder: Path

    def blocks(self) -> list[Block]:
        """In the order in which they were dealt."""
        return [Block(**row) for row in read_jsonl(self.folder / DEALT_FILE)]


@dataclass(frozen=True, eq=False, kw_only=True)
class Deal(Stage[DealtBlocks]):
    """Which questions get a wave's draws."""

    kind: ClassVar[str] = "deal"
    first: Pool
    dealt: tuple[DealtShard, ...]  # of all earlier waves
    subset: Subset
    rule: str  # grading rule
    targets: Targets
    cap: int  # most draws to a question
    num_blocks: int  # this wave's share of the budget
    block: int  # draws
    seed: int
    plugins: tuple[str, ...] = added(())  # digests of the source of a rule that is not this package's

    def run(self, work: StageContext) -> Done:
        problems = self.subset.problems(work)
        first = self.standings(problems, self.first.samples(work))
        now = self.standings(problems, _all_samples(self.first, self.dealt, work))
        found = deal_blocks(
            now,
            targets=self.targets.of(first),
            num_blocks=self.num_blocks,
            block=self.block,
            cap=self.cap,
            seed=self.seed,
        )
        write_jsonl(work.out / DEALT_FILE, (dataclasses.asdict(one) for one in found))
        return Done()

    def read(self, folder: Path) -> DealtBlocks:
        return DealtBlocks(folder)

    def standings(self, problems: Sequence[Problem], samples: Iterable[Sample]) -> dict[str, Standing]:
        """Draws and correct ones of every question."""
        golds = {problem.id: problem.gold for problem in problems}
        draws, correct = dict.fromkeys(golds, 0), dict.fromkeys(golds, 0)
        for sample in samples:
            draws[sample.id] += 1
            outcome = grade(self.rule, sample.text, golds[sample.id], sample.truncated)
            correct[sample.id] += outcome is Outcome.CORRECT
        return {name: Standing(draws[name], correct[name]) for name in golds}


@dataclass(frozen=True, eq=False, kw_only=True)
class DealtShard(Stage[ShardFile]):
    """The draws of some of a deal's blocks, `part[0]` up to `part[1]`; of none where fewer were dealt."""

    kind: ClassVar[str] = "dealt_shard"
    samples: ClassVar[bool] = True
    weights: Weights
    generation: Generation
    subset: Subset
    deal: Deal
    part: tuple[int, int]
    num_draws: int  # of a block
    temperature: float
    top_p: float
    seed: int
    stream: str  # as of ordinary shards
    wave: int
    shown_rule: str = said("")  # under which draws are graded while they come, for who looks on

    @property
    def edition(self) -> int:
        return self.version + cleaning_of(self.generation.own_template)

    def run(self, work: StageContext) -> Done:
        first, last = self.part
        blocks = work.open(self.deal).blocks()[first:last]
        by_id = {problem.id: problem for problem in self.subset.problems(work)}
        made = generate(
            self.generation,
            [by_id[block.id] for block in blocks],
            num_draws=self.num_draws,
            model=work.open(self.weights),
            work=work,
            temperature=self.temperature,
            top_p=self.top_p,
            seed=self.random_seed,
            rule=self.shown_rule or None,
        )
        if len(made.samples) != len(blocks) * self.num_draws:
            raise RuntimeError(
                f"the sampler gave {len(made.samples)} solutions, expected {len(blocks) * self.num_draws}"
            )
        firsts = [block.first_draw for block in blocks for _ in range(self.num_draws)]
        samples = (dataclasses.replace(one, draw=at + one.draw) for one, at in zip(made.samples, firsts, strict=True))
        write_jsonl(work.out / SAMPLES_FILE, (sample.to_json() for sample in samples))
        return Done(made.tokens, made.flops)

    def read(self, folder: Path) -> ShardFile:
        return ShardFile(folder)

    @property
    def random_seed(self) -> int:
        """The seed of this shard alone."""
        place = (self.stream, self.subset.source.split, self.wave, *self.part)
        return rank(f"dealt-{self.seed}", *place) >> (64 - SEED_BITS)


@dataclass(frozen=True)
class DealtPool:
    """Solutions of one donor, of which some questions have more."""

    first: Pool  # wave 0
    deals: tuple[Deal, ...]  # a wave each
    dealt: tuple[DealtShard, ...]  # of all waves
    num_draws: int  # to a question on average, at most

    @property
    def donor(self) -> str:
        """Its model's name."""
        return self.first.donor

    @property
    def shards(self) -> tuple[DrawnShard | DealtShard, ...]:
        """All that it is drawn by."""
        return (*self.first.shards, *self.dealt)

    def samples(self, work: StageContext) -> Iterator[Sample]:
        """In the order of the waves."""
        return _all_samples(self.first, self.dealt, work)

    def expected(self, num_questions: int, work: StageContext) -> int:
        """How many samples there must be."""
        blocks = sum(len(work.open(deal).blocks()) * deal.block for deal in self.deals)
        return self.first.expected(num_questions, work) + blocks


AnyPool = Pool | DealtPool | ImportedPool


@dataclass(frozen=True)
class AllocationFacts:
    """How draws were spent; over the questions of all donors where several models draw."""

    draws_per_question: float
    max_draws_per_question: int
    reached_target_frac: float  # share of questions with as many correct draws as were wanted


def allocation_facts(
    pools: Sequence[AnyPool], problems: Sequence[Problem], work: StageContext
) -> AllocationFacts | None:
    """For the record; None where every question has as many draws."""
    standings: list[Standing] = []
    reached: list[bool] = []
    for pool in pools:
        if isinstance(pool, DealtPool):
            deal = pool.deals[-1]
            targets = deal.targets.of(deal.standings(problems, pool.first.samples(work)))
            final = deal.standings(problems, pool.samples(work))
            standings += final.values()
            reached += [one.num_correct >= targets[name] for name, one in final.items()]
    if not standings:
        return None
    draws = [one.num_draws for one in standings]
    return AllocationFacts(sum(draws) / len(draws), max(draws), sum(reached) / len(reached))


def _all_samples(first: Pool, dealt: Sequence[DealtShard], work: StageContext) -> Iterator[Sample]:
    yield from first.samples(work)
    for shard in dealt:
        for sample in work.open(shard).samples():
            assert sample.model == first.donor, f"shard of {sample.model} in the pool of {first.donor}"
            yield sample
