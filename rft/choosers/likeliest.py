"""Likely paths first."""

from __future__ import annotations

from collections.abc import Sequence

from rft.text.choosing import CHOOSERS, Asked, ByValue, Tools


@CHOOSERS.add("likeliest")
class Likeliest(ByValue):
    """Highest mean log-probability of a token under the model that wrote the path; long paths are not punished."""

    def values(self, asked: Sequence[Asked], tools: Tools) -> list[float]:  # noqa: ARG002
        """The log-probability."""
        return [one.logprob for question in asked for one in question.candidates]
