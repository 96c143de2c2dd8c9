"""The SFT model with the pool and the kept paths that RFT would train on, and no training on them.

Its score is SFT's; its record tells how many correct and how many distinct paths k draws find. So a setting can be held
against the paper's sampling (docs/calibration.md) without a look at what RFT gains there.

    rft run method=sampled k=100
"""

from __future__ import annotations

from rft.methods.rft import selected
from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner


@METHODS.add("sampled")
class Sampled(Method):
    """See the module."""

    title = "SFT, sampled"

    def plan(self, p: Planner) -> Trained:
        trainset = p.human_set(examples_frac=p.examples_frac)
        return Trained(p.finetune(trainset), trainset=trainset, selections=selected(p))
