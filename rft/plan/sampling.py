"""The planner's vocabulary of pools: who samples, how, and what is kept.

pool = p.sample(sft, subset=p.questions, num_draws=16)
p.select((pool,))               # its correct and distinct solutions
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from rft.config import (
    ModelConfig,
    ModelSource,
    PoolConfig,
)
from rft.config.reading import note, unnoted, whole
from rft.core.sampling.engines import ENGINES
from rft.infra.digest import digest
from rft.plan.method import Task
from rft.plan.pool_files import PoolSource
from rft.plan.servers import address, endpoint_of
from rft.plan.shard_row import Drawer, ShardRow, placed
from rft.plan.sharing import shared
from rft.plan.training import Training
from rft.plan.yields import (
    BYTES_PER_PATH,
    BYTES_PER_SAMPLE_TOKEN,
    model_size,
)
from rft.stages.allocate import AnyPool
from rft.stages.evaluate import Evaluate
from rft.stages.foreign import ImportedPool, ImportedSamples
from rft.stages.generation import Generation, Shots
from rft.stages.kept import Selection
from rft.stages.own_ids import OwnIds
from rft.stages.problems import Subset
from rft.stages.select import Checks, Select
from rft.stages.served import Served, ServedPool, ServedShard
from rft.stages.shard import Pool, Shard
from rft.stages.stage import Work, identity_of
from rft.stages.thin import Thin
from rft.stages.weights import Weights
from rft.text.answers import grading_marks
from rft.text.prompts import OWN, content_of
from rft.text.selection import POLICIES


class Sampling(Training):
    """Pools of sampled solutions, and the choice among them."""

    @property
    def donors(self) -> list[str]:
        """Those whose samples are pooled, models and pools drawn elsewhere: the union's as listed, or the model itself."""
        return list(self.cfg.union) or [self.cfg.model.name]

    @shared
    def imported(self, name: str, *, num_draws: int) -> ImportedPool:
        """The first draws of a pool that was drawn elsewhere, to the questions of the cell."""
        pool, source = self.cfg.pools[name], self.sources.pools[name]
        note(pool, "content", source.content)
        size = Work(num_bytes=BYTES_PER_SAMPLE_TOKEN * unnoted(self.cfg).data.expected_solution_tokens * num_draws)
        stage = ImportedSamples(
            problems=self.questions.source,
            donor=name,
            content=source.content,
            seed=pool.order_seed,
            own_ids=self._own_ids(pool, source),
            path=pool.path,
            no_ids=source.no_ids,
            label=f"import pool {name}",
            work=size,
        )
        return ImportedPool(name, (stage,), num_draws, self.questions)

    def _own_ids(self, pool: PoolConfig, source: PoolSource) -> OwnIds | None:
        """The ids by which a pool's rows are joined; noted where there are some: other cells keep their setting."""
        if not source.columns:
            return None
        note(pool, "own_ids", source.columns)
        return OwnIds(files=self.training_files, columns=source.columns, label=f"ids of {self.training_rows.label}")

    @shared
    def served(self, name: str, *, num_draws: int) -> ServedPool:
        """`num_draws` solutions of a server to every question of the cell, in the same blocks as a model's here."""
        plain = unnoted(self.cfg).servers[name]
        how, endpoint, subset = self._served(name), endpoint_of(plain), self.questions
        parts = ["stream", "served", how.weights, how.model, how.kind]
        drawer = self._drawer(name, subset.source.split, num_params=plain.num_params or 0)
        shards = tuple(
            ServedShard(
                served=how,
                endpoint=endpoint,
                subset=subset,
                temperature=self.cfg.temperature,
                top_p=self.cfg.sampling.top_p,
                seed=self.sample_seed,
                stream=digest(parts),
                shown_rule=unnoted(self.cfg).data.rule,
                model=name,
                **placed(drawer, block, draws),
            )
            for draws, block in self._places(num_draws, subset)
        )
        return ServedPool(name, shards, num_draws)

    def _served(self, name: str) -> Served:
        server = self.cfg.servers[name]
        weights = server.weights
        if weights is None:
            weights = address(unnoted(self.cfg).servers[name].base_url)
            note(server, "base_url", weights)
        own = unnoted(self.cfg).prompts.get(server.prompt)
        if own is not None:
            note(server, "prompt_content", content_of(own))
        return Served(
            donor=name,
            model=server.model,
            weights=weights,
            kind=server.kind.value,
            seeds=server.seeds,
            prompt=server.prompt if own is None else OWN,
            own_template=own,
            max_new_tokens=self.cfg.data.max_new_tokens,
            stop=tuple(self.cfg.sampling.stop),
            shots=self.donor_shots,
        )

    @property
    @shared
    def donor_shots(self) -> Shots | None:
        """Worked examples of donors that are not fine-tuned: human ones of the cell. Noted only where there are some, so
        that cells from before keep their setting. Raises ValueError for more than there are."""
        if not unnoted(self.cfg).donor.num_shots:
            return None
        count = self.cfg.donor.num_shots
        if count >= self.num_human:
            raise ValueError(
                f"donor.num_shots={count}, but the cell has {self.num_human} human examples, and a question never stands "
                f"among its own: at most {self.num_human - 1}"
            )
        return Shots(self.pool, count, self.data_seed, among=self.num_human)

    @shared
    def generation(
        self,
        *,
        model: ModelConfig | None = None,
        task: Task | None = None,
        shots: Shots | None = None,
        name: str = "",
    ) -> Generation:
        """What decides a text that a model writes."""
        model = model or self.cfg.model
        task = task or self.task(model)
        engine = self._engine(model)
        return Generation(
            model=name or model.name,
            engine=engine,
            dtype=self.cfg.sampling.dtype,
            prompt=task.prompt,
            own_template=task.template,
            max_prompt_tokens=task.max_prompt_tokens,
            max_new_tokens=task.max_new_tokens,
            stop=tuple(self.cfg.sampling.stop),
            shots=shots,
            numerics=self.cfg.numerics.value,
            plugins=ENGINES.foreign(engine),
        )

    def _engine(self, model: ModelConfig) -> str:
        engine = self.sources.engines[model.name]
        if self.is_own(model):
            note(self.cfg, "sampling.engine", engine)
        else:
            note(model, "engine", engine)
        return engine

    def sample(
        self,
        weights: Weights,
        *,
        subset: Subset,
        num_draws: int,
        temperature: float | None = None,
        model: ModelConfig | None = None,
        task: Task | None = None,
        shots: Shots | None = None,
        drafts: Evaluate | None = None,
        name: str = "",
    ) -> Pool:
        """`num_draws` solutions to every question of a subset, as shards: fixed blocks of problems by fixed blocks of draws.

        Each shard has its own seed and composition, so that asking for more draws, fewer, or in another order changes none.
        `name` sets pools apart that models of one base draw, and stands in their samples (the rounds of expert iteration).
        """
        model = model or self.cfg.model
        row = self._row(weights, subset, temperature, model=model, task=task, shots=shots, drafts=drafts, name=name)
        return Pool(name or model.name, row.first(num_draws), num_draws)

    @shared
    def _row(
        self,
        weights: Weights,
        subset: Subset,
        temperature: float | None,
        *,
        model: ModelConfig,
        task: Task | None,
        shots: Shots | None,
        drafts: Evaluate | None,
        name: str,
    ) -> ShardRow:
        """The shards of a donor's draws, as many as are asked for."""
        generation = self.generation(model=model, task=task, shots=shots, name=name)
        if temperature is None:
            temperature = self.cfg.temperature
        draws_each, size = self.cfg.sampling.draws_per_shard, self.cfg.sampling.problems_per_shard
        blocks = tuple(_blocks(subset.num_problems, size, whole=False))
        drawer = self._drawer(model.name, subset.source.split, num_params=model_size(model).num_params)
        if not blocks:  # no problem of a subset is left: said where the problems are looked up
            return ShardRow(None, drawer, blocks=blocks, draws_each=draws_each)
        first = Shard(
            weights=weights,
            subset=subset,
            generation=generation,
            temperature=temperature,
            stream=self.random_stream(model, name),
            drafts=drafts,
            top_p=self.cfg.sampling.top_p,
            seed=self.sample_seed,
            shown_rule=unnoted(self.cfg).data.rule,
            model=model.name,
            **placed(drawer, blocks[0], (0, draws_each)),
        )
        return ShardRow(first, drawer, blocks=blocks, draws_each=draws_each)

    def _drawer(self, model: str, split: str, *, num_params: float) -> Drawer:
        data = unnoted(self.cfg).data
        return Drawer(model, split, num_params, data.expected_question_tokens, data.expected_solution_tokens)

    def _places(self, num_draws: int, subset: Subset) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """(draws, block of problems) of every shard."""
        for draws in _blocks(num_draws, self.cfg.sampling.draws_per_shard, whole=True):
            for block in _blocks(subset.num_problems, self.cfg.sampling.problems_per_shard, whole=False):
                yield draws, block

    @shared
    def random_stream(self, model: ModelConfig, name: str = "") -> str:
        """Which stream of random numbers samples from a base take: donors with one stream would draw alike.

        From what the base is and not from a stage's key, so that it stays when stages are cut otherwise; a field that came
        later leaves it alone at its default, as it does a key.
        """
        if model.source is ModelSource.imported:
            parts: list[Any] = ["stream", self.sources.models[model.name].digest]
        else:
            base = [identity_of(whole(part)) for part in (model.arch, model.pretrain)]
            parts = ["stream", *base, self.cfg.pretrain_seed]
            given = self.cfg.corpus_seed
            parts += [] if given is None else [f"corpus {given}"]
        return digest([*parts, name] if name else parts)

    @property
    @shared
    def checks(self) -> Checks:
        """What the cell's configuration keeps."""
        select, rule = self.cfg.select, self.cfg.data.rule
        return Checks(
            policy=select.policy,
            count_human=select.count_human,
            tolerance=select.tolerance,
            check_equations=select.check_equations,
            equations=select.equations,
            rule=rule,
            cap=select.cap,
            cap_told=select.cap is not None or POLICIES[select.policy].cap is not None,
            tie_break=select.tie_break,
            plugins=grading_marks(rule),
        )

    def select(
        self, pools: tuple[AnyPool, ...], *, subset: Subset | None = None, checks: Checks | None = None
    ) -> Select:
        """The correct and distinct solutions of the pools, in the order in which they are listed.

        Raises ValueError for one model or file under two names: its draws would count twice.
        """
        _refuse_one_twice(pools)
        subset = subset or self.questions
        kept = self.expected_kept(subset, draws=sum(pool.num_draws for pool in pools))
        return Select(
            pools=pools,
            subset=subset,
            checks=checks or self.checks,
            seed=self.sample_seed,
            guards=self.golds(subset.source),
            label=f"select k={pools[0].num_draws}",
            work=Work(num_bytes=BYTES_PER_PATH * kept, assumed=True),
        )

    def thin(self, paths: Select, *, like: Selection) -> Thin:
        """A selection cut to as many paths as another kept."""
        label = f"thin {paths.label}"
        return Thin(
            paths=paths,
            like=like,
            subset=paths.subset,
            equations=self.cfg.select.equations,
            seed=self.sample_seed,
            label=label,
            work=paths.work,
        )


def _blocks(total: int, size: int, *, whole: bool) -> Iterator[tuple[int, int]]:
    """(first, last) of blocks of `size` that cover `total`; with `whole` the last may reach beyond it."""
    for first in range(0, total, size):
        yield first, first + size if whole else min(first + size, total)


def _refuse_one_twice(pools: Sequence[AnyPool]) -> None:
    drawn: dict[Any, str] = {}
    for pool in pools:
        origin, what = _origin(pool)
        other = pool.donor if origin is None else drawn.setdefault(origin, pool.donor)
        if other != pool.donor:
            raise ValueError(
                f"{other} and {pool.donor} are one {what} under two names: a union would count its draws twice. Leave one "
                "out of the union, and raise k for more draws"
            )


def _origin(pool: AnyPool) -> tuple[Any, str]:
    """What decides a pool's draws whatever its donor is called, and a word for it; None where nothing is drawn.

    Of a file its content alone: orders of its draws, and the ids by which its rows are joined, are choices among the same.
    Of a server what is asked of it, wherever it is reached.
    """
    if isinstance(pool, ImportedPool):
        return pool.shards[0].content, "file"
    shard = next(iter(pool.shards), None)
    if isinstance(shard, ServedShard):
        return (shard.stream, replace(shard.served, donor="")), "model"
    if isinstance(shard, Shard):
        return (shard.weights.key, shard.stream, replace(shard.generation, model="")), "model"
    return None, ""
