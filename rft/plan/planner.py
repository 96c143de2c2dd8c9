"""The vocabulary in which methods plan: questions, bases, fine-tuning, pools, selection, evaluation, as stages.

    p = Planner(cfg, sources)
    sft = p.sft()                                                 # the cell's base, fine-tuned on its human subset
    pool = p.sample(sft, subset=p.questions, num_draws=cfg.k)     # k solutions to each question
    p.finetune(KeptSet(subset=p.human, paths=p.select((pool,))))  # the base again, on human + kept

Every call gives the stage for what it is told, and reads the configuration for the rest: what is read is the cell's setting
(rft.config.reading). Nothing here touches a disk or a device.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from rft.config import ModelConfig
from rft.config.reading import unnoted
from rft.plan.method import METHODS, Task, Trained
from rft.plan.sampling import Sampling
from rft.plan.sharing import shared
from rft.plan.tuning import Grid, epochs_times, grid_of, tuned
from rft.plan.yields import (
    BYTES_PER_PROBLEM,
    BYTES_PER_SAMPLE_TOKEN,
    model_size,
)
from rft.stages.evaluate import Evaluate
from rft.stages.finetune import Finetune
from rft.stages.generation import Shots
from rft.stages.perturb import Perturb
from rft.stages.problems import Problems, Subset
from rft.stages.stage import Work
from rft.stages.trainset import Trainset
from rft.stages.tuning import UNTUNED, Values
from rft.stages.vote import Vote
from rft.stages.weights import Weights
from rft.text.answers import grading_marks
from rft.text.path_keys import ANNOTATED


class Planner(Sampling):
    """Plans the stages of one cell: questions, training, sampling, and here what is scored."""

    @shared
    def planned(self, method: str) -> Trained:
        """What a method makes of the cell: its own, or one that it is matched to."""
        return METHODS[method]().plan(self)

    @shared
    def shots(self) -> Shots | None:
        """Worked examples before each question, from the training problems."""
        count = self.cfg.data.num_shots
        return Shots(self.pool, count, self.data_seed) if count else None

    @shared
    def finetune(
        self,
        trainset: Trainset,
        *,
        model: ModelConfig | None = None,
        task: Task | None = None,
        values: Values = UNTUNED,
        start: Weights | None = None,
        suffix: str = "",
        grid: Grid | None = None,
    ) -> Finetune:
        """The base (or `start`) trained on a set of examples, with the cell's recipe but for `values` of its fields.

        Where the cell tunes (or a `grid` is given) the recipe is the one that is chosen for the model.
        """
        model = model or self.cfg.model
        if values == UNTUNED and grid is None:
            grid = grid_of(self)
        how: dict[str, Any] = {"model": model, "task": task, "start": start, "suffix": suffix}
        if grid is None:
            return super().finetune(trainset, values=values, **how)
        found, times = tuned(self, grid, model=model), epochs_times(self, grid, model=model)
        trained = super().finetune(trainset, values=grid.middle.times(times), **how)
        tries = found.tries if task is None and start is None and trainset == found.trainset else ()
        work = Work() if tries else trained.work
        return dataclasses.replace(trained, choice=found.stage, epochs_times=times, tries=tries, work=work)

    def evaluate(
        self,
        weights: Weights,
        *,
        problems: Problems | None = None,
        num_problems: int | None = None,
        model: ModelConfig | None = None,
        task: Task | None = None,
        shots: Shots | None = None,
        drafts: Evaluate | None = None,
    ) -> Evaluate:
        """Greedy maj1@1 on the split that is scored (or on `problems`), with per-problem outcomes."""
        own = problems is None
        problems = self.scored if problems is None else problems
        count = self.num_scored if num_problems is None else num_problems
        data = unnoted(self.cfg).data
        tokens, size = count * data.expected_solution_tokens, model_size(model or self.cfg.model)
        asked = count * data.expected_question_tokens * (1 + (shots.num_shots if shots else 0))
        return Evaluate(
            weights=weights,
            generation=self.generation(model=model, task=task, shots=shots),
            problems=problems,
            num_problems=count,
            rule=self.cfg.data.rule,
            drafts=drafts,
            guards=self.guards if own else (),
            plugins=grading_marks(self.cfg.data.rule),
            label=f"evaluate {weights.label} on {self._name(problems)}",
            model=weights.model,
            work=Work(
                tokens,
                2.0 * size.num_params * (tokens + asked),
                BYTES_PER_SAMPLE_TOKEN * tokens,
            ),
        )

    @shared
    def perturb(self) -> Perturb:
        """A numbers-changed copy of the problems that are scored."""
        seed, originals, count = self.cfg.eval.perturbed_seed, self.scored, self.num_scored
        assert seed is not None
        label, size = f"numbers changed in {originals.split}", Work(num_bytes=BYTES_PER_PROBLEM * count)
        return Perturb(
            split=originals.split, originals=originals, num_problems=count, seed=seed, label=label, work=size
        )

    def vote(self, weights: Weights, *, task: Task | None, shots: Shots | None, drafts: Evaluate | None) -> Vote:
        """Outcomes of K sampled solutions per problem that is scored: majority voting and pass@k."""
        k, problems, count = self.cfg.eval.vote_k, self.scored, self.num_scored
        assert k is not None
        pool = self.sample(
            weights,
            subset=Subset(problems, count, None),
            num_draws=k,
            temperature=self.cfg.eval.vote_temperature,
            task=task,
            shots=shots,
            drafts=drafts,
        )
        return Vote(
            problems=problems,
            num_problems=count,
            pool=pool,
            rule=self.cfg.data.rule,
            plugins=grading_marks(self.cfg.data.rule),
            equations=self._equations,
            label=f"vote K={k}" if self.cell is self else f"vote K={k} on {self._name(problems)}",
            work=Work(num_bytes=100.0 * count),
        )

    @property
    def _equations(self) -> str:
        """How votes read equations. Noted where it is not the default: cells from before it was read keep their setting."""
        bare = unnoted(self.cfg).select.equations
        return bare if bare == ANNOTATED else self.cfg.select.equations

    def _name(self, problems: Problems) -> str:
        words = problems.split if self.cell is self else f"{problems.split} of {unnoted(self.cfg).data.name}"
        return f"{words}, numbers changed" if isinstance(problems, Perturb) else words
