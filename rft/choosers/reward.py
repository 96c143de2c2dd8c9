"""Paths first that a reward model scores highest: a sequence-classification model with one output (rft.core.rewards)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rft.text.choosing import CHOOSERS, Asked, ByValue, Tools


@CHOOSERS.add("reward")
class BestRewarded(ByValue):
    """The score of question and path, from the model in `select.reward_model`."""

    needs_reward_model: ClassVar[bool] = True

    def values(self, asked: Sequence[Asked], tools: Tools) -> list[float]:
        """The scores."""
        return tools.reward([(question.question, one.path.text) for question in asked for one in question.candidates])
