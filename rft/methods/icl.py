"""In-context learning: the base model with worked examples in the prompt."""

from __future__ import annotations

from rft.plan.method import METHODS, Method, Trained
from rft.plan.planner import Planner


@METHODS.add("icl")
class Icl(Method):
    """The base as it is; nothing is trained."""

    title = "ICL"

    def plan(self, p: Planner) -> Trained:
        return Trained(p.base(), shots=p.shots())
