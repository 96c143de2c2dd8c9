"""A plug-in as a user would write it: a method with a stage and a key of its own, an engine, a grading rule.

Named on the command line by `plugins=[toy_plugin]`, with its folder on PYTHONPATH.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

from rft.config import fields
from rft.core import OnProgress
from rft.core.sampling.base import Solution
from rft.core.sampling.engines import ENGINES, Place
from rft.core.tokenization import Prompt
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner
from rft.records import Problem
from rft.stages.stage import StageContext
from rft.stages.trainset import Example, Trainset
from rft.text.answers import RULES, Rule
from rft.text.numbers import last_number


@dataclass
class ToyOptions:
    """Under methods.toy: a swept key."""

    times: Annotated[int, fields.result("[1, inf)", "how often each human path is repeated")] = 2


@dataclass(frozen=True, eq=False, kw_only=True)
class RepeatedSet(Trainset):
    """Human paths, several times."""

    kind: ClassVar[str] = "toy_set"
    times: int

    def added(self, human: Sequence[Problem], work: StageContext) -> list[Example]:
        return [Example.of(problem, problem.solution, source="again") for problem in human] * (self.times - 1)


@METHODS.add("toy")
class Toy(Method):
    """SFT on repeated paths."""

    title = "toy repetition"
    options = ToyOptions

    def plan(self, p: Planner) -> Trained:
        times = p.options(ToyOptions).times
        trainset = RepeatedSet(subset=p.human, times=times, **p.trainset_estimates("toy", p.human))
        return Trained(p.finetune(trainset), trainset=trainset)


class Echo:
    """A sampler that always writes the same solution."""

    def sample(
        self, prompts: Sequence[Prompt], *, num_draws: int, progress: OnProgress | None = None, **_: Any
    ) -> list[list[Solution]]:
        return [[Solution("<<1+1=2>>2\n#### 2", 5, False)] * num_draws for _ in prompts]

    def close(self) -> None:
        pass


@ENGINES.add("echo")
def _echo(folder: Path, place: Place) -> Echo:
    return Echo()


RULES.add("toy_rule")(Rule("toy_rule", last_number, lambda answer, gold: True, "any number is right"))
