"""At random: the control of every other chooser."""

from __future__ import annotations

from collections.abc import Sequence

from rft.text.choosing import CHOOSERS, Asked, ByValue, Tools


@CHOOSERS.add("random")
class Random(ByValue):
    """All paths alike, so that the seeded order of equals decides."""

    def values(self, asked: Sequence[Asked], tools: Tools) -> list[float]:  # noqa: ARG002
        """Zero."""
        return [0.0 for question in asked for _ in question.candidates]
