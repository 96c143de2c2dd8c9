"""Paths first that differ most from those before them: the measure of the paper's algorithm 1 (A.3) as a ranking.

The algorithm keeps, of paths with equal equations, the one with the largest summed edit distance to the others that are kept.
Here the first is the path with the largest sum over all candidates of its question, and each next one the path with the
largest sum over those that stand before it.
"""

from __future__ import annotations

from collections.abc import Sequence

from rft.text.choosing import CHOOSERS, Asked, Candidate, Chooser, Tools, lot
from rft.text.dedup import summed_distance


@CHOOSERS.add("farthest")
class Farthest(Chooser):
    """Greedy, by summed edit distance."""

    def ranked(self, asked: Sequence[Asked], tools: Tools) -> list[list[Candidate]]:
        """Question by question."""
        return [_greedy(question.candidates, seed=tools.seed) for question in asked]


def _greedy(candidates: Sequence[Candidate], *, seed: int) -> list[Candidate]:
    left = sorted(candidates, key=lambda one: lot(one.path, seed=seed))  # max() takes the first of equals
    texts = [one.path.text for one in left]
    taken: list[Candidate] = []
    reach = [summed_distance(text, texts) for text in texts]
    while left:
        best = max(range(len(left)), key=reach.__getitem__)
        if not taken:
            reach = [0] * len(left)
        taken.append(left.pop(best))
        reach.pop(best)
        reach = [
            total + summed_distance(one.path.text, [taken[-1].path.text])
            for total, one in zip(reach, left, strict=True)
        ]
    return taken
