"""A selection cut to a budget of paths, those that a chooser ranks highest among the distinct ones of their question.

Which chooser decides nothing about how many paths a question gives (rft.text.choosing), so that of two cells that differ in
`select.choose` alone one trains on as many paths of each question as the other: `random` is the matched control. A budget
beyond what was kept keeps all; the record's `num_chosen` and `num_candidates` say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from rft.records import Problem, write_jsonl
from rft.stages.imported import model_digest
from rft.stages.kept import KEPT_FILE, Selection
from rft.stages.problems import Subset
from rft.stages.scores import Scores
from rft.stages.select import LeftFacts
from rft.stages.stage import Done, Facts, StageContext, added, said
from rft.text.choosing import CHOOSERS, Asked, Candidate, Tools, round_by_round


@dataclass(frozen=True)
class ChooseFacts(Facts):
    """How many paths were chosen, what they are like, and of them what the selection says of all."""

    num_candidates: int
    num_chosen: int
    chosen_mean_tokens: float | None  # generated tokens a chosen path
    chosen_mean_logprob: float | None  # nats a token under the model that drew it, mean over chosen paths
    left: LeftFacts

    def to_json(self) -> dict[str, Any]:
        """All in one."""
        row = {name: value for name, value in super().to_json().items() if name != "left"}
        return row | self.left.to_json()


@dataclass(frozen=True, eq=False, kw_only=True)
class Choose(Selection):
    """See the module."""

    kind: ClassVar[str] = "choose"
    paths: Selection  # distinct ones
    scores: tuple[Scores, ...]  # of each pool that they come from
    subset: Subset  # the questions
    equations: str  # annotated | plain: how a solution's equations are read
    chooser: str
    budget: int | None  # paths in all; null: no limit
    cap: int | None  # paths a question; null: no limit
    seed: int
    reward: str | None = added(None)  # digest of the reward model's files
    dtype: str = added("float32")  # of the reward model's weights
    plugins: tuple[str, ...] = added(())  # digests of the source of a chooser that is not this package's
    reward_path: str = said("")

    def run(self, work: StageContext) -> Done:
        problems = self.subset.problems(work)
        asked = self._asked(problems, work)
        ranked = CHOOSERS[self.chooser]().ranked(asked, Tools(self.seed, lambda pairs: self._rewards(pairs, work)))
        chosen = round_by_round(ranked, budget=self.budget, cap=self.cap, seed=self.seed)
        origins = {(one.path.id, one.path.model, one.path.draw) for one in chosen}
        kept = work.open(self.paths).kept()
        left = [path for path in kept if (path.id, path.model, path.draw) in origins]
        write_jsonl(work.out / KEPT_FILE, (path.to_json() for path in left))
        facts = ChooseFacts(
            num_candidates=len(kept),
            num_chosen=len(left),
            chosen_mean_tokens=_mean([one.num_tokens for one in chosen]),
            chosen_mean_logprob=_mean([one.logprob for one in chosen]),
            left=LeftFacts.of(left, problems, equations=self.equations),
        )
        return Done(facts=facts)

    def _asked(self, problems: Sequence[Problem], work: StageContext) -> list[Asked]:
        """Every question that has a kept path."""
        scores = {row.origin: row for one in self.scores for row in work.open(one).rows()}
        found: dict[str, list[Candidate]] = {}
        for path in work.open(self.paths).kept():
            score = scores[path.id, path.model, path.draw]
            found.setdefault(path.id, []).append(Candidate(path, score.num_tokens, score.logprob))
        return [Asked(problem.question, tuple(found[problem.id])) for problem in problems if problem.id in found]

    def _rewards(self, pairs: Sequence[tuple[str, str]], work: StageContext) -> list[float]:
        """Raises RuntimeError when the model is no longer what the study was planned with."""
        from rft.core.rewards import reward_scores
        from rft.infra.devices import resolve_device

        assert self.reward is not None, f"{self.chooser} asks for rewards without saying needs_reward_model"
        device, size = resolve_device(work.runtime.device), work.runtime.micro_batch_tokens
        folder = Path(self.reward_path)
        found = reward_scores(folder, pairs, device=device, micro_batch_tokens=size, dtype=self.dtype)
        if model_digest(folder) != self.reward:
            raise RuntimeError(
                f"the reward model in {folder} has changed since the study was planned: leave it alone while a study "
                "runs, and start it again"
            )
        return found


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
