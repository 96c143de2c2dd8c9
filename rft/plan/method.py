"""What a method is: how a cell's model comes about. The paper's methods, their controls and a user's own are files alike.

    @METHODS.add("sft")
    class Sft(Method):
        \"\"\"Fine-tuned on the human paths.\"\"\"

        title = "SFT"

        def plan(self, p: Planner) -> Trained:
            trainset = p.human_set()
            return Trained(p.finetune(trainset), trainset=trainset)

What `plan` reads of the configuration is the cell's setting; what it does not read means nothing for the method. Options of a
method's own are a dataclass, found under `methods.<name>` of the configuration:

    @dataclass
    class SelfQueryOptions:
        mix: QueryMix = QueryMix.mixed
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast

from rft.config import StudyConfig
from rft.registry import Registry
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import Finetune
from rft.stages.generation import Shots
from rft.stages.kept import Selection
from rft.stages.stage import Stage
from rft.stages.trainset import Trainset
from rft.stages.weights import Weights
from rft.text.templates import Template

if TYPE_CHECKING:
    from rft.plan.planner import Planner


@dataclass(frozen=True)
class Task:
    """What a model is asked: the template of its prompt, and lengths in tokens."""

    prompt: str
    max_prompt_tokens: int
    max_new_tokens: int
    template: Template | None = None  # of a user's own file; None: the one that `prompt` names


@dataclass(frozen=True)
class Trained:
    """The result of planning a method: the model that is scored, and the stages whose facts and files the record holds."""

    weights: Weights
    trainset: Trainset | None = None
    selections: tuple[Selection, ...] = ()  # each thins out what the one before kept; the last one decides
    earlier: tuple[Weights, ...] = ()  # models that it went on from, whose steps its weights have taken too
    steps_of: tuple[Trainset, ...] = ()  # all sets trained on, in turn, where there are more than `trainset`
    shots: Shots | None = None  # worked examples in the prompt
    task: Task | None = None  # where the model is asked another way than the data set says
    drafts: Evaluate | None = None  # shown to the model with each question

    @property
    def examples(self) -> Trainset | None:
        """What the weights are trained on: the method's set, less the examples that are too long where those are dropped."""
        return self.weights.trainset if isinstance(self.weights, Finetune) else self.trainset

    @property
    def all_steps_of(self) -> tuple[Trainset, ...]:
        """The sets whose optimiser steps the weights have taken: what a control at equal steps must match."""
        return self.steps_of or ((self.examples,) if self.examples is not None else ())

    @property
    def told(self) -> tuple[Stage[Any], ...]:
        """The stages whose facts the record holds."""
        return (*self.selections, *((self.examples,) if self.examples else ()), self.weights)


class Method(ABC):
    """One way to make a model."""

    title: ClassVar[str]  # in figures and tables
    options: ClassVar[type | None] = None  # a dataclass, every field with a default
    needs_world: ClassVar[bool] = False  # works with the embedded world only
    chooses: ClassVar[bool] = False  # among trainings by a grid of its own: how long it trains is not known beforehand

    @abstractmethod
    def plan(self, p: Planner) -> Trained:
        """Plan the stages. Raises ValueError for a size that the data cannot give."""

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        """A message for each setting of the configuration that the method cannot work with."""
        yield from ()


METHODS: Registry[type[Method]] = Registry("method", package="rft.methods")


Options = TypeVar("Options")


def options_of(cfg: StudyConfig, kind: type[Options]) -> Options:
    """The options of the method that has this class of them."""
    (name,) = (name for name, method in METHODS.items() if method.options is kind)
    return cast(Options, cfg.methods[name])
