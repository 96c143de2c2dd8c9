"""Which of a question's distinct paths are worth most, and how a budget of paths is dealt over questions.

    ranked = CHOOSERS["shortest"]().ranked(asked, tools)          # the candidates of each question, best first
    round_by_round(ranked, budget=256, cap=None, seed=0)          # the best of every question, then the second best, ...

    >>> sorted(CHOOSERS)
    ['farthest', 'likeliest', 'random', 'reward', 'shortest']

A chooser ranks within questions and nothing else: how many paths a question gives follows from the numbers of candidates, the
budget and the seed alone. All choosers with one budget therefore keep equally many paths of every question, so that
`random` is the control of each; and a smaller budget lies inside a larger one. Another chooser is a class in a file of
rft.choosers, or of a plug-in, entered by `CHOOSERS.add(name)`.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from rft.registry import Registry
from rft.text.selection import KeptPath
from rft.text.subsets import rank


@dataclass(frozen=True)
class Candidate:
    """A path that may be kept."""

    path: KeptPath
    num_tokens: int  # generated, end-of-sequence token included
    logprob: float  # nats a token, under the model that wrote it


@dataclass(frozen=True)
class Asked:
    """A question with its candidates, in the order in which they were kept."""

    question: str
    candidates: tuple[Candidate, ...]


Reward = Callable[[Sequence[tuple[str, str]]], list[float]]  # (question, path) to a score, higher is better


@dataclass(frozen=True)
class Tools:
    """What a chooser may use."""

    seed: int
    reward: Reward  # of the reward model; for choosers that say they need it


class Chooser(ABC):
    """A way to rank the candidates of a question."""

    needs_reward_model: ClassVar[bool] = False

    @abstractmethod
    def ranked(self, asked: Sequence[Asked], tools: Tools) -> list[list[Candidate]]:
        """The candidates of each question, best first."""


class ByValue(Chooser):
    """A chooser that gives every candidate a value; equal values stand in a seeded order."""

    @abstractmethod
    def values(self, asked: Sequence[Asked], tools: Tools) -> list[float]:
        """One value a candidate, question by question; the highest is best."""

    def ranked(self, asked: Sequence[Asked], tools: Tools) -> list[list[Candidate]]:
        """By falling value."""
        values = self.values(asked, tools)
        count = sum(len(question.candidates) for question in asked)
        if len(values) != count or any(math.isnan(value) for value in values):
            raise ValueError(f"{type(self).__name__} must give {count} candidates a number each, it gave {len(values)}")
        given = iter(values)
        valued = [[(next(given), one) for one in question.candidates] for question in asked]
        return [[one for _, one in sorted(group, key=lambda pair: _order(pair, tools.seed))] for group in valued]


POLICY = "policy"  # of `select.choose`: no chooser, what the selection policy keeps
CHOOSERS: Registry[type[Chooser]] = Registry("select.choose", package="rft.choosers")


def _order(pair: tuple[float, Candidate], seed: int) -> tuple[float, int]:
    value, candidate = pair
    return -value, lot(candidate.path, seed=seed)


def lot(path: KeptPath, *, seed: int) -> int:
    """A random number of a path, which depends on the seed and the path's origin alone."""
    return rank(f"choose-{seed}", path.id, path.model, path.draw)


def round_by_round(
    ranked: Sequence[Sequence[Candidate]], *, budget: int | None, cap: int | None, seed: int
) -> list[Candidate]:
    """The best of every question in a seeded order of questions, then the second best, and so on, `budget` in all.

    At most `cap` of one question. None sets no limit.
    """
    groups = sorted((group for group in ranked if group), key=lambda group: rank(f"deal-{seed}", group[0].path.id))
    longest = max(map(len, groups), default=0)
    rounds = longest if cap is None else min(cap, longest)
    dealt = [group[place] for place in range(rounds) for group in groups if place < len(group)]
    return dealt if budget is None else dealt[:budget]
