"""Pools that a server draws: its shards, and what they have cost.

    shard = ServedShard(served=Served(donor="teacher", model="Qwen/Qwen2.5-7B", weights="http://localhost:8000/v1", ...), ...)
    ServedPool("teacher", (shard,), num_draws=4).facts(work)      # for the record: tokens, cost, what the server said

A shard writes `samples.jsonl.gz` as every shard does, and `served.json`. What identifies it is the server's name for the
model with the user's word for its weights or else the server's address; a key never enters, is never written, and is read
from the environment by the process that draws. What the server says of itself is no part of the identity, since planning
asks nobody; but all shards of a pool must have been told the same, so that two models under one name never meet in one pool.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from rft.core.sampling.openai_client import Endpoint, Report, ServerError, report
from rft.records import Problem, Sample, read_json, write_json, write_jsonl
from rft.stages.generation import Shots
from rft.stages.running import Counts
from rft.stages.shard import DrawnShard, Pool, ShardFile
from rft.stages.stage import SAMPLES_FILE, Done, StageContext, said
from rft.text.prompts import asked_by, cleaning_of
from rft.text.templates import Template

if TYPE_CHECKING:
    from rft.core.sampling.openai_backend import Chat, OpenAISampler, Usage
    from rft.core.tokenization import Prompt

SERVED_FILE = "served.json"
MILLION = 1e6


@dataclass(frozen=True)
class Served:
    """Everything but the question and the draw that decides what a server is asked for."""

    donor: str  # the name of its draws
    model: str  # the server's name for it
    weights: str  # the user's word for them, or the server's address
    kind: str
    seeds: bool
    prompt: str
    max_new_tokens: int
    stop: tuple[str, ...]
    own_template: Template | None = None
    shots: Shots | None = None

    @property
    def template(self) -> Template:
        """How questions are asked."""
        return asked_by(self.prompt, self.own_template)


@dataclass(frozen=True)
class Spent:
    """What drawing has cost and met."""

    num_requests: int
    prompt_tokens: int
    completion_tokens: int
    num_refusals: int  # draws without text, as the next
    num_filtered: int
    cost: float  # at the prices that stood in the configuration when it was drawn; of replies thrown away too
    # Requests that were asked again, 0 in shards from before this was counted (rft.core.sampling.openai_backend.Usage)
    num_discarded: int = 0
    discarded_prompt_tokens: int = 0
    discarded_completion_tokens: int = 0
    num_untold: int = 0  # what these cost is in no number

    @staticmethod
    def of(usage: Usage, endpoint: Endpoint) -> Spent:
        """At an endpoint's prices."""
        read = usage.prompt_tokens + usage.discarded_prompt_tokens
        written = usage.completion_tokens + usage.discarded_completion_tokens
        cost = endpoint.price_prompt * read + endpoint.price_completion * written
        return Spent(**vars(usage), cost=cost / MILLION)

    @property
    def num_written(self) -> int:
        """Tokens that the model wrote, those of replies thrown away among them."""
        return self.completion_tokens + self.discarded_completion_tokens

    @property
    def num_tokens(self) -> int:
        """And those that it read."""
        return self.num_written + self.prompt_tokens + self.discarded_prompt_tokens

    def plus(self, other: Spent) -> Spent:
        """Both together."""
        return Spent(**{name: value + getattr(other, name) for name, value in vars(self).items()})


@dataclass(frozen=True)
class ServedFacts:
    """`served.json`."""

    base_url: str
    report: Report  # what the server said of itself
    spent: Spent
    fingerprints: tuple[str, ...] = ()  # of its replies, where it gives some


@dataclass(frozen=True)
class ServedFile(ShardFile):
    """A finished shard of a server."""

    def facts(self) -> ServedFacts:
        """What it has cost, and who drew."""
        row = read_json(self.folder / SERVED_FILE)
        told, spent = Report(**row.pop("report")), Spent(**row.pop("spent"))
        return ServedFacts(report=told, spent=spent, fingerprints=tuple(row.pop("fingerprints")), **row)


@dataclass(frozen=True, eq=False, kw_only=True)
class ServedShard(DrawnShard):
    """See the module."""

    kind: ClassVar[str] = "served_shard"
    served: Served
    endpoint: Endpoint = said()

    @property
    def edition(self) -> int:
        return self.version + cleaning_of(self.served.own_template)

    def run(self, work: StageContext) -> Done:
        from rft.core.sampling.openai_backend import OpenAISampler

        (first, last), (first_draw, last_draw) = self.block, self.draws
        problems = self.subset.problems(work)[first:last]
        told = report(self.endpoint, chat=self.served.template.chat)
        sampler = OpenAISampler(self.endpoint)
        try:
            samples = self._drawn(sampler, problems, work, num_draws=last_draw - first_draw)
        except ServerError as error:
            lost = Spent.of(sampler.usage, self.endpoint)
            raise ServerError(
                f"{error}. The {lost.num_requests} replies of this block before it ({lost.num_tokens:,} tokens, cost "
                f"{lost.cost:g}) are in no record"
            ) from None
        finally:
            sampler.close()
        if sampler.models != {told.model}:
            raise RuntimeError(
                f"the server at {self.endpoint.base_url} answered as {', '.join(sorted(sampler.models))} in one shard, and "
                f"as {told.model} before it: set servers.{self.served.donor}.model to the exact model"
            )
        spent = Spent.of(sampler.usage, self.endpoint)
        write_jsonl(work.out / SAMPLES_FILE, (sample.to_json() for sample in samples))
        facts = ServedFacts(self.endpoint.base_url, told, spent, tuple(sorted(sampler.fingerprints)))
        write_json(work.out / SERVED_FILE, dataclasses.asdict(facts))
        return Done(spent.num_written, 2.0 * (self.endpoint.num_params or 0) * spent.num_tokens)

    def read(self, folder: Path) -> ServedFile:
        return ServedFile(folder)

    def _drawn(
        self, sampler: OpenAISampler, problems: Sequence[Problem], work: StageContext, *, num_draws: int
    ) -> list[Sample]:
        """In problem order, then draw order; asked in the order of ids, so that the order of a file changes no seed."""
        shots = self.served.shots
        shown = shots.problems(work) if shots is not None else []
        order = sorted(range(len(problems)), key=lambda place: problems[place].id)
        groups = sampler.sample(
            [self._prompt(problems[place], shown) for place in order],
            num_draws=num_draws,
            temperature=self.temperature,
            top_p=self.top_p,
            max_new_tokens=self.served.max_new_tokens,
            stop=[*self.served.template.stop, *self.served.stop],
            seed=self.random_seed,
            progress=Counts(
                [problems[place] for place in order],
                rule=self.shown_rule or None,
                clean=self.served.template.clean,
                work=work,
            ),
        )
        clean, donor = self.served.template.clean, self.served.donor
        return [
            Sample(problems[place].id, self.draws[0] + i, clean(one.text), one.truncated, one.num_tokens, donor)
            for place, group in sorted(zip(order, groups, strict=True), key=lambda pair: pair[0])
            for i, one in enumerate(group)
        ]

    def _prompt(self, problem: Problem, shown: Sequence[Problem]) -> Prompt | Chat:
        from rft.core.sampling.openai_backend import Chat
        from rft.core.tokenization import Prompt

        template, shots = self.served.template, self.served.shots
        before = shots.before(problem, shown) if shots is not None else []
        if template.chat:
            return Chat(tuple(template.messages(problem.question, before)))
        return Prompt(template.ask(problem.question, shots=before))


@dataclass(frozen=True)
class ServedPool(Pool):
    """The first `num_draws` of a server's solutions to every question of a subset."""

    shards: tuple[ServedShard, ...]

    def facts(self, work: StageContext) -> dict[str, Any]:
        """For the record, of all draws of the shards. Raises RuntimeError where these came from several models."""
        files = [ServedFile(work.folder_of(shard)).facts() for shard in self.shards]
        told = list(dict.fromkeys(one.report for one in files))
        if len(told) > 1:
            raise RuntimeError(mixed(self.donor, told))
        total = functools.reduce(Spent.plus, (one.spent for one in files))
        urls = sorted({one.base_url for one in files})
        return {"provenance": "served", "servers": urls, "report": told[0].to_json(), **dataclasses.asdict(total)}


def mixed(donor: str, reports: Sequence[Report]) -> str:
    """The message about a pool that several models have drawn, or would draw."""
    said_of = " and ".join(str(one.to_json()) for one in reports)
    return (
        f"shards of {donor} were told different things of its model: {said_of}. One pool has one model: set "
        f"servers.{donor}.weights to a word for the model that draws now, so that it draws a pool of its own"
    )
