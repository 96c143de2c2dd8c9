"""Short paths first."""

from __future__ import annotations

from collections.abc import Sequence

from rft.text.choosing import CHOOSERS, Asked, ByValue, Tools


@CHOOSERS.add("shortest")
class Shortest(ByValue):
    """Fewest generated tokens."""

    def values(self, asked: Sequence[Asked], tools: Tools) -> list[float]:  # noqa: ARG002
        """The number of tokens, negative."""
        return [-float(one.num_tokens) for question in asked for one in question.candidates]
