"""The SFT model with the pool and the kept paths that RFT would train on, and no training on them.

Its score is SFT's; its record tells how many correct and how many distinct paths k draws find. So a setting can be held
against the paper's sampling (docs/calibration.md) without a look at what RFT gains there.

    rft run method=sampled k=100 methods.sampled.num_questions=128
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from rft.config import fields
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner
from rft.stages.problems import Subset


@dataclass
class SampledOptions:
    """Under methods.sampled."""

    num_questions: Annotated[  # of those trained on, the first of the order that data_seed gives
        int | None, fields.result("[1, inf)", "questions that are sampled; null: all that are trained on")
    ] = None


@METHODS.add("sampled")
class Sampled(Method):
    """See the module."""

    title = "SFT, sampled"
    options = SampledOptions

    def plan(self, p: Planner) -> Trained:
        trainset = p.human_set(examples_frac=p.examples_frac)
        weights = p.finetune(trainset)
        asked = _asked(p)
        pool = p.sample(weights, subset=asked, num_draws=p.cfg.k)
        return Trained(weights, trainset=trainset, selections=(p.select((pool,), subset=asked),))


def _asked(p: Planner) -> Subset:
    """The questions that are sampled. Raises ValueError where more are asked for than are trained on."""
    count = p.options(SampledOptions).num_questions
    if count is None:
        return p.human
    if not 1 <= count <= p.num_human:
        raise ValueError(f"methods.sampled.num_questions must lie in 1..{p.num_human} (trained on), got {count}")
    return Subset(p.pool, count, p.data_seed)
