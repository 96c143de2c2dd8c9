"""Solutions counted while they come: how many, how long, how many right and how many cut off so far.

    counts = Counts(problems, rule="gsm8k", clean=str.strip, work=work)
    sampler.sample(prompts, ..., progress=counts)

An engine tells `counts(done, total)`, and with it the solutions that came since, by the number of their prompt, where it has
them. A line of the stage's log, at most one a second:
    {"done": 256, "total": 1319, "tokens": 20480, "graded": 256, "correct": 31, "truncated": 2}
For looking at: the result is graded when it is complete.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rft.records import Problem
from rft.stages.stage import StageContext
from rft.text.answers import grade

if TYPE_CHECKING:
    from rft.core.sampling.base import Solution

EVERY_S = 1.0


class Counts:
    """The `progress` of a sampling engine."""

    def __init__(
        self, problems: Sequence[Problem], *, rule: str | None, clean: Callable[[str], str], work: StageContext
    ) -> None:
        self._problems = problems  # as the engine is asked
        self._rule = rule
        self._clean = clean
        self._work = work
        self._next_s = 0.0
        self._tokens = self._seen = self._correct = self._truncated = 0

    def __call__(self, done: int, total: int, fresh: Sequence[tuple[int, Solution]] = ()) -> None:
        self._work.report(done / total)
        log = self._work.log
        if log is None:
            return
        for number, solution in fresh:
            self._count(self._problems[number], solution)
        now_s = time.monotonic()
        if now_s >= self._next_s or done == total:
            self._next_s = now_s + EVERY_S
            graded = {"graded": self._seen, "correct": self._correct} if self._rule is not None and self._seen else {}
            seen = {"tokens": self._tokens, "truncated": self._truncated} if self._seen else {}
            log({"done": done, "total": total, **seen, **graded})

    def _count(self, problem: Problem, solution: Solution) -> None:
        self._seen += 1
        self._tokens += solution.num_tokens
        self._truncated += solution.truncated
        if self._rule is not None:
            text = self._clean(solution.text)
            self._correct += grade(self._rule, text, problem.gold, solution.truncated).value == "correct"
