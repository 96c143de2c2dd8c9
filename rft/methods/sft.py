"""Supervised fine-tuning on the human paths (paper 3.2)."""

from __future__ import annotations

from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner


@METHODS.add("sft")
class Sft(Method):
    """The base, fine-tuned on the human subset."""

    title = "SFT"

    def plan(self, p: Planner) -> Trained:
        trainset = p.human_set(examples_frac=p.examples_frac)
        return Trained(p.finetune(trainset), trainset=trainset)
