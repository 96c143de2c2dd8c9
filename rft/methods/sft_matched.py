"""The control at equal optimiser steps: human paths repeated until as many steps are taken as another method takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from rft.config import StudyConfig
from rft.plan.method import METHODS, Method, Trained, options_of
from rft.plan.planner import Planner
from rft.registry import suggestion
from rft.stages.finetune import Finetune
from rft.stages.stage import StageContext, counted
from rft.stages.trainset import Trainset


@dataclass
class SftMatchedOptions:
    """Under methods.sft_matched."""

    to: str = "rft"  # the method whose steps are matched, with this cell's other settings


@dataclass(frozen=True, eq=False, kw_only=True)
class MatchedSet(Trainset):
    """Human paths, with epochs counted over the examples of other sets together."""

    kind: ClassVar[str] = "matched_set"
    like: tuple[Trainset, ...] = counted()

    def references(self, num_examples: int, work: StageContext) -> list[int]:
        """Those of the other sets: as many steps as were taken over each, one after the other."""
        return [count for one in self.like for count in work.open(one).references]


@METHODS.add("sft_matched")
class SftMatched(Method):
    """SFT with the step count of the cell that it controls for."""

    title = "SFT, matched steps"
    options = SftMatchedOptions

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        name = options_of(cfg, SftMatchedOptions).to
        if name == "sft_matched" or name not in METHODS:
            others = ", ".join(other for other in sorted(METHODS) if other != "sft_matched")
            yield f"methods.sft_matched.to={name} is not one of {others}{suggestion(name, METHODS)}"
            return
        theirs = METHODS[name]().problems(cfg.with_values(method=name))  # its stages are this method's too
        yield from (f"methods.sft_matched.to={name}: {text}" for text in theirs)

    def plan(self, p: Planner) -> Trained:
        name = p.options(SftMatchedOptions).to
        other = p.planned(name)
        like = other.all_steps_of
        if not like or not isinstance(other.weights, Finetune) or METHODS[name].chooses:
            raise ValueError(
                f"methods.sft_matched.to={name}: its optimiser steps do not follow from a set of examples (it trains "
                "nothing, or chooses among trainings while it runs): name a method that fine-tunes once"
            )
        trainset = MatchedSet(
            subset=p.human,
            like=like,
            examples_frac=like[-1].trained_frac,
            label=like[-1].label.replace("examples ", "examples sft matched to ", 1),
            expected_reference=sum(one.expected_reference for one in like),
            work=like[-1].work,
        )
        return Trained(p.finetune(trainset), trainset=trainset, selections=other.selections)
