"""Self-revise (paper appendix D): question and sampled draft in, human path out; evaluated on the SFT model's greedy drafts.

The question of a training example is question and draft, its solution the human path.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, ClassVar

from rft.config import StudyConfig, fields
from rft.methods.self_query import task_problems
from rft.plan.method import METHODS, Method, Task, Trained
from rft.plan.planner import Planner
from rft.plan.tuning import hold_out
from rft.records import Outcome, Sample
from rft.stages.finetune import Finetune
from rft.stages.shard import Pool
from rft.stages.stage import Done, StageContext, added
from rft.stages.trainset import HUMAN, Example, Examples, Trainset, TrainsetFacts, write_examples
from rft.text.answers import grade, grading_marks
from rft.text.dedup import MAX_DISTANCE_TEXT
from rft.text.prompts import REVISE, template_named


class DraftChoice(Enum):
    """Which of a question's drafts are trained on."""

    all = "all"  # an example for each
    farthest = "farthest"  # the one with the largest edit distance to the human path


@dataclass
class SelfReviseOptions:
    """Under methods.self_revise."""

    num_drafts: Annotated[int, fields.result("[1, inf)", "drafts of each training question")] = 1
    choose: DraftChoice = DraftChoice.all
    num_folds: Annotated[int, fields.result("[1, inf)", "1: no folds")] = (
        1  # above 1: the drafts of a fold come from a model trained on the other folds
    )


@dataclass(frozen=True)
class ReviseFacts(TrainsetFacts):
    """Sizes, where a problem's further drafts are what is added to it, and how good the drafts are."""

    draft_correct_frac: float | None = None  # also of those whose examples are too long to train on

    @staticmethod
    def about(rows: Sequence[Example], *, draft_correct_frac: float) -> ReviseFacts:
        """Of examples."""
        num_human = len({row.id for row in rows})
        return ReviseFacts(num_human, len(rows) - num_human, len(rows), draft_correct_frac=draft_correct_frac)


@dataclass(frozen=True, eq=False, kw_only=True)
class ReviseSet(Trainset):
    """An example for each draft, or one per question with its farthest draft."""

    kind: ClassVar[str] = "revise_set"
    version: ClassVar[int] = 2  # 2: truncated drafts by their answer
    drafts: tuple[Pool, ...]  # together they hold drafts of every question of the subset
    choose: str
    prompt: str
    rule: str
    plugins: tuple[str, ...] = added(())

    def run(self, work: StageContext) -> Done:
        """Raises RuntimeError when a question is short of drafts."""
        drafts = self._drafts(work)
        template = template_named(self.prompt)
        rows: list[Example] = []
        num_right = 0
        for problem in self.subset.problems(work):
            own = drafts.get(problem.id, [])
            if len(own) != self.drafts[0].num_draws:
                raise RuntimeError(
                    f"{problem.id} has {len(own)} drafts, expected {self.drafts[0].num_draws}: a shard is short"
                )
            for draft in [farthest(own, problem.solution)] if self.choose == DraftChoice.farthest.value else own:
                asked = template.with_draft(problem.question, draft.text)
                rows.append(Example(problem.id, asked, problem.solution, HUMAN))
                num_right += grade(self.rule, draft.text, problem.gold, draft.truncated) is Outcome.CORRECT
        write_examples(rows, work.out)
        return Done(facts=ReviseFacts.about(rows, draft_correct_frac=num_right / len(rows)))

    def facts_of(self, rows: Sequence[Example], *, whole: Examples) -> TrainsetFacts:
        return ReviseFacts.about(rows, draft_correct_frac=whole.facts["draft_correct_frac"])

    def _drafts(self, work: StageContext) -> dict[str, list[Sample]]:
        """The first drafts of each question, in order."""
        found: dict[str, list[Sample]] = {}
        for pool in self.drafts:
            for sample in pool.samples(work):
                found.setdefault(sample.id, []).append(sample)
        return {name: sorted(own, key=lambda sample: sample.draw) for name, own in found.items()}


def farthest(drafts: Sequence[Sample], human: str) -> Sample:
    """The draft with the largest edit distance to the human path; of equals the first."""
    from rapidfuzz.distance import Levenshtein

    short = human[:MAX_DISTANCE_TEXT]
    return max(drafts, key=lambda draft: Levenshtein.distance(draft.text[:MAX_DISTANCE_TEXT], short))


@METHODS.add("self_revise")
class SelfRevise(Method):
    """The paper's second augmentation that did not help."""

    title = "self-revising"
    options = SelfReviseOptions

    def problems(self, cfg: StudyConfig) -> Iterator[str]:
        return task_problems(cfg, num_tokens=cfg.data.max_prompt_tokens + 2 * cfg.data.max_new_tokens)

    def plan(self, p: Planner) -> Trained:
        options, revise, sft = p.options(SelfReviseOptions), revise_task(p), p.sft()
        trainset = ReviseSet(
            subset=p.human,
            drafts=tuple(_drafts(p, sft)),
            choose=options.choose.value,
            prompt=revise.prompt,
            rule=p.cfg.data.rule,
            plugins=grading_marks(p.cfg.data.rule),
            **p.trainset_estimates("self_revise", p.human),
        )
        model = p.finetune(trainset, task=revise)
        return Trained(model, trainset=trainset, task=revise, drafts=p.evaluate(sft))


def revise_task(p: Planner) -> Task:
    """Question and draft in, solution out."""
    task = p.task()
    return Task(f"{task.prompt}_{REVISE}", task.max_prompt_tokens + task.max_new_tokens, task.max_new_tokens)


def _drafts(p: Planner, sft: Finetune) -> Iterator[Pool]:
    """Drafts of the training questions: the SFT model's own, or for each fold those of an SFT model of the other folds."""
    options = p.options(SelfReviseOptions)
    num_folds, num_drafts = options.num_folds, options.num_drafts
    if num_folds == 1:
        yield p.sample(sft, subset=p.human, num_draws=num_drafts)
        return
    count = p.num_human
    for fold in range(num_folds):
        first, last = fold * count // num_folds, (fold + 1) * count // num_folds
        rest, held = hold_out(p, first=first, last=last)
        blind = p.finetune(p.human_set(rest))
        yield p.sample(blind, subset=held, num_draws=num_drafts)
